//! RTen, as a worker: optimised graph, weights packed once, a thread pool of the wanted size.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use peer_worker::channels_first;
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

struct RTen {
    model: Model,
    options: RunOptions,
    input: NdTensor<f32, 4>,
    output: Vec<f32>,
}

impl peer_worker::Engine for RTen {
    fn load(
        model: &Path,
        input: Vec<f32>,
        height: usize,
        width: usize,
        threads: usize,
    ) -> Result<Self> {
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(model)?;
        let pool = Arc::new(ThreadPool::with_num_threads(threads));
        let options = RunOptions::default().with_thread_pool(Some(pool));
        let input = NdTensor::from_data([1, 3, height, width], channels_first(&input, 3));
        Ok(Self {
            model,
            options,
            input,
            output: Vec::new(),
        })
    }

    fn isa(&self) -> String {
        "its choice".to_owned()
    }

    fn run(&mut self) -> Result<()> {
        let output = self
            .model
            .run_one(self.input.view().into(), Some(self.options.clone()))?;
        let output: NdTensor<f32, 2> = output.try_into()?;
        self.output = output.into_data();
        Ok(())
    }

    fn output(&self) -> Result<Vec<f32>> {
        Ok(self.output.clone())
    }
}

fn main() -> Result<()> {
    // Packing weights while loading uses RTen's global pool, which would have a thread a core.
    peer_worker::serve::<RTen>()
}
