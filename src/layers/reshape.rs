//! The same elements in another shape.

use dwsep::{Executor, Nhwc, View, ViewMut};

use crate::layer::{Layer, Op, PlannedLayer, Result, planned, sole};
use crate::value::{DType, Element, ValueInfo, must_be, pixels};

/// The elements of each image in the order in which they are, `[N, H, W, C]` to `[N, 1, 1, H * W * C]`.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

#[derive(Debug)]
struct Flattened<T> {
    input: Nhwc,
    output: Nhwc,
    element: std::marker::PhantomData<T>,
}

impl Layer for Flatten {
    fn description(&self) -> String {
        "flatten".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let ValueInfo {
            shape: input,
            format,
        } = sole(inputs)?;
        input.len("input")?;
        let output = Nhwc::new(input.n, 1, 1, input.h * input.w * input.c);
        Ok(match format.dtype() {
            DType::F32 => planned(Flattened::<f32>::new(input, output), format),
            DType::I8 => planned(Flattened::<i8>::new(input, output), format),
            DType::U8 => planned(Flattened::<u8>::new(input, output), format),
        })
    }
}

impl<T> Flattened<T> {
    fn new(input: Nhwc, output: Nhwc) -> Self {
        Self {
            input,
            output,
            element: std::marker::PhantomData,
        }
    }
}

impl<T: Element> Op for Flattened<T> {
    type In = T;
    type Out = T;

    fn output_shape(&self) -> Nhwc {
        self.output
    }

    fn run(
        &self,
        _executor: &dyn Executor,
        input: View<'_, T>,
        mut output: ViewMut<'_, T>,
        _workspace: &mut [u8],
    ) -> dwsep::Result<()> {
        must_be("input", input.shape(), self.input)?;
        must_be("output", output.shape(), self.output)?;
        let Nhwc { w: columns, c, .. } = self.input;
        for (n, h, w) in pixels(self.input) {
            let from = input.pixel(n, h, w).unwrap_or_default();
            let start = (h * columns + w) * c;
            output.pixel_mut(n, 0, 0)[start..start + c].copy_from_slice(from);
        }
        Ok(())
    }
}
