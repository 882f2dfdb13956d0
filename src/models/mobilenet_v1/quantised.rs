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

use std::fmt::Debug;

use dwsep::{Filter, FilterQuantization, KernelSet, Qs8, Quantization};

use super::layers::{Parameters, build};
use super::{Kind, POOL_NAME, Unit, V1Config};
use crate::layer::Formats;
use crate::model::NamedLayer;
use crate::value::Format;
use crate::weights::{Safetensors, Weights};
use crate::{Error, Result};

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
    let scale = scales(file, &scale_name(name), 1)?;
    let name = zero_point_name(name);
    let zero_point = file.i32s(&name, &[1])?;
    let byte = |_, x: &i32| i8::try_from(*x).is_ok();
    all(file, &name, &zero_point, "one of -128 to 127", byte)?;
    Ok(Quantization::new(scale[0], zero_point[0]))
}

fn scales(file: &Safetensors<'_>, name: &str, count: usize) -> Result<Vec<f32>> {
    let scales = file.tensor(name, &[count])?.to_vec();
    let expected = "a positive, finite and normal number";
    all(file, name, &scales, expected, |_, x| {
        *x > 0.0 && x.is_normal()
    })?;
    Ok(scales)
}

/// Refuses a tensor, an element of which is not what it has to be.
fn all<T: Debug>(
    file: &Safetensors<'_>,
    tensor: &str,
    elements: &[T],
    expected: &'static str,
    holds: impl Fn(usize, &T) -> bool,
) -> Result<()> {
    let wrong = elements.iter().enumerate().find(|&(i, x)| !holds(i, x));
    wrong.map_or(Ok(()), |(index, found)| {
        Err(Error::TensorValue {
            origin: file.origin().to_owned(),
            tensor: tensor.to_owned(),
            index,
            found: format!("{found:?}"),
            expected,
        })
    })
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
        let (scale_name, bias_name) = (scale_name(&name), bias_name(&name));
        let scales = scales(file, &scale_name, unit.c_out)?;
        let expected = "one that takes sums to the scale of the output";
        all(file, &scale_name, &scales, expected, |_, scale| {
            (input.scale * scale / output.scale).is_normal()
        })?;
        let bias = file.i32s(&bias_name, &[unit.c_out])?;
        let expected = "one with which all sums are within i32";
        all(file, &bias_name, &bias, expected, |channel, &bias| {
            let products = weights.len() / unit.c_out;
            let weights = &weights[channel * products..][..products];
            sums_fit(bias, weights, input.zero_point)
        })?;
        Ok(Self {
            weights: match unit.transposed(&weights) {
                Some(transposed) => transposed,
                None => weights,
            },
            scales,
            bias,
            input,
            output,
        })
    }
}

/// Whether all sums that begin with a bias are numbers of i32, whatever these weights are multiplied with.
fn sums_fit(bias: i32, weights: &[i8], zero_point: i32) -> bool {
    let ends = [i8::MIN, i8::MAX].map(|x| i64::from(x) - i64::from(zero_point));
    [i64::min, i64::max].into_iter().all(|extreme| {
        let products = weights.iter().map(|&w| {
            let [a, b] = ends.map(|x| x * i64::from(w));
            extreme(a, b)
        });
        i32::try_from(i64::from(bias) + products.sum::<i64>()).is_ok()
    })
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
