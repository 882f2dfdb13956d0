//! What has been measured: the JSON and the tables. docs/bench.md says what each number means.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dwsep::Nhwc;
use mobilenet::NamedLayer;
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::cli::table;

/// All of it. The JSON is this struct; what a baseline has to have is what has no `default`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub model: String,
    pub isa: String,
    /// Of one core.
    pub fma_peak_gflops: f64,
    /// Of one core, from memory.
    pub read_gb_per_s: f64,
    pub runs: Vec<Run>,
    pub peak_rss_mb: Option<f64>,
    pub layers: Vec<Layer>,
    /// What the layers are held against; none without layers, or where they multiply integers.
    #[serde(default)]
    pub roof: Option<Roof>,
    #[serde(default)]
    pub timed_runs: usize,
    #[serde(default)]
    pub rounds: usize,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub date: String,
    #[serde(default)]
    pub machine: Machine,
}

/// The whole network on so many threads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub threads: usize,
    pub batch: usize,
    pub min_ms: f64,
    pub median_ms: f64,
    pub p95_ms: f64,
    /// At the median.
    pub images_per_s: f64,
    /// At the minimum, of the peak of as many cores. None where the network multiplies integers, as that peak is one of f32.
    #[serde(default)]
    pub share_of_peak: Option<f64>,
}

/// A layer as it runs inside the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layer {
    pub name: String,
    pub kernel: String,
    pub shape: String,
    /// The minimum.
    pub ms: f64,
    pub gflops: f64,
    /// None for a layer that multiplies nothing, and without roofs.
    pub share_of_roof: Option<f64>,
    /// Which roof that is.
    #[serde(default)]
    pub roof: Option<RoofKind>,
    /// Operations for each byte of weights: where the layer stands in a roofline.
    #[serde(default)]
    pub flops_per_weight_byte: Option<f64>,
    /// How far the median lies above the minimum, as a part of it.
    #[serde(skip)]
    pub spread: f64,
}

/// What as many cores as the layers ran on can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Roof {
    pub threads: usize,
    pub gflops: f64,
    /// Reading a buffer of the size of all weights again and again.
    pub gb_per_s: f64,
    pub weights_mb: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoofKind {
    Compute,
    Memory,
}

/// Of the runs of one thing, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub min: f64,
    pub median: f64,
    /// The smallest that 95 % of the runs do not exceed.
    pub p95: f64,
}

impl Times {
    /// A clock that is too coarse to see a run gives it a nanosecond, so that rates stay finite.
    pub fn of(seconds: &[f64]) -> Self {
        let mut sorted: Vec<f64> = seconds.iter().map(|x| x.max(1e-9)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // Of an empty list nothing is known; there is none, as there is at least one run.
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let n = sorted.len();
        Self {
            min: at(0),
            median: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            p95: at((n * 95).div_ceil(100).saturating_sub(1)),
        }
    }

    pub fn spread(&self) -> f64 {
        spread(self.min, self.median)
    }
}

/// How far the median lies above the minimum, as a part of it.
pub fn spread(min: f64, median: f64) -> f64 {
    median / min - 1.0
}

impl Roof {
    /// What a layer of so many operations for each byte of weights can reach, and which roof stops it there.
    pub fn over(&self, flops_per_byte: f64) -> (f64, RoofKind) {
        let memory = self.gb_per_s * flops_per_byte;
        if memory < self.gflops {
            (memory, RoofKind::Memory)
        } else {
            (self.gflops, RoofKind::Compute)
        }
    }
}

impl Layer {
    pub fn new(
        layer: &NamedLayer,
        (input, output): (&Nhwc, &Nhwc),
        times: Times,
        roof: Option<&Roof>,
    ) -> Self {
        let flops = 2.0 * layer.macs(*output) as f64;
        let gflops = flops / times.min / 1e9;
        let intensity = flops / layer.weight_bytes() as f64;
        let multiplies = flops > 0.0 && intensity.is_finite();
        let roof = roof.filter(|_| multiplies);
        let over = roof.map(|roof| roof.over(intensity));
        Self {
            name: layer.name().to_owned(),
            kernel: layer.kernels().join(" + "),
            shape: format!("{} to {}", shape(input), shape(output)),
            ms: times.min * 1e3,
            gflops,
            share_of_roof: over.map(|(most, _)| gflops / most),
            roof: over.map(|(_, kind)| kind),
            flops_per_weight_byte: multiplies.then_some(intensity),
            spread: times.spread(),
        }
    }

