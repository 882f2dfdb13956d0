//! Cuts an output into parts that do not overlap and hands each to one worker.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::executor::Executor;
use crate::kernel::raw::RawMut;
use crate::shape::Nhwc;
use crate::view::ViewMut;

/// How an output is cut: `rows` x `cols` parts of nearly equal size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Rows of a part; parts never reach across images.
    pub rows: usize,
    /// Channels of a part.
    pub cols: usize,
}

impl Grid {
    /// Parts of whole rows for `threads` threads, a multiple of `multiple` rows each and of at least about `outputs` outputs:
    /// handing out less costs more than computing it.
    pub(crate) fn of_rows(shape: Nhwc, threads: usize, outputs: usize, multiple: usize) -> Self {
        let rows = if threads <= 1 {
            shape.h
        } else {
            // Four parts a thread, so that one that is late does not wait long for the others.
            let most = shape.n * shape.h * shape.w * shape.c / outputs;
            let parts = threads.saturating_mul(4).min(most).max(1);
            shape.h.div_ceil(parts.div_ceil(shape.n))
        };
        Self {
            rows: rows.next_multiple_of(multiple),
            cols: shape.c,
        }
    }
}

/// A part of an output, to be computed by one worker.
pub(crate) struct Part<'a, T> {
    /// Of the `n * h` rows of the batch.
    pub rows: Range<usize>,
    /// Channels.
    pub cols: Range<usize>,
    /// These rows and channels, as one image.
    pub output: ViewMut<'a, T>,
}

