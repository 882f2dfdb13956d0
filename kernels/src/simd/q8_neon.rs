//! Quantised vectors of NEON: bytes in pairs of products where there is no dot product, `sdot` where there is, pixels by `smlal`.

use core::arch::aarch64::*;
use core::arch::asm;

use super::q8::{Pixels, Sums, taken};
use crate::arch::aarch64::{byte_loop, pw_loops};
use crate::pack::MARK_BYTES;
use crate::quantization::EpilogueQ8;

/// [`EpilogueQ8::apply`] of eight sums. Each step saturates, so that the bounds, which are integers, can come last, for eight at once.
///
/// # Safety
/// None: NEON is in the target's base.
#[inline(always)]
unsafe fn requantise(acc: [int32x4_t; 2], scales: [float32x4_t; 2], e: &EpilogueQ8) -> uint8x8_t {
    // The least and the greatest integer.
    let (lo, hi) = (e.lo as i32 + e.zero_point, e.hi as i32 + e.zero_point);
    // SAFETY: the target's base.
    unsafe {
        let low = vmulq_f32(vcvtq_f32_s32(acc[0]), scales[0]);
        let high = vmulq_f32(vcvtq_f32_s32(acc[1]), scales[1]);
        let (low, high) = (vcvtnq_s32_f32(low), vcvtnq_s32_f32(high));
        let words = vqmovn_high_s32(vqmovn_s32(low), high);
        let words = vqaddq_s16(words, vdupq_n_s16(e.zero_point as i16));
        let x = vmax_s8(vqmovn_s16(words), vdup_n_s8(lo as i8));
        let x = vreinterpret_u8_s8(vmin_s8(x, vdup_n_s8(hi as i8)));
        veor_u8(x, vdup_n_u8(e.flip))
    }
}

/// Requantises and stores four elements.
///
/// # Safety
/// `scales` is readable and `to` writable for 4.
#[inline(always)]
unsafe fn store_four(acc: int32x4_t, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let x = requantise([acc; 2], [vld1q_f32(scales); 2], e);
        let four = vget_lane_u32::<0>(vreinterpret_u32_u8(x));
        to.cast::<u32>().write_unaligned(four);
    }
}

/// Requantises and stores eight elements.
///
/// # Safety
/// `scales` is readable and `to` writable for 8.
#[inline(always)]
pub(crate) unsafe fn store_eight(
    acc: [int32x4_t; 2],
    scales: *const f32,
    e: &EpilogueQ8,
    to: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let scales = [vld1q_f32(scales), vld1q_f32(scales.add(4))];
        vst1_u8(to, requantise(acc, scales, e));
    }
}

/// Eight columns, a vector of partial sums for each.
///
/// ```text
///   t = a[0..8] * w[0..8] + a[8..16] * w[8..16]      i16: smull, smlal
///   acc += neighbours of t, added                    i32: sadalp
/// ```
/// Three instructions for 16 products, where `smlal` on 16-bit words takes four; and of the three two multiply, where there all four do,
/// which on a Cortex-A72 share one pipe. `APART`, for panels with a mark, adds each product by itself.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<const APART: bool>([int32x4_t; 8]);

// SAFETY: NEON is in the target's base; pointers are used for as many elements as the trait says.
unsafe impl<const APART: bool> Sums for Bytes<APART> {
    const LANES: usize = 8;
    const STEP: usize = 16;
    const MARK_BYTES: usize = MARK_BYTES;
    type Marked = Bytes<true>;

