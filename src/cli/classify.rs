//! `mobilenet classify`: what is on a photograph.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use dwsep::Nhwc;
use indicatif::{ProgressBar, ProgressStyle};
use mobilenet::{Engine, Model, Session, Tensor};
use serde::Serialize;
use walkdir::WalkDir;

use super::{EngineArgs, ModelArgs, Outcome, at_least_one, report, table, to_stdout, write_json};
use crate::labels::Labels;
use crate::preprocess;

/// Tell what is on photographs
///
/// Prints the likeliest classes of each with their probabilities, and the milliseconds that the network took (reading and
/// decoding the file not included). An image that cannot be read is one line on stderr and does not stop the others; the
/// exit code is then 1.
#[derive(Args)]
pub struct Classify {
    /// Photographs (PNG, JPEG, WebP, GIF, BMP, TIFF, PNM), or folders of them, which are searched with all that is below
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,

    #[command(flatten)]
    model: ModelArgs,

    /// Names of the classes, one a line [default: those in the model's file; else ImageNet's for models with 1000 or 1001 classes,
    /// else numbers]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Classes to print for each image
    #[arg(long, value_name = "K", default_value = "5", value_parser = at_least_one)]
    top: usize,

    #[command(flatten)]
    engine: EngineArgs,

    /// Print an array of {"image", "top": [{"index", "label", "probability"}], "ms"}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Classified<'a> {
    image: String,
    top: Vec<Class<'a>>,
    ms: f64,
}

#[derive(Serialize)]
struct Class<'a> {
    index: usize,
    label: std::borrow::Cow<'a, str>,
    probability: f32,
}

impl Classify {
    pub fn run(&self) -> Result<Outcome> {
        let engine = self.engine.engine()?;
        let model = self.model.load(&engine)?;
        let labels = match &self.labels {
            Some(path) => Labels::read(path, model.classes())?,
            None => Labels::of(&model),
        };
        let mut classifier = Classifier::new(&engine, &model, &labels, self.top)?;

        let images = find(&self.images);
        let bar = progress_bar(images.len());
        let mut outcome = Outcome::Whole;
        let mut all = Vec::new();
        for image in images {
            match image.and_then(|path| classifier.classify(&path)) {
                Ok(classified) if self.json => all.push(classified),
                Ok(classified) => bar.suspend(|| to_stdout(|out| print(out, &classified)))?,
                Err(error) => {
                    bar.suspend(|| report(&error));
                    outcome = Outcome::InPart;
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if self.json {
            to_stdout(|out| write_json(out, &all))?;
        }
        Ok(outcome)
    }
}

struct Classifier<'a> {
    engine: &'a Engine,
    labels: &'a Labels,
    top: usize,
    side: u32,
    input: Nhwc,
    session: Session,
    /// The network's output is probabilities, not logits.
    probabilities: bool,
}

impl<'a> Classifier<'a> {
    fn new(engine: &'a Engine, model: &Model, labels: &'a Labels, top: usize) -> Result<Self> {
        let Nhwc { h: side, w, c, .. } = model.default_input();
        ensure!(
            side == w && c == 3,
            "{}: the network takes {side} x {w} x {c}, expected squares of 3 channels",
            model.name()
        );
        let input = Nhwc::new(1, side, side, 3);
        let session = model.session(input, engine.threads())?;
        Ok(Self {
            engine,
            labels,
            top,
            side: u32::try_from(side)?,
            input,
            session,
            probabilities: model.gives_probabilities(),
        })
    }

    fn classify(&mut self, path: &Path) -> Result<Classified<'a>> {
        let image =
            preprocess::load(path, self.side).with_context(|| path.display().to_string())?;
        let input = Tensor::new(self.input, preprocess::normalise(&image))?;
        let start = Instant::now();
        let output = self.session.run(self.engine, input.view())?;
        let ms = start.elapsed().as_secs_f64() * 1e3;

        let probabilities = if self.probabilities {
            output.to_vec()
        } else {
            mobilenet::softmax(output, Nhwc::new(1, 1, 1, output.len()))?
        };
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let top = order.into_iter().take(self.top).map(|index| Class {
            index,
            label: self.labels.get(index),
            probability: probabilities[index],
        });
        Ok(Classified {
            image: path.display().to_string(),
            top: top.collect(),
            ms,
        })
    }
}

/// The files that `images` name, in their order; those of a folder by name. What cannot be looked into is in its place.
pub fn find(images: &[PathBuf]) -> Vec<Result<PathBuf>> {
    let mut found = Vec::new();
    for path in images {
        if !path.is_dir() {
            found.push(Ok(path.clone()));
            continue;
        }
        let before = found.len();
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if preprocess::is_image(entry.path()) => {
                    found.push(Ok(entry.into_path()))
                }
                Ok(_) => {}
                Err(error) => found.push(Err(error.into())),
            }
        }
        if found.len() == before {
            found.push(Err(anyhow!("{}: no images in this folder", path.display())));
        }
    }
    found
}

fn print(out: &mut dyn Write, classified: &Classified<'_>) -> io::Result<()> {
    let mut table = table::new(&[">probability", ">index", "label"]);
    for class in &classified.top {
        table.add_row([
            format!("{:.2} %", class.probability * 100.0),
            class.index.to_string(),
            class.label.to_string(),
        ]);
    }
    writeln!(
        out,
        "{}  ({:.1} ms)\n{}\n",
        classified.image,
        classified.ms,
        table.trim_fmt()
    )
}

/// Shown only where there is something to wait for and stderr is a terminal.
pub fn progress_bar(images: usize) -> ProgressBar {
    if images < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} images, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(images as u64).with_style(style)
}