    /// "compute 87 %", or nothing.
    fn share(&self) -> String {
        match (self.roof, self.share_of_roof) {
            (Some(roof), Some(share)) => format!("{} {}", roof.name(), percent(share)),
            _ => String::new(),
        }
    }
}

impl RoofKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Memory => "memory",
        }
    }
}

/// Height x width x channels, with the batch in front where it is more than one image.
fn shape(shape: &Nhwc) -> String {
    let Nhwc { n, h, w, c } = shape;
    match n {
        1 => format!("{h}x{w}x{c}"),
        _ => format!("{n}x{h}x{w}x{c}"),
    }
}

impl Report {
    /// What the multiply-adds of a core are called.
    pub fn arithmetic(&self) -> &'static str {
        match self.isa.parse::<dwsep::Isa>() {
            Ok(isa) if isa.fuses() => "FMA",
            _ => "multiply + add",
        }
    }

    /// The sentence about the runs.
    pub fn method(&self) -> String {
        let s = |n| if n == 1 { "" } else { "s" };
        let (runs, rounds) = (self.timed_runs, self.rounds);
        format!("{runs} run{} in {rounds} round{}", s(runs), s(rounds))
    }

    pub fn peak_memory(&self) -> String {
        match self.peak_rss_mb {
            Some(mb) => format!("{mb:.1} MB"),
            None => "unknown".to_owned(),
        }
    }

    /// A warning, if the machine was busy.
    pub fn warning(&self) -> Option<String> {
        let load = self.machine.load_average.filter(|&load| load > 1.0)?;
        Some(format!(
            "load average {load:.2} at the start: other programs disturb what is measured here"
        ))
    }

    /// What the shares of the layers refer to.
    pub fn roofs(&self) -> Option<String> {
        let roof = self.roof.as_ref()?;
        let s = if roof.threads == 1 { "" } else { "s" };
        Some(format!(
            "roofs of {} thread{s}: compute {:.1} GFLOP/s, memory {:.1} GB/s (all weights, {:.1} MB, read once an inference)",
            roof.threads, roof.gflops, roof.gb_per_s, roof.weights_mb
        ))
    }

    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}, {}, {}", self.model, self.isa, self.method())?;
        writeln!(out, "{}", self.machine)?;
        if let Some(warning) = self.warning() {
            writeln!(out, "WARNING: {warning}")?;
        }
        writeln!(
            out,
            "one core: {} peak {:.1} GFLOP/s, {:.1} GB/s read from memory\npeak memory: {}\n",
            self.arithmetic(),
            self.fma_peak_gflops,
            self.read_gb_per_s,
            self.peak_memory()
        )?;
        let mut runs = table::new(&self.run_headings());
        for run in &self.runs {
            runs.add_row(run.cells());
        }
        writeln!(out, "{}", runs.trim_fmt())?;
        if self.layers.is_empty() {
            return Ok(());
        }
        let mut layers = table::new(&self.layer_headings());
        for layer in &self.layers {
            layers.add_row(layer.cells(self.of_integers()));
        }
        writeln!(out, "\n{}", layers.trim_fmt())?;
        match self.roofs() {
            Some(roofs) => writeln!(out, "\n{roofs}"),
            None => Ok(()),
        }
    }

    /// Whether the network multiplies integers, of which no peak is known: kernels that get two products of one multiplication exceed
    /// that of f32.
    pub fn of_integers(&self) -> bool {
        self.runs.iter().all(|run| run.share_of_peak.is_none())
    }

    /// As [`table::new`] takes them.
    pub fn run_headings(&self) -> Vec<&'static str> {
        let headings = [">threads", ">batch", ">min ms", ">median ms", ">p95 ms"];
        let peak = (!self.of_integers()).then_some(">of peak");
        headings
            .into_iter()
            .chain([">images/s"])
            .chain(peak)
            .collect()
    }

    /// As [`table::new`] takes them.
    pub fn layer_headings(&self) -> Vec<&'static str> {
        if self.of_integers() {
            vec!["layer", "shape", ">ms", ">Gop/s", "kernel"]
        } else {
            vec![
                "layer",
                "shape",
                ">ms",
                ">GFLOP/s",
                ">of its roof",
                "kernel",
            ]
        }
    }
}

