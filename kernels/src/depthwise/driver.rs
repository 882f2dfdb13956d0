//! Cuts a depthwise convolution into parts, and each part into rectangles whose pixels see the same taps.

use core::ops::Range;

use crate::depthwise::Depthwise;
use crate::executor::Executor;
use crate::kernel::args::DwArgs;
use crate::kernel::parts::{Grid, for_each_part};
use crate::scheme::Scheme;
use crate::shape::Stride;
use crate::view::{View, ViewMut};

/// Least number of outputs of a part: below that handing it to another thread costs more than computing it.
const PART_OUTPUTS: usize = 1 << 12;

/// The whole output, on the executor's threads.
pub(crate) fn run<S: Scheme>(
    op: &Depthwise<S>,
    executor: &dyn Executor,
    input: View<'_, S::Elem>,
    output: ViewMut<'_, S::Elem>,
) {
    // Pairs of rows share their inputs.
    let grid = Grid::of_rows(output.shape(), executor.threads(), PART_OUTPUTS, 2);
    for_each_part(executor, &output, grid, &mut [], 0, &|part, _| {
        self::rows(op, &input, part.rows, part.output);
    });
}

/// Rows `rows` of the `n * h` output rows into `output`, which holds these alone.
pub(crate) fn rows<S: Scheme>(
    op: &Depthwise<S>,
    input: &View<'_, S::Elem>,
    rows: Range<usize>,
    output: ViewMut<'_, S::Elem>,
) {
    let kernel = op.packed.kernel;
    let run = match op.geometry.stride {
        Stride::One => kernel.stride1,
        Stride::Two => kernel.stride2,
    };
    let (from, to) = (input.layout().strides, output.layout().strides);
    op.geometry.for_each_rectangle(rows, |rectangle| {
        let (taps_y, taps_x) = rectangle.taps();
        let args = DwArgs::<S::Domain> {
            input: input.from(rectangle.input_offset(from)).as_ptr().cast(),
            input_row: from.h,
            input_col: from.w,
            output: output
                .data()
                .alias(rectangle.output_offset(to))
                .ptr()
                .cast(),
            output_row: to.h,
            output_col: to.w,
            rows: rectangle.rows.out.len(),
            cols: rectangle.cols.out.len(),
            channels: op.input.c,
            weights: op.packed.panels.data.as_ptr(),
            tap_y: taps_y.start,
            taps_h: taps_y.len(),
            tap_x: taps_x.start,
            taps_w: taps_x.len(),
            epilogue: op.epilogue,
        };
        // SAFETY: the conditions of `DwArgs`.
        // 1. Packing has checked the ISA. 2, 4. The views have been checked when they were made and their shapes against the op's;
        // a rectangle's taps fall onto the input (`Geometry`), and the output is this worker's. 3. The weights were packed by this
        // kernel's `ct` for `channels`; taps are within the window. 5. Bands are not empty; without taps the kernel reads nothing.
        unsafe { run(&args) }
    });
}
