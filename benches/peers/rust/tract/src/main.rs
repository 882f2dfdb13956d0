//! tract, as a worker: the optimised graph, and its thread pool for more than one thread, as its documentation has it.

use std::path::Path;

use anyhow::{Context, Result};
use peer_worker::channels_first;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

struct Tract {
    state: TypedSimpleState,
    input: TValue,
    output: Option<TValue>,
}

impl peer_worker::Engine for Tract {
    fn load(
        model: &Path,
        input: Vec<f32>,
        height: usize,
        width: usize,
        threads: usize,
    ) -> Result<Self> {
        if threads > 1 {
            set_default_executor(Executor::multithread(threads));
        }
        let shape = [1, 3, height, width];
        let plan = tract_onnx::onnx()
            .model_for_path(model)?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()?;
        let input = Tensor::from_shape(&shape, &channels_first(&input, 3))?.into_tvalue();
        Ok(Self {
            state: plan.spawn()?,
            input,
            output: None,
        })
    }

    fn isa(&self) -> String {
        "its choice".to_owned()
    }

    fn run(&mut self) -> Result<()> {
        let outputs = self.state.run(tvec![self.input.clone()])?;
        self.output = outputs.into_iter().next();
        Ok(())
    }

    fn output(&self) -> Result<Vec<f32>> {
        let output = self.output.as_ref().context("nothing has run")?;
        Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}

fn main() -> Result<()> {
    peer_worker::serve::<Tract>()
}
