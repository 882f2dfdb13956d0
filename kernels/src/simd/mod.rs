//! The few vector operations that inner loops are written over. Crate-private; an instance for each ISA.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2_fma;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
pub(crate) mod neon;
#[cfg(feature = "portable")]
pub(crate) mod portable;
pub(crate) mod scalar;

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
}
