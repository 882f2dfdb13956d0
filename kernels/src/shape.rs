//! Shapes and padding. Size arithmetic is here and in `geometry.rs`, and all of it is checked.

use core::ops::Range;

use crate::{Error, Result};

/// Side of the window of a depthwise or dense 3x3 convolution.
pub(crate) const WINDOW: usize = 3;

/// The shape of a tensor, `[N, H, W, C]`; the channels of a pixel are contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nhwc {
    /// Images in the batch.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Nhwc {
    /// `[n, h, w, c]`. Nothing is checked until the shape meets an op or a view.
    pub const fn new(n: usize, h: usize, w: usize, c: usize) -> Self {
        Self { n, h, w, c }
    }

    /// Elements of a dense tensor of this shape.
    ///
    /// # Errors
    /// [`Error::ZeroDimension`], or [`Error::SizeOverflow`] where eight bytes an element would not fit in `isize`.
    pub fn len(&self, operand: &'static str) -> Result<usize> {
        let mut len = 8_usize;
        for (dim, size) in self.dims() {
            if size == 0 {
                return Err(Error::ZeroDimension { operand, dim });
            }
            len = len
                .checked_mul(size)
                .ok_or(Error::SizeOverflow { operand })?;
        }
        if isize::try_from(len).is_err() {
            return Err(Error::SizeOverflow { operand });
        }
        Ok(len / 8)
    }

    /// The dimensions with their names, outermost first.
    pub(crate) fn dims(&self) -> [(&'static str, usize); 4] {
        [("n", self.n), ("h", self.h), ("w", self.w), ("c", self.c)]
    }

    /// Refuses a shape other than `expected`, naming the first dimension that differs.
    pub(crate) fn must_be(&self, operand: &'static str, expected: Nhwc) -> Result<()> {
        for ((dim, found), (_, expected)) in self.dims().into_iter().zip(expected.dims()) {
            if found != expected {
                return Err(Error::Mismatch {
                    operand,
                    dim,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

impl core::fmt::Display for Nhwc {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.n, self.h, self.w, self.c)
    }
}

/// The shape `[1, rows, W, C]` of rows `rows` of the `n * h` rows of `output`.
///
/// # Errors
/// [`Error::RowRange`]
pub(crate) fn row_range(output: Nhwc, rows: &Range<usize>) -> Result<Nhwc> {
    let all = output.n * output.h;
    if rows.start >= rows.end || rows.end > all {
        return Err(Error::RowRange {
            start: rows.start,
            end: rows.end,
            rows: all,
        });
    }
    Ok(Nhwc {
        n: 1,
        h: rows.len(),
        ..output
    })
}

/// Stride of a 3x3 window, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stride {
    /// An output pixel for every input pixel.
    One = 1,
    /// An output pixel for every second input pixel, in both directions.
    Two = 2,
}

impl Stride {
    /// 1 or 2.
    pub const fn get(self) -> usize {
        self as usize
    }
}

/// Rows and columns that are imagined around the input. They are skipped, not multiplied: they contribute nothing, even
/// where a weight is infinite or NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the left.
    pub left: usize,
    /// Columns on the right.
    pub right: usize,
}

impl Padding {
    /// No padding ("VALID").
    pub const NONE: Self = Self {
        top: 0,
        bottom: 0,
        left: 0,
        right: 0,
    };

    /// The same on all sides, as PyTorch's `padding=p`.
    pub const fn symmetric(p: usize) -> Self {
        Self {
            top: p,
            bottom: p,
            left: p,
            right: p,
        }
    }

    /// TensorFlow's "SAME" for a 3x3 window over an `h` x `w` input: the output has `ceil(size / stride)` rows and columns,
    /// and the odd one of the padding is after. At stride 2 an even input is padded 0 before and 1 after, an odd one 1 and 1.
    ///
    /// Source: `GetWindowedOutputSize` of TensorFlow's `common_shape_fns`:
    /// `total = max((ceil(size / stride) - 1) * stride + 3 - size, 0)`, `before = total / 2`.
    pub const fn same(h: usize, w: usize, stride: Stride) -> Self {
        const fn total(size: usize, stride: usize) -> usize {
            // The last window starts at the last multiple of the stride below `size`.
            let last = if size == 0 {
                0
            } else {
                (size - 1) / stride * stride
            };
            let taken = size - last;
            WINDOW.saturating_sub(taken)
        }
        let (v, h) = (total(h, stride.get()), total(w, stride.get()));
        Self {
            top: v / 2,
            bottom: v - v / 2,
            left: h / 2,
            right: h - h / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_is_tensorflows_rule() {
        let same = |size, stride| {
            let p = Padding::same(size, size, stride);
            assert_eq!((p.top, p.bottom), (p.left, p.right));
            (p.top, p.bottom)
        };
        assert_eq!(same(224, Stride::Two), (0, 1));
        assert_eq!(same(113, Stride::Two), (1, 1));
        assert_eq!(same(7, Stride::One), (1, 1));
        assert_eq!(same(1, Stride::One), (1, 1));
        assert_eq!(same(1, Stride::Two), (1, 1));
        assert_eq!(same(2, Stride::Two), (0, 1));
        for size in 1..50_usize {
            for stride in [Stride::One, Stride::Two] {
                let geometry = crate::geometry::Geometry::new(
                    size,
                    size,
                    stride,
                    Padding::same(size, size, stride),
                )
                .unwrap();
                let out = size.div_ceil(stride.get());
                assert_eq!(geometry.output(), (out, out));
            }
        }
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(Nhwc::new(2, 3, 4, 5).len("x"), Ok(120));
        assert!(matches!(
            Nhwc::new(2, 0, 4, 5).len("x"),
            Err(Error::ZeroDimension { dim: "h", .. })
        ));
        assert!(matches!(
            Nhwc::new(usize::MAX, 2, 1, 1).len("x"),
            Err(Error::SizeOverflow { .. })
        ));
        assert!(matches!(
            Nhwc::new(1 << 31, 1 << 30, 1, 1).len("x"),
            Err(Error::SizeOverflow { .. })
        ));
        // Eight bytes an element, to the last that fit.
        let most = isize::MAX as usize / 8;
        assert_eq!(Nhwc::new(1, 1, 1, most).len("x"), Ok(most));
        assert!(matches!(
            Nhwc::new(1, 1, 1, most + 1).len("x"),
            Err(Error::SizeOverflow { .. })
        ));
    }

    #[test]
    fn a_shape_is_written_outermost_first() {
        assert_eq!(alloc::format!("{}", Nhwc::new(1, 2, 3, 4)), "[1, 2, 3, 4]");
    }

    #[test]
    fn ranges_of_rows_are_within_the_batch_and_not_empty() {
        let output = Nhwc::new(2, 3, 4, 5);
        for rows in [0..6, 0..1, 5..6, 2..4] {
            let found = row_range(output, &rows);
            assert_eq!(found, Ok(Nhwc::new(1, rows.len(), 4, 5)), "{rows:?}");
        }
        for (start, end) in [(0, 0), (3, 3), (6, 6), (4, 2), (0, 7), (5, 7), (7, 8)] {
            let refused = Error::RowRange {
                start,
                end,
                rows: 6,
            };
            assert_eq!(row_range(output, &(start..end)), Err(refused));
        }
    }
}
