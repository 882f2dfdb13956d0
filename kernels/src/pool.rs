//! Means of windows: `[N, H, W, C]` to `[N, OH, OW, C]`.
//!
//! ```text
//! H = 5, window 3, stride 2, padded as TensorFlow's "SAME":   [ . 0 1 ]  [ 1 2 3 ]  [ 3 4 . ]
//! ```
//! What is padded does not count: the first mean here is of two elements. Windows are summed channel by channel, row by row from the left.

use core::ops::{AddAssign, Range};

use crate::view::{View, ViewMut};
use crate::{Activation, Error, Nhwc, Result};

/// A window of any size, and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    /// (height, width)
    pub size: (usize, usize),
    /// From a window to the next, (down, right).
    pub stride: (usize, usize),
    /// Padded by TensorFlow's rule "SAME", so that there are `ceil(H / stride)` windows; else windows lie within the image.
    pub same: bool,
}

/// The mean of each channel over windows, in f32: summed from zero, divided by what there is of the window, then the activation.
///
/// ```
/// use dwsep::{Activation, AveragePool, Nhwc, PoolWindow, View, ViewMut};
///
/// let window = PoolWindow { size: (2, 2), stride: (2, 2), same: false };
/// let op = AveragePool::new(Nhwc::new(1, 2, 4, 1), window, Activation::None)?;
/// let mut means = [0.0; 2];
/// let input = [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0];
/// op.run(View::new(&input, Nhwc::new(1, 2, 4, 1))?, ViewMut::new(&mut means, op.output_shape())?)?;
/// assert_eq!(means, [2.5, 6.5]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AveragePool {
    windows: Windows,
    activation: Activation,
}

impl AveragePool {
    /// For inputs of the shape `[N, H, W, C]`.
    ///
    /// # Errors
    /// [`Error::ZeroDimension`] of the input or the window, [`Error::SizeOverflow`], [`Error::WindowTooLarge`] for an image that holds no
    /// window, [`Error::InvalidClamp`].
    pub fn new(input: Nhwc, window: PoolWindow, activation: Activation) -> Result<Self> {
        activation.epilogue()?;
        Ok(Self {
            windows: Windows::new(input, window)?,
            activation,
        })
    }

    /// `[N, OH, OW, C]`
    pub fn output_shape(&self) -> Nhwc {
        self.windows.output()
    }

    /// # Errors
    /// [`Error::Mismatch`] for views of other shapes.
    pub fn run(&self, input: View<'_, f32>, output: ViewMut<'_, f32>) -> Result<()> {
        let mean = |sum: f32, count: usize| self.activation.apply(sum / count as f32);
        self.windows.each(input, output, |x| x, mean)
    }
}

/// All windows of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    input: Nhwc,
    rows: Axis,
    columns: Axis,
}

/// The windows along one side of an image.
#[derive(Clone, Copy, Debug)]
struct Axis {
    length: usize,
    window: usize,
    stride: usize,
    /// Imagined before the first element.
    before: usize,
    /// How many windows there are.
    windows: usize,
}

impl Axis {
    fn new(
        dim: &'static str,
        length: usize,
        (window, stride): (usize, usize),
        same: bool,
    ) -> Result<Self> {
        for (operand, size) in [("window", window), ("stride", stride)] {
            if size == 0 {
                return Err(Error::ZeroDimension { operand, dim });
            }
        }
        let (before, windows) = if same {
            let windows = length.div_ceil(stride);
            // The last window begins within the image.
            let needed = ((windows - 1) * stride).saturating_add(window);
            (needed.saturating_sub(length) / 2, windows)
        } else {
            let room = length.checked_sub(window);
            let padded = length;
            let room = room.ok_or(Error::WindowTooLarge {
                dim,
                padded,
                window,
            })?;
            (0, room / stride + 1)
        };
        Ok(Self {
            length,
            window,
            stride,
            before,
            windows,
        })
    }

    /// What lies within the image of a window. Not empty: with "SAME" less than a window is imagined before the first.
    fn range(&self, index: usize) -> Range<usize> {
        let start = index * self.stride;
        let end = start
            .saturating_add(self.window)
            .saturating_sub(self.before);
        start.saturating_sub(self.before)..end.min(self.length)
    }
}

