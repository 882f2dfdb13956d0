//! The weights of a MobileNetV1 out of a TensorFlow Lite file, under the names and in the layouts of the safetensors files.
//!
//! ```text
//! [PAD] CONV_2D 3x3       13 times: [PAD] DEPTHWISE_CONV_2D 3x3, CONV_2D 1x1       MEAN or AVERAGE_POOL_2D
//! CONV_2D 1x1 or FULLY_CONNECTED       any RESHAPE, SQUEEZE, SOFTMAX
//! ```
//!
//! Converters have folded batch norms into the convolutions, so that these have biases and no norms.

use std::collections::{BTreeMap, HashMap};

use dwsep::{Nhwc, Padding as Borders, Stride};

use super::operands::floats;
use super::{info, needed};
use crate::models::mobilenet_v1::{Kind, TAPS, Unit, V1Config, folded_bias_name};
use crate::value::Format;
use crate::weights::tflite::{
    self, FusedActivation, Graph, Operator, OperatorKind, Padding, Tensor,
};
use crate::weights::{Weights, missing, transpose};
use crate::{Buffer, Error, Result};

/// The weights of a MobileNetV1 of floats in a TensorFlow Lite file.
#[derive(Debug)]
pub struct TfliteWeights {
    origin: String,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    activation: &'static str,
    image_size: String,
}

impl TfliteWeights {
    /// The weights in a file that is in memory; `origin` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Tflite`]; [`Error::NotMobilenetV1`] where the operators are not those of a MobileNetV1 in float32 (its weights may be
    /// float16).
    pub fn from_bytes(origin: impl Into<String>, bytes: &[u8]) -> Result<Self> {
        let origin = origin.into();
        let graph = tflite::parse(&origin, bytes)?;
        let needed = needed(&graph);
        let operators = graph.operators.iter();
        let operators =
            operators.filter(|o| o.outputs.iter().any(|output| needed.contains(output)));
        let mut chain = Chain {
            origin: &origin,
            graph: &graph,
            operators: operators.collect::<Vec<_>>().into_iter(),
            tensor: 0,
            widened: HashMap::new(),
            activation: None,
        };
        let image = chain.image()?;
        let mut tensors = BTreeMap::new();
        // Names, kinds and strides are those of every width.
        for unit in V1Config::default().units()? {
            let (shape, weights, bias) = chain.unit(&unit)?;
            tensors.insert(folded_bias_name(&unit), (shape[..1].to_vec(), bias));
            tensors.insert(unit.weight(), (shape, weights));
        }
        chain.end()?;
        let activation = match chain.activation {
            Some(FusedActivation::Relu) => "relu",
            _ => "relu6",
        };
        Ok(Self {
            activation,
            image_size: image.to_string(),
            tensors,
            origin,
        })
    }
}

impl Weights for TfliteWeights {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        match key {
            "activation" => Some(self.activation),
            "image_size" => Some(&self.image_size),
            _ => None,
        }
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        let tensor = self.tensors.get(name);
        Ok(&tensor.ok_or_else(|| missing(self, name))?.0)
    }

    fn values(&self, name: &str) -> Result<Buffer> {
        let tensor = self.tensors.get(name);
        let (_, values) = tensor.ok_or_else(|| missing(self, name))?;
        let mut buffer = Buffer::zeros("weights", values.len())?;
        buffer.copy_from_slice(values);
        Ok(buffer)
    }
}

/// Shape and elements of a unit's weights in the layout of safetensors files, and its bias.
type Parameters = (Vec<usize>, Vec<f32>, Vec<f32>);

/// Operators that are left, each of which has to read what the one before it writes.
struct Chain<'g, 'a> {
    origin: &'g str,
    graph: &'g Graph<'a>,
    operators: std::vec::IntoIter<&'g Operator>,
    /// What the next one has to read.
    tensor: usize,
    /// Constants of float16, by what DEQUANTIZE makes of them.
    widened: HashMap<usize, usize>,
    /// Behind all convolutions but the last.
    activation: Option<FusedActivation>,
}

impl<'g, 'a> Chain<'g, 'a> {
    /// The side of the images.
    fn image(&mut self) -> Result<usize> {
        let expected = "an input of FLOAT32 [1, S, S, 3]";
        let refused = |found: String| self.refused(found, expected);
        let [input] = self.graph.inputs[..] else {
            return Err(refused(format!("{} inputs", self.graph.inputs.len())));
        };
        let tensor = &self.graph.tensors[input];
        let side = match info(tensor).filter(|info| info.format == Format::F32) {
            Some(info) if info.shape == Nhwc::new(1, info.shape.h, info.shape.h, 3) => info.shape.h,
            _ => {
                let found = format!("an input of {} {:?}", tensor.dtype, tensor.shape);
                return Err(refused(found));
            }
        };
        self.tensor = input;
        Ok(side)
    }

