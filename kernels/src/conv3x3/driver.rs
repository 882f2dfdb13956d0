//! Cuts a dense 3x3 convolution into parts, each part into rectangles whose pixels see the same taps, and a rectangle into rows of
//! pixels at one distance, which are the rows of a GEMM.

use core::ops::Range;
use core::ptr;

use crate::conv3x3::Conv3x3;
use crate::executor::Executor;
use crate::kernel::args::{Order, PwArgs};
use crate::kernel::parts::{Grid, for_each_part};
use crate::kernel::prepared;
use crate::memory::Parts;
use crate::scheme::Scheme;
use crate::shape::WINDOW;
use crate::view::{View, ViewMut};

/// Least number of outputs of a part: below that handing it to another thread costs more than computing it.
const PART_OUTPUTS: usize = 1 << 11;

/// The whole output, on the executor's threads.
pub(crate) fn run<S: Scheme>(
    op: &Conv3x3<S>,
    executor: &dyn Executor,
    input: View<'_, S::Elem>,
    output: ViewMut<'_, S::Elem>,
    workspace: Parts<'_>,
) {
    let grid = Grid::of_rows(output.shape(), executor.threads(), PART_OUTPUTS, 1);
    let Parts { bytes, part } = workspace;
    for_each_part(executor, &output, grid, bytes, part, &|part, scratch| {
        self::rows(op, &input, part.rows, part.output, scratch);
    });
}

/// Rows `rows` of the `n * h` output rows into `output`, which holds these alone.
pub(crate) fn rows<S: Scheme>(
    op: &Conv3x3<S>,
    input: &View<'_, S::Elem>,
    rows: Range<usize>,
    output: ViewMut<'_, S::Elem>,
    scratch: &mut [u8],
) {
    let kernel = op.packed.kernel;
    let (c_in, stride) = (op.packed.c_in, op.geometry.stride.get());
    let (from, to) = (input.layout().strides, output.layout().strides);
    op.geometry.for_each_rectangle(rows, |rectangle| {
        let (taps_y, taps_x) = rectangle.taps();
        // Pixels side by side make one piece of a window row's taps.
        let (pieces, k) = if from.w == c_in {
            (1, taps_x.len() * c_in)
        } else {
            (taps_x.len(), c_in)
        };
        // GEMM rows run along the longer side of the rectangle: a border of one column would be tiles of one row otherwise.
        let (height, width) = (rectangle.rows.out.len(), rectangle.cols.out.len());
        let ((m, a_row, c_row), (calls, a_call, c_call)) = {
            let down = (height, stride * from.h, to.h);
            let right = (width, stride * from.w, to.w);
            if height > width {
                (down, right)
            } else {
                (right, down)
            }
        };
        let whole = pieces == 1
            && (taps_y.len(), taps_x.len()) == (WINDOW, WINDOW)
            && input.layout().dense_len().is_some();
        let (read, write) = (rectangle.input_offset(from), rectangle.output_offset(to));
        for call in 0..calls {
            // Without taps nothing is read, and the offset may lie beyond the input.
            let read = if taps_y.is_empty() {
                0
            } else {
                read + call * a_call
            };
            let input = input.from(read);
            let args = PwArgs::<S::Domain> {
                m,
                n: op.packed.c_out,
                k,
                pieces,
                segments: taps_y.len(),
                a: input.as_ptr().cast(),
                a_row,
                a_segment: from.h,
                a_piece: from.w,
                flip: 0,
                // From the first element of the first window to the last of the last, with segments as long as in a panel.
                whole_windows: whole
                    && (m - 1) * a_row + (WINDOW - 1) * from.h + op.packed.panels.segment_rows
                        <= input.len(),
                change: 0,
                header: 0,
                b: op.packed.panels.data.as_ptr(),
                b_panel: op.packed.panels.panel_bytes,
                k_first: taps_y.start * op.packed.panels.segment_rows + taps_x.start * c_in,
                k_segment: op.packed.panels.segment_rows,
                c: output.data().alias(write + call * c_call).ptr().cast(),
                c_row,
                residual: ptr::null(),
                residual_row: 0,
                epilogue: op.epilogue,
                order: Order::RowsOutside,
            };
            // SAFETY: the conditions of `PwArgs`.
            // 1. Packing has checked the ISA. 2, 4. The views have been checked when they were made and their shapes against the op's;
            // a rectangle's taps fall onto the input (`Geometry`), those of a window row are `pieces * k` elements, and whole windows
            // reach no further than the slice; the output is this worker's. 3. The panels were packed by this kernel's `nr` for `depth` rows, and taps are within the window.
            // 5. Null. 6. Bands are not empty.
            unsafe { prepared::run(kernel, &args, op.packed.depth(), scratch) }
        }
    });
}
