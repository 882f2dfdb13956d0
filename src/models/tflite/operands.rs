//! Weights and biases of operators, in the types that the kernels take.

use std::borrow::Cow;

use dwsep::{Activation, F32, Filter, FilterQuantization, Qs8, Qu8, Quantization};
use half::f16;

use super::Builder;
use crate::Result;
use crate::layer::{Formats, LayerScheme};
use crate::weights::tflite::{FusedActivation, Operator, Tensor, Type};

/// What an operator multiplies with, and how.
pub(super) struct Operands<'a, S: LayerScheme> {
    weights: Cow<'a, [S::Weight]>,
    bias: Option<Vec<S::Bias>>,
    /// The rest is of integers only.
    weight_scales: &'a [f32],
    weight_zero_point: i32,
    unsigned: bool,
    pub formats: Formats,
    pub activation: Activation,
}

/// A scheme that files have weights of.
pub(super) trait Source: LayerScheme {
    /// The weights in a constant.
    fn weights<'a>(builder: &Builder<'a>, tensor: usize) -> Option<Cow<'a, [Self::Weight]>>;

    /// The biases in a constant.
    fn bias(builder: &Builder<'_>, tensor: usize) -> Option<Vec<Self::Bias>>;

    /// What is packed.
    fn filter<'a>(operands: &'a Operands<'_, Self>) -> Filter<'a, Self>;
}

impl Source for F32 {
    fn weights<'a>(builder: &Builder<'a>, tensor: usize) -> Option<Cow<'a, [f32]>> {
        builder.floats(tensor).map(Cow::Owned)
    }

    fn bias(builder: &Builder<'_>, tensor: usize) -> Option<Vec<f32>> {
        builder.floats(tensor)
    }

    fn filter<'a>(operands: &'a Operands<'_, Self>) -> Filter<'a, Self> {
        Filter::new(&operands.weights, operands.bias.as_deref()).flush_subnormals()
    }
}

/// The schemes of integers, whose weights are bytes of either sign.
macro_rules! quantised {
    ($($scheme:ty),+) => {$(
        impl Source for $scheme {
            fn weights<'a>(builder: &Builder<'a>, tensor: usize) -> Option<Cow<'a, [u8]>> {
                builder.tensor(tensor).data.map(Cow::Borrowed)
            }

            fn bias(builder: &Builder<'_>, tensor: usize) -> Option<Vec<i32>> {
                Some(elements(builder.tensor(tensor).data?, i32::from_le_bytes))
            }

            fn filter<'a>(operands: &'a Operands<'_, Self>) -> Filter<'a, Self> {
                /// The reader has seen a scale where elements are integers; packing refuses this one.
                const NONE: Quantization = Quantization::new(0.0, 0);
                let Formats { input, output } = operands.formats;
                let quantization = FilterQuantization {
                    input: input.quantization().unwrap_or(NONE),
                    output: output.quantization().unwrap_or(NONE),
                    weight_scales: operands.weight_scales,
                    weight_zero_point: operands.weight_zero_point,
                };
                let bias = operands.bias.as_deref();
                if operands.unsigned {
                    Filter::u8(&operands.weights, bias, quantization)
                } else {
                    Filter::i8(bytemuck::cast_slice(&operands.weights), bias, quantization)
                }
            }
        }
    )+};
}

quantised!(Qs8, Qu8);

impl<S: Source> Operands<'_, S> {
    pub fn filter(&self) -> Filter<'_, S> {
        S::filter(self)
    }
}

impl<'a> Builder<'a> {
    /// What a convolution or a dense layer multiplies with. `input` is the tensor that it reads in the end.
    pub(super) fn operands<S: Source>(
        &self,
        operator: &Operator,
        input: usize,
        activation: FusedActivation,
    ) -> Result<Operands<'a, S>> {
        let weights = self.input(operator, 1)?;
        let constant = |tensor, what| self.operand(operator, tensor, what, "constant");
        let bias = match operator.inputs.get(2).copied().flatten() {
            None => None,
            Some(bias) => Some(S::bias(self, bias).ok_or_else(|| constant(bias, "bias"))?),
        };
        let (weight_scales, weight_zero_point) = match &self.tensor(weights).quantization {
            None => (&[][..], 0),
            Some(q) => {
                let first = q.zero_points.first().copied().unwrap_or(0);
                if q.zero_points.iter().any(|&zero| zero != first) {
                    let expected = "one zero point for all channels";
                    return Err(self.operand(operator, weights, "weights", expected));
                }
                (&q.scales[..], first)
            }
        };
        Ok(Operands {
            weights: S::weights(self, weights).ok_or_else(|| constant(weights, "weights"))?,
            bias,
            weight_scales,
            weight_zero_point,
            unsigned: self.tensor(weights).dtype == Type::U8,
            formats: Formats {
                input: self.info(operator, input)?.format,
                output: self.info(operator, operator.outputs[0])?.format,
            },
            activation: real(activation),
        })
    }

    /// The numbers of a constant of float32, or of one of float16 that an operator has made float32.
    fn floats(&self, tensor: usize) -> Option<Vec<f32>> {
        if let Some(widened) = self.widened.get(&tensor) {
            return Some(widened.clone());
        }
        floats(self.tensor(tensor))
    }

    /// Takes the numbers of a constant for those of the tensor `output`. Returns whether there was one.
    pub(super) fn widen(&mut self, constant: usize, output: usize) -> bool {
        let floats = self.floats(constant);
        floats.is_some_and(|floats| self.widened.insert(output, floats).is_none())
    }
}

/// The numbers of a constant of floats.
pub(super) fn floats(tensor: &Tensor<'_>) -> Option<Vec<f32>> {
    match tensor.dtype {
        Type::F32 => Some(elements(tensor.data?, f32::from_le_bytes)),
        Type::F16 => Some(elements(tensor.data?, |x| f16::from_le_bytes(x).to_f32())),
        _ => None,
    }
}

/// Elements of `SIZE` bytes.
fn elements<const SIZE: usize, T>(bytes: &[u8], decode: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|&bytes| decode(bytes)).collect()
}

/// The activation of real numbers.
pub(super) fn real(activation: FusedActivation) -> Activation {
    match activation {
        FusedActivation::None => Activation::None,
        FusedActivation::Relu => Activation::Relu,
        FusedActivation::Relu6 => Activation::Relu6,
        FusedActivation::ReluN1To1 => Activation::Clamp { lo: -1.0, hi: 1.0 },
    }
}
