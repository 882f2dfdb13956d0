//! AVX2 and FMA: eight lanes.

use core::arch::x86_64::*;

use super::Vf32;

#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Ones in the first `n` lanes, as `vmaskmov` wants them.
#[inline(always)]
unsafe fn mask(n: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lane)
    }
}

// SAFETY: used inside functions with AVX2 and FMA only; pointers are used for as many elements as the trait says, masked lanes
// of `vmaskmov` are neither read nor written.
unsafe impl Vf32 for Avx2 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: readable for 8 elements.
        Self(unsafe { _mm256_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> Self {
        // SAFETY: readable for n elements.
        Self(unsafe { _mm256_maskload_ps(p, mask(n)) })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: writable for 8 elements.
        unsafe { _mm256_storeu_ps(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        // SAFETY: writable for n elements.
        unsafe { _mm256_maskstore_ps(p, mask(n), self.0) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm256_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm256_add_ps(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm256_mul_ps(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self {
        // Not on a hot path: `BY_LANE` is false.
        // SAFETY: the trait's.
        unsafe {
            let lane = _mm256_permutevar8x32_ps(a.0, _mm256_set1_epi32(LANE));
            self.mul_add(Self(lane), b)
        }
    }

    #[inline(always)]
    unsafe fn clamp(self, lo: Self, hi: Self) -> Self {
        // maxps and minps return their second operand if one is NaN, so the value comes second.
        // SAFETY: the trait's.
        Self(unsafe { _mm256_min_ps(hi.0, _mm256_max_ps(lo.0, self.0)) })
    }
}
