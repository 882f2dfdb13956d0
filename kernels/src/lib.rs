//! Convolution kernels for MobileNet-like networks on CPUs: depthwise 3x3, pointwise (1x1) and the two fused, in NHWC, with bias,
//! activation and residual in the store. Hand-tuned for AVX2 with FMA and for NEON, chosen at run time, with a scalar and a
//! portable fallback. For inference engines to link: `no_std` + `alloc`, no threads, no global state, and nothing is allocated
//! while it computes.
//!
//! # Pack, op, run
//!
//! 1. **Pack**, when a model is loaded: weights into the order that a kernel wants. Packed weights carry their kernel, so that
//!    running them with another one is impossible. [`PackedDepthwise`], [`PackedPointwise`], [`PackedConv3x3`].
//! 2. **Op**, for each input shape: everything is validated here. [`Depthwise`], [`Pointwise`], [`Conv3x3`], [`Separable`].
//! 3. **Run**, for each input: only shapes and lengths are compared. The op says how many bytes of workspace it takes, the caller
//!    brings them.
//!
//! The worked example of the textbooks, a 4x4 input of 1 to 16 under the 3x3 window of 1 to 9:
//!
//! ```
//! use dwsep::{Activation, Depthwise, F32, Filter, KernelSet, Nhwc, PackedDepthwise, Padding, Serial, Stride, View, ViewMut};
//!
//! let kernels = KernelSet::native()?;
//! let window: Vec<f32> = (1..=9).map(|x| x as f32).collect();
//! let packed = PackedDepthwise::<F32>::pack(kernels.depthwise(), 1, Filter::new(&window, None))?;
//!
//! let op = Depthwise::new(&packed, Nhwc::new(1, 4, 4, 1), Stride::One, Padding::NONE, Activation::None)?;
//!
//! let input: Vec<f32> = (1..=16).map(|x| x as f32).collect();
//! let mut output = [0.0; 4];
//! op.run(
//!     &Serial,
//!     View::new(&input, op.input_shape())?,
//!     ViewMut::new(&mut output, op.output_shape())?,
//!     &mut [],
//! )?;
//! assert_eq!(output, [348.0, 393.0, 528.0, 573.0]);
//! # Ok::<(), dwsep::Error>(())
//! ```
//!
//! # Layouts
//!
//! Tensors are `[N, H, W, C]` with contiguous channels; distances between images, rows and pixels are the caller's ([`View`],
//! [`ViewMut`], [`Strides`]), in elements. Weights come as TensorFlow Lite stores them: `[c_out, c_in]`, `[c_out, 3, 3, c_in]`,
//! depthwise `[3, 3, C]`. No byte outside of the caller's slices, and none between strided elements, is read or written: tails are
//! masked or partial. Where pixels lie a multiple of 1 KB apart (from 256 channels of f32 on) the rows of a window compete for the same
//! sets of an 8-way first-level cache: [`Strides::spread`] makes depthwise up to four times as fast.
//!
//! # Numerics
//!
//! A contract, which the tests prove for every kernel:
//!
//! 1. Bias first, then taps row-major and `k` ascending, one step each. On `avx2_fma`, `neon` and `neon_in_order` a step is one fused multiply-add:
//!    these give **the same bits**, those of `reference::*_fma`. On `scalar` and `portable` it is a multiplication and an addition:
//!    the bits of the plain `reference::*`. Between the two the difference is at most `gamma(2k + 1) * (|bias| + sum |a||w|)`, with
//!    `gamma(n) = n u / (1 - n u)` and `u = 2^-24`.
//! 2. The same bits for any executor, number of threads, split into rows, fused or not.
//! 3. Then the residual is added, then the activation applied ([`Activation`] has the definitions). NaN propagates. The sign of a
//!    zero is unspecified.
//! 4. Padding contributes nothing, even where weights are infinite or NaN.
//! 5. 8-bit integers ([`Qs8`], [`Qu8`]): **the same bits on every ISA**. No sum saturates, and packing refuses weights whose sums could leave
//!    i32. Then `x = acc as f32 * (input.scale * weight_scale / output.scale)`, clamped to the activation's bounds less the output's
//!    zero point, rounded to the nearest integer, ties to even, plus the zero point: what TensorFlow Lite gives with its XNNPACK delegate.
//!    [`quantised`] has the rules of sums and means.
//! 6. The floating-point environment is neither read nor changed. [`Filter::flush_subnormals`] is offered when packing.
//!
//! # Threads
//!
//! The caller owns them. An [`Executor`] lends them for the time of a call ([`Serial`], or `Rayon` behind the feature `rayon`);
//! [`with_team`] lends them for a sequence of ops, between which they wait by spinning; engines that schedule by themselves call `run_rows`
//! with row ranges of their own. Work is split over output rows or over panels of
//! output channels, never over `k`.
//!
//! # Dispatch
//!
//! [`KernelSet::native`] takes the best kernels that this CPU runs, [`KernelSet::up_to`] none above an [`Isa`], and the environment
//! variable `DWSEP_ISA` (feature `std`) names a maximum that only ever lowers. [`kernels`] lists all of them.
//!
//! | tier | kernels | proved by |
//! |---|---|---|
//! | `scalar`, `portable` | f32, integers | running, on x86-64 and on AArch64 under emulation |
//! | `avx2_fma` | f32, integers | running |
//! | `avx_vnni` | integers | nothing: no machine of the authors' has it, so it has to be asked for by name |
//! | `avx512_vnni` | integers | running |
//! | `neon_in_order`, `neon` | f32, integers | running under emulation |
//! | `neon_dotprod`, `neon_i8mm` | integers | running under emulation |
//!
//! A tier without kernels of a kind has those of the tier below it.
//!
//! # Features
//!
//! | feature | what it brings |
//! |---|---|
//! | `std` (default) | `DWSEP_ISA`; the tiers `neon_dotprod` and `neon_i8mm`; the module `peak`, which measures what this machine can do |
//! | `rayon` | the executor `Rayon` |
//! | `huge-pages` | large [`AlignedBytes`] come from the operating system, in huge pages where it has them |
//! | `portable` | the tier on the crate `wide` (SSE2, wasm simd128) |
//! | `testing` | every kernel with problems to feed it, guarded buffers and derived error bounds; for tests, benches and fuzzing |
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[macro_use]
mod isa;
mod arch;
mod conv3x3;
#[cfg(any(test, all(target_arch = "aarch64", target_feature = "neon")))]
mod cores;
mod depthwise;
mod dispatch;
mod elementwise;
mod epilogue;
mod error;
mod executor;
mod geometry;
mod kernel;
mod memory;
mod pack;
#[cfg(feature = "std")]
pub mod peak;
mod pointwise;
mod pool;
pub mod quantised;
mod quantization;
mod registry;
mod scheme;
mod selfcheck;
mod separable;
mod shape;
mod simd;
#[cfg(feature = "testing")]
pub mod testing;
mod view;