    type Row = int8x16_t;
    type Columns = [int8x16_t; 8];

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for 8 sums.
        unsafe {
            let mut acc = [vdupq_n_s32(0); 8];
            for (i, acc) in acc.iter_mut().enumerate() {
                *acc = vsetq_lane_s32::<0>(p.add(i).read_unaligned(), *acc);
            }
            Self(acc)
        }
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: the trait's.
        unsafe { Self([vsetq_lane_s32::<0>(x, vdupq_n_s32(0)); 8]) }
    }

    #[inline(always)]
    unsafe fn add(mut self, x: Self) -> Self {
        for (acc, x) in self.0.iter_mut().zip(x.0) {
            // SAFETY: the trait's.
            *acc = unsafe { vaddq_s32(*acc, x) };
        }
        self
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> int8x16_t {
        // SAFETY: readable for a step.
        unsafe { vld1q_s8(p.cast()) }
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> [int8x16_t; 8] {
        // SAFETY: readable for a step of 8 columns.
        unsafe {
            let mut columns = [vdupq_n_s8(0); 8];
            for (i, columns) in columns.iter_mut().enumerate() {
                *columns = vld1q_s8(p.add(16 * i).cast());
            }
            columns
        }
    }

    #[inline(always)]
    unsafe fn dot(mut self, row: int8x16_t, columns: [int8x16_t; 8]) -> Self {
        for (acc, w) in self.0.iter_mut().zip(columns) {
            // SAFETY: the trait's.
            unsafe {
                let low = vmull_s8(vget_low_s8(row), vget_low_s8(w));
                *acc = if APART {
                    vpadalq_s16(vpadalq_s16(*acc, low), vmull_high_s8(row, w))
                } else {
                    vpadalq_s16(*acc, vmlal_high_s8(low, row, w))
                };
            }
        }
        self
    }

    #[inline(always)]
    unsafe fn own_steps<const M: usize, const NV: usize, const P: usize>(
        acc: &mut [[[Self; NV]; P]; M],
        a: *const u8,
        a_row: usize,
        b: *const u8,
        _b_panel: usize,
        steps: usize,
    ) -> usize {
        if (APART, M, NV, P) != (false, 2, 1, 1) || steps == 0 {
            return 0;
        }
        let (mut c, mut d) = (acc[0][0][0], acc[M - 1][0][0]);
        // SAFETY: the same conditions.
        unsafe { byte_loop::two_rows(&mut c.0, &mut d.0, a, a_row, b, steps) };
        (acc[0][0][0], acc[M - 1][0][0]) = (c, d);
        steps
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        let [a, b, c, d, x, y, z, w] = self.0;
        // SAFETY: readable for 8 scales, writable for 8 bytes.
        unsafe {
            let low = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
            let high = vpaddq_s32(vpaddq_s32(x, y), vpaddq_s32(z, w));
            store_eight([low, high], scales, e, to);
        }
    }
}

/// Four sums by `sdot`.
#[derive(Clone, Copy)]
pub(crate) struct Dot(pub(crate) int32x4_t);

// SAFETY: used inside functions with dotprod only; pointers are used for as many elements as the trait says.
unsafe impl Sums for Dot {
    const LANES: usize = 4;
    type Marked = Self;

    type Row = int8x16_t;
    type Columns = int8x16_t;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for 4 sums.
        Self(unsafe { vld1q_s32(p) })
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: the features.
        Self(unsafe { vdupq_n_s32(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the features.
        Self(unsafe { vaddq_s32(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> int8x16_t {
        // SAFETY: readable for a step.
        unsafe { vreinterpretq_s8_s32(vld1q_dup_s32(p.cast())) }
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> int8x16_t {
        // SAFETY: readable for a step of 4 columns.
        unsafe { vld1q_s8(p.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(mut self, row: int8x16_t, columns: int8x16_t) -> Self {
        // SAFETY: the features; only registers.
        unsafe {
            asm!(
                "sdot {acc:v}.4s, {columns:v}.16b, {row:v}.16b",
                acc = inout(vreg) self.0,
                columns = in(vreg) columns,
                row = in(vreg) row,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        self
    }

    #[inline(always)]
    unsafe fn own_steps<const M: usize, const NV: usize, const P: usize>(
        acc: &mut [[[Self; NV]; P]; M],
        a: *const u8,
        a_row: usize,
        b: *const u8,
        _b_panel: usize,
        steps: usize,
    ) -> usize {
        if P != 1 {
            return 0;
        }
        let mut tile = [[acc[0][0][0]; NV]; M];
        for (tile, acc) in tile.iter_mut().zip(&*acc) {
            *tile = acc[0];
        }
        // SAFETY: the same conditions.
        let done = unsafe { pw_loops::dot(&mut tile, a, a_row, b, steps) };
        for (tile, acc) in tile.into_iter().zip(acc) {
            acc[0] = tile;
        }
        done
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 4 scales, writable for 4 bytes.
        unsafe { store_four(self.0, scales, e, to) }
    }

    #[inline(always)]
    unsafe fn store_two([a, b]: [Self; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 8 scales, writable for 8 bytes.
        unsafe { store_eight([a.0, b.0], scales, e, to) }
    }
}

/// Eight pixels.
#[derive(Clone, Copy)]
pub(crate) struct Words(int16x8_t);

// SAFETY: NEON is in the target's base; pointers are used for as many elements as the trait says.
unsafe impl Pixels for Words {
    const LANES: usize = 8;
    const PAIRS: bool = false;
    const SLOT: fn(usize) -> usize = |channel| channel;

    type Acc = [int32x4_t; 2];
    type Pair = ();

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's.
        Self(unsafe { vdupq_n_s16(0) })
    }

    #[inline(always)]
    unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        e: &EpilogueQ8,
    ) -> Self {
        // SAFETY: readable for 8 elements; the zero point is one.
        unsafe {
            let taken = taken::<UNSIGNED, CENTRED>(e);
            let (x, taken) = (vld1_u8(p), vdup_n_u8(taken as u8));
            Self(if UNSIGNED {
                vreinterpretq_s16_u16(vsubl_u8(x, taken))
            } else {
                vsubl_s8(vreinterpret_s8_u8(x), vreinterpret_s8_u8(taken))
            })
        }
    }

    #[inline(always)]
    unsafe fn sums(p: *const i32) -> [int32x4_t; 2] {
        // SAFETY: readable for 8 sums.
        unsafe { [vld1q_s32(p), vld1q_s32(p.add(4))] }
    }

    #[inline(always)]
    unsafe fn pair(_: Self, _: Self) {}

    #[inline(always)]
    unsafe fn dot_pair(acc: [int32x4_t; 2], (): (), _: *const i16) -> [int32x4_t; 2] {
        acc
    }

    #[inline(always)]
    unsafe fn mul_add(self, acc: [int32x4_t; 2], w: *const i16) -> [int32x4_t; 2] {
        // SAFETY: readable for 8 weights.
        unsafe {
            let w = vld1q_s16(w);
            [
                vmlal_s16(acc[0], vget_low_s16(self.0), vget_low_s16(w)),
                vmlal_high_s16(acc[1], self.0, w),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(acc: [int32x4_t; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 8 scales, writable for 8 bytes.
        unsafe { store_eight(acc, scales, e, to) }
    }
}
