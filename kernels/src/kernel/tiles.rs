//! What the loops over tiles share, whatever a tile computes: which tiles there are, how rows are cut, and which weights are fetched meanwhile.

use crate::arch::prefetch;
use crate::kernel::args::PwArgs;
use crate::scheme::Domain;

/// Steps between hints.
pub(crate) const CHUNK: usize = if cfg!(target_arch = "aarch64") {
    256
} else {
    64
};
/// Bytes of a cache line. Where lines are longer, some hints are repeated.
const LINE: usize = 64;
/// The rows of a call and the panels that they meet: `tiles` tiles of as many rows as the function is for, from row `row` on, with
/// panels `panel..panel + panels` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) row: usize,
    pub(crate) tiles: usize,
    pub(crate) panel: usize,
    pub(crate) panels: usize,
}

/// The loops over tiles of one height and kind. Each is a function of its own, with the features of its ISA: a kernel's twelve heights in
/// one function took the compiler a minute, since what it costs grows faster than a function does. The loops are inside, as
/// a call a tile cost 12 % at k = 32.
pub(crate) trait TileLoops<D: Domain> {
    /// Tiles of `M` rows and the first `USED` vectors of each panel, in one of the ways of the kernel.
    ///
    /// # Safety
    /// As [`PwArgs`]; the rows and panels of `area` are among those of `p`, and all columns that there are within `USED` vectors.
    unsafe fn tiles<const M: usize, const USED: usize, const WAY: usize>(
        p: &PwArgs<D>,
        area: Area,
        ahead: &mut Ahead,
    );
}

/// [`TileLoops::tiles`] for the height `rows`, which is at most `MR`; those above are never compiled.
///
/// # Safety
/// As [`TileLoops::tiles`]; the CPU has the features of the loops' ISA.
pub(crate) unsafe fn of_height<
    D: Domain,
    L: TileLoops<D>,
    const MR: usize,
    const USED: usize,
    const WAY: usize,
>(
    p: &PwArgs<D>,
    rows: usize,
    area: Area,
    ahead: &mut Ahead,
) {
    macro_rules! heights {
        ($($rows:literal)+) => {
            match rows {
                // `const`, so that the others are not even asked for.
                $($rows if const { MR >= $rows } => L::tiles::<$rows, USED, WAY>(p, area, ahead),)+
                _ => L::tiles::<1, USED, WAY>(p, area, ahead),
            }
        };
    }
    const { assert!(MR <= 14, "add heights below") }
    // SAFETY: the caller's promise; each arm is for as many rows as there are.
    unsafe { heights!(14 13 12 11 10 9 8 7 6 5 4 3 2) }
}

/// Rows cut evenly into tiles of at most `most` rows, the larger ones first: 49 = 4 x 10 + 1 x 9 where 12 are the most. Gives the first row of
/// each of the two groups, the rows of its tiles, and how many these are.
pub(crate) fn evenly(rows: usize, most: usize) -> [(usize, usize, usize); 2] {
    let tiles = rows.div_ceil(most);
    let (least, larger) = (rows / tiles, rows % tiles);
    [
        (0, least + 1, larger),
        (larger * (least + 1), least, tiles - larger),
    ]
}

/// Weights that are fetched while others are used: the panel behind the one that the tiles are at.
pub(crate) struct Ahead {
    next: *const u8,
    lines: usize,
    /// Lines for each [`CHUNK`] steps.
    pace: usize,
}

impl Ahead {
    #[inline(always)]
    pub(crate) fn nothing() -> Self {
        Self {
            next: core::ptr::null(),
            lines: 0,
            pace: 0,
        }
    }

    /// Panel `panel`, in the time of `tiles` tiles of `chunks` chunks each.
    #[inline(always)]
    pub(crate) fn of<D: Domain>(p: &PwArgs<D>, panel: usize, tiles: usize, chunks: usize) -> Self {
        let lines = p.b_panel / LINE;
        Self {
            next: p.b.wrapping_add(panel * p.b_panel),
            lines,
            pace: lines.div_ceil((tiles * chunks).max(1)),
        }
    }

    /// The hints of one chunk.
    #[inline(always)]
    pub(crate) fn step(&mut self) {
        let lines = self.pace.min(self.lines);
        for line in 0..lines {
            prefetch::read(self.next.wrapping_add(line * LINE));
        }
        self.next = self.next.wrapping_add(lines * LINE);
        self.lines -= lines;
    }
}
