//! AVX-512: sixteen lanes, and partial vectors by mask registers, whose masked lanes are neither read nor written.

use core::arch::x86_64::*;

use super::Vf32;

#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// The first `n < 16` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1_u32 << n) - 1) as __mmask16
}

// SAFETY: used inside functions with AVX512F only; pointers are used for as many elements as the trait says, masked lanes are
// not touched.
unsafe impl Vf32 for Avx512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: readable for 16 elements.
        Self(unsafe { _mm512_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> Self {
        // SAFETY: readable for n elements.
        Self(unsafe { _mm512_maskz_loadu_ps(first(n), p) })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: writable for 16 elements.
        unsafe { _mm512_storeu_ps(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        // SAFETY: writable for n elements.
        unsafe { _mm512_mask_storeu_ps(p, first(n), self.0) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm512_add_ps(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm512_mul_ps(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self {
        // Not on a hot path: `BY_LANE` is false.
        // SAFETY: the trait's.
        unsafe {
            let lane = _mm512_permutexvar_ps(_mm512_set1_epi32(LANE), a.0);
            self.mul_add(Self(lane), b)
        }
    }

    #[inline(always)]
    unsafe fn clamp(self, lo: Self, hi: Self) -> Self {
        // As on AVX2: the value comes second, since that is what a comparison with NaN gives.
        // SAFETY: the trait's.
        Self(unsafe { _mm512_min_ps(hi.0, _mm512_max_ps(lo.0, self.0)) })
    }
}
