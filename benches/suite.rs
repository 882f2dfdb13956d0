//! What the benches share: criterion's settings, the choice of kernels, and a table that says after each group what criterion
//! does not, how much of this core's peak every layer reaches.
//!
//! | variable | |
//! |---|---|
//! | `DWSEP_ISA` | the best instruction set to use, as everywhere |
//! | `DWSEP_BENCH_ALL=1` | every kernel of the tables that this CPU can run, not only the chosen one |
//! | `DWSEP_BENCH_NETWORKS` | the networks whose layers are run, `v1_1.0_224,v1_0.25_128` |

// Each bench uses a part of this.
#![allow(dead_code)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use mobilenet::dwsep::peak;
use mobilenet::dwsep::{
    DwKernel, F32, Isa, KernelSet, Nhwc, PwKernel, Scheme, Strides, View, ViewMut,
};

/// How long the peak is looked for, before and again after each layer.
const PEAK_TIME: Duration = Duration::from_millis(50);
/// Runs are timed in portions of about this length, as the peak is: the best portion is one that nothing has disturbed.
const PORTION: Duration = Duration::from_micros(100);
/// A size that fits into large shared caches, and one that fits into none.
const READ_SIZES: [usize; 2] = [4 << 20, 128 << 20];

/// Criterion with our settings, and the kernels to be run.
pub struct Suite {
    criterion: Criterion,
    kernels: KernelSet,
    all: bool,
    /// False where every benchmark is run once, to see that it works (`-- --test`).
    measuring: bool,
    /// Bytes a second, one for each of [`READ_SIZES`]. Measured when first needed.
    read: Option<[f64; 2]>,
}

/// What is measured: a row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    /// A layer's or a network's name.
    pub label: String,
    /// The kernel or variant that runs it.
    pub variant: String,
    /// The peak that it is held against.
    pub isa: Isa,
    pub threads: usize,
    /// Multiply-adds of one run.
    pub macs: u64,
    /// Bytes that one run has to read or write at least.
    pub bytes: u64,
}

/// A case that has been measured.
#[derive(Clone, Debug)]
pub struct Measured {
    pub case: Case,
    /// Seconds a run, the best.
    pub min: f64,
    /// Seconds a run.
    pub median: f64,
    /// Operations a second.
    pub peak: f64,
}

/// A group of criterion's, and the rows of its table.
pub struct Group<'s> {
    group: BenchmarkGroup<'s, WallTime>,
    title: String,
    measuring: bool,
    rows: Vec<Measured>,
    read: &'s mut Option<[f64; 2]>,
}

impl Suite {
    /// Criterion's options come from the command line, ours from the environment.
    pub fn new() -> Result<Self> {
        let criterion = Criterion::default()
            .without_plots()
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .sample_size(30)
            .nresamples(10_000)
            .configure_from_args();
        // Criterion's own rule, which it keeps to itself.
        let has = |flag: &str| std::env::args().any(|arg| arg == flag);
        Ok(Self {
            criterion,
            kernels: KernelSet::native()?,
            all: std::env::var_os("DWSEP_BENCH_ALL").is_some_and(|x| !x.is_empty() && x != "0"),
            measuring: has("--bench") && !has("--test") && !has("--list"),
            read: None,
        })
    }

    /// The best kernels, or with `DWSEP_BENCH_ALL` those of every instruction set that can run, best first.
    pub fn tiers(&self) -> Result<Vec<KernelSet>> {
        if !self.all {
            return Ok(vec![self.kernels]);
        }
        let isas = Isa::ALL.iter().rev().filter(|&&isa| self.allows(isa));
        Ok(isas
            .map(|&isa| KernelSet::up_to(isa))
            .collect::<Result<_, _>>()?)
    }

