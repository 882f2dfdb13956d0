//! A network at work: the memory is planned once, then inputs run without another allocation.
//!
//! ```text
//! input -> layer 1 -> a -> layer 2 -> b -> layer 3 -> a -> ... -> output        a, b: two buffers; one workspace for all layers
//! ```
//!
//! That is a chain. In a graph a buffer is free as soon as nothing reads what is in it any more (`plan_memory`).

use std::time::{Duration, Instant};

use dwsep::{AlignedBytes, Executor, Nhwc, Strides, View, ViewMut, with_team};

use crate::buffer::{Buffer, memory};
use crate::layer::{MOST_INPUTS, PlannedLayer};
use crate::model::{INPUT, NamedLayer};
use crate::value::{self, AnyView, AnyViewMut, DType, ValueInfo};
use crate::{Engine, Error, Result};

/// A network for inputs of one shape, with all the memory that it needs. It shares the weights with its model and may outlive it.
///
/// Made by [`Model::session`](crate::Model::session).
#[derive(Debug)]
pub struct Session {
    threads: usize,
    graph: Graph,
    /// The input and the output as the network has them, where [`run`](Session::run) converts.
    quantised: Option<AlignedBytes>,
    real: Option<Buffer>,
}

/// What runs: its fields are apart from the memory of the conversions.
#[derive(Debug)]
struct Graph {
    /// Step `i` writes value `i + 1`.
    steps: Vec<Step>,
    /// Value 0 is the input.
    values: Vec<Value>,
    buffers: Vec<AlignedBytes>,
    workspace: AlignedBytes,
}

#[derive(Debug)]
struct Step {
    name: String,
    plan: Box<dyn PlannedLayer>,
    /// The values that it reads.
    inputs: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    info: ValueInfo,
    strides: Strides,
    /// Which buffer it lies in. The input lies in the caller's memory, and this is not used.
    buffer: usize,
}

/// What a hook is shown when a layer has run.
#[derive(Clone, Copy, Debug)]
pub struct LayerOutput<'a> {
    /// The layer's name.
    pub name: &'a str,
    /// How long it took.
    pub elapsed: Duration,
    /// Shape and format of what it computed.
    pub info: ValueInfo,
    /// What it computed, `[N, H, W, C]`. Its pixels may have gaps between them ([`Strides::spread`]).
    pub output: AnyView<'a>,
}

impl LayerOutput<'_> {
    /// The real numbers that the layer computed, in the order `[N, H, W, C]`.
    pub fn real(&self) -> Vec<f32> {
        value::real(self.output, self.info.format)
    }
}

impl Session {
    /// Plans `layers` for an input, and memory for what is between them. The last layer's output is the network's.
    pub(crate) fn new(input: ValueInfo, threads: usize, layers: &[NamedLayer]) -> Result<Self> {
        let mut infos = vec![input];
        let mut steps = Vec::with_capacity(layers.len());
        for layer in layers {
            let inputs: Vec<ValueInfo> = layer.inputs().iter().map(|&i| infos[i]).collect();
            let plan = layer.plan(&inputs)?;
            infos.push(plan.output());
            steps.push(Step {
                name: layer.name().to_owned(),
                plan,
                inputs: layer.inputs().to_owned(),
            });
        }
        let output = infos[steps.len()];
        let mut values = Vec::with_capacity(infos.len());
        for (i, &info) in infos.iter().enumerate() {
            let dense = i == steps.len();
            let strides = if dense {
                Strides::dense(info.shape)?
            } else {
                info.spread()?
            };
            values.push(Value {
                info,
                strides,
                buffer: 0,
            });
        }
        let sizes = plan_memory(&steps, &mut values)?;
        let workspace = steps.iter().map(|step| step.plan.workspace_len(threads));
        let workspace = memory("workspace", workspace.max().unwrap_or(0))?;
        let buffers = sizes.iter().map(|&bytes| memory("activations", bytes));
        Ok(Self {
            threads,
            quantised: match input.format.dtype() {
                DType::F32 => None,
                DType::I8 | DType::U8 => Some(memory("input", values[INPUT].bytes()?)?),
            },
            real: match output.format.dtype() {
                DType::F32 => None,
                DType::I8 | DType::U8 => {
                    Some(Buffer::zeros("output", output.shape.len("output")?)?)
                }
            },
            graph: Graph {
                buffers: buffers.collect::<Result<_>>()?,
                steps,
                values,
                workspace,
            },
        })
    }

    /// `[N, H, W, C]` of the inputs that it takes.
    pub fn input_shape(&self) -> Nhwc {
        self.input().shape
    }

    /// `[N, 1, 1, classes]`
    pub fn output_shape(&self) -> Nhwc {
        self.output().shape
    }

    /// Shape and format of the inputs that the network takes.
    pub fn input(&self) -> ValueInfo {
        self.graph.values[INPUT].info
    }

