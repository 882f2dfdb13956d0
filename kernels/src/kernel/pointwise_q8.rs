//! The quantised pointwise kernel over any vector of sums: the tile of `pointwise_f32.rs`, with steps of several `k` at a time.
//!
//! ```text
//!  prepared row:  [ constant ][ step 0: STEP bytes ][ step 1 ] ...
//!  panel:         [ bias: nr ][ scale: nr ][ mark: MARK_BYTES ][ step 0: nr x STEP bytes ][ step 1 ] ...
//!
//!  acc = bias + constant;   acc += row x columns, a step at a time;   y = requantise(acc)
//! ```
//! Integer sums have no order, so that nothing here is part of the numerics contract but the result. Rows come from
//! `prepare_q8.rs`, or lie in memory as such a row without its constant would: a step of them is one broadcast, and there is no tail of k.

use crate::kernel::args::{Order, PwArgs};
use crate::kernel::tiles::{Ahead, CHUNK, Tiles};
use crate::quantization::EpilogueQ8;
use crate::scheme::Bytes;
use crate::simd::q8::Sums;

/// Panels that a single row takes at a time: enough chains to hide the latency of a step.
const ROW_PANELS: usize = 4;

/// The kernel: all tiles of `p`.
///
/// # Safety
/// As [`PwArgs`], of prepared rows, with `mr` = `MR` and `nr` = `NV * V::LANES`; called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn run<V: Sums, const MR: usize, const NV: usize, const KR: usize>(
    p: &PwArgs<Bytes>,
) {
    let nr = NV * V::LANES;
    let (panels, steps) = (p.n.div_ceil(nr), p.k.div_ceil(KR));
    if p.m == 1 {
        let mut panel = 0;
        while panel < panels {
            // SAFETY: panels that there are.
            unsafe {
                if panels - panel >= ROW_PANELS && V::MARK_BYTES == 0 {
                    tile::<V, 1, NV, NV, ROW_PANELS, false>(
                        p,
                        steps,
                        0,
                        panel,
                        &mut Ahead::nothing(),
                    );
                    panel += ROW_PANELS;
                } else {
                    tile_of::<V, 1, NV>(p, steps, 0, 1, panel, &mut Ahead::nothing());
                    panel += 1;
                }
            }
        }
        return;
    }
    let tiles = Tiles::new(p.m, MR);
    match p.order {
        Order::RowsOutside => {
            for (row, rows) in tiles {
                for panel in 0..panels {
                    // SAFETY: rows and panel are among those of `p`; there are at most MR rows.
                    unsafe {
                        tile_of::<V, MR, NV>(p, steps, row, rows, panel, &mut Ahead::nothing());
                    }
                }
            }
        }
        Order::PanelsOutside => {
            for panel in 0..panels {
                let mut ahead = if panel + 1 < panels {
                    Ahead::of(p, panel + 1, tiles.left, steps.div_ceil(CHUNK))
                } else {
                    Ahead::nothing()
                };
                for (row, rows) in tiles.clone() {
                    // SAFETY: as above.
                    unsafe { tile_of::<V, MR, NV>(p, steps, row, rows, panel, &mut ahead) }
                }
            }
        }
    }
}

/// Chooses the tile of `rows` rows; those above `MR` are never compiled.
///
/// # Safety
/// As [`run`]; rows `row..row + rows` and panel `panel` are among those of `p`.
#[inline(always)]
unsafe fn tile_of<V: Sums, const MR: usize, const NV: usize>(
    p: &PwArgs<Bytes>,
    steps: usize,
    row: usize,
    rows: usize,
    panel: usize,
    ahead: &mut Ahead,
) {
    macro_rules! tiles {
        ($v:ty, $used:tt, $windows:literal, $($rows:literal)+) => {
            match rows {
                $($rows if MR >= $rows => tile::<$v, $rows, NV, $used, 1, $windows>(p, steps, row, panel, ahead),)+
                _ => tile::<$v, 1, NV, $used, 1, $windows>(p, steps, row, panel, ahead),
            }
        };
    }
    // SAFETY: the caller's promise; each arm computes as many rows as there are.
    unsafe {
        let narrow = V::NARROW && NV > 1 && p.n - panel * NV * V::LANES <= V::LANES;
        if V::WINDOWS && p.segments > 1 {
            if narrow {
                tiles!(V, 1, true, 12 11 10 9 8 7 6 5 4 3 2)
            } else {
                tiles!(V, NV, true, 12 11 10 9 8 7 6 5 4 3 2)
            }
        } else if V::MARK_BYTES > 0 && has_mark::<V, NV>(p, panel) {
            tiles!(V::Marked, NV, false, 12 11 10 9 8 7 6 5 4 3 2)
        } else if narrow {
            tiles!(V, 1, false, 12 11 10 9 8 7 6 5 4 3 2)
        } else {
            tiles!(V, NV, false, 12 11 10 9 8 7 6 5 4 3 2)
        }
    }
    const { assert!(MR <= 12, "add arms above") }
}

/// Whether panel `panel` is to be computed by `V::Marked`.
///
/// # Safety
/// As [`run`]; the panel is among those of `p`, and panels have a mark.
#[inline(always)]
unsafe fn has_mark<V: Sums, const NV: usize>(p: &PwArgs<Bytes>, panel: usize) -> bool {
    // SAFETY: the mark is behind biases and scales.
    unsafe {
        p.b.add(panel * p.b_panel + 8 * NV * V::LANES)
            .cast::<u32>()
            .read()
            != 0
    }
}