impl Run {
    /// Under [`Report::run_headings`].
    pub fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.threads.to_string(),
            self.batch.to_string(),
            ms(self.min_ms),
            ms(self.median_ms),
            ms(self.p95_ms),
            significant(self.images_per_s),
        ];
        cells.extend(self.share_of_peak.map(percent));
        cells
    }
}

impl Layer {
    /// Under [`Report::layer_headings`].
    pub fn cells(&self, of_integers: bool) -> Vec<String> {
        let rate = match self.flops_per_weight_byte {
            Some(_) => format!("{:.1}", self.gflops),
            None => String::new(),
        };
        let mut cells = vec![self.name.clone(), self.shape.clone(), ms(self.ms), rate];
        if !of_integers {
            cells.push(self.share());
        }
        cells.push(self.kernel.clone());
        cells
    }
}

/// Milliseconds, to the tenth of a microsecond or to four digits, whichever is shorter.
pub fn ms(ms: f64) -> String {
    match ms {
        x if x < 1.0 => format!("{x:.4}"),
        x => significant(x),
    }
}

/// Four digits, or more where there are more before the point.
fn significant(x: f64) -> String {
    let decimals = match x {
        x if x < 10.0 => 3,
        x if x < 100.0 => 2,
        x if x < 1000.0 => 1,
        _ => 0,
    };
    format!("{x:.decimals$}")
}

pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Coordinated universal time, `2026-01-31T23:59:59Z`.
pub fn utc(time: SystemTime) -> String {
    /// Days of 400 years, after which the calendar repeats.
    const CYCLE: u64 = 400 * 365 + 97;
    let leap = |year: u64| {
        let century = year.is_multiple_of(100);
        year.is_multiple_of(if century { 400 } else { 4 })
    };
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970 + 400 * (days / CYCLE);
    days %= CYCLE;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_order_statistics() {
        let times = |min, median, p95| Times { min, median, p95 };
        let falling = |n: u32| {
            let seconds: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            Times::of(&seconds)
        };
        assert_eq!(Times::of(&[3.0]), times(3.0, 3.0, 3.0));
        assert_eq!(Times::of(&[3.0, 1.0]), times(1.0, 2.0, 3.0));
        assert_eq!(falling(100), times(1.0, 50.5, 95.0));
        assert_eq!(falling(20), times(1.0, 10.5, 19.0));
        assert_eq!(Times::of(&[0.0]).min, 1e-9);
        assert_eq!(times(2.0, 3.0, 9.0).spread(), 0.5);
    }

    #[test]
    fn the_lower_roof_applies() {
        let roof = Roof {
            threads: 1,
            gflops: 100.0,
            gb_per_s: 20.0,
            weights_mb: 1.0,
        };
        assert_eq!(roof.over(0.5), (10.0, RoofKind::Memory));
        assert_eq!(roof.over(5.0), (100.0, RoofKind::Compute));
        assert_eq!(roof.over(1000.0), (100.0, RoofKind::Compute));
    }

    #[test]
    fn numbers_have_four_digits() {
        let cases = [
            (0.01234, "0.0123"),
            (1.23456, "1.235"),
            (12.3456, "12.35"),
            (123.456, "123.5"),
            (98765.4, "98765"),
        ];
        for (x, text) in cases {
            assert_eq!(ms(x), text);
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (12_622_780_800, "2370-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }
}