    /// Shape and format of the output that the network gives.
    pub fn output(&self) -> ValueInfo {
        self.graph.output().info
    }

    /// Bytes of memory that it holds, without the weights.
    pub fn memory(&self) -> usize {
        let buffers = self.graph.buffers.iter().map(|buffer| buffer.len());
        let quantised = self.quantised.as_ref().map_or(0, |bytes| bytes.len());
        let real = self.real.as_ref().map_or(0, |real| size_of_val(&real[..]));
        buffers.sum::<usize>() + self.graph.workspace.len() + quantised + real
    }

    /// The logits of `input`, `[N, classes]`. What a quantised network takes and gives is converted: rounded to the nearest of the
    /// numbers that the input's integers stand for, and back.
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
        self.check(engine, input.shape())?;
        let Value { info, strides, .. } = self.graph.values[INPUT];
        let input = match &mut self.quantised {
            None => AnyView::F32(input),
            Some(bytes) => {
                let quantised = AnyViewMut::of(bytes, info, strides)?;
                value::quantise(input, quantised, info.format)?;
                AnyView::of(bytes, info, strides)?
            }
        };
        self.graph.run(engine, input, hook)?;
        let format = self.graph.output().info.format;
        let output = self.graph.result()?;
        match &mut self.real {
            Some(real) => {
                value::dequantise(output, format, ViewMut::new(real, output.shape())?)?;
                Ok(real)
            }
            None => Ok(self.graph.result_f32()?),
        }
    }

    /// The output of `input` as the network has them, without any conversion: bytes in and bytes out for a quantised one.
    ///
    /// Allocates nothing, as [`run`](Session::run).
    ///
    /// # Errors
    /// As [`run`](Session::run); [`Error::InputType`] for an input of another type than the network's.
    pub fn run_any(&mut self, engine: &Engine, input: AnyView<'_>) -> Result<AnyView<'_>> {
        self.run_any_with(engine, input, &mut |_| ())
    }

    /// As [`run_any`](Session::run_any), and shows the output of every layer to `hook`.
    ///
    /// # Errors
    /// As [`run_any`](Session::run_any).
    pub fn run_any_with(
        &mut self,
        engine: &Engine,
        input: AnyView<'_>,
        hook: &mut dyn FnMut(LayerOutput<'_>),
    ) -> Result<AnyView<'_>> {
        self.check(engine, input.shape())?;
        let (expected, found) = (self.input().format.dtype(), input.dtype());
        if found != expected {
            return Err(Error::InputType { expected, found });
        }
        self.graph.run(engine, input, hook)?;
        self.graph.result()
    }

    fn check(&self, engine: &Engine, found: Nhwc) -> Result<()> {
        let expected = self.input_shape();
        if found != expected {
            return Err(Error::InputShape { expected, found });
        }
        let (most, found) = (self.threads, engine.threads());
        if found > most {
            return Err(Error::Threads { found, most });
        }
        Ok(())
    }
}

impl Value {
    fn bytes(&self) -> Result<usize> {
        Ok(self.info.bytes(self.strides)?)
    }
}

impl Graph {
    fn output(&self) -> Value {
        self.values[self.steps.len()]
    }

    /// What the last step wrote.
    fn result(&self) -> Result<AnyView<'_>> {
        let Value {
            info,
            strides,
            buffer,
        } = self.output();
        Ok(AnyView::of(&self.buffers[buffer], info, strides)?)
    }

    /// What the last step wrote, dense, of f32.
    fn result_f32(&self) -> Result<&[f32]> {
        let output = self.output();
        Ok(bytemuck::cast_slice(
            &self.buffers[output.buffer][..output.bytes()?],
        ))
    }

    fn run(
        &mut self,
        engine: &Engine,
        input: AnyView<'_>,
        hook: &mut dyn FnMut(LayerOutput<'_>),
    ) -> Result<()> {
        // The threads are woken once, not for each op.
        with_team(engine.executor(), |team| self.run_on(team, input, hook))
    }

    fn run_on(
        &mut self,
        team: &dyn Executor,
        input: AnyView<'_>,
        hook: &mut dyn FnMut(LayerOutput<'_>),
    ) -> Result<()> {
        let values = &self.values;
        for (i, step) in self.steps.iter().enumerate() {
            let Value {
                info,
                strides,
                buffer,
            } = values[i + 1];
            // The memory plan keeps the output's buffer apart from those of the inputs.
            let (before, rest) = self.buffers.split_at_mut(buffer);
            let (target, after) = rest.split_at_mut(1);
            let target = &mut target[0];
            let read = |value: usize| -> dwsep::Result<AnyView<'_>> {
                if value == INPUT {
                    return Ok(input);
                }
                let Value {
                    info,
                    strides,
                    buffer: from,
                } = values[value];
                let bytes = match from.checked_sub(buffer + 1) {
                    None => &before[from],
                    Some(from) => &after[from],
                };
                AnyView::of(bytes, info, strides)
            };
            let mut inputs = [input; MOST_INPUTS];
            for (view, &value) in inputs.iter_mut().zip(&step.inputs) {
                *view = read(value)?;
            }
            let output = AnyViewMut::of(target, info, strides)?;
            let start = Instant::now();
            step.plan
                .run(
                    team,
                    &inputs[..step.inputs.len()],
                    output,
                    &mut self.workspace,
                )
                .map_err(|cause| Error::layer(&step.name, cause))?;
            let elapsed = start.elapsed();
            hook(LayerOutput {
                name: &step.name,
                elapsed,
                info,
                output: AnyView::of(target, info, strides)?,
            });
        }
        Ok(())
    }
}

