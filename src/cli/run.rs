//! `mobilenet run`: exact tensors in and out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use dwsep::Nhwc;
use mobilenet::{LayerOutput, Tensor};

use super::{EngineArgs, ModelArgs, Outcome};
use crate::npy;

/// Compute the logits of a tensor
///
/// Reads and writes NumPy files: f32, little-endian, C order. Files are written whole or not at all.
#[derive(Args)]
pub struct Run {
    /// Images, [N, H, W, 3], already normalised as the network was trained: x / 127.5 - 1
    #[arg(long, value_name = "X.npy")]
    input: PathBuf,

    /// Logits, [N, classes]
    #[arg(long, value_name = "Y.npy")]
    output: PathBuf,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    engine: EngineArgs,

    /// Also write the output of each layer, [N, H, W, C], to DIR/NN_NAME.npy, counted from 00
    #[arg(long, value_name = "DIR")]
    layers: Option<PathBuf>,
}

impl Run {
    pub fn run(&self) -> Result<Outcome> {
        let engine = self.engine.engine()?;
        let model = self.model.load(&engine)?;
        let input = read_images(&self.input).with_context(|| self.input.display().to_string())?;
        let shape = input.shape();
        let mut session = model.session(shape, engine.threads())?;

        let logits = match &self.layers {
            None => session.run(&engine, input.view())?,
            Some(folder) => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
                let mut layers = LayerFiles {
                    folder,
                    written: 0,
                    failed: None,
                };
                let logits =
                    session.run_with(&engine, input.view(), &mut |layer| layers.write(&layer))?;
                if let Some(error) = layers.failed {
                    return Err(error);
                }
                logits
            }
        };
        npy::write(
            &self.output,
            &[shape.n, model.classes()],
            [logits].into_iter(),
        )?;
        Ok(Outcome::Whole)
    }
}

fn read_images(path: &Path) -> Result<Tensor> {
    let npy::Array { shape, data } = npy::read(path)?;
    match shape[..] {
        [n, h, w, 3] => Ok(Tensor::new(Nhwc::new(n, h, w, 3), data)?),
        _ => bail!("the shape is {shape:?}, expected [N, H, W, 3]"),
    }
}

/// Writes layers until one cannot be written.
struct LayerFiles<'a> {
    folder: &'a Path,
    written: usize,
    failed: Option<anyhow::Error>,
}

impl LayerFiles<'_> {
    fn write(&mut self, layer: &LayerOutput<'_>) {
        if self.failed.is_some() {
            return;
        }
        let name: String = layer
            .name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let path = self.folder.join(format!("{:02}_{name}.npy", self.written));
        let Nhwc { n, h, w, c } = layer.info.shape;
        let real = layer.real();
        self.failed = npy::write(&path, &[n, h, w, c], [&real[..]].into_iter()).err();
        self.written += 1;
    }
}
