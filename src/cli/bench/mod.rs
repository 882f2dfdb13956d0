//! `mobilenet bench`: how fast a network runs here, and how far that is from what this machine can do.
//!
//! ```text
//! arguments -> measure (rounds) -> Report -> tables on stdout, --json, --html
//!                                     `----> against --baseline
//! ```

mod baseline;
mod html;
mod machine;
mod measure;
mod report;
mod roofline;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use dwsep::{KernelSet, Nhwc};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model};

use self::baseline::Baseline;
use self::measure::Measurement;
use super::{IsaArgs, ModelArgs, Outcome, at_least_one, to_stdout, write_json};
use crate::output;

/// More threads than any machine has use for here. Each takes memory of its own.
const MOST_THREADS: usize = 256;
/// More runs than anyone waits for. Each takes a few bytes.
const MOST_RUNS: usize = 1_000_000;

/// Time a network, and compare it with what this machine can do
///
/// Prints minimum, median, 95th percentile and images a second for each number of threads, the peak memory, and what this
/// machine can do at most, measured in the same minute: multiply-adds a second and bytes read a second. docs/bench.md explains
/// every number.
#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    network: NetworkArgs,

    /// Numbers of threads to run on, each in turn; layers are timed on the first
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "1", value_parser = threads)]
    threads: Vec<usize>,

    /// Images in a batch
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    batch: usize,

    #[command(flatten)]
    isa: IsaArgs,

    /// Runs to time for each number of threads
    #[arg(long, value_name = "N", default_value = "100", value_parser = runs)]
    runs: usize,

    /// Also time every layer, as it runs inside the network
    #[arg(long)]
    layers: bool,

    /// Write the numbers as JSON, for programs and for --baseline
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page with the layers under the machine's roofline, which implies --layers
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Compare with an earlier JSON of the same network
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Which network is timed.
#[derive(Args)]
struct NetworkArgs {
    #[command(flatten)]
    model: ModelArgs,

    /// A network of this architecture with weights that are good for nothing but timing: v1
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "dtype"])]
    arch: Option<Arch>,

    /// Width multiplier of --arch [default: 1.0]
    #[arg(
        long,
        value_name = "A",
        requires = "arch",
        allow_negative_numbers = true
    )]
    alpha: Option<f64>,

    /// Height and width of the input in pixels [default: those that the network was made for]
    #[arg(long, value_name = "R", value_parser = at_least_one)]
    resolution: Option<usize>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Arch {
    /// MobileNetV1
    V1,
}

impl NetworkArgs {
    /// The network, packed, and the shape of an image.
    fn load(&self, kernels: &KernelSet) -> Result<(Model, Nhwc)> {
        let model = match self.arch {
            None => self.model.load(&Engine::new(1, Some(kernels.isa()))?)?,
            Some(Arch::V1) => {
                let config = V1Config {
                    alpha: self.alpha.unwrap_or(1.0),
                    ..V1Config::default()
                };
                Model::mobilenet_v1(&config, &Seeded::new(1, &config)?, kernels)?
            }
        };
        let default = model.default_input();
        let image = match self.resolution {
            None => default,
            Some(side) => Nhwc {
                h: side,
                w: side,
                ..default
            },
        };
        Ok((model, image))
    }
}

impl Bench {
    pub fn run(&self) -> Result<Outcome> {
        // What can be refused is refused before the long part.
        let baseline = self.baseline.as_deref().map(Baseline::read).transpose()?;
        self.check_outputs()?;
        let kernels = self.isa.kernels()?;
        let (model, image) = self.network.load(&kernels)?;
        let Nhwc { h, w, .. } = image;
        let size = if h == w {
            h.to_string()
        } else {
            format!("{h}x{w}")
        };
        let name = format!("{}_{size}", model.name());
        if let Some(baseline) = &baseline {
            baseline.check_model(&name)?;
        }

        let report = Measurement {
            name,
            model: &model,
            kernels: &kernels,
            input: Nhwc {
                n: self.batch,
                ..image
            },
            threads: distinct(&self.threads),
            runs: self.runs,
            layers: self.layers || self.html.is_some(),
        }
        .run()?;

        if let Some(path) = &self.json {
            output::write(path, |file| write_json(file, &report))?;
        }
        if let Some(path) = &self.html {
            let page = html::page(&report)?;
            output::write(path, |file| file.write_all(page.as_bytes()))?;
        }
        to_stdout(|out| {
            report.print(out)?;
            match &baseline {
                Some(baseline) => baseline.compare(&report, out),
                None => Ok(()),
            }
        })?;
        Ok(Outcome::Whole)
    }

    fn check_outputs(&self) -> Result<()> {
        if let (Some(json), Some(html)) = (&self.json, &self.html) {
            ensure!(
                json != html,
                "{}: named by --json and by --html, expected two files",
                json.display()
            );
        }
        [&self.json, &self.html]
            .into_iter()
            .flatten()
            .try_for_each(|path| output::check(path))
    }
}

/// The numbers in the order in which they first come: one that is named twice is measured once.
fn distinct(numbers: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    for &number in numbers {
        if !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

fn threads(text: &str) -> Result<usize, String> {
    from_1_to(text, MOST_THREADS)
}

fn runs(text: &str) -> Result<usize, String> {
    from_1_to(text, MOST_RUNS)
}

fn from_1_to(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(format!("expected a number from 1 to {most}")),
    }
}
