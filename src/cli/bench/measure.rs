//! The measuring itself. Clocks drift and other programs come and go, so that everything is measured in rounds, a part of the
//! runs of each number of threads at a time: what disturbs a round disturbs all of them.
//!
//! ```text
//! round:  FMA peaks | 1 thread: warm-up, runs | 2 threads: warm-up, runs | layers: warm-up, runs | next round ...
//! end:    peak memory | bytes read a second, whose buffer would count as memory of ours
//! ```

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use dwsep::{Isa, KernelSet, Nhwc, peak};
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Format, Model, NamedLayer, Session, Tensor, ValueInfo};

use super::machine::{self, Machine};
use super::report::{Layer, Report, Roof, Run, Times, utc};

const ROUNDS: usize = 5;
/// How long the peak of multiply-adds is looked for in each round.
const FLOPS_TIME: Duration = Duration::from_millis(20);
/// How long the peak of bytes read is looked for.
const READ_TIME: Duration = Duration::from_millis(200);
/// A buffer that is well over most caches, and the most that is taken where a cache is larger still.
const MEMORY: [usize; 2] = [128 << 20, 1 << 30];

/// What is to be measured.
pub struct Measurement<'a> {
    pub name: String,
    pub model: &'a Model,
    pub kernels: &'a KernelSet,
    pub input: Nhwc,
    /// Different numbers, at least one.
    pub threads: Vec<usize>,
    pub runs: usize,
    pub layers: bool,
}

/// A network on so many threads, and its times so far.
struct Contender {
    engine: Engine,
    session: Session,
    seconds: Vec<f64>,
    /// Operations a second of as many cores.
    peak: f64,
}

impl Measurement<'_> {
    pub fn run(self) -> Result<Report> {
        let machine = Machine::here();
        let isa = self.kernels.isa();
        let input = Seeded::input(1, self.input)?;
        let mut contenders = self
            .threads
            .iter()
            .map(|&threads| self.contender(threads))
            .collect::<Result<Vec<_>>>()?;
        let outputs = contenders[0].outputs(&input)?;
        let (mut layers, mut core) = (vec![Vec::new(); outputs.len()], 0.0_f64);

        let rounds = ROUNDS.min(self.runs);
        for round in 0..rounds {
            let runs = self.runs * (round + 1) / rounds - self.runs * round / rounds;
            core = core.max(flops(isa, 1)?);
            for contender in &mut contenders {
                contender.peak = contender.peak.max(flops(isa, contender.engine.threads())?);
            }
            for contender in &mut contenders {
                contender.time(&input, runs)?;
            }
            if self.layers {
                contenders[0].time_layers(&input, runs, &mut layers)?;
            }
        }
        let peak_rss_mb = machine::peak_rss_mb();

        let [memory, most] = MEMORY;
        let memory = memory
            .max(machine.largest_cache().saturating_mul(4))
            .min(most);
        let read = read(memory, 1)?;
        let macs = self.model.layers().iter().zip(&outputs);
        let macs: Vec<u64> = macs.map(|(layer, x)| layer.macs(x.shape)).collect();
        // The peak is one of f32: what multiplies integers is not held against it.
        let integers = (macs.iter().zip(&outputs))
            .any(|(&macs, output)| macs > 0 && output.format != Format::F32);
        let roof = (self.layers && !integers).then(|| self.roof(&contenders[0]));
        let roof = roof.transpose()?;
        let floats = (!integers).then(|| macs.iter().sum());
        Ok(Report {
            isa: isa.name().to_owned(),
            fma_peak_gflops: core / 1e9,
            read_gb_per_s: read,
            runs: contenders.iter().map(|x| self.row(x, floats)).collect(),
            peak_rss_mb,
            layers: if self.layers {
                self.rows(&outputs, &layers, roof.as_ref())
            } else {
                Vec::new()
            },
            roof,
            timed_runs: self.runs,
            rounds,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            date: utc(SystemTime::now()),
            machine,
            model: self.name,
        })
    }

    fn contender(&self, threads: usize) -> Result<Contender> {
        Ok(Contender {
            engine: Engine::new(threads, Some(self.kernels.isa()))?,
            session: self.model.session(self.input, threads)?,
            seconds: Vec::with_capacity(self.runs),
            peak: 0.0,
        })
    }

    /// Every weight is read once an inference, and so comes from wherever a buffer of the size of all weights stays.
    fn roof(&self, timed: &Contender) -> Result<Roof> {
        let bytes = self.model.layers().iter().map(|layer| layer.weight_bytes());
        let (bytes, threads) = (bytes.sum(), timed.engine.threads());
        Ok(Roof {
            threads,
            gflops: timed.peak / 1e9,
            gb_per_s: read(bytes, threads)?,
            weights_mb: bytes as f64 / 1e6,
        })
    }

    /// `macs`: multiply-adds of f32, if there are no others.
    fn row(&self, contender: &Contender, macs: Option<u64>) -> Run {
        let times = Times::of(&contender.seconds);
        Run {
            threads: contender.engine.threads(),
            batch: self.input.n,
            min_ms: times.min * 1e3,
            median_ms: times.median * 1e3,
            p95_ms: times.p95 * 1e3,
            images_per_s: self.input.n as f64 / times.median,
            share_of_peak: macs.map(|macs| 2.0 * macs as f64 / times.min / contender.peak),
        }
    }

    fn rows(&self, outputs: &[ValueInfo], seconds: &[Vec<f64>], roof: Option<&Roof>) -> Vec<Layer> {
        let layers = self.model.layers().iter().zip(outputs).zip(seconds);
        let row = |((layer, output), seconds): ((&NamedLayer, &ValueInfo), &Vec<f64>)| {
            // Value 0 is the network's input, value `i + 1` the output of layer `i`.
            let first = layer
                .inputs()
                .first()
                .and_then(|&value| value.checked_sub(1));
            let input = first.map_or(&self.input, |layer| &outputs[layer].shape);
            Layer::new(layer, (input, &output.shape), Times::of(seconds), roof)
        };
        layers.map(row).collect()
    }
}

