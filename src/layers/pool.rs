//! Means: of the whole image, in front of the classifier, and of windows.
//!
//! Of integers there are two rules, TensorFlow Lite's for MEAN and for AVERAGE_POOL_2D, which round differently.

use std::ops::{AddAssign, Range};

use dwsep::{
    Activation, Executor, Nhwc, Qs8, Qu8, Quantised, Quantization, View, ViewMut,
    global_average_pool, quantised,
};

use crate::layer::{Formats, Layer, LayerError, Op, PlannedLayer, Result, planned, sole, sole_of};
use crate::value::{Element, Format, Integer, ValueInfo, must_be};

/// The mean of each channel over the whole image, `[N, H, W, C]` to `[N, 1, 1, C]`.
/// Of integers see [`quantised::global_average_pool`].
#[derive(Clone, Copy, Debug)]
pub struct GlobalAveragePool {
    /// How input and output are written down: both with elements of one type.
    pub formats: Formats,
}

impl GlobalAveragePool {
    /// Of f32.
    pub const F32: Self = Self {
        formats: Formats::F32,
    };
}

impl Layer for GlobalAveragePool {
    fn description(&self) -> String {
        "global average pool".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let Formats { input, output } = self.formats;
        let shape = sole_of(inputs, input)?;
        shape.len("input")?;
        Ok(match (input, output) {
            (Format::F32, Format::F32) => planned(FloatMean { input: shape }, output),
            (Format::I8(from), Format::I8(to)) => {
                planned(Mean::<Qs8>::new(shape, from, to), output)
            }
            (Format::U8(from), Format::U8(to)) => {
                planned(Mean::<Qu8>::new(shape, from, to), output)
            }
            _ => return Err(LayerError::format(input.dtype(), output)),
        })
    }
}

/// `[N, 1, 1, C]`
fn pixel(shape: Nhwc) -> Nhwc {
    Nhwc {
        h: 1,
        w: 1,
        ..shape
    }
}

#[derive(Debug)]
struct FloatMean {
    input: Nhwc,
}

impl Op for FloatMean {
    type In = f32;
    type Out = f32;

    fn output_shape(&self) -> Nhwc {
        pixel(self.input)
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, f32>,
        output: ViewMut<'_, f32>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        global_average_pool(input, output)
    }
}

#[derive(Debug)]
struct Mean<S> {
    input: Nhwc,
    from: Quantization,
    to: Quantization,
    scheme: std::marker::PhantomData<S>,
}

impl<S> Mean<S> {
    fn new(input: Nhwc, from: Quantization, to: Quantization) -> Self {
        Self {
            input,
            from,
            to,
            scheme: std::marker::PhantomData,
        }
    }
}

impl<S: Quantised> Op for Mean<S>
where
    S::Elem: Element,
{
    type In = S::Elem;
    type Out = S::Elem;

    fn output_shape(&self) -> Nhwc {
        pixel(self.input)
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        quantised::global_average_pool::<S>(input, self.from, output, self.to)
    }
}

/// Sums a part of an image channel by channel, row by row from the left, and makes an element of the output of each sum.
fn sums<T: Element, A: Copy + Default + AddAssign>(
    input: &View<'_, T>,
    image: usize,
    (rows, columns): (Range<usize>, Range<usize>),
    to: &mut [T],
    wide: impl Fn(T) -> A,
    finish: impl Fn(A) -> T,
) {
    /// Channels at a time, whose sums stay in registers or near.
    const BLOCK: usize = 64;
    for (block, to) in to.chunks_mut(BLOCK).enumerate() {
        let first = block * BLOCK;
        let mut sums = [A::default(); BLOCK];
        for y in rows.clone() {
            for x in columns.clone() {
                let pixel = input.pixel(image, y, x).unwrap_or_default();
                let from = pixel.get(first..first + to.len()).unwrap_or_default();
                for (sum, &x) in sums.iter_mut().zip(from) {
                    *sum += wide(x);
                }
            }
        }
        for (to, &sum) in to.iter_mut().zip(&sums) {
            *to = finish(sum);
        }
    }
}

