//! The change since an earlier report.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::report::{Report, Run, ms, percent, spread};
use crate::cli::table;

/// An earlier report, and the file that it was in.
pub struct Baseline {
    path: PathBuf,
    report: Report,
}

impl Baseline {
    pub fn read(path: &Path) -> Result<Self> {
        let inner = || {
            let text = fs::read(path)?;
            let report: Report =
                serde_json::from_slice(&text).context("expected the JSON of `mobilenet bench`")?;
            // serde takes any number; a time that is none would make nonsense of the change.
            for run in &report.runs {
                ensure!(
                    run.min_ms > 0.0 && run.median_ms >= run.min_ms,
                    "the run on {} threads has min_ms {} and median_ms {}, expected positive times in this order",
                    run.threads,
                    run.min_ms,
                    run.median_ms
                );
            }
            for layer in &report.layers {
                ensure!(
                    layer.ms > 0.0,
                    "layer {:?} has ms {}, expected a positive time",
                    layer.name,
                    layer.ms
                );
            }
            Ok(report)
        };
        Ok(Self {
            report: inner().with_context(|| path.display().to_string())?,
            path: path.to_owned(),
        })
    }

    pub fn check_model(&self, model: &str) -> Result<()> {
        let (path, found) = (self.path.display(), &self.report.model);
        ensure!(
            found == model,
            "{path}: a report of {found:?}, expected one of {model:?}"
        );
        Ok(())
    }

    /// Prints how `now` differs.
    pub fn compare(&self, now: &Report, out: &mut dyn Write) -> io::Result<()> {
        let before = &self.report;
        let date = if before.date.is_empty() {
            "an unknown date"
        } else {
            &before.date
        };
        writeln!(
            out,
            "\nchange of the minimum since {date} ({})",
            self.path.display()
        )?;
        if before.isa != now.isa {
            writeln!(
                out,
                "NOTE: the instruction set was {}, now it is {}",
                before.isa, now.isa
            )?;
        }
        if !before.machine.is_like(&now.machine) {
            writeln!(out, "NOTE: the machine was another: {}", before.machine)?;
        }

        let mut runs = table::new(&["", ">before ms", ">now ms", ">change", ">noise", ""]);
        for run in &now.runs {
            let name = format!("threads {}, batch {}", run.threads, run.batch);
            let same = |x: &&Run| (x.threads, x.batch) == (run.threads, run.batch);
            match before.runs.iter().find(same) {
                Some(old) => {
                    let noise = run.noise().max(old.noise());
                    runs.add_row(cells(name, old.min_ms, run.min_ms, noise));
                }
                None => {
                    runs.add_row(new(name, run.min_ms));
                }
            }
        }
        // Of the runs before, a layer's time is known and not how it spread: it was hardly less than that of the whole.
        let floor = now.runs.iter().chain(&before.runs).map(Run::noise);
        let floor = floor.fold(0.0, f64::max);
        for layer in &now.layers {
            let name = layer.name.clone();
            match before
                .layers
                .iter()
                .find(|x| (&x.name, &x.shape) == (&layer.name, &layer.shape))
            {
                Some(old) => runs.add_row(cells(
                    name,
                    old.ms,
                    layer.ms,
                    floor.max(NOISE * layer.spread),
                )),
                None => runs.add_row(new(name, layer.ms)),
            };
        }
        writeln!(
            out,
            "{}\n\nnoise: twice as far as medians lie above minima, the larger of before and now",
            runs.trim_fmt()
        )
    }
}

impl Run {
    fn noise(&self) -> f64 {
        NOISE * spread(self.min_ms, self.median_ms)
    }
}

fn cells(name: String, before: f64, now: f64, noise: f64) -> [String; 6] {
    let change = now / before - 1.0;
    [
        name,
        ms(before),
        ms(now),
        format!("{:+.1} %", 100.0 * change),
        percent(noise),
        verdict(before, now, noise).to_owned(),
    ]
}

fn new(name: String, now: f64) -> [String; 6] {
    let none = String::new;
    [
        name,
        none(),
        ms(now),
        none(),
        none(),
        "not in the baseline".to_owned(),
    ]
}

/// A program held against itself exceeded the spread of its runs in one of 17 layers: memory lies elsewhere in each process.
const NOISE: f64 = 2.0;

/// A change is how much longer the longer one takes, as spreads are: to half the time and to twice the time are as much.
fn verdict(before: f64, now: f64, noise: f64) -> &'static str {
    if before.max(now) / before.min(now) - 1.0 <= noise {
        "within noise"
    } else if now < before {
        "faster"
    } else {
        "slower"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_where_it_exceeds_the_noise() {
        assert_eq!(verdict(105.0, 100.0, 0.04), "faster");
        assert_eq!(verdict(100.0, 105.0, 0.04), "slower");
        assert_eq!(verdict(100.0, 103.0, 0.04), "within noise");
        assert_eq!(verdict(103.0, 100.0, 0.04), "within noise");
        // Less than nothing is no time: however large the noise, a time can be shorter than it allows.
        assert_eq!(verdict(1000.0, 1.0, 1.5), "faster");
        assert_eq!(
            cells("x".into(), 2.0, 1.5, 0.125).join("|"),
            "x|2.000|1.500|-25.0 %|12.5 %|faster"
        );
    }
}
