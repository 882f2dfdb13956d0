//! `mobilenet quantize`: a network of f32 to one of int8.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use mobilenet::quantise::{Calibration, Comparison, LayerNoise, LayerRange, Quantised};
use mobilenet::weights::{self, Weights};
use mobilenet::{Engine, Model, Tensor};
use serde::Serialize;

use super::classify::{find, progress_bar};
use super::{EngineArgs, Outcome, report, table, to_stdout, write_json};
use crate::{output, preprocess};

/// Make an int8 network of an f32 one
///
/// Weights get one scale for each output channel. What the outputs of layers stand for follows from what they are for the images
/// of the folder. Every command reads the file with --model. Prints for each layer its range, its scale, and the signal-to-noise
/// ratio of its output against f32, with the errors of all layers before it, over the same images.
#[derive(Args)]
pub struct Quantize {
    /// A MobileNetV1 in f32, in a safetensors or a TensorFlow Lite file [default: the network that is part of this program]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Photographs as the network will see them, or folders of them, which are searched with all that is below
    #[arg(long, required = true, num_args = 1.., value_name = "IMAGE")]
    calibrate: Vec<PathBuf>,

    /// The int8 network; written whole or not at all
    #[arg(long, value_name = "Q.safetensors")]
    output: PathBuf,

    /// Percent of the numbers of each layer that its integers have to hold, those in the middle; 100 is minimum to maximum
    #[arg(
        long,
        value_name = "P",
        default_value = "100",
        allow_negative_numbers = true
    )]
    percentile: f64,

    #[command(flatten)]
    engine: EngineArgs,

    /// Print {"images", "agreement", "layers": [{"name", "lo", "hi", "scale", "zero_point", "snr_db"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    images: usize,
    /// Images for which both networks find the same class the likeliest.
    agreement: usize,
    layers: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    lo: f32,
    hi: f32,
    scale: f32,
    zero_point: i32,
    /// None where nothing differs.
    snr_db: Option<f64>,
}

impl Quantize {
    pub fn run(&self) -> Result<Outcome> {
        // What can be refused is refused before the long part.
        output::check(&self.output)?;
        let engine = self.engine.engine()?;
        let weights = match &self.model {
            Some(path) => weights::read(path)?,
            None => Box::new(Model::embedded_weights()?),
        };
        let weights = weights.as_ref();
        let mut calibration = Calibration::new(weights, &engine)?;
        // Wrong percentiles need no images to be found.
        let found = self.percentile;
        ensure!(
            found > 0.0 && found <= 100.0,
            "--percentile {found}: expected a number above 0, and at most 100"
        );
        let images = Images::load(&self.calibrate, &calibration)?;
        images.each(|image| Ok(calibration.observe(&engine, image.view())?))?;
        let quantised = calibration.quantise(self.percentile)?;
        let comparison = compare(weights, &quantised, &engine, &images)?;

        let file = quantised.to_bytes();
        output::write(&self.output, |out| out.write_all(&file))?;
        let report = Report::new(&quantised, &comparison);
        to_stdout(|out| {
            if self.json {
                write_json(out, &report)
            } else {
                report.print(out, &self.output, file.len())
            }
        })?;
        Ok(images.outcome)
    }
}

fn compare(
    weights: &dyn Weights,
    quantised: &Quantised,
    engine: &Engine,
    images: &Images,
) -> Result<Comparison> {
    let mut comparison = Comparison::new(weights, quantised, engine)?;
    images.each(|image| Ok(comparison.observe(engine, image.view())?))?;
    Ok(comparison)
}

/// The images that can be read, which are decoded each time they are looked at: they may be more than memory holds.
struct Images {
    paths: Vec<PathBuf>,
    side: u32,
    shape: dwsep::Nhwc,
    outcome: Outcome,
}

impl Images {
    /// Reports images that cannot be read, and goes on without them.
    fn load(paths: &[PathBuf], calibration: &Calibration) -> Result<Self> {
        let shape = calibration.input_shape();
        let side = u32::try_from(shape.h)?;
        let mut images = Self {
            paths: Vec::new(),
            side,
            shape,
            outcome: Outcome::Whole,
        };
        let found = find(paths);
        let bar = progress_bar(found.len());
        for path in found {
            let readable = path.and_then(|path| images.image(&path).map(|_| path));
            match readable {
                Ok(path) => images.paths.push(path),
                Err(error) => {
                    bar.suspend(|| report(&error));
                    images.outcome = Outcome::InPart;
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        ensure!(
            !images.paths.is_empty(),
            "--calibrate: no image could be read, expected at least one"
        );
        Ok(images)
    }

    fn image(&self, path: &Path) -> Result<Tensor> {
        let image =
            preprocess::load(path, self.side).with_context(|| path.display().to_string())?;
        Ok(Tensor::new(self.shape, preprocess::normalise(&image))?)
    }

    fn each(&self, mut see: impl FnMut(Tensor) -> Result<()>) -> Result<()> {
        let bar = progress_bar(self.paths.len());
        for path in &self.paths {
            see(self.image(path)?)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }
}

impl Report {
    fn new(quantised: &Quantised, comparison: &Comparison) -> Self {
        let (agreement, images) = comparison.agreement();
        let layers = quantised.layers.iter().zip(comparison.layers());
        Self {
            images,
            agreement,
            layers: layers
                .map(|(range, noise)| Row::new(range, noise))
                .collect(),
        }
    }

    fn print(&self, out: &mut dyn Write, path: &Path, bytes: usize) -> io::Result<()> {
        let mut table = table::new(&["layer", ">from", ">to", ">scale", ">zero point", ">SNR"]);
        for row in &self.layers {
            table.add_row([
                row.name.clone(),
                format!("{:.4}", row.lo),
                format!("{:.4}", row.hi),
                format!("{:.6}", row.scale),
                row.zero_point.to_string(),
                row.snr_db
                    .map_or_else(|| "exact".to_owned(), |db| format!("{db:.1} dB")),
            ]);
        }
        writeln!(
            out,
            "{}\n\nthe likeliest class is that of f32 for {} of {} images\n{}: {:.2} MB",
            table.trim_fmt(),
            self.agreement,
            self.images,
            path.display(),
            bytes as f64 / 1e6
        )
    }
}

impl Row {
    fn new(layer: &LayerRange, noise: &LayerNoise) -> Self {
        let decibels = noise.decibels();
        Self {
            name: layer.name.clone(),
            lo: layer.range.lo,
            hi: layer.range.hi,
            scale: layer.quantization.scale,
            zero_point: layer.quantization.zero_point,
            snr_db: decibels.is_finite().then_some(decibels),
        }
    }
}