pub use conv3x3::{Conv3x3, PackedConv3x3};
pub use depthwise::{Depthwise, PackedDepthwise};
pub use dispatch::KernelSet;
pub use elementwise::{global_average_pool, softmax};
pub use epilogue::Activation;
pub use error::{Error, Result};
#[cfg(feature = "rayon")]
pub use executor::Rayon;
pub use executor::{Executor, Serial};
pub use isa::Isa;
pub use kernel::args::{DwKernel, PwKernel};
pub use kernel::team::with_team;
pub use memory::AlignedBytes;
pub use pack::Filter;
pub use pointwise::{PackedPointwise, Pointwise};
pub use pool::{AveragePool, PoolWindow};
pub use quantization::{FilterQuantization, Quantization};
pub use scheme::{F32, Qs8, Qu8, Quantised, Scheme};
pub use selfcheck::{KernelInfo, SelfCheckError, kernels};
pub use separable::Separable;
pub use shape::{Nhwc, Padding, Stride};
pub use view::{Strides, View, ViewMut};

/// The ops by their definitions: naive loops, one for kernels that fuse multiply and add (`*_fma`) and one for those that do not; of
/// quantised ones a single one.
pub mod reference {
    pub mod quantised;

    pub use crate::conv3x3::reference as conv3x3;
    pub use crate::depthwise::reference as depthwise;
    pub use crate::pointwise::reference as pointwise;
}

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