    /// The next operator, which reads what is there.
    fn next(&mut self, expected: &'static str) -> Result<&'g Operator> {
        loop {
            let Some(operator) = self.operators.next() else {
                return Err(self.refused("the end of the file".to_owned(), expected));
            };
            let constant = |&tensor: &usize| self.graph.tensors[tensor].data.is_some();
            let input = operator.inputs.first().copied().flatten();
            if let (OperatorKind::Dequantize, Some(from)) = (&operator.kind, input.filter(constant))
            {
                self.widened.insert(operator.outputs[0], from);
                continue;
            }
            if input != Some(self.tensor) {
                return Err(self.unexpected(operator, expected));
            }
            self.tensor = operator.outputs[0];
            return Ok(operator);
        }
    }

    fn unit(&mut self, unit: &Unit) -> Result<Parameters> {
        match unit.kind {
            Kind::Conv3x3(stride) => {
                let expected = "CONV_2D 3x3 with stride 2 and RELU6 or RELU";
                let (operator, shape) = self.window(expected, stride, |kind| match *kind {
                    OperatorKind::Conv2d {
                        stride,
                        dilation: (1, 1),
                        padding,
                        activation,
                    } => Some((stride, padding, activation)),
                    _ => None,
                })?;
                let &[c_out, 3, 3, c_in] = shape else {
                    return Err(self.unexpected(operator, expected));
                };
                let (weights, bias) = self.parameters(operator, c_out, expected)?;
                let filters = weights.chunks(TAPS * c_in);
                let weights = filters.flat_map(|filter| transpose(filter, c_in)).collect();
                Ok((vec![c_out, c_in, 3, 3], weights, bias))
            }
            Kind::Depthwise(stride) => {
                let expected =
                    "DEPTHWISE_CONV_2D 3x3 with the stride and activation of MobileNetV1";
                let (operator, shape) = self.window(expected, stride, |kind| match *kind {
                    OperatorKind::DepthwiseConv2d {
                        stride,
                        dilation: (1, 1),
                        padding,
                        activation,
                        multiplier: 1,
                    } => Some((stride, padding, activation)),
                    _ => None,
                })?;
                let &[1, 3, 3, c] = shape else {
                    return Err(self.unexpected(operator, expected));
                };
                let (weights, bias) = self.parameters(operator, c, expected)?;
                Ok((vec![c, 1, 3, 3], transpose(&weights, c), bias))
            }
            Kind::Pointwise => {
                let expected = "CONV_2D 1x1 with the activation of the others";
                let operator = self.next(expected)?;
                let activation = match operator.kind {
                    OperatorKind::Conv2d {
                        stride: (1, 1),
                        activation,
                        ..
                    } => activation,
                    _ => return Err(self.unexpected(operator, expected)),
                };
                let &[c_out, 1, 1, c_in] = self.weight_shape(operator) else {
                    return Err(self.unexpected(operator, expected));
                };
                self.activated(operator, activation, expected)?;
                let (weights, bias) = self.parameters(operator, c_out, expected)?;
                Ok((vec![c_out, c_in, 1, 1], weights, bias))
            }
            Kind::Dense => self.classifier(),
        }
    }

    /// A convolution of 3x3 whose borders are those of `SAME`, by itself or by a PAD in front of it, and the shape of its weights.
    fn window(
        &mut self,
        expected: &'static str,
        stride: Stride,
        options: impl Fn(&OperatorKind) -> Option<((usize, usize), Padding, FusedActivation)>,
    ) -> Result<(&'g Operator, &'g [usize])> {
        let input = self.graph.tensors[self.tensor].shape.as_slice();
        let mut operator = self.next(expected)?;
        let mut padded = None;
        if let OperatorKind::Pad { paddings } = &operator.kind {
            padded = Some(paddings);
            operator = self.next(expected)?;
        }
        let Some((steps, padding, activation)) = options(&operator.kind) else {
            return Err(self.unexpected(operator, expected));
        };
        let &[_, h, w, _] = input else {
            return Err(self.unexpected(operator, expected));
        };
        let same = Borders::same(h, w, stride);
        let same = [
            (0, 0),
            (same.top, same.bottom),
            (same.left, same.right),
            (0, 0),
        ];
        let fits = match (padding, padded) {
            (Padding::Same, None) => true,
            (Padding::Valid, Some(paddings)) => paddings[..] == same,
            _ => false,
        };
        if !fits || steps != (stride.get(), stride.get()) {
            return Err(self.unexpected(operator, expected));
        }
        self.activated(operator, activation, expected)?;
        Ok((operator, self.weight_shape(operator)))
    }

    /// All convolutions have one activation.
    fn activated(
        &mut self,
        operator: &Operator,
        found: FusedActivation,
        expected: &'static str,
    ) -> Result<()> {
        let known = matches!(found, FusedActivation::Relu | FusedActivation::Relu6);
        if known && *self.activation.get_or_insert(found) == found {
            return Ok(());
        }
        Err(self.unexpected(operator, expected))
    }

    /// The pool over the whole image, and the dense layer.
    fn classifier(&mut self) -> Result<Parameters> {
        let expected = "MEAN over height and width, or AVERAGE_POOL_2D of all of both";
        let input = &self.graph.tensors[self.tensor].shape;
        let pool = self.next(expected)?;
        let whole = match (&pool.kind, input.as_slice()) {
            (OperatorKind::Mean { axes, .. }, &[_, _, _, _]) => axes[..] == [1, 2],
            (
                &OperatorKind::AveragePool2d {
                    window, activation, ..
                },
                &[_, h, w, c],
            ) => {
                let output = &self.graph.tensors[pool.outputs[0]].shape;
                window == (h, w)
                    && output[..] == [1, 1, 1, c]
                    && activation == FusedActivation::None
            }
            _ => false,
        };
        if !whole {
            return Err(self.unexpected(pool, expected));
        }
        let expected = "CONV_2D 1x1 or FULLY_CONNECTED without an activation";
        let mut operator = self.next(expected)?;
        while let OperatorKind::Reshape | OperatorKind::Squeeze { .. } = operator.kind {
            operator = self.next(expected)?;
        }
        let none = FusedActivation::None;
        let (c_out, c_in) = match (&operator.kind, self.weight_shape(operator)) {
            (&OperatorKind::FullyConnected { activation, .. }, &[o, i]) if activation == none => {
                (o, i)
            }
            (
                &OperatorKind::Conv2d {
                    stride: (1, 1),
                    activation,
                    ..
                },
                &[o, 1, 1, i],
            ) if activation == none => (o, i),
            _ => return Err(self.unexpected(operator, expected)),
        };
        let (weights, bias) = self.parameters(operator, c_out, expected)?;
        Ok((vec![c_out, c_in], weights, bias))
    }

    /// Nothing is left that computes other logits.
    fn end(&mut self) -> Result<()> {
        let expected = "RESHAPE, SQUEEZE, SOFTMAX or the end";
        while !self.operators.as_slice().is_empty() {
            let operator = self.next(expected)?;
            match operator.kind {
                OperatorKind::Reshape
                | OperatorKind::Squeeze { .. }
                | OperatorKind::Softmax { .. } => {}
                _ => return Err(self.unexpected(operator, expected)),
            }
        }
        Ok(())
    }

    fn weight_shape(&self, operator: &Operator) -> &'g [usize] {
        let weights = operator.inputs.get(1).copied().flatten();
        weights.map_or(&[], |tensor| &self.graph.tensors[tensor].shape)
    }

    /// The weights as they lie in the file, and the bias.
    fn parameters(
        &self,
        operator: &Operator,
        c_out: usize,
        expected: &'static str,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let operand = |i: usize| {
            let tensor = operator.inputs.get(i).copied().flatten()?;
            Some(self.tensor(tensor))
        };
        let weights = operand(1).and_then(floats);
        let bias = match operand(2) {
            None => Some(vec![0.0; c_out]),
            Some(bias) => floats(bias),
        };
        weights
            .zip(bias)
            .ok_or_else(|| self.unexpected(operator, expected))
    }

    /// A tensor, or the constant that it has been made of.
    fn tensor(&self, tensor: usize) -> &'g Tensor<'a> {
        let tensor = self.widened.get(&tensor).copied().unwrap_or(tensor);
        &self.graph.tensors[tensor]
    }

    fn unexpected(&self, operator: &Operator, expected: &'static str) -> Error {
        let found = format!("operator {} is {}", operator.index, operator.kind.name());
        self.refused(found, expected)
    }

    fn refused(&self, found: String, expected: &'static str) -> Error {
        Error::NotMobilenetV1 {
            origin: self.origin.to_owned(),
            found,
            expected,
        }
    }
}
