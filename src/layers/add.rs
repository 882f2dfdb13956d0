//! The sum of two tensors: what closes an inverted residual.

use dwsep::{Activation, Executor, Qs8, Qu8, Quantised, quantised};

use crate::layer::{Layer, LayerError, PlannedLayer, Result, take, typed, typed_mut};
use crate::value::{AnyView, AnyViewMut, Element, Format, ValueInfo, must_be, pixels};

/// `activation(a + b)` of two tensors of one shape and one type. Integers may stand for other numbers in each of the three.
#[derive(Clone, Copy, Debug)]
pub struct Add {
    /// What is applied to the sum: a clamp, where it is of integers.
    pub activation: Activation,
    /// How the sum is written down; of the same type as the inputs.
    pub output: Format,
}

impl Layer for Add {
    fn description(&self) -> String {
        "sum of two".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let [a, b] = take(inputs)?;
        a.shape.len("input")?;
        must_be("second input", b.shape, a.shape)?;
        let (output, activation) = (
            ValueInfo {
                shape: a.shape,
                format: self.output,
            },
            self.activation,
        );
        Ok(match (a.format, b.format, self.output) {
            (Format::F32, Format::F32, Format::F32) => Box::new(Float { output, activation }),
            (Format::I8(a), Format::I8(b), Format::I8(to)) => {
                let op = quantised::Add::<Qs8>::new(a, b, to, activation)?;
                Box::new(Fixed { output, op })
            }
            (Format::U8(a), Format::U8(b), Format::U8(to)) => {
                let op = quantised::Add::<Qu8>::new(a, b, to, activation)?;
                Box::new(Fixed { output, op })
            }
            _ => {
                let expected = self.output.dtype();
                let other = [a, b].into_iter().find(|x| x.format.dtype() != expected);
                return Err(LayerError::format(expected, other.unwrap_or(a).format));
            }
        })
    }
}

#[derive(Debug)]
struct Float {
    output: ValueInfo,
    activation: Activation,
}

impl PlannedLayer for Float {
    fn output(&self) -> ValueInfo {
        self.output
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        inputs: &[AnyView<'_>],
        output: AnyViewMut<'_>,
        _workspace: &mut [u8],
    ) -> Result<()> {
        let [a, b] = take(inputs)?;
        let (a, b, mut output) = (typed::<f32>(a)?, typed::<f32>(b)?, typed_mut(output)?);
        let shape = self.output.shape;
        must_be("input", a.shape(), shape)?;
        must_be("second input", b.shape(), shape)?;
        must_be("output", output.shape(), shape)?;
        for (n, h, w) in pixels(shape) {
            let a = a.pixel(n, h, w).unwrap_or_default();
            let b = b.pixel(n, h, w).unwrap_or_default();
            for ((to, &a), &b) in output.pixel_mut(n, h, w).iter_mut().zip(a).zip(b) {
                *to = self.activation.apply(a + b);
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Fixed<S: Quantised> {
    output: ValueInfo,
    op: quantised::Add<S>,
}

impl<S: Quantised> PlannedLayer for Fixed<S>
where
    S::Elem: Element,
{
    fn output(&self) -> ValueInfo {
        self.output
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        inputs: &[AnyView<'_>],
        output: AnyViewMut<'_>,
        _workspace: &mut [u8],
    ) -> Result<()> {
        let [a, b] = take(inputs)?;
        Ok(self.op.run(typed(a)?, typed(b)?, typed_mut(output)?)?)
    }
}