/// Calls `f` once for every part of `output`, with the worker's own piece of `scratch`, `scratch_part` bytes each. There are as
/// many workers as the executor has threads and the scratch has pieces.
///
/// Parts are handed out by counters, pieces of the scratch by another, each once: an executor that calls `work` too often, too
/// rarely or from too many threads costs time and nothing else. Each worker has a stretch of neighbouring parts and helps others
/// when it is done, so that nobody waits for a slow one. The caller comes first as a rule, and meets in its cache what it has left there in
/// the op before.
pub(crate) fn for_each_part<T: Send>(
    executor: &dyn Executor,
    output: &ViewMut<'_, T>,
    grid: Grid,
    scratch: &mut [u8],
    scratch_part: usize,
    f: &(dyn Fn(Part<'_, T>, &mut [u8]) + Sync),
) {
    let shape = output.shape();
    let (strips, stripes) = (shape.h.div_ceil(grid.rows), shape.c.div_ceil(grid.cols));
    let parts = shape.n * strips * stripes;
    // Not more workers than pieces, even where `threads()` says another number each time it is asked.
    let pieces = scratch
        .len()
        .checked_div(scratch_part)
        .unwrap_or(usize::MAX);
    assert!(
        pieces > 0,
        "the workspace has been checked against the length asked for"
    );
    let workers = executor.threads().clamp(1, parts.min(pieces));
    let scratch = RawMut::new(scratch);

    let queues = Queues::new(parts, workers);
    let next_worker = AtomicUsize::new(0);
    let work = || {
        // Looked at first, so that the counter cannot be called around to zero again.
        if next_worker.load(Ordering::Relaxed) >= workers {
            return;
        }
        let worker = next_worker.fetch_add(1, Ordering::Relaxed);
        if worker >= workers {
            return;
        }
        // SAFETY: the counter gives each of the `workers` pieces of the scratch to one call; it is as long as they are.
        let scratch = unsafe { scratch.alias(worker * scratch_part).slice(scratch_part) };
        queues.for_each(worker, |part| {
            // The stripe is innermost: neighbours share the rows of the input.
            let (strip, stripe) = (part / stripes, part % stripes);
            let (image, strip) = (strip / strips, strip % strips);
            let at = |i: usize, n: usize, size: usize| balanced(size, n, i);
            let rows = at(strip, strips, shape.h);
            let rows = image * shape.h + rows.start..image * shape.h + rows.end;
            let cols = grid.cols * stripe..(grid.cols * (stripe + 1)).min(shape.c);
            f(
                Part {
                    output: output.part(rows.clone(), cols.clone()),
                    rows,
                    cols,
                },
                scratch,
            );
        });
    };
    if workers > 1 {
        executor.broadcast(&work);
        // All calls have returned by now; an executor that never called has left everything.
        next_worker.store(0, Ordering::Relaxed);
    }
    work();
}

/// Numbers `0..parts`, each handed out once, in stretches that belong to a worker until others have nothing left to do.
struct Queues {
    parts: usize,
    /// Stretches in use.
    stretches: usize,
    taken: [Counter; Self::MOST],
}

/// On a cache line of its own, which other workers do not take away.
#[repr(align(64))]
struct Counter(AtomicUsize);

impl Queues {
    /// Workers beyond that share a stretch.
    const MOST: usize = 16;

    fn new(parts: usize, workers: usize) -> Self {
        Self {
            parts,
            stretches: workers.min(Self::MOST),
            taken: [const { Counter(AtomicUsize::new(0)) }; Self::MOST],
        }
    }

    /// Calls `f` with parts until none is left anywhere.
    fn for_each(&self, worker: usize, mut f: impl FnMut(usize)) {
        for turn in 0..self.stretches {
            let stretch = (worker + turn) % self.stretches;
            let range = balanced(self.parts, self.stretches, stretch);
            loop {
                let part = range.start + self.taken[stretch].0.fetch_add(1, Ordering::Relaxed);
                if part >= range.end {
                    break;
                }
                f(part);
            }
        }
    }
}

/// Part `i` of `n` nearly equal parts of `0..size`. The larger ones are spread, so that stretches of parts are nearly equal too.
pub(crate) fn balanced(size: usize, n: usize, i: usize) -> Range<usize> {
    let (base, extra) = (size / n, size % n);
    // 128 bits: the product is at most the square of `n`.
    let start = |i: usize| i * base + (i as u128 * extra as u128 / n as u128) as usize;
    start(i)..start(i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Calls `work` so many times, whatever it says of its threads.
    struct Wrong {
        threads: usize,
        calls: usize,
    }

    impl Executor for Wrong {
        fn threads(&self) -> usize {
            self.threads
        }
        fn broadcast(&self, work: &(dyn Fn() + Sync)) {
            for _ in 0..self.calls {
                work();
            }
        }
    }

    #[test]
    fn every_part_is_handed_out_once_by_any_executor() {
        let shape = Nhwc::new(2, 7, 1, 10);
        for (threads, calls) in [(0, 0), (1, 0), (2, 0), (2, 1), (3, 9), (100, 3)] {
            let mut data = vec![0_u32; 140];
            let output = ViewMut::new(&mut data, shape).unwrap();
            let mut scratch = vec![0; 64 * threads.max(1)];
            let seen = [const { AtomicUsize::new(0) }; 140];
            for_each_part(
                &Wrong { threads, calls },
                &output,
                Grid { rows: 3, cols: 4 },
                &mut scratch,
                64,
                &|part, s| {
                    assert_eq!(s.len(), 64);
                    assert_eq!(
                        part.output.shape(),
                        Nhwc::new(1, part.rows.len(), 1, part.cols.len())
                    );
                    for row in part.rows {
                        for col in part.cols.clone() {
                            seen[row * 10 + col].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                },
            );
            assert!(
                seen.iter().all(|n| n.load(Ordering::Relaxed) == 1),
                "{threads} {calls}"
            );
        }
    }

    #[test]
    fn parts_are_balanced() {
        let sizes = |size, n| {
            (0..n)
                .map(|i| balanced(size, n, i).len())
                .collect::<alloc::vec::Vec<_>>()
        };
        assert_eq!(sizes(49, 9), [5, 5, 6, 5, 6, 5, 6, 5, 6]);
        assert_eq!(sizes(14, 4), [3, 4, 3, 4]);
        assert_eq!(sizes(7, 2), [3, 4]);
        assert_eq!(sizes(2, 2), [1, 1]);
    }
}
