//! The few vector operations that inner loops are written over. Crate-private; an instance for each ISA.

#[cfg(all(target_arch = "x86_64", not(any(test, dwsep_generic))))]
pub(crate) mod avx2_fma;
#[cfg(all(target_arch = "x86_64", not(any(test, dwsep_generic))))]
pub(crate) mod avx512;
#[cfg(all(
    target_arch = "aarch64",
    target_feature = "neon",
    not(any(test, dwsep_generic))
))]
pub(crate) mod neon;
#[cfg(all(feature = "portable", not(test)))]
pub(crate) mod portable;
#[cfg(feature = "qs8")]
pub(crate) mod q8;
#[cfg(all(feature = "qs8", target_arch = "x86_64", not(any(test, dwsep_generic))))]
pub(crate) mod q8_avx2;
#[cfg(all(
    feature = "qs8",
    target_arch = "aarch64",
    target_feature = "neon",
    not(any(test, dwsep_generic))
))]
pub(crate) mod q8_neon;
#[cfg(all(feature = "qs8", feature = "portable", not(test)))]
pub(crate) mod q8_portable;
#[cfg(all(feature = "qs8", target_arch = "x86_64", not(any(test, dwsep_generic))))]
pub(crate) mod q8_products;
#[cfg(feature = "qs8")]
pub(crate) mod q8_scalar;
#[cfg(all(feature = "qs8", target_arch = "x86_64", not(any(test, dwsep_generic))))]
pub(crate) mod q8_vnni;
pub(crate) mod scalar;

use crate::kernel::args::DwArgs;
use crate::scheme::F32;

/// A vector of f32.
///
/// # Safety
/// The operations of an instance may be used only inside a function that has the `#[target_feature]`s of its ISA, into which
/// they are inlined (`#[inline(always)]`, no feature of their own). Pointers must be valid for as many elements as an operation
/// names: `LANES`, or `n`.
pub(crate) unsafe trait Vf32: Copy {
    /// f32 in a vector.
    const LANES: usize;
    /// Multiplying by a lane of a vector is as cheap as by a vector (AArch64), so that rows of A are loaded `LANES` elements at a
    /// time. Otherwise they are broadcast one by one, which x86 does in the load.
    const BY_LANE: bool = false;

    unsafe fn load(p: *const f32) -> Self;
    /// The first `n < LANES` lanes from `p`, the others 0.
    unsafe fn load_partial(p: *const f32, n: usize) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// The first `n < LANES` lanes to `p`.
    unsafe fn store_partial(self, p: *mut f32, n: usize);
    unsafe fn splat(x: f32) -> Self;
    unsafe fn add(self, x: Self) -> Self;
    unsafe fn mul(self, x: Self) -> Self;
    /// `self + a * b`, fused where the ISA fuses.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// `self + a[LANE] * b`, fused where the ISA fuses.
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self;
    /// `min(max(self, lo), hi)`; NaN stays NaN.
    unsafe fn clamp(self, lo: Self, hi: Self) -> Self;
    /// The first steps of a pointwise tile in a loop that the ISA has written for itself: `acc[m][v] += a[m * a_row + i] * b[v]` for
    /// each step `i`, in order. Returns how many of the `k` steps it has done; the generic loop does the others.
    ///
    /// `a + m * a_row` must be readable for `k` elements for each `m < M`, `b` for `k * NV * LANES`.
    #[inline(always)]
    unsafe fn own_steps<const M: usize, const NV: usize>(
        _acc: &mut [[Self; NV]; M],
        _a: *const f32,
        _a_row: usize,
        _b: *const f32,
        _k: usize,
    ) -> usize {
        0
    }

    /// The first channels of a depthwise patch in a loop that the ISA has written for itself: `H x W` outputs from `output` on at
    /// stride `S`, which see `TH x TW` taps from `input` on. Returns how many channels it has done, whole vectors; the generic loop
    /// does the others.
    ///
    /// `p` is as its conditions say, and the outputs are among those of `p`.
    #[inline(always)]
    unsafe fn own_patch<
        const S: usize,
        const H: usize,
        const W: usize,
        const TH: usize,
        const TW: usize,
    >(
        _p: &DwArgs<F32>,
        _input: *const f32,
        _output: *mut f32,
    ) -> usize {
        0
    }
}