    /// The best pointwise kernel, or with `DWSEP_BENCH_ALL` every row of the table that can run.
    pub fn pointwise_kernels(&self) -> Vec<&'static PwKernel<F32>> {
        let table = F32::pointwise_kernels()
            .iter()
            .filter(|kernel| self.allows(kernel.isa()));
        if self.all {
            table.collect()
        } else {
            vec![self.kernels.pointwise()]
        }
    }

    /// The best depthwise kernel, or with `DWSEP_BENCH_ALL` every row of the table that can run.
    pub fn depthwise_kernels(&self) -> Vec<&'static DwKernel<F32>> {
        let table = F32::depthwise_kernels()
            .iter()
            .filter(|kernel| self.allows(kernel.isa()));
        if self.all {
            table.collect()
        } else {
            vec![self.kernels.depthwise()]
        }
    }

    fn allows(&self, isa: Isa) -> bool {
        isa <= self.kernels.isa() && isa.is_available()
    }

    /// A group of criterion's. `title` says in the table how things are measured.
    pub fn group(&mut self, name: &str, title: &str) -> Group<'_> {
        Group {
            group: self.criterion.benchmark_group(name),
            title: format!("{name}: {title}"),
            measuring: self.measuring,
            rows: Vec::new(),
            read: &mut self.read,
        }
    }

    /// Prints a table of what has been measured in another group, if anything has.
    pub fn print(&mut self, title: &str, rows: &[Measured]) {
        print(title, rows, &mut self.read);
    }

    /// The end of `main`.
    pub fn finish(self) -> Result<()> {
        self.criterion.final_summary();
        Ok(())
    }
}

impl Group<'_> {
    /// Measures what `setup` returns. `setup` is not called for a benchmark that the command line leaves out.
    pub fn bench<R: FnMut()>(
        &mut self,
        case: Case,
        setup: impl FnOnce() -> R,
    ) -> Option<&Measured> {
        let peak = || {
            peak::flops(case.isa, case.threads, PEAK_TIME)
                .expect("the peak of kernels that can run")
        };
        let (mut setup, mut state) = (Some(setup), None);
        let mut seconds = Vec::new();
        self.group.throughput(Throughput::Elements(case.macs));
        let id = BenchmarkId::new(&case.variant, &case.label);
        let measuring = self.measuring;
        self.group.bench_function(id, |bencher| {
            if let Some(setup) = setup.take() {
                let before = if measuring { peak() } else { 0.0 };
                state = Some((setup(), before));
            }
            if let Some((run, _)) = &mut state {
                bencher.iter_custom(|iterations| portions(iterations, run, &mut seconds));
            }
        });
        let (_, before) = state.filter(|_| measuring)?;
        seconds.sort_unstable_by(f64::total_cmp);
        self.rows.push(Measured {
            min: *seconds.first()?,
            median: seconds[seconds.len() / 2],
            peak: peak().max(before),
            case,
        });
        self.rows.last()
    }

    /// Ends the group and prints its table, if anything has been measured.
    pub fn finish(self) {
        self.group.finish();
        print(&self.title, &self.rows, self.read);
    }
}

fn print(title: &str, rows: &[Measured], read: &mut Option<[f64; 2]>) {
    if rows.is_empty() {
        return;
    }
    let read = read.get_or_insert_with(|| {
        READ_SIZES.map(|size| {
            peak::read_bytes_per_second(size, 1, Duration::from_millis(100))
                .expect("memory to read")
        })
    });
    print!("{}", table(title, rows, *read));
}

/// Runs `run` so often, and notes the seconds a run of each portion.
fn portions(iterations: u64, run: &mut impl FnMut(), seconds: &mut Vec<f64>) -> Duration {
    // The first run of all is alone; the portions after it are as long as the one before them was.
    let length = seconds
        .last()
        .map_or(1.0, |last| PORTION.as_secs_f64() / last)
        .ceil() as u64;
    let begin = Instant::now();
    let (mut left, mut last) = (iterations, begin);
    while left > 0 {
        let portion = length.clamp(1, left);
        for _ in 0..portion {
            run();
        }
        let now = Instant::now();
        seconds.push((now - last).as_secs_f64() / portion as f64);
        (left, last) = (left - portion, now);
    }
    last - begin
}

