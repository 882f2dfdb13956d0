//! 8-bit integers by matrix products (`smmla`): of 2 rows and 2 columns, eight k at a time.
//!
//! ```text
//!   pair of rows:     [ constants: 2 ][ row 0: 8 k | row 1: 8 k ][ 8 k | 8 k ] ...         where two prepared rows would lie
//!   last row of odd:  [ constant     ][ 8 k ][ 8 k ] ...                                   as everywhere else
//!   panel:            [ bias: 8 ][ scale: 8 ][ column 0: 8 k | column 1: 8 k ][ 2 | 3 ][ 4 | 5 ][ 6 | 7 ] ...
//!   accumulator:      [ row 0 column 0 | row 0 column 1 | row 1 column 0 | row 1 column 1 ]
//! ```
//! Tiles of 8 rows x 8 columns: 16 accumulators, 4 pairs of rows and 4 of columns, 16 products for 8 loads. Rows are paired when they are
//! prepared, so that the loop need not put them together; the epilogue takes the blocks of 2 x 2 apart.

use core::arch::aarch64::*;
use core::arch::asm;

use crate::isa::Isa;
use crate::kernel::args::{Block, DwKernel, Order, PwArgs, PwKernel};
use crate::kernel::tiles::{Ahead, CHUNK, evenly};
use crate::pack::{FormQ8, ROW_HEADER, Word};
use crate::quantization::EpilogueQ8;
use crate::scheme::{Bytes, Qs8, Qu8};
use crate::simd::q8::copy;
use crate::simd::q8_neon::store_eight;

use super::neon_q8;

/// k of a step.
const KR: usize = 8;
/// Columns of a panel.
const NR: usize = 8;
/// Pairs of columns of a panel.
const PAIRS: usize = NR / 2;
/// Pairs of rows of a tile.
const ROW_PAIRS: usize = 4;
/// Panels that a last row takes at a time: enough chains to hide the latency of a product.
const ROW_PANELS: usize = 4;
/// Bytes of a pair of rows or columns in a step.
const PAIR: usize = 2 * KR;

const FORM: FormQ8 = FormQ8 {
    kr: KR,
    word: Word::Signed,
    // They have to be paired.
    in_place: false,
    windows: false,
};

/// Writes the rows of `block`, in pairs.
///
/// # Safety
/// As [`Block`].
#[inline(always)]
unsafe fn prepare(p: &PwArgs<Bytes>, block: &Block) {
    let (zero_point, zw) = (p.epilogue.input_zero_point, p.epilogue.weight_zero_point);
    let flip = p.epilogue.input_flip;
    for i in 0..block.rows {
        let paired = i + 1 < block.rows || i % 2 == 1;
        // Bytes from eight k to the next, and the row's place in its pair.
        let (apart, place) = if paired { (PAIR, i % 2) } else { (KR, 0) };
        // SAFETY: the caller's promise: two rows have room for two headers and the steps of both, one for its own.
        unsafe {
            let head = block.to.add((i - place) * block.row_bytes);
            let body = head.add(ROW_HEADER + place * KR);
            let at = |k: usize| body.add(k / KR * apart + k % KR);
            let covered = p.segments * p.pieces * p.k;
            let first = if covered < block.depth {
                0
            } else {
                block.depth
            };
            for k in first..block.depth.next_multiple_of(KR) {
                at(k).write(zero_point as u8);
            }
            let from = p.a.wrapping_add((block.first + i) * p.a_row);
            for segment in 0..p.segments {
                for piece in 0..p.pieces {
                    let from = from.add(segment * p.a_segment + piece * p.a_piece);
                    let first = p.k_first + segment * p.k_segment + piece * p.k;
                    let mut k = 0;
                    while k < p.k {
                        if (first + k) % KR == 0 && k + KR <= p.k {
                            let eight = veor_u8(vld1_u8(from.add(k)), vdup_n_u8(flip));
                            vst1_u8(at(first + k), eight);
                            k += KR;
                        } else {
                            at(first + k).write(from.add(k).read() ^ flip);
                            k += 1;
                        }
                    }
                }
            }
            let mut sum = 0_i32;
            if zw != 0 {
                for k in 0..block.depth {
                    sum = sum.wrapping_add(i32::from(at(k).read() as i8));
                }
            }
            let constant = sum.wrapping_mul(zw).wrapping_neg();
            head.cast::<i32>().add(place).write(constant);
        }
    }
}

