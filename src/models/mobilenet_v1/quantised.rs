//! The network in int8, from a file that `mobilenet quantize` has written.
//!
//! | tensor | type | what it is |
//! |---|---|---|
//! | `<weights>` | I8 | weights under the names and in the layouts of the f32 checkpoint, batch norm folded in, without a zero point |
//! | `<weights>.scale` | F32 `[O]` | their scales, one an output channel |
//! | `<weights>.bias` | I32 `[O]` | biases, in units of the input's scale times the weights' |
//! | `input.scale`, `input.zero_point` | F32, I32 `[1]` | what the pixels stand for |
//! | `<layer>.output.scale`, `<layer>.output.zero_point` | F32, I32 `[1]` | what the outputs of a layer stand for: `conv_stem`, `separable_1.depthwise`, `separable_1`, .., `pool`, `logits` |
//!
//! The metadata has `quantization` = `int8`, and what else the f32 checkpoint has.

use dwsep::{Filter, FilterQuantization, KernelSet, Qs8, Quantization};

use super::layers::{Parameters, build};
use super::{Kind, POOL_NAME, Unit, V1Config};
use crate::Result;
use crate::layer::Formats;
use crate::model::NamedLayer;
use crate::value::Format;
use crate::weights::{Safetensors, Weights};

/// The layers of the network in int8, and the format of its input.
pub(crate) fn quantised_layers(
    config: &V1Config,
    file: &Safetensors<'_>,
    kernels: &KernelSet,
    fuse: bool,
) -> Result<(Vec<NamedLayer>, Format)> {
    let units = config.units()?;
    let input = quantization(file, "input")?;
    // The layer in front of the pool, and the pool.
    let last = units.iter().rev().find(|unit| unit.kind != Kind::Dense);
    let last = last.map_or(Ok(input), |unit| output(file, &unit.name))?;
    let pooled = output(file, POOL_NAME)?;
    let pool = Formats {
        input: Format::I8(last),
        output: Format::I8(pooled),
    };
    let mut from = input;
    let layers = build(&units, kernels, fuse, pool, |unit| {
        if unit.kind == Kind::Dense {
            from = pooled;
        }
        let to = output(file, &unit.name)?;
        let parameters = Integers::read(file, unit, from, to)?;
        from = to;
        Ok(parameters)
    })?;
    Ok((layers, Format::I8(input)))
}

/// What the outputs of a layer stand for.
fn output(file: &Safetensors<'_>, layer: &str) -> Result<Quantization> {
    quantization(file, &output_name(layer))
}

fn quantization(file: &Safetensors<'_>, name: &str) -> Result<Quantization> {
    let scale = file.tensor(&scale_name(name), &[1])?;
    let zero_point = file.i32s(&zero_point_name(name), &[1])?;
    Ok(Quantization::new(scale[0], zero_point[0]))
}

pub(crate) fn output_name(layer: &str) -> String {
    format!("{layer}.output")
}

pub(crate) fn scale_name(tensor: &str) -> String {
    format!("{tensor}.scale")
}

pub(crate) fn zero_point_name(tensor: &str) -> String {
    format!("{tensor}.zero_point")
}

pub(crate) fn bias_name(tensor: &str) -> String {
    format!("{tensor}.bias")
}

struct Integers {
    /// In the layout of the kernels.
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<i32>,
    input: Quantization,
    output: Quantization,
}

impl Integers {
    fn read(
        file: &Safetensors<'_>,
        unit: &Unit,
        input: Quantization,
        output: Quantization,
    ) -> Result<Self> {
        let name = unit.weight();
        let weights = file.i8s(&name, &unit.shape())?;
        Ok(Self {
            weights: match unit.transposed(&weights) {
                Some(transposed) => transposed,
                None => weights,
            },
            scales: file.tensor(&scale_name(&name), &[unit.c_out])?.to_vec(),
            bias: file.i32s(&bias_name(&name), &[unit.c_out])?,
            input,
            output,
        })
    }
}

impl Parameters<Qs8> for Integers {
    fn filter(&self) -> Filter<'_, Qs8> {
        let quantization = FilterQuantization {
            input: self.input,
            output: self.output,
            weight_scales: &self.scales,
            weight_zero_point: 0,
        };
        Filter::i8(&self.weights, Some(&self.bias), quantization)
    }

    fn formats(&self) -> Formats {
        Formats {
            input: Format::I8(self.input),
            output: Format::I8(self.output),
        }
    }
}
