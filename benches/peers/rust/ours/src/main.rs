//! Ours, as a worker. And, for the networks that nobody has trained, their seeded weights and inputs as files:
//! `peer-ours seeded ALPHA RESOLUTION SEED WEIGHTS.safetensors INPUT.f32`.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use mobilenet::dwsep::{Nhwc, View};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::{Seeded, Weights};
use mobilenet::{AnyView, Engine, Format, Model, Quantization, Session, Tensor};
use safetensors::tensor::{Dtype, TensorView, serialize};

struct Ours {
    engine: Engine,
    session: Session,
    input: Input,
    /// As the network gives them: a quantised one's integers are converted when they are asked for.
    output: Vec<f32>,
}

/// What the network takes, so that no conversion is part of the time.
enum Input {
    F32(Tensor),
    I8(Vec<i8>),
}

impl peer_worker::Engine for Ours {
    fn load(
        model: &Path,
        input: Vec<f32>,
        height: usize,
        width: usize,
        threads: usize,
    ) -> Result<Self> {
        let engine = Engine::new(threads, None)?;
        // Dropped at the end: a session keeps the packed weights that it needs.
        let model = Model::load(model, &engine)?;
        let shape = Nhwc::new(1, height, width, 3);
        let session = model.session(shape, threads)?;
        let input = match model.input_format() {
            Format::F32 => Input::F32(Tensor::new(shape, input)?),
            Format::I8(quantization) => Input::I8(integers(&input, quantization)),
            Format::U8(_) => {
                bail!("a network of unsigned integers is none of those that are compared")
            }
        };
        let output = vec![0.0; model.classes()];
        Ok(Self {
            engine,
            session,
            input,
            output,
        })
    }

    fn isa(&self) -> String {
        self.engine.kernels().isa().to_string()
    }

    fn run(&mut self) -> Result<()> {
        let input = match &self.input {
            Input::F32(tensor) => tensor.view().into(),
            Input::I8(integers) => View::new(integers, self.session.input_shape())?.into(),
        };
        match self.session.run_any(&self.engine, input)? {
            AnyView::F32(logits) => keep(&mut self.output, logits),
            AnyView::I8(logits) => keep(&mut self.output, logits),
            AnyView::U8(logits) => keep(&mut self.output, logits),
        }
    }

    fn output(&self) -> Result<Vec<f32>> {
        let Some(Quantization { scale, zero_point }) = self.session.output().format.quantization()
        else {
            return Ok(self.output.clone());
        };
        let zero = zero_point as f32;
        Ok(self.output.iter().map(|q| (q - zero) * scale).collect())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => peer_worker::serve::<Ours>(),
        ["seeded", alpha, resolution, seed, weights, input] => seeded(
            alpha.parse()?,
            resolution.parse()?,
            seed.parse()?,
            weights.as_ref(),
            input.as_ref(),
        ),
        _ => bail!("no arguments, or: seeded ALPHA RESOLUTION SEED WEIGHTS INPUT"),
    }
}

/// The only pixel of `[1, 1, 1, classes]`.
fn keep<T: Copy + Into<f32>>(output: &mut [f32], logits: View<'_, T>) -> Result<()> {
    let logits = logits.pixel(0, 0, 0).context("the output has no pixel")?;
    ensure!(logits.len() == output.len(), "{} logits", logits.len());
    for (kept, &logit) in output.iter_mut().zip(logits) {
        *kept = logit.into();
    }
    Ok(())
}

/// The input as a quantised network takes it. Of ties to even, as the other workers' numpy does.
fn integers(input: &[f32], quantization: Quantization) -> Vec<i8> {
    let Quantization { scale, zero_point } = quantization;
    // `as` saturates.
    let integer = |x: &f32| ((x / scale).round_ties_even() + zero_point as f32) as i8;
    input.iter().map(integer).collect()
}

fn seeded(alpha: f64, resolution: usize, seed: u64, weights: &Path, input: &Path) -> Result<()> {
    let config = V1Config {
        alpha,
        resolution,
        ..V1Config::default()
    };
    let source = Seeded::new(seed, &config)?;
    let mut tensors = Vec::new();
    for name in source.names() {
        tensors.push((
            source.shape(&name)?.to_vec(),
            bytes(&source.values(&name)?),
            name,
        ));
    }
    let views = tensors
        .iter()
        .map(|(shape, data, name)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>>>()?;
    // The map's type depends on features of safetensors, which are the library's choice.
    let metadata = [
        ("activation", "relu6".to_owned()),
        ("image_size", resolution.to_string()),
    ];
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    write(weights, &serialize(views, Some(metadata))?)?;
    write(
        input,
        &bytes(Seeded::input(seed, Nhwc::new(1, resolution, resolution, 3))?.data()),
    )
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn write(path: &Path, data: &[u8]) -> Result<()> {
    fs::write(path, data).with_context(|| path.display().to_string())
}