/// The kernel: all tiles of `p`.
///
/// # Safety
/// As [`PwArgs`], of rows that [`prepare`] wrote; called inside a function with i8mm.
#[inline(always)]
unsafe fn run(p: &PwArgs<Bytes>) {
    let (panels, steps) = (p.n.div_ceil(NR), p.k.div_ceil(KR));
    let pairs = p.m / 2;
    // SAFETY: pairs and panels that there are, ROW_PAIRS pairs and ROW_PANELS panels at most.
    unsafe {
        if pairs > 0 {
            let groups = evenly(pairs, ROW_PAIRS);
            match p.order {
                Order::RowsOutside => {
                    for (first, height, tiles) in groups {
                        for tile in 0..tiles {
                            for panel in 0..panels {
                                tile_of(p, steps, first + tile * height, height, panel);
                            }
                        }
                    }
                }
                Order::PanelsOutside => {
                    for panel in 0..panels {
                        let mut ahead = if panel + 1 < panels {
                            let tiles = pairs.div_ceil(ROW_PAIRS);
                            Ahead::of(p, panel + 1, tiles, steps.div_ceil(CHUNK))
                        } else {
                            Ahead::nothing()
                        };
                        for (first, height, tiles) in groups {
                            for tile in 0..tiles {
                                tile_of(p, steps, first + tile * height, height, panel);
                                ahead.step();
                            }
                        }
                    }
                }
            }
        }
        if p.m % 2 == 1 {
            let mut panel = 0;
            while panel < panels {
                panel += if panels - panel >= ROW_PANELS {
                    tile::<1, ROW_PANELS, true>(p, steps, pairs, panel)
                } else {
                    tile::<1, 1, true>(p, steps, pairs, panel)
                };
            }
        }
    }
}

/// Chooses the tile of `pairs` pairs of rows.
///
/// # Safety
/// As [`run`]; pairs `pair..pair + pairs` and panel `panel` are among those of `p`.
#[inline(always)]
unsafe fn tile_of(p: &PwArgs<Bytes>, steps: usize, pair: usize, pairs: usize, panel: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match pairs {
            4 => tile::<4, 1, false>(p, steps, pair, panel),
            3 => tile::<3, 1, false>(p, steps, pair, panel),
            2 => tile::<2, 1, false>(p, steps, pair, panel),
            _ => tile::<1, 1, false>(p, steps, pair, panel),
        };
    }
    const { assert!(ROW_PAIRS == 4, "the arms above") }
}

/// One tile of `M` pairs of rows, or of the last row alone, and `P` panels. Returns `P`.
///
/// # Safety
/// As [`run`]; pairs `pair..pair + M`, or the row behind them, and panels `panel..panel + P` are among those of `p`.
#[inline(always)]
unsafe fn tile<const M: usize, const P: usize, const ALONE: bool>(
    p: &PwArgs<Bytes>,
    steps: usize,
    pair: usize,
    panel: usize,
) -> usize {
    const { assert!(!ALONE || M == 1) }
    let step_bytes = if ALONE { KR } else { PAIR };
    // SAFETY: PwArgs 2 to 4 for prepared rows: each pair has a header and `steps` steps, each panel as many.
    unsafe {
        let a = p.a.add(2 * pair * p.a_row);
        let a_pair = 2 * p.a_row;
        let packed = p.b.add(panel * p.b_panel);
        let mut acc = [[[vdupq_n_s32(0); PAIRS]; P]; M];
        for (m, acc) in acc.iter_mut().enumerate() {
            // What a row alone has behind its constant is never stored.
            let constants = vld1_s32(a.add(m * a_pair).cast());
            let constants =
                vcombine_s32(vdup_lane_s32::<0>(constants), vdup_lane_s32::<1>(constants));
            for (q, acc) in acc.iter_mut().enumerate() {
                let bias = packed.add(q * p.b_panel).cast::<i32>();
                for (v, acc) in acc.iter_mut().enumerate() {
                    let two = vld1_s32(bias.add(2 * v));
                    *acc = vaddq_s32(constants, vcombine_s32(two, two));
                }
            }
        }
        let (mut a_step, mut b_step) = (a.add(ROW_HEADER), packed.add(2 * 4 * NR));
        for _ in 0..steps {
            for q in 0..P {
                let mut columns = [vdupq_n_s8(0); PAIRS];
                for (v, columns) in columns.iter_mut().enumerate() {
                    *columns = vld1q_s8(b_step.add(q * p.b_panel + v * PAIR).cast());
                }
                for (m, acc) in acc.iter_mut().enumerate() {
                    let from = a_step.add(m * a_pair).cast::<i8>();
                    let rows = if ALONE {
                        vcombine_s8(vld1_s8(from), vdup_n_s8(0))
                    } else {
                        vld1q_s8(from)
                    };
                    for (acc, columns) in acc[q].iter_mut().zip(columns) {
                        *acc = product(*acc, rows, columns);
                    }
                }
            }
            a_step = a_step.add(step_bytes);
            b_step = b_step.add(PAIRS * PAIR);
        }
        for (m, acc) in acc.into_iter().enumerate() {
            for (q, [a, b, c, d]) in acc.into_iter().enumerate() {
                let scales = packed.add(q * p.b_panel + 4 * NR).cast::<f32>();
                let (row, col) = (2 * (pair + m), (panel + q) * NR);
                store(p, row, col, scales, [zip_low(a, b), zip_low(c, d)]);
                if !ALONE {
                    store(p, row + 1, col, scales, [zip_high(a, b), zip_high(c, d)]);
                }
            }
        }
    }
    P
}

