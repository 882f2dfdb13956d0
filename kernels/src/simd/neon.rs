//! NEON (Advanced SIMD of AArch64): four lanes. An instance for cores that reorder instructions and one for those that do not:
//! they compute the same, in loops that are written differently (`arch/aarch64/`).

use core::arch::aarch64::*;

use super::Vf32;
use crate::arch::aarch64::{dw_patch, pw_loops};
use crate::kernel::args::DwArgs;
use crate::scheme::F32;

#[derive(Clone, Copy)]
pub(crate) struct Neon<const IN_ORDER: bool>(pub(crate) float32x4_t);

// SAFETY: NEON is in the target's base; pointers are used for as many elements as the trait says.
unsafe impl<const IN_ORDER: bool> Vf32 for Neon<IN_ORDER> {
    const LANES: usize = 4;
    const BY_LANE: bool = true;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: readable for 4 elements.
        Self(unsafe { vld1q_f32(p) })
    }

    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> Self {
        // Lane by lane: a copy into an array would become a call to memcpy.
        // SAFETY: readable for n elements; a lane is loaded only where n reaches it.
        unsafe {
            let mut x = vdupq_n_f32(0.0);
            if n > 0 {
                x = vld1q_lane_f32::<0>(p, x);
            }
            if n > 1 {
                x = vld1q_lane_f32::<1>(p.add(1), x);
            }
            if n > 2 {
                x = vld1q_lane_f32::<2>(p.add(2), x);
            }
            Self(x)
        }
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: writable for 4 elements.
        unsafe { vst1q_f32(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        // SAFETY: writable for n elements; a lane is stored only where n reaches it.
        unsafe {
            if n > 0 {
                vst1q_lane_f32::<0>(p, self.0);
            }
            if n > 1 {
                vst1q_lane_f32::<1>(p.add(1), self.0);
            }
            if n > 2 {
                vst1q_lane_f32::<2>(p.add(2), self.0);
            }
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vdupq_n_f32(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vaddq_f32(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vmulq_f32(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }

    #[inline(always)]
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vfmaq_laneq_f32::<LANE>(self.0, b.0, a.0) })
    }

    #[inline(always)]
    unsafe fn clamp(self, lo: Self, hi: Self) -> Self {
        // fmax and fmin return NaN if an operand is NaN.
        // SAFETY: the trait's.
        Self(unsafe { vminq_f32(hi.0, vmaxq_f32(lo.0, self.0)) })
    }

    #[inline(always)]
    unsafe fn own_steps<const M: usize, const NV: usize>(
        acc: &mut [[Self; NV]; M],
        a: *const f32,
        a_row: usize,
        b: *const f32,
        k: usize,
    ) -> usize {
        // SAFETY: the same conditions.
        unsafe {
            if IN_ORDER {
                let done = pw_loops::in_order(acc, a, a_row, b, k);
                // Else the generic loop over four k would be compiled for what is left, one at most.
                core::hint::assert_unchecked(M < 6 || NV != 2 || k - done < 2);
                done
            } else {
                pw_loops::out_of_order(acc, a, a_row, b, k)
            }
        }
    }

    #[inline(always)]
    unsafe fn own_patch<
        const S: usize,
        const H: usize,
        const W: usize,
        const TH: usize,
        const TW: usize,
    >(
        p: &DwArgs<F32>,
        input: *const f32,
        output: *mut f32,
    ) -> usize {
        if (TH, TW) != (3, 3) {
            return 0;
        }
        // SAFETY: the same conditions.
        unsafe { dw_patch::patch::<S, H, W>(p, input, output) }
    }
}
