//! The f32 pointwise kernel over any vector: an `MR x (NV * LANES)` register tile, and the loops over tiles around it.
//!
//! ```text
//!                 panel of B, k-major         bias first
//!                 [ b0 | b1 ]  k = 0           acc = bias
//!  A, in place    [ b0 | b1 ]  k = 1           acc = acc + a * b     one step a k, k ascending,
//!  row 0: a a a.. [   :     ]                                        one chain an output: the order is the
//!  row 1: a a a..                              acc = acc + residual  numerics contract
//!   :             acc: MR x NV vectors         store activation(acc)
//! ```
//!
//! The loops over tiles are inside the functions that have the ISA's features ([`TileLoops`]). Rows are split
//! evenly (49 = 4 x 6 + 5 x 5 for MR = 6), since a tile of one row runs at a quarter of the speed of a full one. A single row (the
//! classifier) has too few chains to hide the latency of an FMA: it takes several panels at a time.
//!
//! `k` has a run-time trip count on purpose. Unrolled, the 27 steps of the stem spill.

use crate::epilogue::{EpilogueF32, SIXTH};
use crate::kernel::args::{Order, PwArgs};
use crate::kernel::tiles::{Ahead, Area, CHUNK, TileLoops, evenly, of_height};
use crate::scheme::F32;
use crate::simd::Vf32;

/// Panels that a single row takes at a time.
const ROW_PANELS: usize = 6;
/// The ways of [`TileLoops`]: without hints, or with those for the next panel.
const PLAIN: usize = 0;
const HINTS: usize = 1;

/// The kernel: all tiles of `p`.
///
/// # Safety
/// As [`PwArgs`], with `mr` = `MR` and `nr` = `NV * V::LANES`; called inside a function with the features of `V`'s ISA, whose [`tiles`] are `L`.
#[inline(always)]
pub(crate) unsafe fn run<V: Vf32, L: TileLoops<F32>, const MR: usize, const NV: usize>(
    p: &PwArgs<F32>,
) {
    let nr = NV * V::LANES;
    let panels = p.n.div_ceil(nr);
    if p.m == 1 {
        let mut panel = 0;
        while panel < panels {
            // SAFETY: `row_tile` takes panels that there are.
            unsafe {
                if panels - panel >= ROW_PANELS {
                    row_tile::<V, NV, ROW_PANELS>(p, panel);
                    panel += ROW_PANELS;
                } else {
                    row_tile::<V, NV, 1>(p, panel);
                    panel += 1;
                }
            }
        }
        return;
    }
    // Of a last panel with few columns only the first vector is computed.
    let narrow = const { NV > 1 } && p.n - (panels - 1) * nr <= V::LANES;
    let panels = panels - usize::from(narrow);
    // SAFETY: rows and panels are among those of `p`; only the last panel is narrow.
    unsafe {
        if narrow {
            if const { MR >= 6 } {
                narrow_panel::<L, 12>(p, panels)
            } else {
                narrow_panel::<L, 6>(p, panels)
            }
        }
        match p.order {
            Order::RowsOutside => {
                rows::<L, MR, NV, PLAIN>(p, 0, panels, &mut Ahead::nothing());
            }
            Order::PanelsOutside => {
                for panel in 0..panels {
                    let mut ahead = if panel + 1 < panels {
                        let chunks = p.segments * p.pieces * p.k.div_ceil(CHUNK);
                        Ahead::of(p, panel + 1, p.m.div_ceil(MR), chunks)
                    } else {
                        Ahead::nothing()
                    };
                    rows::<L, MR, NV, HINTS>(p, panel, 1, &mut ahead);
                }
            }
        }
    }
}

/// The first vector of panel `panel` for all rows. A tile of one vector has more rows than others: as many as they have would not
/// hide the latency of an FMA.
///
/// # Safety
/// As [`run`]; panel `panel` is among those of `p`, and no column of it lies beyond its first vector.
#[inline(always)]
unsafe fn narrow_panel<L: TileLoops<F32>, const ROWS: usize>(p: &PwArgs<F32>, panel: usize) {
    // SAFETY: the caller's promise.
    unsafe { rows::<L, ROWS, 1, PLAIN>(p, panel, 1, &mut Ahead::nothing()) }
}

/// Panels `panel..panel + panels` for all rows, in tiles of at most `MR`.
///
/// # Safety
/// As [`run`]; the panels are among those of `p`, and no column lies beyond the first `USED` vectors of each.
#[inline(always)]
unsafe fn rows<L: TileLoops<F32>, const MR: usize, const USED: usize, const WAY: usize>(
    p: &PwArgs<F32>,
    panel: usize,
    panels: usize,
    ahead: &mut Ahead,
) {
    for (row, rows, tiles) in evenly(p.m, MR) {
        let area = Area {
            row,
            tiles,
            panel,
            panels,
        };
        if tiles > 0 {
            // SAFETY: rows and panels are among those of `p`.
            unsafe { of_height::<F32, L, MR, USED, WAY>(p, rows, area, ahead) }
        }
    }
}

