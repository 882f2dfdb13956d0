//! Cuts a separable convolution into strips of output rows: depthwise into the workspace, pointwise out of it.

use core::ops::Range;

use crate::executor::Executor;
use crate::kernel::parts::{Grid, for_each_part};
use crate::kernel::prepared;
use crate::memory::{self, Parts};
use crate::scheme::Scheme;
use crate::separable::Separable;
use crate::shape::Nhwc;
use crate::view::{Strides, View, ViewMut};
use crate::{depthwise, pointwise};

/// What a strip between the two may take of the second-level cache: an eighth of a small board's 512 KB (docs/arm.md). Beside weights
/// that do not stay there it may be as large as they are, so that reading them for each strip costs no more than what is between.
const STRIP_BYTES: usize = 64 << 10;

/// Least number of pixels of a thread that reads all weights from beyond its caches.
const PART_PIXELS: usize = 64;

/// Output rows of a strip: what fits, at least one, balanced. A small plane (7x7) is one strip, and the two ops run apart.
fn strip_rows<S: Scheme>(op: &Separable<S>) -> usize {
    let Nhwc { h, w, c, .. } = op.depthwise.output_shape();
    let bytes = STRIP_BYTES.max(pointwise::driver::passing_bytes(&op.pointwise));
    let fit = (bytes / (w * c * size_of::<S::Elem>())).clamp(1, h);
    h.div_ceil(h.div_ceil(fit))
}

/// Bytes of `rows` rows of what is between the two.
fn between_bytes<S: Scheme>(op: &Separable<S>, rows: usize) -> usize {
    let strip = Nhwc {
        n: 1,
        h: rows,
        ..op.depthwise.output_shape()
    };
    rows * Strides::spread_of::<S::Elem>(strip).h * size_of::<S::Elem>()
}

/// Whether `threads` threads run the two ops one after the other: where weights are not kept in cache and a thread would have too few
/// pixels for all of them, it rather has all pixels for its share of them.
fn is_apart<S: Scheme>(op: &Separable<S>, threads: usize) -> bool {
    threads > most_fused_threads(op) && pointwise::driver::passing_bytes(&op.pointwise) > 0
}

/// The most threads of which each has enough pixels for all weights.
pub(crate) fn most_fused_threads<S: Scheme>(op: &Separable<S>) -> usize {
    let Nhwc { n, h, w, .. } = op.depthwise.output_shape();
    (n * h * w / PART_PIXELS).max(1)
}

/// How the workspace is divided.
pub(crate) struct Division {
    threads: usize,
    /// Whole cache lines for all that is between the two, where they run apart.
    shared: usize,
    /// Whole cache lines of each thread: a strip where they do not, then what the pointwise kernel takes.
    part: usize,
}

impl Division {
    pub(crate) fn of<S: Scheme>(op: &Separable<S>, threads: usize) -> Self {
        let Nhwc { n, h, .. } = op.depthwise.output_shape();
        let (shared, strip) = if is_apart(op, threads) {
            (between_bytes(op, n * h), 0)
        } else {
            (0, between_bytes(op, strip_rows(op)))
        };
        Self {
            threads,
            shared: memory::lines(shared),
            part: memory::lines(strip).saturating_add(memory::lines(scratch(op))),
        }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> usize {
        let parts = self.threads.max(1).saturating_mul(self.part);
        self.shared.saturating_add(parts)
    }
}

/// Bytes that the pointwise kernel takes on a thread: at most all pixels at a time.
fn scratch<S: Scheme>(op: &Separable<S>) -> usize {
    let Nhwc { n, h, w, .. } = op.depthwise.output_shape();
    prepared::scratch(op.pointwise.kernel, op.pointwise.c_in, n * h * w)
}

/// The whole output, on the executor's threads; `workspace` is divided as `division` says.
pub(crate) fn run<S: Scheme>(
    op: &Separable<S>,
    executor: &dyn Executor,
    division: &Division,
    input: View<'_, S::Elem>,
    output: ViewMut<'_, S::Elem>,
    workspace: &mut [u8],
) {
    let &Division {
        threads,
        shared,
        part,
    } = division;
    if is_apart(op, threads) {
        let (between, bytes) = workspace.split_at_mut(shared);
        let parts = Parts { bytes, part };
        return apart(op, executor, input, output, between, parts);
    }
    let shape = output.shape();
    let strips = shape.h.div_ceil(strip_rows(op));
    // Two parts a thread, so that one helps another, but one where each reads all weights from beyond the caches; while there are
    // rows. Strips of a part are cut again where they do not fit.
    let turns = if pointwise::driver::passing_bytes(&op.pointwise) > 0 {
        1
    } else {
        2
    };
    let wanted = if threads > 1 {
        threads.div_ceil(shape.n).saturating_mul(turns)
    } else {
        1
    };
    let grid = Grid {
        rows: shape.h.div_ceil(strips.max(wanted).min(shape.h)),
        cols: shape.c,
    };
    for_each_part(
        executor,
        &output,
        grid,
        workspace,
        part,
        &|part, workspace| {
            rows(op, &input, part.rows, part.output, workspace);
        },
    );
}

/// Depthwise into the workspace, then pointwise out of it; `parts` are the threads' own.
fn apart<S: Scheme>(
    op: &Separable<S>,
    executor: &dyn Executor,
    input: View<'_, S::Elem>,
    output: ViewMut<'_, S::Elem>,
    between: &mut [u8],
    parts: Parts<'_>,
) {
    let shape = op.depthwise.output_shape();
    let strides = Strides::spread_of::<S::Elem>(shape);
    let elements = memory::elements::<S::Elem>(between, shape.n * strides.n);
    let between = ViewMut::made_for(elements, shape, strides);
    depthwise::driver::run(&op.depthwise, executor, input, between);
    let between = View::made_for(elements, shape, strides);
    pointwise::driver::run(
        &op.pointwise,
        op.epilogue,
        executor,
        between,
        op.flip,
        None,
        output,
        parts,
    );
}

/// Rows `rows` of the `n * h` output rows into `output`, which holds these alone. `workspace` is a thread's part.
pub(crate) fn rows<S: Scheme>(
    op: &Separable<S>,
    input: &View<'_, S::Elem>,
    rows: Range<usize>,
    output: ViewMut<'_, S::Elem>,
    workspace: &mut [u8],
) {
    let between = op.depthwise.output_shape();
    let most = strip_rows(op);
    let (strip, scratch) = workspace.split_at_mut(memory::lines(between_bytes(op, most)));
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
            op.flip,
            None,
            0..shape.h,
            channels.clone(),
            output.part(local, channels),
            scratch,
        );
        start = these.end;
    }
}