/// The table of a group. Where cases have the same label, the column `ratio` compares their times with that of the first.
fn table(title: &str, rows: &[Measured], read: [f64; 2]) -> String {
    let mut out = String::new();
    let width = |text: fn(&Case) -> &str| rows.iter().map(|row| text(&row.case).len()).max();
    let label = width(|case| &case.label).unwrap_or_default();
    let variant = width(|case| &case.variant).unwrap_or_default();
    let ratios = rows
        .windows(2)
        .any(|pair| pair[0].case.label == pair[1].case.label);
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(format!("\n{title}"));
    line(match load_average() {
        Some(load) if load > 1.0 => {
            format!("WARNING: load average {load:.2}: other programs disturb what is measured here")
        }
        Some(load) => format!("load average {load:.2}"),
        None => "load average unknown".to_owned(),
    });
    let ratio = if ratios { "ratio" } else { "" };
    line(format!(
        "{:label$}  {:variant$}  {:>9}  {:>9}  {:>8}  {:>8}  {:>6}  {:>6}  {ratio:>5}",
        "", "", "min us", "median us", "GFLOP/s", "peak", "share", "GB/s",
    ));
    let mut first: Option<&Measured> = None;
    for row in rows {
        let Measured {
            case,
            min,
            median,
            peak,
        } = row;
        let flops = 2.0 * case.macs as f64 / min;
        let of = first.filter(|first| first.case.label == case.label);
        let ratio = of.map_or_else(String::new, |first| format!("{:.2}", min / first.min));
        line(format!(
            "{:label$}  {:variant$}  {:>9.2}  {:>9.2}  {:>8.1}  {:>8.1}  {:>4.1} %  {:>6.1}  {ratio:>5}",
            case.label,
            case.variant,
            min * 1e6,
            median * 1e6,
            flops / 1e9,
            peak / 1e9,
            100.0 * flops / peak,
            case.bytes as f64 / min / 1e9,
        ));
        if of.is_none() {
            first = Some(row);
        }
    }
    let best = rows
        .iter()
        .max_by(|a, b| a.peak.total_cmp(&b.peak))
        .unwrap_or(&rows[0]);
    let Case { isa, threads, .. } = best.case;
    line(format!(
        "share: of the {} peak measured around each row, highest {:.1} GFLOP/s ({isa}, {threads} thread{})",
        if isa.fuses() { "FMA" } else { "multiply + add" },
        best.peak / 1e9,
        if threads == 1 { "" } else { "s" },
    ));
    line(format!(
        "GB/s: inputs, weights and outputs once each; one core reads {} MiB at {:.1} GB/s, {} MiB at {:.1} GB/s\n",
        READ_SIZES[0] >> 20,
        read[0] / 1e9,
        READ_SIZES[1] >> 20,
        read[1] / 1e9,
    ));
    out
}

/// Processes that wanted to run, averaged over the last minute. Linux only.
fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// A tensor that lies as those of a session do: it starts on a cache line, with gaps between pixels that would share cache sets.
pub struct Buffer {
    shape: Nhwc,
    data: Vec<f32>,
    start: usize,
}

impl Buffer {
    const LINE: usize = 64;

    /// Numbers in `[-1, 1)`.
    pub fn random(shape: Nhwc, seed: u32) -> Self {
        let mut buffer = Self::zeros(shape);
        buffer.data = numbers(buffer.data.len(), seed);
        buffer.start = Self::start(&buffer.data);
        buffer
    }

    /// Zeros, in memory that has been touched.
    pub fn zeros(shape: Nhwc) -> Self {
        let len = Self::strides(shape)
            .extent(shape)
            .expect("a shape of a layer");
        let mut data = vec![1.0; len + Self::LINE / size_of::<f32>()];
        data.fill(0.0);
        Self {
            shape,
            start: Self::start(&data),
            data,
        }
    }

    fn start(data: &[f32]) -> usize {
        data.as_ptr()
            .align_offset(Self::LINE)
            .min(Self::LINE / size_of::<f32>())
    }

    fn strides(shape: Nhwc) -> Strides {
        Strides::spread::<f32>(shape).expect("a shape of a layer")
    }

    /// For kernels to read.
    pub fn view(&self) -> View<'_, f32> {
        View::with_strides(
            &self.data[self.start..],
            self.shape,
            Self::strides(self.shape),
        )
        .expect("as long as its shape says")
    }

    /// For kernels to write.
    pub fn view_mut(&mut self) -> ViewMut<'_, f32> {
        let strides = Self::strides(self.shape);
        ViewMut::with_strides(&mut self.data[self.start..], self.shape, strides)
            .expect("as long as its shape says")
    }
}

/// Numbers in `[-1, 1)`, the same everywhere.
pub fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}