/// The tiles of `M` rows and the first `USED` of the `NV` vectors of each panel of `area`: the body of [`TileLoops::tiles`].
///
/// # Safety
/// As [`TileLoops::tiles`]; called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn tiles<
    V: Vf32,
    const M: usize,
    const USED: usize,
    const NV: usize,
    const WAY: usize,
>(
    p: &PwArgs<F32>,
    area: Area,
    ahead: &mut Ahead,
) {
    let mut row = area.row;
    for _ in 0..area.tiles {
        for panel in area.panel..area.panel + area.panels {
            // SAFETY: the caller's promise.
            unsafe { tile::<V, M, USED, NV, WAY>(p, row, panel, ahead) }
        }
        row += M;
    }
}

/// One tile of `M` rows and the first `NV` of the `PV` vectors of a panel.
///
/// # Safety
/// As [`run`]; rows `row..row + M` and panel `panel` are among those of `p`.
#[inline(always)]
unsafe fn tile<V: Vf32, const M: usize, const NV: usize, const PV: usize, const WAY: usize>(
    p: &PwArgs<F32>,
    row: usize,
    panel: usize,
    ahead: &mut Ahead,
) {
    // SAFETY: PwArgs 2 and 3: rows and panel are there, `k_first + (segments - 1) * k_segment + pieces * k` steps in the panel.
    unsafe {
        let nr = PV * V::LANES;
        let packed = p.b.add(panel * p.b_panel).cast::<f32>();
        let mut acc = [[V::splat(0.0); NV]; M];
        for (v, bias) in load_step::<V, NV>(packed).into_iter().enumerate() {
            for acc in &mut acc {
                acc[v] = bias;
            }
        }
        // Without segments nothing is read, and the row may lie beyond the input.
        let a = p.a.wrapping_add(row * p.a_row);
        for segment in 0..p.segments {
            let (a, b) = (
                a.add(segment * p.a_segment),
                packed.add((1 + p.k_first + segment * p.k_segment) * nr),
            );
            for piece in 0..p.pieces {
                let (a, b) = (a.add(piece * p.a_piece), b.add(piece * p.k * nr));
                if WAY == PLAIN {
                    steps::<V, M, NV, PV>(&mut acc, a, p.a_row, b, p.k);
                    continue;
                }
                let mut done = 0;
                while done < p.k {
                    let k = CHUNK.min(p.k - done);
                    steps::<V, M, NV, PV>(&mut acc, a.add(done), p.a_row, b.add(done * nr), k);
                    ahead.step();
                    done += k;
                }
            }
        }
        // The common case in one piece: decided for each vector it cost as much as 10 steps.
        let whole = p.n - panel * nr >= NV * V::LANES;
        if whole && p.residual.is_null() && !p.epilogue.hard_swish {
            let c = p.c.add(row * p.c_row + panel * nr);
            let (lo, hi) = (V::splat(p.epilogue.lo), V::splat(p.epilogue.hi));
            for (m, acc) in acc.into_iter().enumerate() {
                for (v, x) in acc.into_iter().enumerate() {
                    x.clamp(lo, hi).store(c.add(m * p.c_row + v * V::LANES));
                }
            }
        } else {
            for (m, acc) in acc.into_iter().enumerate() {
                store::<V, NV>(p, row + m, panel * nr, acc);
            }
        }
    }
}

/// `k` steps of accumulation.
///
/// # Safety
/// `a + m * a_row` is readable for `k` elements for each `m < M`, `b` for `k * PV * LANES`.
#[inline(always)]
unsafe fn steps<V: Vf32, const M: usize, const NV: usize, const PV: usize>(
    acc: &mut [[V; NV]; M],
    a: *const f32,
    a_row: usize,
    b: *const f32,
    k: usize,
) {
    // SAFETY: the caller's promise; every index is below k.
    unsafe {
        let nr = PV * V::LANES;
        let mut done = if NV == PV {
            V::own_steps(acc, a, a_row, b, k)
        } else {
            0
        };
        if V::BY_LANE {
            const {
                assert!(
                    !V::BY_LANE || V::LANES == 4,
                    "one call of `lane_step` a lane"
                )
            }
            while k - done >= 4 {
                let mut rows = [V::splat(0.0); M];
                for (m, row) in rows.iter_mut().enumerate() {
                    *row = V::load(a.add(m * a_row + done));
                }
                lane_step::<V, M, NV, 0>(acc, &rows, b.add(done * nr));
                lane_step::<V, M, NV, 1>(acc, &rows, b.add((done + 1) * nr));
                lane_step::<V, M, NV, 2>(acc, &rows, b.add((done + 2) * nr));
                lane_step::<V, M, NV, 3>(acc, &rows, b.add((done + 3) * nr));
                done += 4;
            }
        }
        while done < k {
            let b = load_step::<V, NV>(b.add(done * nr));
            for (m, acc) in acc.iter_mut().enumerate() {
                let a = V::splat(*a.add(m * a_row + done));
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = acc.mul_add(a, b);
                }
            }
            done += 1;
        }
    }
}

