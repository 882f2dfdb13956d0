//! Runs a pointwise kernel, through rows in a form of its own where it wants that.
//!
//! ```text
//! A, in place --prepare--> block of rows, in the workspace --run--> C
//! ```
//! A kernel of f32 reads A where it lies, and so does one of bytes where these are what it multiplies. Else quantised ones want what a
//! step takes side by side, padded to whole steps, perhaps widened, with the row's constant in front; taps in the padding become the input's
//! zero point. A block is small enough to stay in cache.

use crate::kernel::args::{Block, PwArgs, PwKernel};
use crate::kernel::parts::balanced;
use crate::memory::ALIGN;
use crate::pack::ROW_HEADER;
use crate::scheme::Scheme;

/// What a block of rows may take of the second-level cache.
const BLOCK_BYTES: usize = 128 << 10;

/// Rows of a block: what fits, but a tile at least, and not more than there are.
fn block_rows<S: Scheme>(kernel: &PwKernel<S>, depth: usize, rows: usize) -> usize {
    let fit = BLOCK_BYTES / S::row_bytes(kernel.form, depth) / kernel.mr * kernel.mr;
    fit.max(kernel.mr).min(rows)
}

/// Bytes of workspace for a thread that runs `kernel` on up to `rows` rows of `depth` elements.
pub(crate) fn scratch<S: Scheme>(kernel: &PwKernel<S>, depth: usize, rows: usize) -> usize {
    if kernel.prepare.is_none() {
        return 0;
    }
    block_rows(kernel, depth, rows).saturating_mul(S::row_bytes(kernel.form, depth))
}

/// Runs `kernel` on `p`, whose rows have `depth` elements with those in the padding.
///
/// # Panics
/// Where `scratch` is shorter than [`scratch`] says for `p.m` rows, or does not start on a cache line.
///
/// # Safety
/// As [`PwArgs`], with panels of `depth` rows.
pub(crate) unsafe fn run<S: Scheme>(
    kernel: &PwKernel<S>,
    p: &PwArgs<S::Domain>,
    depth: usize,
    scratch: &mut [u8],
) {
    let Some(prepare) = kernel.prepare else {
        // SAFETY: the caller's promise.
        return unsafe { (kernel.run)(p) };
    };
    let whole = p.segments == 1 && p.pieces == 1 && p.k == depth;
    if whole && S::met_in_place(kernel.form, &p.epilogue, depth) == Some(p.flip) {
        // SAFETY: the caller's promise; rows of elements are what `met_in_place` says.
        return unsafe { (kernel.run)(p) };
    }
    // A single row meets several panels at a time, which windows do not.
    if p.whole_windows
        && p.m > 1
        && let Some(change) = S::windows_in_place(kernel.form, &p.epilogue)
    {
        // SAFETY: the caller's promise; segments are readable for whole steps.
        return unsafe { (kernel.run)(&PwArgs { change, ..*p }) };
    }
    debug_assert_eq!(p.flip, 0, "only rows that are met in place are changed");
    let row_bytes = S::row_bytes(kernel.form, depth);
    let most = block_rows(kernel, depth, p.m);
    let scratch = &mut scratch[..most * row_bytes];
    let to = scratch.as_mut_ptr();
    assert!(to.align_offset(ALIGN) == 0, "workspaces are aligned");
    let blocks = p.m.div_ceil(most);
    for block in 0..blocks {
        let rows = balanced(p.m, blocks, block);
        let block = Block {
            first: rows.start,
            rows: rows.len(),
            depth,
            to,
            row_bytes,
        };
        let prepared = PwArgs {
            m: rows.len(),
            k: depth,
            pieces: 1,
            segments: 1,
            a: to.cast_const().cast(),
            a_row: row_bytes,
            a_segment: 0,
            a_piece: 0,
            whole_windows: false,
            header: ROW_HEADER,
            k_first: 0,
            k_segment: 0,
            c: p.c.wrapping_add(rows.start * p.c_row),
            residual: if p.residual.is_null() {
                p.residual
            } else {
                p.residual.wrapping_add(rows.start * p.residual_row)
            },
            ..*p
        };
        // SAFETY: the rows are among those of `p`, there are at most `most`, and the scratch has room for them, which nothing else
        // uses. The kernel then meets what its preparation wrote, and the same rows of C.
        unsafe {
            prepare(p, &block);
            (kernel.run)(&prepared);
        }
    }
}
