//! The layer between the last convolution and the classifier.

use dwsep::{Executor, Nhwc, View, ViewMut, global_average_pool};

use crate::layer::{Layer, Op, PlannedLayer, Result, planned, sole_of};
use crate::value::{Format, ValueInfo};

/// The mean of each channel over the whole image, `[N, H, W, C]` to `[N, 1, 1, C]`.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAveragePool;

#[derive(Debug)]
struct Mean {
    output: Nhwc,
}

impl Layer for GlobalAveragePool {
    fn description(&self) -> String {
        "global average pool".to_owned()
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, Format::F32)?;
        input.len("input")?;
        let output = Nhwc {
            h: 1,
            w: 1,
            ..input
        };
        Ok(planned(Mean { output }, Format::F32))
    }
}

impl Op for Mean {
    type In = f32;
    type Out = f32;

    fn output_shape(&self) -> Nhwc {
        self.output
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
