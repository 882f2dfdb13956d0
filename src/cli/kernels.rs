//! `mobilenet kernels`: what this program can compute with, and whether it computes right on this CPU.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use dwsep::{F32, KernelInfo, KernelSet, Qs8, Qu8, Scheme};
use serde::Serialize;

use super::{IsaArgs, Outcome, table, to_stdout, write_json};

/// List the kernels and check each against the reference
///
/// A row per kernel, those first that dispatch prefers: whether this CPU can run it, whether it is the one that the other
/// commands use here (which DWSEP_ISA limits), and whether it computes what the reference computes, bit for bit, on this
/// very machine. The exit code is 1 if one does not.
#[derive(Args)]
pub struct Kernels {
    /// Print an array of {"name", "op", "dtype", "isa", "available", "chosen", "self_check", "error"}, where "self_check" is
    /// "passed", "failed" or "skipped"
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    op: &'static str,
    dtype: &'static str,
    isa: &'static str,
    available: bool,
    chosen: bool,
    self_check: SelfCheck,
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum SelfCheck {
    Passed,
    Failed,
    /// This CPU cannot run it.
    Skipped,
}

impl Kernels {
    pub fn run(&self) -> Result<Outcome> {
        let chosen = IsaArgs::default().kernels()?;
        let rows: Vec<_> = dwsep::kernels()
            .map(|kernel| Row::new(&kernel, &chosen))
            .collect();

        to_stdout(|out| {
            if self.json {
                write_json(out, &rows)
            } else {
                print(out, &rows)
            }
        })?;
        let failed = rows.iter().any(|row| row.self_check == SelfCheck::Failed);
        Ok(if failed {
            Outcome::InPart
        } else {
            Outcome::Whole
        })
    }
}

impl Row {
    fn new(kernel: &KernelInfo, chosen: &KernelSet) -> Self {
        let available = kernel.is_available();
        let (self_check, error) = match available.then(|| kernel.self_check()) {
            None => (SelfCheck::Skipped, None),
            Some(Ok(())) => (SelfCheck::Passed, None),
            Some(Err(error)) => (SelfCheck::Failed, Some(error.to_string())),
        };
        let chosen = [of::<F32>(chosen), of::<Qs8>(chosen), of::<Qu8>(chosen)];
        Self {
            name: kernel.name(),
            op: kernel.op(),
            dtype: kernel.dtype(),
            isa: kernel.isa().name(),
            available,
            chosen: chosen.as_flattened().contains(&kernel.name()),
            self_check,
            error,
        }
    }
}

/// The names of the kernels of a scheme that the other commands use here.
fn of<S: Scheme>(kernels: &KernelSet) -> [&'static str; 3] {
    [
        kernels.pointwise::<S>().name(),
        kernels.pointwise_for::<S>(1).name(),
        kernels.depthwise::<S>().name(),
    ]
}

fn print(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    let mut table = table::new(&[
        "kernel",
        "op",
        "dtype",
        "isa",
        "this CPU",
        "chosen",
        "self-check",
    ]);
    for row in rows {
        let self_check = match row.self_check {
            SelfCheck::Passed => "passed".into(),
            SelfCheck::Failed => format!("FAILED: {}", row.error.as_deref().unwrap_or_default()),
            SelfCheck::Skipped => "skipped".into(),
        };
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let chosen = if row.chosen { "chosen" } else { "" };
        let cells = [
            row.name,
            row.op,
            row.dtype,
            row.isa,
            yes_no(row.available),
            chosen,
            &self_check,
        ];
        table.add_row(cells);
    }
    writeln!(out, "{}", table.trim_fmt())
}
