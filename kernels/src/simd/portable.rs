//! The crate `wide`: SSE2 on x86, simd128 on wasm, arrays elsewhere. Multiplies and adds separately, even where this build
//! could fuse, so that the tier has the same bits on every target.

use super::Vf32;
use wide::f32x4;

#[derive(Clone, Copy)]
pub(crate) struct Wide(f32x4);

// SAFETY: no features beyond the target's; pointers are used for as many elements as the trait says.
unsafe impl Vf32 for Wide {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: readable for 4 elements.
        Self(f32x4::new(unsafe { p.cast::<[f32; 4]>().read() }))
    }

    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> Self {
        let mut x = [0.0; 4];
        for (i, x) in x.iter_mut().enumerate().take(n) {
            // SAFETY: readable for n elements.
            *x = unsafe { p.add(i).read() };
        }
        Self(f32x4::new(x))
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: writable for 4 elements.
        unsafe { p.cast::<[f32; 4]>().write(self.0.to_array()) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        for (i, x) in self.0.to_array().into_iter().enumerate().take(n) {
            // SAFETY: writable for n elements.
            unsafe { p.add(i).write(x) }
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self(f32x4::splat(x))
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        Self(self.0 + x.0)
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        Self(self.0 * x.0)
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // Not `f32x4::mul_add`, which fuses where the build has FMA.
        Self(self.0 + a.0 * b.0)
    }

    #[inline(always)]
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self {
        Self(self.0 + f32x4::splat(a.0.as_array()[LANE as usize]) * b.0)
    }

    #[inline(always)]
    unsafe fn clamp(self, lo: Self, hi: Self) -> Self {
        // Comparisons are false for NaN, so NaN stays; what `min` and `max` do with it differs between targets.
        let x = self.0.simd_lt(lo.0).bitselect(lo.0, self.0);
        Self(x.simd_gt(hi.0).bitselect(hi.0, x))
    }
}
