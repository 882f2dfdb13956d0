//! Convolution kernels for MobileNet-like networks on CPUs: depthwise 3x3, pointwise (1x1) and the two fused, in NHWC, with bias,
//! activation and residual in the store. Hand-tuned for AVX2, AVX-512 and NEON, chosen at run time, with a scalar and a
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
//! # What is promised
//!
//! The same bits from every kernel of a family, on any number of threads ([`guide::numerics`]); no byte outside of the caller's slices is
//! touched ([`guide::layouts`]); threads and workspace are the caller's ([`guide::threads`]); what is wrong with a call comes back as an
//! [`Error`] that names it, before anything is written. Which kernels run is in [`guide::dispatch`], what to enable in
//! [`guide::features`].
#![cfg_attr(not(feature = "std"), no_std)]
// Unit tests are built with the scalar kernels alone, and so with things that only those use.
#![cfg_attr(
    any(test, dwsep_generic),
    allow(dead_code, unused_imports, unused_macros)
)]

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
pub mod guide;
mod kernel;
mod memory;
mod pack;
#[cfg(feature = "std")]
pub mod peak;
mod pointwise;
mod pool;
#[cfg(feature = "qs8")]
pub mod quantised;
#[cfg(feature = "qs8")]
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
#[cfg(feature = "qs8")]
pub use quantization::{FilterQuantization, Quantization};
pub use scheme::{F32, Scheme};
#[cfg(feature = "qs8")]
pub use scheme::{Qs8, Qu8, Quantised};
pub use selfcheck::{KernelInfo, SelfCheckError, kernels};
pub use separable::Separable;
pub use shape::{Nhwc, Padding, Stride};
pub use view::{Strides, View, ViewMut};

/// The ops by their definitions: naive loops, one for kernels that fuse multiply and add (`*_fma`) and one for those that do not; of
/// quantised ones a single one.
pub mod reference {
    #[cfg(feature = "qs8")]
    pub mod quantised;

    pub use crate::conv3x3::reference as conv3x3;
    pub use crate::depthwise::reference as depthwise;
    pub use crate::pointwise::reference as pointwise;
}

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
