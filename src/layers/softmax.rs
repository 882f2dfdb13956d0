//! From logits to probabilities, where that is part of the network.

use dwsep::{Executor, Nhwc, Quantization, View, ViewMut};

use crate::layer::{Formats, Layer, LayerError, Op, PlannedLayer, Result, planned, sole_of};
use crate::value::{Format, Integer, ValueInfo, must_be, pixels};

/// `exp(x) / sum(exp(x))` over the channels of each pixel.
///
/// Of integers as TensorFlow Lite's own kernel does it: a table of `exp(-beta * scale * i)` for the distances `i` from the largest, a sum
/// in f32 from the first channel on, and `round_ties_even(e * (1 / (sum * sy))) + zy`.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    /// How input and output are written down: both with elements of one type.
    pub formats: Formats,
    /// What the logits are multiplied with; 1, unless they are integers.
    pub beta: f32,
}

impl Layer for Softmax {
    fn description(&self) -> String {
        "softmax".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let Formats { input, output } = self.formats;
        let shape = sole_of(inputs, input)?;
        shape.len("input")?;
        Ok(match (input, output) {
            (Format::F32, Format::F32) => planned(Float { shape }, output),
            (Format::I8(from), Format::I8(to)) => {
                planned(Table::<i8>::new(shape, from, to, self.beta), output)
            }
            (Format::U8(from), Format::U8(to)) => {
                planned(Table::<u8>::new(shape, from, to, self.beta), output)
            }
            _ => return Err(LayerError::format(input.dtype(), output)),
        })
    }
}

#[derive(Debug)]
struct Float {
    shape: Nhwc,
}

impl Op for Float {
    type In = f32;
    type Out = f32;

    fn output_shape(&self) -> Nhwc {
        self.shape
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, f32>,
        output: ViewMut<'_, f32>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        dwsep::softmax(input, output)
    }
}

/// Distances that two integers of 8 bits can have.
const DISTANCES: usize = 256;

#[derive(Debug)]
struct Table<T> {
    shape: Nhwc,
    exp: Box<[f32; DISTANCES]>,
    to: Quantization,
    element: std::marker::PhantomData<T>,
}

impl<T: Integer> Table<T> {
    fn new(shape: Nhwc, from: Quantization, to: Quantization, beta: f32) -> Self {
        let step = -from.scale * beta;
        // In f64, and rounded once.
        let exp = std::array::from_fn(|i| f64::from(step * i as f32).exp() as f32);
        Self {
            shape,
            exp: Box::new(exp),
            to,
            element: std::marker::PhantomData,
        }
    }
}

impl<T: Integer> Op for Table<T> {
    type In = T;
    type Out = T;

    fn output_shape(&self) -> Nhwc {
        self.shape
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, T>,
        mut output: ViewMut<'_, T>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        must_be("input", input.shape(), self.shape)?;
        must_be("output", output.shape(), self.shape)?;
        for (n, h, w) in pixels(self.shape) {
            let from = input.pixel(n, h, w).unwrap_or_default();
            let most = from.iter().map(|x| x.wide()).max().unwrap_or(0);
            let exp = |x: T| self.exp[(most - x.wide()) as usize];
            let sum: f32 = from.iter().fold(0.0, |sum, &x| sum + exp(x));
            let inverse = 1.0 / (sum * self.to.scale);
            for (to, &from) in output.pixel_mut(n, h, w).iter_mut().zip(from) {
                let steps = (exp(from) * inverse).round_ties_even();
                *to = T::saturated(steps as i64 + i64::from(self.to.zero_point));
            }
        }
        Ok(())
    }
}