/// One tile of `M` rows and `P` panels of `NV` vectors, of which the first `USED` are computed. Rows are one segment each, or `WINDOWS`.
///
/// # Safety
/// As [`run`]; rows `row..row + M` and panels `panel..panel + P` are among those of `p`, and all columns that there are within `USED` vectors.
#[inline(always)]
unsafe fn tile<
    V: Sums,
    const M: usize,
    const NV: usize,
    const USED: usize,
    const P: usize,
    const WINDOWS: bool,
>(
    p: &PwArgs<Bytes>,
    steps: usize,
    row: usize,
    panel: usize,
    ahead: &mut Ahead,
) {
    let nr = NV * V::LANES;
    // SAFETY: PwArgs 2 to 4 for prepared rows: each has a header and `steps` steps, each panel two vectors of columns and as many steps.
    unsafe {
        let a = p.a.add(row * p.a_row);
        let in_place = p.header == 0;
        let packed = p.b.add(panel * p.b_panel);
        let mut acc = [[[V::splat(0); USED]; P]; M];
        for (m, acc) in acc.iter_mut().enumerate() {
            let constant = if in_place {
                V::splat(0)
            } else {
                V::splat(a.add(m * p.a_row).cast::<i32>().add(V::CONSTANT).read())
            };
            for (q, acc) in acc.iter_mut().enumerate() {
                let bias = packed.add(q * p.b_panel).cast::<i32>();
                for (v, acc) in acc.iter_mut().enumerate() {
                    *acc = V::load(bias.add(v * V::LANES)).add(constant);
                }
            }
        }
        let mut b_step = packed.add(8 * nr + V::MARK_BYTES);
        for segment in 0..if WINDOWS { p.segments } else { 1 } {
            let mut a_step = a.add(p.header + segment * p.a_segment);
            let mut left = steps;
            while left > 0 {
                let chunk = left.min(CHUNK);
                let done = V::own_steps(&mut acc, a_step, p.a_row, b_step, p.b_panel, chunk);
                a_step = a_step.add(done * V::STEP);
                b_step = b_step.add(done * nr * V::STEP);
                for _ in done..chunk {
                    for q in 0..P {
                        let mut columns = [V::columns(b_step.add(q * p.b_panel)); USED];
                        for (v, columns) in columns.iter_mut().enumerate().skip(1) {
                            let at = q * p.b_panel + v * V::LANES * V::STEP;
                            *columns = V::columns(b_step.add(at));
                        }
                        for (m, acc) in acc.iter_mut().enumerate() {
                            let mut row = V::row(a_step.add(m * p.a_row));
                            if WINDOWS {
                                row = V::changed(row, p.change);
                            }
                            for (acc, columns) in acc[q].iter_mut().zip(columns) {
                                *acc = acc.dot(row, columns);
                            }
                        }
                    }
                    a_step = a_step.add(V::STEP);
                    b_step = b_step.add(nr * V::STEP);
                }
                ahead.step();
                left -= chunk;
            }
        }
        #[allow(clippy::needless_range_loop, reason = "of `acc` it is the inner index")]
        for q in 0..P {
            let scales = packed.add(q * p.b_panel + 4 * nr).cast::<f32>();
            let (e, columns) = (&p.epilogue, p.n - (panel + q) * nr);
            let to = p.c.add(row * p.c_row + (panel + q) * nr);
            // Spelt out, and decided once: as a loop over rows it keeps sums on the stack.
            macro_rules! rows {
                ($($m:literal)+) => {
                    if columns >= USED * V::LANES {
                        $(if $m < M {
                            store::<V, USED>(e, scales, acc[$m][q], to.add($m * p.c_row));
                        })+
                    } else {
                        $(if $m < M {
                            store_partial::<V, USED>(e, scales, acc[$m][q], to.add($m * p.c_row), columns);
                        })+
                    }
                };
            }
            rows!(0 1 2 3 4 5 6 7 8 9 10 11);
        }
    }
    const { assert!(M <= 12, "add rows above") }
}

/// Requantises and stores `NV` vectors of a row.
///
/// # Safety
/// `scales` is readable and `to` writable for as many columns.
#[inline(always)]
unsafe fn store<V: Sums, const NV: usize>(
    e: &EpilogueQ8,
    scales: *const f32,
    acc: [V; NV],
    to: *mut u8,
) {
    let mut v = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while v + 2 <= NV {
            let at = v * V::LANES;
            let two = [acc[v], acc[v + 1]];
            V::store_two(two, scales.add(at), e, to.add(at));
            v += 2;
        }
        if v < NV {
            let at = v * V::LANES;
            acc[v].store(scales.add(at), e, to.add(at));
        }
    }
}

/// As [`store`], of which the first `columns` are there.
///
/// # Safety
/// As [`store`], but `to` is writable for `columns` bytes.
#[inline(always)]
unsafe fn store_partial<V: Sums, const NV: usize>(
    e: &EpilogueQ8,
    scales: *const f32,
    acc: [V; NV],
    to: *mut u8,
    columns: usize,
) {
    for (v, acc) in acc.into_iter().enumerate() {
        let at = v * V::LANES;
        let left = columns.saturating_sub(at);
        // SAFETY: the caller's promise.
        unsafe {
            if left >= V::LANES {
                acc.store(scales.add(at), e, to.add(at));
            } else if left > 0 {
                acc.store_partial(scales.add(at), e, to.add(at), left);
            }
        }
    }
}