/// Gives each value but the input a buffer, and says how large the buffers are.
///
/// A value takes the smallest free buffer that it fits in, or else the largest, which grows. A buffer is free from the step on that is
/// behind the last one to read what is in it. In a chain that makes two buffers in turn.
fn plan_memory(steps: &[Step], values: &mut [Value]) -> Result<Vec<usize>> {
    let mut last_use = vec![0; values.len()];
    for (i, step) in steps.iter().enumerate() {
        for &value in &step.inputs {
            last_use[value] = i;
        }
    }
    last_use[steps.len()] = usize::MAX;

    let (mut sizes, mut free): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (i, step) in steps.iter().enumerate() {
        let bytes = values[i + 1].bytes()?;
        let fits = free.iter().enumerate().min_by_key(|&(_, &buffer)| {
            let size = sizes[buffer];
            // The smallest that is large enough; of those that are not, the largest.
            (size < bytes, size.abs_diff(bytes))
        });
        let buffer = match fits.map(|(at, _)| at) {
            Some(at) => free.swap_remove(at),
            None => {
                sizes.push(0);
                sizes.len() - 1
            }
        };
        sizes[buffer] = sizes[buffer].max(bytes);
        values[i + 1].buffer = buffer;
        let mut read = step.inputs.clone();
        read.sort_unstable();
        read.dedup();
        let dead = read.iter().filter(|&&x| x != INPUT && last_use[x] == i);
        free.extend(dead.map(|&value| values[value].buffer));
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dwsep::Activation;
    use crate::layers::{Add, Flatten};
    use crate::value::Format;

    fn sum(name: &str, inputs: [usize; 2]) -> NamedLayer {
        let layer = Add {
            activation: Activation::None,
            output: Format::F32,
        };
        NamedLayer::new(name, Ok(layer), inputs.to_vec()).unwrap()
    }

    /// Values 1 and 2 are read again when others have come and gone.
    #[test]
    fn buffers_are_not_taken_before_their_last_reader() {
        let layers = [
            sum("1 = 2x", [0, 0]),
            sum("2 = 4x", [1, 1]),
            sum("3 = 6x", [1, 2]),
            sum("4 = 12x", [3, 3]),
            sum("5 = 16x", [4, 2]),
            sum("6 = 18x", [5, 1]),
            NamedLayer::new("7", Ok(Flatten), vec![6]).unwrap(),
        ];
        let shape = Nhwc::new(1, 2, 3, 256);
        let mut session = Session::new(ValueInfo::f32(shape), 1, &layers).unwrap();
        let input: Vec<f32> = (0..6 * 256).map(|x| x as f32).collect();
        let engine = Engine::new(1, None).unwrap();
        for _ in 0..2 {
            let view = View::new(&input, shape).unwrap();
            let mut factors = Vec::new();
            let output = session
                .run_with(&engine, view, &mut |layer| {
                    factors.push(layer.real()[5] / 5.0)
                })
                .unwrap();
            let expected: Vec<f32> = input.iter().map(|x| 18.0 * x).collect();
            assert_eq!(output, expected);
            assert_eq!(factors, [2.0, 4.0, 6.0, 12.0, 16.0, 18.0, 18.0]);
        }
        // Three are alive at a time, one more is written. Between pixels of 1 KB there is a cache line.
        assert_eq!(
            session.memory(),
            4 * size_of::<f32>() * (5 * (256 + 16) + 256)
        );
    }

    #[test]
    fn inputs_are_of_the_network_s_type() {
        let layers = [sum("twice", [0, 0])];
        let shape = Nhwc::new(1, 1, 1, 2);
        let mut session = Session::new(ValueInfo::f32(shape), 1, &layers).unwrap();
        let engine = Engine::new(1, None).unwrap();
        let input = AnyView::I8(View::new(&[1, 2], shape).unwrap());
        let error = session.run_any(&engine, input).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the elements of the input are i8, expected f32"
        );
    }
}