/// One step, with lane `LANE` of each row of A.
///
/// # Safety
/// `b` is readable for `NV * LANES` elements.
#[inline(always)]
unsafe fn lane_step<V: Vf32, const M: usize, const NV: usize, const LANE: i32>(
    acc: &mut [[V; NV]; M],
    rows: &[V; M],
    b: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let b = load_step::<V, NV>(b);
        for (acc, &row) in acc.iter_mut().zip(rows) {
            for (acc, b) in acc.iter_mut().zip(b) {
                *acc = acc.mul_add_lane::<LANE>(row, b);
            }
        }
    }
}

/// # Safety
/// `p` is readable for `NV * LANES` elements.
#[inline(always)]
unsafe fn load_step<V: Vf32, const NV: usize>(p: *const f32) -> [V; NV] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [V::splat(0.0); NV];
        for (v, x) in x.iter_mut().enumerate() {
            *x = V::load(p.add(v * V::LANES));
        }
        x
    }
}

/// The single row of `p` times `P` panels: `P * NV` independent chains.
///
/// # Safety
/// As [`run`]; panels `panel..panel + P` are among those of `p`.
#[inline(always)]
unsafe fn row_tile<V: Vf32, const NV: usize, const P: usize>(p: &PwArgs<F32>, panel: usize) {
    // SAFETY: PwArgs 2 and 3, as in `tile`.
    unsafe {
        let nr = NV * V::LANES;
        let packed = p.b.add(panel * p.b_panel).cast::<f32>();
        let panel_len = p.b_panel / size_of::<f32>();
        let mut acc = [[V::splat(0.0); NV]; P];
        for (q, acc) in acc.iter_mut().enumerate() {
            *acc = load_step::<V, NV>(packed.add(q * panel_len));
        }
        for segment in 0..p.segments {
            for piece in 0..p.pieces {
                let a = p.a.add(segment * p.a_segment + piece * p.a_piece);
                let b = packed.add((1 + p.k_first + segment * p.k_segment + piece * p.k) * nr);
                for k in 0..p.k {
                    let a = V::splat(*a.add(k));
                    for (q, acc) in acc.iter_mut().enumerate() {
                        let b = load_step::<V, NV>(b.add(q * panel_len + k * nr));
                        for (acc, b) in acc.iter_mut().zip(b) {
                            *acc = acc.mul_add(a, b);
                        }
                    }
                }
            }
        }
        for (q, acc) in acc.into_iter().enumerate() {
            store::<V, NV>(p, 0, (panel + q) * nr, acc);
        }
    }
}

/// Residual, activation and store of `NV` vectors of row `row` from column `col` on, as far as there are columns.
///
/// # Safety
/// As [`run`]; `row < m`, `col < n`.
#[inline(always)]
unsafe fn store<V: Vf32, const NV: usize>(p: &PwArgs<F32>, row: usize, col: usize, acc: [V; NV]) {
    // SAFETY: PwArgs 4 and 5: `n - col` elements from `col` on are there, and no more are touched.
    unsafe {
        let c = p.c.add(row * p.c_row + col);
        let residual = p.residual.wrapping_add(row * p.residual_row + col);
        let columns = p.n - col;
        for (v, mut x) in acc.into_iter().enumerate() {
            let at = v * V::LANES;
            let left = columns.saturating_sub(at);
            if left >= V::LANES {
                if !p.residual.is_null() {
                    x = x.add(V::load(residual.add(at)));
                }
                activate(x, p.epilogue).store(c.add(at));
            } else if left > 0 {
                if !p.residual.is_null() {
                    x = x.add(V::load_partial(residual.add(at), left));
                }
                activate(x, p.epilogue).store_partial(c.add(at), left);
            }
        }
    }
}

/// # Safety
/// As [`Vf32`].
#[inline(always)]
pub(crate) unsafe fn activate<V: Vf32>(x: V, epilogue: EpilogueF32) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        if epilogue.hard_swish {
            let gate = x.add(V::splat(3.0)).clamp(V::splat(0.0), V::splat(6.0));
            x.mul(gate).mul(V::splat(SIXTH))
        } else {
            x.clamp(V::splat(epilogue.lo), V::splat(epilogue.hi))
        }
    }
}
