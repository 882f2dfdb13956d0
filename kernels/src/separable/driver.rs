//! Cuts a separable convolution into strips of output rows: depthwise into the workspace, pointwise out of it.

use core::ops::Range;

use crate::executor::Executor;
use crate::kernel::parts::{Grid, for_each_part};
use crate::memory;
use crate::scheme::Scheme;
use crate::separable::Separable;
use crate::shape::Nhwc;
use crate::view::{Strides, View, ViewMut};
use crate::{depthwise, pointwise};

/// What a strip between the two may take of the second-level cache.
const STRIP_BYTES: usize = 128 << 10;

/// Output rows of a strip: what fits, at least one, balanced. A small plane (7x7) is one strip, and the two ops run apart.
fn strip_rows<S: Scheme>(op: &Separable<S>) -> usize {
    let Nhwc { h, w, c, .. } = op.depthwise.output_shape();
    let bytes = STRIP_BYTES.max(pointwise::driver::passing_bytes(&op.pointwise));
    let fit = (bytes / (w * c * size_of::<S::Elem>())).clamp(1, h);
    h.div_ceil(h.div_ceil(fit))
}

/// Bytes of the strip.
pub(crate) fn strip_bytes<S: Scheme>(op: &Separable<S>) -> usize {
    let between = op.depthwise.output_shape();
    let strip = Nhwc {
        n: 1,
        h: strip_rows(op),
        ..between
    };
    strip.h * Strides::spread_of::<S::Elem>(strip).h * size_of::<S::Elem>()
}

/// The whole output, on the executor's threads.
pub(crate) fn run<S: Scheme>(
    op: &Separable<S>,
    executor: &dyn Executor,
    input: View<'_, S::Elem>,
    output: ViewMut<'_, S::Elem>,
    workspace: &mut [u8],
) {
    let shape = output.shape();
    let strips = shape.h.div_ceil(strip_rows(op));
    // At least a part a thread, while there are rows; strips of a part are cut again where they do not fit.
    let wanted = if executor.threads() > 1 {
        executor.threads().div_ceil(shape.n).saturating_mul(2)
    } else {
        1
    };
    let grid = Grid {
        rows: shape.h.div_ceil(strips.max(wanted).min(shape.h)),
        cols: shape.c,
    };
    let part_bytes = memory::lines(strip_bytes(op));
    for_each_part(
        executor,
        &output,
        grid,
        workspace,
        part_bytes,
        &|part, strip| {
            rows(op, &input, part.rows, part.output, strip);
        },
    );
}

/// Rows `rows` of the `n * h` output rows into `output`, which holds these alone.
pub(crate) fn rows<S: Scheme>(
    op: &Separable<S>,
    input: &View<'_, S::Elem>,
    rows: Range<usize>,
    output: ViewMut<'_, S::Elem>,
    strip: &mut [u8],
) {
    let between = op.depthwise.output_shape();
    let most = strip_rows(op);
    let mut start = rows.start;
    while start < rows.end {
        let these = start..rows.end.min(start + most);
        let shape = Nhwc {
            n: 1,
            h: these.len(),
            ..between
        };
        let (local, channels) = (
            start - rows.start..these.end - rows.start,
            0..op.pointwise.c_out,
        );
        let strides = Strides::spread_of::<S::Elem>(shape);
        let elements = memory::elements::<S::Elem>(strip, shape.h * strides.h);
        depthwise::driver::rows(
            &op.depthwise,
            input,
            these.clone(),
            ViewMut::made_for(elements, shape, strides),
        );
        pointwise::driver::rows(
            &op.pointwise,
            op.epilogue,
            &View::made_for(elements, shape, strides),
            None,
            0..shape.h,
            channels.clone(),
            output.part(local, channels),
        );
        start = these.end;
    }
}
