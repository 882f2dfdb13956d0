//! Means: of the whole image, in front of the classifier, and of windows.
//!
//! Of integers there are two rules, TensorFlow Lite's for MEAN and for AVERAGE_POOL_2D, which round differently.

use dwsep::{
    Activation, Executor, Nhwc, Qs8, Qu8, Quantised, Quantization, View, ViewMut,
    global_average_pool, quantised,
};

use crate::layer::{Formats, Layer, LayerError, Op, PlannedLayer, Result, planned, sole, sole_of};
use crate::value::{Element, Format, ValueInfo};

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

/// Which pixels a mean is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolWindow {
    /// All of them, whatever the image's size.
    Image,
    /// Windows.
    Fixed(dwsep::PoolWindow),
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
            PoolWindow::Fixed(dwsep::PoolWindow {
                size: (h, w),
                stride: (y, x),
                ..
            }) => format!("average pool {h}x{w}, stride {y}x{x}"),
        }
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let ValueInfo {
            shape: input,
            format,
        } = sole(inputs)?;
        let window = match self.window {
            PoolWindow::Image => dwsep::PoolWindow {
                size: (input.h, input.w),
                stride: (1, 1),
                same: false,
            },
            PoolWindow::Fixed(window) => window,
        };
        let activation = self.activation;
        Ok(match format {
            Format::F32 => planned(dwsep::AveragePool::new(input, window, activation)?, format),
            Format::I8(q) => {
                let op = quantised::AveragePool::<Qs8>::new(input, window, q, activation)?;
                planned(op, format)
            }
            Format::U8(q) => {
                let op = quantised::AveragePool::<Qu8>::new(input, window, q, activation)?;
                planned(op, format)
            }
        })
    }
}

impl Op for dwsep::AveragePool {
    type In = f32;
    type Out = f32;

    fn output_shape(&self) -> Nhwc {
        Self::output_shape(self)
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, f32>,
        output: ViewMut<'_, f32>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        Self::run(self, input, output)
    }
}

impl<S: Quantised> Op for quantised::AveragePool<S>
where
    S::Elem: Element,
{
    type In = S::Elem;
    type Out = S::Elem;

    fn output_shape(&self) -> Nhwc {
        Self::output_shape(self)
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        Self::run(self, input, output)
    }
}
