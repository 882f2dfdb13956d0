//! The layer between the last convolution and the classifier.

use dwsep::{Executor, Nhwc, View, ViewMut, global_average_pool};

use crate::layer::{Layer, PlannedLayer};

/// The mean of each channel over the whole image, `[N, H, W, C]` to `[N, 1, 1, C]`.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAveragePool;

#[derive(Debug)]
struct Plan {
    output: Nhwc,
}

impl Layer for GlobalAveragePool {
    fn description(&self) -> String {
        "global average pool".to_owned()
    }

    fn kernels(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn weights(&self) -> usize {
        0
    }

    fn macs(&self, _output: Nhwc) -> u64 {
        0
    }

    fn plan(&self, input: Nhwc) -> dwsep::Result<Box<dyn PlannedLayer>> {
        input.len("input")?;
        Ok(Box::new(Plan {
            output: Nhwc {
                h: 1,
                w: 1,
                ..input
            },
        }))
    }
}

impl PlannedLayer for Plan {
    fn output_shape(&self) -> Nhwc {
        self.output
    }

    fn workspace_len(&self, _threads: usize) -> usize {
        0
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