/// Which pixels a mean is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolWindow {
    /// All of them, whatever the image's size.
    Image,
    /// Windows, (height, width).
    Fixed {
        /// Of the window.
        size: (usize, usize),
        /// From a window to the next.
        stride: (usize, usize),
        /// Padded by TensorFlow's rule "SAME"; else windows lie within the image. What is padded does not count.
        same: bool,
    },
}

/// The mean of each channel over a window, `[N, H, W, C]` to `[N, OH, OW, C]`. The output is written down as the input is.
///
/// Of integers the mean is that of the integers themselves, rounded half away from zero, as TensorFlow Lite's own kernel does it.
#[derive(Clone, Copy, Debug)]
pub struct AveragePool {
    /// What the mean is of.
    pub window: PoolWindow,
    /// What is applied to the mean: a clamp.
    pub activation: Activation,
}

impl Layer for AveragePool {
    fn description(&self) -> String {
        match self.window {
            PoolWindow::Image => "average pool of the image".to_owned(),
            PoolWindow::Fixed {
                size: (h, w),
                stride: (y, x),
                ..
            } => format!("average pool {h}x{w}, stride {y}x{x}"),
        }
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let ValueInfo {
            shape: input,
            format,
        } = sole(inputs)?;
        input.len("input")?;
        let (rows, columns) = match self.window {
            PoolWindow::Image => (Axis::whole(input.h), Axis::whole(input.w)),
            PoolWindow::Fixed { size, stride, same } => (
                Axis::new("h", input.h, size.0, stride.0, same)?,
                Axis::new("w", input.w, size.1, stride.1, same)?,
            ),
        };
        let windows = Windows {
            input,
            rows,
            columns,
        };
        Ok(match format {
            Format::F32 => {
                let activation = self.activation;
                planned(
                    FloatPool {
                        windows,
                        activation,
                    },
                    format,
                )
            }
            Format::I8(q) => {
                let bounds = bounds::<i8>(self.activation, q)?;
                planned(IntegerPool { windows, bounds }, format)
            }
            Format::U8(q) => {
                let bounds = bounds::<u8>(self.activation, q)?;
                planned(IntegerPool { windows, bounds }, format)
            }
        })
    }
}

#[derive(Debug)]
struct Windows {
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
    fn whole(length: usize) -> Self {
        Self {
            length,
            window: length,
            stride: 1,
            before: 0,
            windows: 1,
        }
    }

