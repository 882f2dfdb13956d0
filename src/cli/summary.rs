//! `mobilenet summary`: what each layer of MobileNetV1 costs.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;
use dwsep::Nhwc;
use mobilenet::models::mobilenet_v1::{self, LayerSummary, V1Config};
use serde::Serialize;

use super::table::{self, grouped};
use super::{Outcome, at_least_one, to_stdout, write_json};

/// Count the parameters and multiply-adds of MobileNetV1
///
/// A row per layer: the shape of its output, its parameters, its multiply-adds, and those of a standard convolution in its
/// place. A separable layer (depthwise 3x3 and pointwise to N channels) costs 1/N + 1/9 of it. As published, batch norm
/// counts for three parameters a channel.
#[derive(Args)]
pub struct Summary {
    /// Width multiplier: layers have max(8, int(c * A)) channels
    #[arg(
        long,
        value_name = "A",
        default_value = "1.0",
        allow_negative_numbers = true
    )]
    alpha: f64,

    /// Height and width of the input in pixels
    #[arg(long, value_name = "R", default_value = "224", value_parser = at_least_one)]
    resolution: usize,

    /// Classes; Google's checkpoints have 1001, of which the first is the background
    #[arg(long, value_name = "N", default_value = "1001", value_parser = at_least_one)]
    classes: usize,

    /// Print {"alpha", "resolution", "classes", "layers": [...], "total": {...}}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    alpha: f64,
    resolution: usize,
    classes: usize,
    layers: Vec<Row<'a>>,
    total: Costs,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    output: [usize; 4],
    #[serde(flatten)]
    costs: Costs,
}

/// In numbers of parameters and of multiply-adds; `standard` means the layer as a standard convolution.
#[derive(Clone, Copy, Default, Serialize)]
struct Costs {
    params: u64,
    macs: u64,
    standard_params: u64,
    standard_macs: u64,
}

impl Summary {
    pub fn run(&self) -> Result<Outcome> {
        let Self {
            alpha,
            resolution,
            classes,
            ..
        } = *self;
        let config = V1Config {
            alpha,
            classes,
            resolution,
            ..V1Config::default()
        };
        let layers = mobilenet_v1::summary(&config, resolution, resolution)?;
        let rows: Vec<_> = layers.iter().map(Row::from).collect();
        let total = rows
            .iter()
            .try_fold(Costs::default(), |sum, row| sum.plus(row.costs));
        let total = total.context("the sum over all layers exceeds 64 bits")?;
        let report = Report {
            alpha,
            resolution,
            classes,
            layers: rows,
            total,
        };

        to_stdout(|out| {
            if self.json {
                write_json(out, &report)
            } else {
                report.print(out)
            }
        })?;
        Ok(Outcome::Whole)
    }
}

impl<'a> From<&'a LayerSummary> for Row<'a> {
    fn from(layer: &'a LayerSummary) -> Self {
        let LayerSummary {
            ref name,
            output,
            params,
            macs,
            standard_params,
            standard_macs,
        } = *layer;
        let Nhwc { n, h, w, c } = output;
        let costs = Costs {
            params,
            macs,
            standard_params,
            standard_macs,
        };
        Self {
            name,
            output: [n, h, w, c],
            costs,
        }
    }
}

impl Report<'_> {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table::new(&[
            "layer",
            "output",
            ">parameters",
            ">multiply-adds",
            ">as standard convolution",
            ">ratio",
        ]);
        for Row {
            name,
            output,
            costs,
        } in &self.layers
        {
            table.add_row(costs.cells(name, &format!("{output:?}")));
        }
        table.add_row(self.total.cells("total", ""));
        let Self {
            alpha,
            resolution,
            total,
            ..
        } = self;
        writeln!(
            out,
            "MobileNetV1 {alpha:?}/{resolution}: {:.1} M multiply-adds, {:.2} M parameters\n\n{}",
            total.macs as f64 / 1e6,
            total.params as f64 / 1e6,
            table.trim_fmt()
        )
    }
}

impl Costs {
    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            params: self.params.checked_add(other.params)?,
            macs: self.macs.checked_add(other.macs)?,
            standard_params: self.standard_params.checked_add(other.standard_params)?,
            standard_macs: self.standard_macs.checked_add(other.standard_macs)?,
        })
    }

    fn cells(&self, name: &str, output: &str) -> [String; 6] {
        let ratio = if self.standard_macs == 0 {
            String::new()
        } else {
            format!("{:.3}", self.macs as f64 / self.standard_macs as f64)
        };
        let counts = [self.params, self.macs, self.standard_macs].map(grouped);
        let [params, macs, standard] = counts;
        [name.into(), output.into(), params, macs, standard, ratio]
    }
}