impl Windows {
    pub(crate) fn new(input: Nhwc, window: PoolWindow) -> Result<Self> {
        input.len("input")?;
        let PoolWindow { size, stride, same } = window;
        Ok(Self {
            input,
            rows: Axis::new("height", input.h, (size.0, stride.0), same)?,
            columns: Axis::new("width", input.w, (size.1, stride.1), same)?,
        })
    }

    pub(crate) fn output(&self) -> Nhwc {
        Nhwc {
            h: self.rows.windows,
            w: self.columns.windows,
            ..self.input
        }
    }

    /// Writes `mean(sum, count)` of each window's elements, widened.
    pub(crate) fn each<T: Copy, A: Copy + Default + AddAssign>(
        &self,
        input: View<'_, T>,
        mut output: ViewMut<'_, T>,
        widened: impl Fn(T) -> A,
        mean: impl Fn(A, usize) -> T,
    ) -> Result<()> {
        /// Channels at a time, whose sums stay in registers or near.
        const BLOCK: usize = 64;
        input.shape().must_be("input", self.input)?;
        output.shape().must_be("output", self.output())?;
        let Nhwc { n, h, w, .. } = self.output();
        for pixel in 0..n * h * w {
            let (image, y, x) = (pixel / (h * w), pixel / w % h, pixel % w);
            let (rows, columns) = (self.rows.range(y), self.columns.range(x));
            let count = rows.len() * columns.len();
            let to = output.pixel_mut(image, y, x);
            for (block, to) in to.chunks_mut(BLOCK).enumerate() {
                let channels = block * BLOCK..block * BLOCK + to.len();
                let mut sums = [A::default(); BLOCK];
                for y in rows.clone() {
                    for x in columns.clone() {
                        let pixel = input.pixel(image, y, x).unwrap_or_default();
                        let from = pixel.get(channels.clone()).unwrap_or_default();
                        for (sum, &x) in sums.iter_mut().zip(from) {
                            *sum += widened(x);
                        }
                    }
                }
                for (to, &sum) in to.iter_mut().zip(&sums) {
                    *to = mean(sum, count);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn windows_lie_within_the_image() {
        let ranges = |axis: Axis| (0..axis.windows).map(|i| axis.range(i)).collect::<Vec<_>>();
        assert_eq!(
            ranges(Axis::new("height", 5, (3, 2), true).unwrap()),
            [0..2, 1..4, 3..5]
        );
        assert_eq!(
            ranges(Axis::new("height", 5, (2, 2), false).unwrap()),
            [0..2, 2..4]
        );
        assert_eq!(
            ranges(Axis::new("height", 2, (9, 1), true).unwrap()),
            [0..2, 0..2]
        );
        for length in 1..12 {
            for (window, stride) in (1..14).flat_map(|w| (1..5).map(move |s| (w, s))) {
                let same = Axis::new("height", length, (window, stride), true).unwrap();
                assert_eq!(same.windows, length.div_ceil(stride));
                for range in ranges(same) {
                    assert!(
                        range.start < range.end && range.end <= length,
                        "{length} {window} {stride}: {range:?}"
                    );
                }
            }
        }
        // No product or sum overflows.
        let far = Axis::new("height", 3, (usize::MAX, usize::MAX), true).unwrap();
        assert_eq!(far.windows, 1);
        assert_eq!(far.range(0), 0..3);
    }

    #[test]
    fn windows_that_cannot_be() {
        let new = |size, stride, same| {
            let window = PoolWindow { size, stride, same };
            let shape = Nhwc::new(1, 3, 3, 1);
            AveragePool::new(shape, window, Activation::None).unwrap_err()
        };
        let (operand, dim) = ("window", "width");
        assert_eq!(
            new((1, 0), (1, 1), true),
            Error::ZeroDimension { operand, dim }
        );
        let (operand, dim) = ("stride", "height");
        assert_eq!(
            new((1, 1), (0, 1), false),
            Error::ZeroDimension { operand, dim }
        );
        assert_eq!(
            alloc::string::ToString::to_string(&new((3, 4), (1, 1), false)),
            "input: the padded width is 3, the window needs at least 4"
        );
    }
}
