//! Rows and columns around a tensor, where what follows cannot imagine them.

use dwsep::{Executor, Nhwc, Padding, View, ViewMut};

use crate::layer::{Layer, Op, PlannedLayer, Result, planned, sole};
use crate::value::{DType, Element, Format, ValueInfo, must_be, pixels};

/// The tensor with zeros around it, `[N, H, W, C]` to `[N, top + H + bottom, left + W + right, C]`. Of integers, what stands for zero.
#[derive(Clone, Copy, Debug)]
pub struct Pad {
    /// So many rows and columns.
    pub padding: Padding,
}

#[derive(Debug)]
struct Padded<T> {
    input: Nhwc,
    output: Nhwc,
    padding: Padding,
    zero: T,
}

impl Layer for Pad {
    fn description(&self) -> String {
        let Padding {
            top,
            bottom,
            left,
            right,
        } = self.padding;
        format!("padding of {top} + {bottom} rows, {left} + {right} columns")
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let ValueInfo {
            shape: input,
            format,
        } = sole(inputs)?;
        input.len("input")?;
        let Padding {
            top,
            bottom,
            left,
            right,
        } = self.padding;
        // Saturating: no size that large passes `len`.
        let output = Nhwc {
            h: input.h.saturating_add(top).saturating_add(bottom),
            w: input.w.saturating_add(left).saturating_add(right),
            ..input
        };
        output.len("output")?;
        let padding = self.padding;
        let zero = format.quantization().map_or(0, |q| q.zero_point);
        Ok(match format.dtype() {
            DType::F32 => plan(input, output, padding, 0.0_f32, format),
            DType::I8 => plan(input, output, padding, zero as i8, format),
            DType::U8 => plan(input, output, padding, zero as u8, format),
        })
    }
}

fn plan<T: Element>(
    input: Nhwc,
    output: Nhwc,
    padding: Padding,
    zero: T,
    format: Format,
) -> Box<dyn PlannedLayer> {
    let op = Padded {
        input,
        output,
        padding,
        zero,
    };
    planned(op, format)
}

impl<T: Element> Op for Padded<T> {
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
        let Padding { top, left, .. } = self.padding;
        for (n, h, w) in pixels(self.output) {
            let to = output.pixel_mut(n, h, w);
            // Outside on the left and above is far outside on the right and below.
            match input.pixel(n, h.wrapping_sub(top), w.wrapping_sub(left)) {
                Some(from) => to.copy_from_slice(from),
                None => to.fill(self.zero),
            }
        }
        Ok(())
    }
}
