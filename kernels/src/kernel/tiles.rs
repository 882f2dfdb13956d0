//! What the loops over tiles share, whatever a tile computes: how rows are cut, and which weights are fetched meanwhile.

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
/// Rows cut evenly into tiles, the larger ones first: 49 = 4 x 6 + 5 x 5. Gives the first row and the number of rows of each.
///
/// An iterator and no closure, which would not have the features of the function around it; stepping costs no division.
#[derive(Clone)]
pub(crate) struct Tiles {
    row: usize,
    pub left: usize,
    least: usize,
    larger: usize,
}

impl Tiles {
    #[inline(always)]
    pub(crate) fn new(rows: usize, most: usize) -> Self {
        let left = rows.div_ceil(most);
        Self {
            row: 0,
            left,
            least: rows / left,
            larger: rows % left,
        }
    }
}

impl Iterator for Tiles {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        self.left = self.left.checked_sub(1)?;
        let rows = self.least + usize::from(self.larger > 0);
        self.larger = self.larger.saturating_sub(1);
        let row = self.row;
        self.row += rows;
        Some((row, rows))
    }
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
