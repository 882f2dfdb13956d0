//! Ours, as a worker. And, for the networks that nobody has trained, their seeded weights and inputs as files:
//! `peer-ours seeded ALPHA RESOLUTION SEED WEIGHTS.safetensors INPUT.f32`.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use mobilenet::dwsep::Nhwc;
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::{Seeded, Weights};
use mobilenet::{Engine, Model, Session, Tensor};
use safetensors::tensor::{Dtype, TensorView, serialize};

struct Ours {
    engine: Engine,
    session: Session,
    input: Tensor,
    output: Vec<f32>,
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
        let input = Tensor::new(Nhwc::new(1, height, width, 3), input)?;
        let session = model.session(input.shape(), threads)?;
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
        let logits = self.session.run(&self.engine, self.input.view())?;
        self.output.copy_from_slice(logits);
        Ok(())
    }

    fn output(&self) -> Result<Vec<f32>> {
        Ok(self.output.clone())
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
