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
use crate::kernel::tiles::{Ahead, Area, CHUNK, TileLoops, evenly, of_height};
use crate::quantization::EpilogueQ8;
use crate::scheme::Bytes;
use crate::simd::q8::Sums;

/// Panels that a single row takes at a time: enough chains to hide the latency of a step.
const ROW_PANELS: usize = 4;
/// The ways of [`TileLoops`]: rows of one segment, rows of several that are met in place, and panels with a mark.
const PLAIN: usize = 0;
const WINDOWS: usize = 1;
const MARKED: usize = 2;

/// The kernel: all tiles of `p`.
///
/// # Safety
/// As [`PwArgs`], of prepared rows, with `mr` = `MR` and `nr` = `NV * V::LANES`; called inside a function with the features of `V`'s ISA,
/// whose [`tiles`] are `L`.
#[inline(always)]
pub(crate) unsafe fn run<
    V: Sums,
    L: TileLoops<Bytes>,
    const MR: usize,
    const NV: usize,
    const KR: usize,
>(
    p: &PwArgs<Bytes>,
) {
    let panels = p.n.div_ceil(NV * V::LANES);
    let mut panel = 0;
    if p.m == 1 && V::MARK_BYTES == 0 {
        let steps = p.k.div_ceil(KR);
        while panels - panel >= ROW_PANELS {
            let nothing = &mut Ahead::nothing();
            // SAFETY: panels that there are.
            unsafe { tile::<V, 1, NV, NV, ROW_PANELS, PLAIN>(p, steps, 0, panel, nothing) }
            panel += ROW_PANELS;
        }
    }
    while panel < panels {
        // SAFETY: panels that there are.
        unsafe {
            let kind = kind::<V, NV>(p, panel);
            let mut same = 1;
            let mut ahead = Ahead::nothing();
            if p.order == Order::RowsOutside {
                while panel + same < panels && kind == self::kind::<V, NV>(p, panel + same) {
                    same += 1;
                }
            } else if panel + 1 < panels {
                let chunks = p.k.div_ceil(KR).div_ceil(CHUNK);
                ahead = Ahead::of(p, panel + 1, p.m.div_ceil(MR), chunks);
            }
            rows::<V, L, MR, NV>(p, kind, panel, same, &mut ahead);
            panel += same;
        }
    }
}

/// What decides by which function a panel is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// The first vector holds all columns that there are.
    narrow: bool,
    /// It is to be computed by `V::Marked`.
    marked: bool,
}

/// # Safety
/// As [`run`]; the panel is among those of `p`.
#[inline(always)]
unsafe fn kind<V: Sums, const NV: usize>(p: &PwArgs<Bytes>, panel: usize) -> Kind {
    Kind {
        narrow: V::NARROW && NV > 1 && p.n - panel * NV * V::LANES <= V::LANES,
        // SAFETY: the caller's promise; asked only where panels have a mark.
        marked: V::MARK_BYTES > 0 && unsafe { has_mark::<V, NV>(p, panel) },
    }
}

/// Panels `panel..panel + panels`, which are of one kind, for all rows.
///
/// # Safety
/// As [`run`]; the panels are among those of `p`.
#[inline(always)]
unsafe fn rows<V: Sums, L: TileLoops<Bytes>, const MR: usize, const NV: usize>(
    p: &PwArgs<Bytes>,
    kind: Kind,
    panel: usize,
    panels: usize,
    ahead: &mut Ahead,
) {
    for (row, rows, tiles) in evenly(p.m, MR) {
        if tiles == 0 {
            continue;
        }
        let area = Area {
            row,
            tiles,
            panel,
            panels,
        };
        // SAFETY: rows and panels are among those of `p`; of a narrow panel the first vector has all columns. What a vector lacks is not asked for.
        unsafe {
            if const { V::WINDOWS } && p.segments > 1 {
                if const { V::NARROW && NV > 1 } && kind.narrow {
                    of_height::<Bytes, L, MR, 1, WINDOWS>(p, rows, area, ahead);
                } else {
                    of_height::<Bytes, L, MR, NV, WINDOWS>(p, rows, area, ahead);
                }
            } else if const { V::MARK_BYTES > 0 } && kind.marked {
                of_height::<Bytes, L, MR, NV, MARKED>(p, rows, area, ahead);
            } else if const { V::NARROW && NV > 1 } && kind.narrow {
                of_height::<Bytes, L, MR, 1, PLAIN>(p, rows, area, ahead);
            } else {
                of_height::<Bytes, L, MR, NV, PLAIN>(p, rows, area, ahead);
            }
        }
    }
}

/// The tiles of `M` rows and the first `USED` of the `NV` vectors of each panel of `area`: the body of [`TileLoops::tiles`].
///
/// # Safety
/// As [`TileLoops::tiles`]; called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn tiles<
    V: Sums,
    const M: usize,
    const USED: usize,
    const NV: usize,
    const KR: usize,
    const WAY: usize,
>(
    p: &PwArgs<Bytes>,
    area: Area,
    ahead: &mut Ahead,
) {
    let steps = p.k.div_ceil(KR);
    let mut row = area.row;
    for _ in 0..area.tiles {
        for panel in area.panel..area.panel + area.panels {
            // SAFETY: the caller's promise.
            unsafe {
                if WAY == MARKED {
                    tile::<V::Marked, M, NV, USED, 1, PLAIN>(p, steps, row, panel, ahead);
                } else {
                    tile::<V, M, NV, USED, 1, WAY>(p, steps, row, panel, ahead);
                }
            }
        }
        row += M;
    }
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

/// One tile of `M` rows and `P` panels of `NV` vectors, of which the first `USED` are computed. Rows are one segment each, but for the way `WINDOWS`.
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
    const WAY: usize,
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
        for segment in 0..if WAY == WINDOWS { p.segments } else { 1 } {
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
                            if WAY == WINDOWS {
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
            rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13);
        }
    }
    const { assert!(M <= 14, "add rows above") }
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
