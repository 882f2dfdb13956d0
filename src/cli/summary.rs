//! `mobilenet summary`: what each layer costs, of MobileNetV1 of any width by its definition, or of a network in a file.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;
use dwsep::Nhwc;
use mobilenet::models::mobilenet_v1::{self, LayerSummary, V1Config};
use mobilenet::{Engine, Model, ValueInfo};
use serde::Serialize;

use super::table::{self, grouped};
use super::{ModelArgs, Outcome, at_least_one, to_stdout, write_json};

/// Count the parameters and multiply-adds of MobileNetV1, or of a network in a file
///
/// A row per layer: the shape of its output, its parameters, its multiply-adds, and those of a standard convolution in its
/// place. A separable layer (depthwise 3x3 and pointwise to N channels) costs 1/N + 1/9 of it. As published, batch norm
/// counts for three parameters a channel.
///
/// With --model or --dtype the layers are those that run, and beside the shape of an output stands the type of its elements.
/// Parameters are weights and biases, batch norm folded in.
#[derive(Args)]
pub struct Summary {
    /// Width multiplier: layers have max(8, int(c * A)) channels
    #[arg(
        long,
        value_name = "A",
        default_value = "1.0",
        allow_negative_numbers = true,
        conflicts_with_all = ["model", "dtype"]
    )]
    alpha: f64,

    /// Height and width of the input in pixels [default: 224, or what the network in the file is made for]
    #[arg(long, value_name = "R", value_parser = at_least_one)]
    resolution: Option<usize>,

    /// Classes; Google's checkpoints have 1001, of which the first is the background
    #[arg(
        long,
        value_name = "N",
        default_value = "1001",
        value_parser = at_least_one,
        conflicts_with_all = ["model", "dtype"]
    )]
    classes: usize,

    #[command(flatten)]
    model: ModelArgs,

    /// Print {"alpha", "resolution", "classes", "layers": [...], "total": {...}}; of a file {"model", "input", "layers", "total"}
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

/// A network as it runs.
#[derive(Serialize)]
struct ModelReport<'a> {
    model: &'a str,
    input: Value,
    layers: Vec<ModelRow<'a>>,
    total: ModelCosts,
}

#[derive(Serialize)]
struct ModelRow<'a> {
    name: &'a str,
    #[serde(flatten)]
    output: Value,
    #[serde(flatten)]
    costs: ModelCosts,
}

#[derive(Serialize)]
struct Value {
    shape: [usize; 4],
    r#type: &'static str,
}

/// In numbers of weights with biases, and of multiply-adds.
#[derive(Clone, Copy, Default, Serialize)]
struct ModelCosts {
    params: u64,
    macs: u64,
}

impl Summary {
    pub fn run(&self) -> Result<Outcome> {
        if self.model.is_given() {
            return self.model();
        }
        let Self { alpha, classes, .. } = *self;
        let resolution = self.resolution.unwrap_or(224);
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

    /// Of the network that `--model` or `--dtype` names.
    fn model(&self) -> Result<Outcome> {
        let model = self.model.load(&Engine::new(1, None)?)?;
        let mut shape = model.default_input();
        if let Some(resolution) = self.resolution {
            (shape.h, shape.w) = (resolution, resolution);
        }
        let report = ModelReport::new(&model, shape)?;
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

impl<'a> ModelReport<'a> {
    fn new(model: &'a Model, shape: Nhwc) -> Result<Self> {
        let format = model.input_format();
        let mut values = vec![ValueInfo { shape, format }];
        let mut layers = Vec::with_capacity(model.layers().len());
        let mut total = ModelCosts::default();
        for layer in model.layers() {
            let inputs: Vec<_> = layer.inputs().iter().map(|&i| values[i]).collect();
            let output = layer.plan(&inputs)?.output();
            let costs = ModelCosts {
                params: layer.weights() as u64,
                macs: layer.macs(output.shape),
            };
            // Multiply-adds of one layer stop at 2^64 - 1, and so do these.
            total.params += costs.params;
            total.macs = total.macs.saturating_add(costs.macs);
            layers.push(ModelRow {
                name: layer.name(),
                output: output.into(),
                costs,
            });
            values.push(output);
        }
        Ok(Self {
            model: model.name(),
            input: values[0].into(),
            layers,
            total,
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let headings = ["layer", "output", "type", ">parameters", ">multiply-adds"];
        let mut table = table::new(&headings);
        let mut row = |name: &str, output: [String; 2], costs: ModelCosts| {
            let [shape, dtype] = output;
            let [params, macs] = [costs.params, costs.macs].map(grouped);
            table.add_row([name.to_owned(), shape, dtype, params, macs]);
        };
        for ModelRow {
            name,
            output,
            costs,
        } in &self.layers
        {
            let output = [format!("{:?}", output.shape), output.r#type.to_owned()];
            row(name, output, *costs);
        }
        row("total", Default::default(), self.total);
        let Self {
            model,
            input,
            total,
            ..
        } = self;
        writeln!(
            out,
            "{model}, input {:?} of {}: {:.1} M multiply-adds, {:.2} M parameters\n\n{}",
            input.shape,
            input.r#type,
            total.macs as f64 / 1e6,
            total.params as f64 / 1e6,
            table.trim_fmt()
        )
    }
}

impl From<ValueInfo> for Value {
    fn from(value: ValueInfo) -> Self {
        let Nhwc { n, h, w, c } = value.shape;
        Self {
            shape: [n, h, w, c],
            r#type: value.format.dtype().name(),
        }
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