impl Contender {
    /// Shape and format of every layer's output.
    fn outputs(&mut self, input: &Tensor) -> Result<Vec<ValueInfo>> {
        let mut outputs = Vec::new();
        self.session
            .run_with(&self.engine, input.view(), &mut |layer| {
                outputs.push(layer.info);
            })?;
        Ok(outputs)
    }

    fn time(&mut self, input: &Tensor, runs: usize) -> Result<()> {
        self.session.run(&self.engine, input.view())?;
        for _ in 0..runs {
            let start = Instant::now();
            self.session.run(&self.engine, input.view())?;
            self.seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Times the layers where they have to be fast: behind each other, with the weights of all of them competing for the caches.
    fn time_layers(&mut self, input: &Tensor, runs: usize, layers: &mut [Vec<f64>]) -> Result<()> {
        self.session.run(&self.engine, input.view())?;
        for _ in 0..runs {
            let mut next = layers.iter_mut();
            self.session
                .run_with(&self.engine, input.view(), &mut |layer| {
                    if let Some(seconds) = next.next() {
                        seconds.push(layer.elapsed.as_secs_f64());
                    }
                })?;
        }
        Ok(())
    }
}

/// Operations a second of `threads` cores.
fn flops(isa: Isa, threads: usize) -> Result<f64> {
    peak::flops(isa, threads, FLOPS_TIME).context("the peak of multiply-adds cannot be measured")
}

/// Gigabytes a second that `threads` cores read of `bytes` bytes.
fn read(bytes: usize, threads: usize) -> Result<f64> {
    let rate = peak::read_bytes_per_second(bytes, threads, READ_TIME)
        .context("the peak of bytes read cannot be measured")?;
    Ok(rate / 1e9)
}