/// `acc + rows x columns`, of two rows and two columns.
///
/// # Safety
/// Inside a function with i8mm.
#[inline(always)]
unsafe fn product(mut acc: int32x4_t, rows: int8x16_t, columns: int8x16_t) -> int32x4_t {
    // SAFETY: the feature; only registers.
    unsafe {
        asm!(
            "smmla {acc:v}.4s, {rows:v}.16b, {columns:v}.16b",
            acc = inout(vreg) acc,
            rows = in(vreg) rows,
            columns = in(vreg) columns,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// The upper row of two blocks side by side.
///
/// # Safety
/// None: NEON is in the target's base.
#[inline(always)]
unsafe fn zip_low(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    // SAFETY: the target's base.
    unsafe { vcombine_s32(vget_low_s32(a), vget_low_s32(b)) }
}

/// The lower row of two blocks side by side.
///
/// # Safety
/// None: NEON is in the target's base.
#[inline(always)]
unsafe fn zip_high(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    // SAFETY: the target's base.
    unsafe { vcombine_s32(vget_high_s32(a), vget_high_s32(b)) }
}

/// Requantises and stores a row of a panel from column `col` on, as far as there are columns.
///
/// # Safety
/// As [`run`]; `row < m`, `col < n`, `scales` are those of the panel.
#[inline(always)]
unsafe fn store(
    p: &PwArgs<Bytes>,
    row: usize,
    col: usize,
    scales: *const f32,
    acc: [int32x4_t; 2],
) {
    let (left, e): (usize, &EpilogueQ8) = (p.n - col, &p.epilogue);
    // SAFETY: PwArgs 4: `n - col` elements from `col` on are there, and no more are touched.
    unsafe {
        let c = p.c.add(row * p.c_row + col);
        if left >= NR {
            store_eight(acc, scales, e, c);
        } else {
            let mut bytes = [0; NR];
            store_eight(acc, scales, e, bytes.as_mut_ptr());
            copy(bytes.as_ptr(), c, left);
        }
    }
}

pub(crate) const PW_QS8_I8MM: PwKernel<Qs8> = {
    neon_i8mm! {
        /// # Safety
        /// As `Block`.
        unsafe fn prepare(p: &PwArgs<Bytes>, block: &Block) {
            // SAFETY: the caller's promise.
            unsafe { super::i8mm_q8::prepare(p, block) }
        }
    }
    neon_i8mm! {
        /// # Safety
        /// As `PwArgs`.
        unsafe fn run(p: &PwArgs<Bytes>) {
            // SAFETY: the caller's promise; the feature is this function's.
            unsafe { super::i8mm_q8::run(p) }
        }
    }
    PwKernel {
        name: "pw_qs8_8x8__neon_i8mm",
        isa: Isa::NeonI8mm,
        mr: 2 * ROW_PAIRS,
        nr: NR,
        form: FORM,
        prepare: Some(prepare),
        run,
    }
};
pub(crate) const PW_QU8_I8MM: PwKernel<Qu8> = PW_QS8_I8MM.as_scheme("pw_qu8_8x8__neon_i8mm");

pub(crate) const DW_QS8_I8MM: DwKernel<Qs8> = DwKernel {
    name: "dw3x3_qs8_8c__neon_i8mm",
    isa: Isa::NeonI8mm,
    ..neon_q8::DW_QS8_8C
};
pub(crate) const DW_QU8_I8MM: DwKernel<Qu8> = DwKernel {
    name: "dw3x3_qu8_8c__neon_i8mm",
    isa: Isa::NeonI8mm,
    ..neon_q8::DW_QU8_8C
};
