//! Cuts a pointwise convolution into parts and calls the kernel for each.

use core::ops::Range;
use core::ptr;

use crate::executor::Executor;
use crate::kernel::args::{Order, PwArgs};
use crate::kernel::parts::{Grid, for_each_part};
use crate::kernel::prepared;
use crate::memory::Parts;
use crate::pointwise::PackedPointwise;
use crate::scheme::Scheme;
use crate::shape::Nhwc;
use crate::view::{View, ViewMut};

/// Packed weights up to this size stay in the second-level cache while all rows pass; above it a panel stays and rows pass.
const ROWS_OUTSIDE_BYTES: usize = 256 << 10;

/// Least number of multiply-adds of a part: below that handing it to another thread costs more than computing it.
const PART_MACS: usize = 1 << 15;

/// The whole output, on the executor's threads. `flip` as in [`rows`].
#[allow(clippy::too_many_arguments)]
pub(crate) fn run<S: Scheme>(
    packed: &PackedPointwise<S>,
    epilogue: S::Epilogue,
    executor: &dyn Executor,
    input: View<'_, S::Elem>,
    flip: u8,
    residual: Option<View<'_, S::Elem>>,
    output: ViewMut<'_, S::Elem>,
    workspace: Parts<'_>,
) {
    // Where all pixels lie at one distance, rows of the image mean nothing: the batch is a matrix of pixels.
    let flat = [
        Some(input.layout()),
        residual.as_ref().map(View::layout),
        Some(output.layout()),
    ];
    let (input, residual, output) = if flat.into_iter().flatten().all(|layout| layout.is_matrix()) {
        (
            input.flatten(),
            residual.map(|r| r.flatten()),
            output.flatten(),
        )
    } else {
        (input, residual, output)
    };
    let grid = grid(packed, executor.threads(), output.shape());
    let Parts { bytes, part } = workspace;
    for_each_part(executor, &output, grid, bytes, part, &|part, scratch| {
        rows(
            packed,
            epilogue,
            &input,
            flip,
            residual.as_ref(),
            part.rows,
            part.cols,
            part.output,
            scratch,
        );
    });
}

/// Parts for `threads` threads: rows while there are enough of them and the weights stay in each thread's cache, else panels, so that
/// each thread reads its own (from 14x14x512 on, and the classifier).
fn grid<S: Scheme>(packed: &PackedPointwise<S>, threads: usize, output: Nhwc) -> Grid {
    let Nhwc { n, h, w, c } = output;
    let whole = Grid { rows: h, cols: c };
    let macs = (n * h * w).saturating_mul(packed.c_in).saturating_mul(c);
    // Four parts a thread, so that one that is late does not wait long for the others.
    let parts = threads.saturating_mul(4).min(macs / PART_MACS);
    if threads <= 1 || parts <= 1 {
        return whole;
    }
    let (mr, nr) = (packed.kernel.mr, packed.kernel.nr);
    let panels = c.div_ceil(nr);
    let rows_enough = n * h * w >= parts * 4 * mr && passing_bytes(packed) == 0;
    if rows_enough || panels < threads {
        // Whole tiles of pixels.
        let rows = h.div_ceil(parts.div_ceil(n)).max(1);
        let tile = if w == 1 { mr } else { 1 };
        Grid {
            rows: rows.next_multiple_of(tile),
            cols: c,
        }
    } else {
        Grid {
            rows: h,
            cols: panels.div_ceil(parts).max(1) * nr,
        }
    }
}

/// Bytes of weights that are read anew for each call, rather than kept in the second-level cache.
pub(crate) fn passing_bytes<S: Scheme>(packed: &PackedPointwise<S>) -> usize {
    let bytes = packed.panels.data.len();
    if bytes <= ROWS_OUTSIDE_BYTES {
        0
    } else {
        bytes
    }
}

/// Rows `rows` of the `n * h` rows and channels `cols`, which start at a panel, into `output`, which holds these alone. `scratch` is a
/// thread's part of the workspace. `flip` is what has been done to the input for [`Scheme::met_in_place`].
#[allow(clippy::too_many_arguments)]
pub(crate) fn rows<S: Scheme>(
    packed: &PackedPointwise<S>,
    epilogue: S::Epilogue,
    input: &View<'_, S::Elem>,
    flip: u8,
    residual: Option<&View<'_, S::Elem>>,
    rows: Range<usize>,
    cols: Range<usize>,
    output: ViewMut<'_, S::Elem>,
    scratch: &mut [u8],
) {
    let kernel = packed.kernel;
    let (panel, out) = (cols.start / kernel.nr, output.layout());
    debug_assert_eq!(cols.start % kernel.nr, 0);
    let panels = &packed.panels.data[panel * packed.panels.panel_bytes..];
    let weights = packed.panels.panel_bytes * cols.len().div_ceil(kernel.nr);
    let order = if weights <= ROWS_OUTSIDE_BYTES {
        Order::RowsOutside
    } else {
        Order::PanelsOutside
    };

    // One call for all rows where they follow each other at the pixels' distance, else one a row.
    let (w, one_image) = (
        out.shape.w,
        (rows.end - 1) / input.shape().h == rows.start / input.shape().h,
    );
    let collapses = one_image
        && out.is_matrix()
        && input.layout().rows_are_matrix()
        && residual.is_none_or(|r| r.layout().rows_are_matrix());
    let (calls, m) = if collapses {
        (1, rows.len() * w)
    } else {
        (rows.len(), w)
    };
    let pixel_stride = |layout: &crate::view::Layout| {
        if w > 1 {
            layout.strides.w
        } else {
            layout.strides.h
        }
    };

    for call in 0..calls {
        let row = rows.start + call;
        let a = input.from(input.layout().row(row));
        let c = output.data().alias(call * out.strides.h);
        let residual_at = residual.map(|r| r.from(r.layout().row(row) + cols.start));
        let args = PwArgs::<S::Domain> {
            m,
            n: cols.len(),
            k: packed.c_in,
            pieces: 1,
            segments: 1,
            a: a.as_ptr().cast(),
            a_row: pixel_stride(input.layout()),
            a_segment: 0,
            a_piece: 0,
            flip,
            whole_windows: false,
            change: 0,
            header: 0,
            b: panels.as_ptr(),
            b_panel: packed.panels.panel_bytes,
            k_first: 0,
            k_segment: 0,
            c: c.ptr().cast(),
            c_row: pixel_stride(out),
            residual: residual_at.map_or(ptr::null(), |r| r.as_ptr().cast()),
            residual_row: residual.map_or(0, |r| pixel_stride(r.layout())),
            epilogue,
            order,
        };
        // SAFETY: the conditions of `PwArgs`.
        // 1. Packing has checked the ISA. 2, 4, 5. The views have been checked when they were made and their shapes against the op's;
        // `m` pixels follow each other at the strides given, by `collapses` or within one row; the output is this worker's.
        // 3. The panels were packed by this kernel's `nr` for `c_in` rows; `cols` starts at a panel and ends within the last.
        // 6. Shapes have no zero dimension.
        unsafe { prepared::run(kernel, &args, packed.c_in, scratch) }
    }
}