    fn new(
        dim: &'static str,
        length: usize,
        window: usize,
        stride: usize,
        same: bool,
    ) -> Result<Self> {
        for (operand, size) in [("window", window), ("stride", stride)] {
            if size == 0 {
                return Err(dwsep::Error::ZeroDimension { operand, dim }.into());
            }
        }
        let (before, windows) = if same {
            let windows = length.div_ceil(stride);
            // The last window begins within the image.
            let needed = ((windows - 1) * stride).saturating_add(window);
            (needed.saturating_sub(length) / 2, windows)
        } else {
            let Some(room) = length.checked_sub(window) else {
                return Err(LayerError::Window {
                    dim,
                    window,
                    found: length,
                });
            };
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
    fn output(&self) -> Nhwc {
        Nhwc {
            h: self.rows.windows,
            w: self.columns.windows,
            ..self.input
        }
    }

    /// Calls `mean` with each output pixel: its image, its window and where it is to be written.
    fn each<T: Element>(
        &self,
        input: &View<'_, T>,
        mut output: ViewMut<'_, T>,
        mean: impl Fn(usize, (Range<usize>, Range<usize>), &mut [T]),
    ) -> dwsep::Result<()> {
        must_be("input", input.shape(), self.input)?;
        must_be("output", output.shape(), self.output())?;
        for (n, y, x) in crate::value::pixels(self.output()) {
            let window = (self.rows.range(y), self.columns.range(x));
            mean(n, window, output.pixel_mut(n, y, x));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct FloatPool {
    windows: Windows,
    activation: Activation,
}

impl Op for FloatPool {
    type In = f32;
    type Out = f32;

    fn output_shape(&self) -> Nhwc {
        self.windows.output()
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, f32>,
        output: ViewMut<'_, f32>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        self.windows.each(&input, output, |image, window, to| {
            let count = (window.0.len() * window.1.len()) as f32;
            sums(
                &input,
                image,
                window,
                to,
                |x| x,
                |sum| self.activation.apply(sum / count),
            );
        })
    }
}

#[derive(Debug)]
struct IntegerPool<T> {
    windows: Windows,
    bounds: (T, T),
}

impl<T: Integer> Op for IntegerPool<T> {
    type In = T;
    type Out = T;

    fn output_shape(&self) -> Nhwc {
        self.windows.output()
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, T>,
        output: ViewMut<'_, T>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        let (least, most) = (self.bounds.0.wide(), self.bounds.1.wide());
        self.windows.each(&input, output, |image, window, to| {
            let count = (window.0.len() * window.1.len()) as i64;
            sums(
                &input,
                image,
                window,
                to,
                |x| i64::from(x.wide()),
                |sum| {
                    let half = if sum > 0 { count / 2 } else { -(count / 2) };
                    let mean = (sum + half) / count;
                    T::saturated(mean.clamp(i64::from(least), i64::from(most)))
                },
            );
        })
    }
}

/// The least and the greatest integer within an activation that is a clamp. Half is rounded away from the zero point, as TensorFlow
/// Lite's own kernels do it.
fn bounds<T: Integer>(activation: Activation, quantization: Quantization) -> Result<(T, T)> {
    let (lo, hi) = match activation {
        Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::Clamp { lo, hi } => (lo, hi),
        _ => return Err(LayerError::Activation),
    };
    // False for NaN.
    if lo <= hi {
        let Quantization { scale, zero_point } = quantization;
        // Saturates, as do infinities.
        let bound = |x: f32| T::saturated(((x / scale).round() + zero_point as f32) as i64);
        Ok((bound(lo), bound(hi)))
    } else {
        Err(dwsep::Error::InvalidClamp.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_away_from_zero() {
        // 6 / (12 / 255) is 127.5.
        let q = |zero_point| Quantization::new(12.0 / 255.0, zero_point);
        assert_eq!(bounds::<u8>(Activation::Relu6, q(3)).unwrap(), (3, 131));
        assert_eq!(bounds::<u8>(Activation::Relu6, q(200)).unwrap(), (200, 255));
        assert_eq!(bounds::<i8>(Activation::None, q(9)).unwrap(), (-128, 127));
        for (lo, hi) in [(1.0, 0.0), (f32::NAN, 0.0)] {
            let error = bounds::<i8>(Activation::Clamp { lo, hi }, q(0));
            let expected = dwsep::Error::InvalidClamp;
            assert!(matches!(error, Err(LayerError::Kernels(found)) if found == expected));
        }
        let error = bounds::<i8>(Activation::HardSwish, q(0));
        assert!(matches!(error, Err(LayerError::Activation)));
    }

    #[test]
    fn windows_lie_within_the_image() {
        let ranges = |axis: Axis| (0..axis.windows).map(|i| axis.range(i)).collect::<Vec<_>>();
        assert_eq!(
            ranges(Axis::new("h", 5, 3, 2, true).unwrap()),
            [0..2, 1..4, 3..5]
        );
        assert_eq!(
            ranges(Axis::new("h", 5, 2, 2, false).unwrap()),
            [0..2, 2..4]
        );
        assert_eq!(ranges(Axis::new("h", 2, 9, 1, true).unwrap()), [0..2, 0..2]);
        assert_eq!(
            ranges(Axis::whole(7)),
            std::iter::once(0..7).collect::<Vec<_>>()
        );
        for length in 1..12 {
            for (window, stride) in (1..14).flat_map(|w| (1..5).map(move |s| (w, s))) {
                let same = Axis::new("h", length, window, stride, true).unwrap();
                assert_eq!(same.windows, length.div_ceil(stride));
                for range in ranges(same) {
                    assert!(
                        range.start < range.end && range.end <= length,
                        "{length} {window} {stride}: {range:?}"
                    );
                }
            }
        }
        let error = Axis::new("w", 3, 4, 1, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "input: w is 3, the window needs at least 4"
        );
    }
}
