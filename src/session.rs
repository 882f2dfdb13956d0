//! A network at work: the memory is planned once, then inputs run without another allocation.
//!
//! ```text
//! input -> layer 1 -> a -> layer 2 -> b -> layer 3 -> a -> ... -> output        a, b: two buffers; one workspace for all layers
//! ```

use std::time::{Duration, Instant};

use dwsep::{AlignedBytes, Executor, Nhwc, Strides, View, ViewMut, with_team};

use crate::buffer::{Buffer, memory};
use crate::layer::PlannedLayer;
use crate::{Engine, Error, Result};

/// A network for inputs of one shape, with all the memory that it needs. It shares the weights with its model and may outlive it.
///
/// Made by [`Model::session`](crate::Model::session).
#[derive(Debug)]
pub struct Session {
    input: Nhwc,
    threads: usize,
    steps: Vec<Step>,
    buffers: [Buffer; 2],
    workspace: AlignedBytes,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub name: String,
    pub plan: Box<dyn PlannedLayer>,
}

/// What a hook is shown when a layer has run.
#[derive(Clone, Copy, Debug)]
pub struct LayerOutput<'a> {
    /// The layer's name.
    pub name: &'a str,
    /// How long it took.
    pub elapsed: Duration,
    /// What it computed, `[N, H, W, C]`. Its pixels may have gaps between them ([`Strides::spread`]).
    pub output: View<'a, f32>,
}

impl Session {
    /// Memory for `steps`, each of which takes the output of the one before it.
    pub(crate) fn new(input: Nhwc, threads: usize, steps: Vec<Step>) -> Result<Self> {
        let (mut elements, mut workspace) = ([0, 0], 0);
        for (i, step) in steps.iter().enumerate() {
            let buffer = &mut elements[i % 2];
            let shape = step.plan.output_shape();
            *buffer = Strides::spread::<f32>(shape)?.extent(shape)?.max(*buffer);
            workspace = step.plan.workspace_len(threads).max(workspace);
        }
        let buffers = [
            Buffer::zeros("activations", elements[0])?,
            Buffer::zeros("activations", elements[1])?,
        ];
        let workspace = memory("workspace", workspace)?;
        Ok(Self {
            input,
            threads,
            steps,
            buffers,
            workspace,
        })
    }

    /// `[N, H, W, C]` of the inputs that it takes.
    pub fn input_shape(&self) -> Nhwc {
        self.input
    }

    /// `[N, 1, 1, classes]`
    pub fn output_shape(&self) -> Nhwc {
        self.steps
            .last()
            .map_or(self.input, |step| step.plan.output_shape())
    }

    /// Bytes of memory that it holds, without the weights.
    pub fn memory(&self) -> usize {
        self.buffers
            .iter()
            .map(|b| size_of_val(&b[..]))
            .sum::<usize>()
            + self.workspace.len()
    }

    /// The logits of `input`, `[N, classes]`.
    ///
    /// Allocates nothing, if the engine's threads do not. The kernels are those that the model was packed for; of the engine
    /// only the threads are used.
    ///
    /// # Errors
    /// [`Error::InputShape`] for an input of another shape than planned, [`Error::Threads`] for an engine with more threads than
    /// planned.
    pub fn run(&mut self, engine: &Engine, input: View<'_, f32>) -> Result<&[f32]> {
        self.run_with(engine, input, &mut |_| ())
    }

    /// As [`run`](Session::run), and shows the output of every layer to `hook`.
    ///
    /// # Errors
    /// As [`run`](Session::run).
    pub fn run_with(
        &mut self,
        engine: &Engine,
        input: View<'_, f32>,
        hook: &mut dyn FnMut(LayerOutput<'_>),
    ) -> Result<&[f32]> {
        let (expected, found) = (self.input, input.shape());
        if found != expected {
            return Err(Error::InputShape { expected, found });
        }
        let (most, found) = (self.threads, engine.threads());
        if found > most {
            return Err(Error::Threads { found, most });
        }
        // The threads are woken once, not for each op.
        with_team(engine.executor(), |team| self.run_on(team, input, hook))
    }

    fn run_on(
        &mut self,
        team: &dyn Executor,
        input: View<'_, f32>,
        hook: &mut dyn FnMut(LayerOutput<'_>),
    ) -> Result<&[f32]> {
        let [target, source] = &mut self.buffers;
        let (mut target, mut source) = (target, source);
        let (mut shape, mut strides) = (self.input, input.strides());
        for (i, Step { name, plan }) in self.steps.iter().enumerate() {
            let input = if i == 0 {
                input
            } else {
                View::with_strides(source, shape, strides)?
            };
            shape = plan.output_shape();
            strides = Strides::spread::<f32>(shape)?;
            let output = ViewMut::with_strides(target, shape, strides)?;
            let start = Instant::now();
            plan.run(team, input, output, &mut self.workspace)
                .map_err(|cause| Error::Layer {
                    layer: name.clone(),
                    cause,
                })?;
            let elapsed = start.elapsed();
            hook(LayerOutput {
                name,
                elapsed,
                output: View::with_strides(target, shape, strides)?,
            });
            (target, source) = (source, target);
        }
        Ok(&source[..shape.len("output")?])
    }
}
