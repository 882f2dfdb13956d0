//! What an operator computes with: element types, scales, and the shapes of weights.

use super::graph::{OperatorKind, Tensor, TensorQuantization, Type};
use super::problem::{OperatorProblem, TensorName};

/// An operator's tensors.
pub(super) struct Operands<'a> {
    pub(super) operator: &'static str,
    pub(super) tensors: &'a [Tensor<'a>],
    pub(super) inputs: &'a [Option<usize>],
    pub(super) output: usize,
}

/// Types of activations.
const COMPUTED: [Type; 3] = [Type::F32, Type::I8, Type::U8];
const COMPUTED_NAMES: &str = "FLOAT32, INT8 or UINT8";

/// How far the scale of a bias may be from that of the products, in scales of the output: what TensorFlow Lite allows
/// (`GetQuantizedConvolutionMultipler`).
const BIAS_TOLERANCE: f64 = 0.02;

impl<'a> Operands<'a> {
    /// An input that is there.
    pub(super) fn tensor(&self, input: usize) -> Option<&'a Tensor<'a>> {
        self.tensors.get((*self.inputs.get(input)?)?)
    }

    pub(super) fn output_tensor(&self) -> &'a Tensor<'a> {
        &self.tensors[self.output]
    }

    /// That this input is not what it should be.
    pub(super) fn error(
        &self,
        input: usize,
        operand: &'static str,
        expected: impl Into<String>,
    ) -> OperatorProblem {
        let index = self
            .inputs
            .get(input)
            .copied()
            .flatten()
            .unwrap_or(self.output);
        self.wrong(index, operand, expected)
    }

    fn wrong(
        &self,
        index: usize,
        operand: &'static str,
        expected: impl Into<String>,
    ) -> OperatorProblem {
        let tensor = &self.tensors[index];
        let constant = if tensor.data.is_some() {
            "constant "
        } else {
            ""
        };
        let scales = match &tensor.quantization {
            None => String::new(),
            Some(quantization) if quantization.scales.len() == 1 => " with a scale".to_owned(),
            Some(quantization) => format!(
                " with {} scales along axis {}",
                quantization.scales.len(),
                quantization.axis
            ),
        };
        OperatorProblem::Operand {
            operator: self.operator,
            tensor: TensorName::new(index, &tensor.name),
            operand,
            found: format!("{constant}{} {:?}{scales}", tensor.dtype, tensor.shape),
            expected: expected.into(),
        }
    }

    /// Output channels of a depthwise convolution for each input channel.
    pub(super) fn multiplier(&self) -> Result<usize, OperatorProblem> {
        let input = self.activation(0, "input", 4)?;
        let expected = format!("[1, h, w, a multiple of {}]", input.shape[3]);
        match self.tensor(1).map(|weights| &weights.shape[..]) {
            Some(&[1, _, _, channels]) if channels % input.shape[3] == 0 => {
                Ok(channels / input.shape[3])
            }
            _ => Err(self.error(1, "weights", expected)),
        }
    }

    /// Types and scales are those that the operator computes with.
    pub(super) fn check(&self, kind: &OperatorKind) -> Result<(), OperatorProblem> {
        match kind {
            OperatorKind::Conv2d { .. } => {
                let channels = self.activation(0, "input", 4)?.shape[3];
                self.weights(0, 4, channels)
            }
            OperatorKind::DepthwiseConv2d { .. } => self.weights(3, 4, 1),
            OperatorKind::FullyConnected { .. } => {
                let channels = self.fully_connected_input()?;
                self.weights(0, 2, channels)
            }
            OperatorKind::Add { .. } => {
                let input = self.any_activation(0, "input")?;
                self.same(self.inputs[1], "second input", input.dtype)?;
                self.same(Some(self.output), "output", input.dtype)
            }
            OperatorKind::AveragePool2d { .. } => {
                let input = self.activation(0, "input", 4)?;
                self.same(Some(self.output), "output", input.dtype)?;
                self.rank(self.output, "output", 4)
            }
            OperatorKind::Pad { .. } | OperatorKind::Mean { .. } | OperatorKind::Softmax { .. } => {
                let input = self.any_activation(0, "input")?;
                self.same(Some(self.output), "output", input.dtype)
            }
            OperatorKind::Reshape | OperatorKind::Squeeze { .. } => self.reshape(),
            OperatorKind::Quantize => {
                let input = self.any_activation(0, "input")?;
                self.same_shape(input)?;
                match self.output_tensor().dtype {
                    Type::I8 | Type::U8 => self.scale(self.output, "output"),
                    _ => Err(self.wrong(self.output, "output", "INT8 or UINT8")),
                }
            }
            OperatorKind::Dequantize => self.dequantize(),
        }
    }

    /// The input is something to compute with.
    fn any_activation(
        &self,
        input: usize,
        operand: &'static str,
    ) -> Result<&'a Tensor<'a>, OperatorProblem> {
        match (self.tensor(input), self.inputs[input]) {
            (Some(tensor), Some(index)) if COMPUTED.contains(&tensor.dtype) => {
                self.scale(index, operand)?;
                Ok(tensor)
            }
            _ => Err(self.error(input, operand, COMPUTED_NAMES)),
        }
    }

    fn activation(
        &self,
        input: usize,
        operand: &'static str,
        rank: usize,
    ) -> Result<&'a Tensor<'a>, OperatorProblem> {
        let tensor = self.any_activation(input, operand)?;
        if tensor.shape.len() == rank {
            return Ok(tensor);
        }
        Err(self.error(input, operand, format!("of {rank} axes")))
    }

    fn rank(
        &self,
        index: usize,
        operand: &'static str,
        rank: usize,
    ) -> Result<(), OperatorProblem> {
        if self.tensors[index].shape.len() == rank {
            return Ok(());
        }
        Err(self.wrong(index, operand, format!("of {rank} axes")))
    }

    /// If it is quantised, then with one scale.
    fn scale(&self, index: usize, operand: &'static str) -> Result<(), OperatorProblem> {
        let tensor = &self.tensors[index];
        let scales = tensor.quantization.as_ref().map_or(0, |q| q.scales.len());
        match tensor.dtype {
            Type::I8 | Type::U8 if scales != 1 => Err(self.wrong(index, operand, "with one scale")),
            _ => Ok(()),
        }
    }

    /// Of the same type as the input, and with a scale if that is quantised.
    fn same(
        &self,
        index: Option<usize>,
        operand: &'static str,
        dtype: Type,
    ) -> Result<(), OperatorProblem> {
        let index = index.unwrap_or(self.output);
        if self.tensors[index].dtype != dtype {
            return Err(self.wrong(index, operand, format!("{dtype} as the input")));
        }
        self.scale(index, operand)
    }

    fn same_shape(&self, input: &Tensor<'_>) -> Result<(), OperatorProblem> {
        if self.output_tensor().shape == input.shape {
            return Ok(());
        }
        Err(self.wrong(
            self.output,
            "output",
            format!("{:?} as the input", input.shape),
        ))
    }

    /// Weights of this rank with the output channels along `axis`, whose last axis is `channels` if it is another one; bias; output.
    fn weights(&self, axis: usize, rank: usize, channels: usize) -> Result<(), OperatorProblem> {
        let dtype = self.any_activation(0, "input")?.dtype;
        let (Some(weights), Some(index)) = (self.tensor(1), self.inputs[1]) else {
            return Err(self.error(1, "weights", "a tensor"));
        };
        if weights.dtype != dtype {
            return Err(self.wrong(index, "weights", format!("{dtype} as the input")));
        }
        self.rank(index, "weights", rank)?;
        if axis != rank - 1 && weights.shape[rank - 1] != channels {
            return Err(self.wrong(index, "weights", format!("with {channels} input channels")));
        }
        let quantised = dtype != Type::F32;
        let scales_fit = match &weights.quantization {
            Some(q) => q.scales.len() == 1 || q.axis == axis,
            None => !quantised,
        };
        if !scales_fit {
            let expected = format!("with one scale, or one for each index of axis {axis}");
            return Err(self.wrong(index, "weights", expected));
        }
        let outputs = weights.shape[axis];
        if let (Some(bias), Some(index)) = (self.tensor(2), self.inputs.get(2).copied().flatten()) {
            let expected = if quantised { Type::I32 } else { Type::F32 };
            if bias.dtype != expected || bias.elements() != outputs {
                return Err(self.wrong(index, "bias", format!("{expected} [{outputs}]")));
            }
            self.bias_scale(index, weights, outputs)?;
        }
        self.same(Some(self.output), "output", dtype)?;
        if self.output_tensor().shape.last() != Some(&outputs) {
            return Err(self.wrong(self.output, "output", format!("with {outputs} channels")));
        }
        if rank == 4 {
            self.rank(self.output, "output", rank)
        } else {
            Ok(())
        }
    }

    /// A bias is added to sums of products, and so has their scale and no zero point; it need not say so.
    fn bias_scale(
        &self,
        bias: usize,
        weights: &Tensor<'_>,
        outputs: usize,
    ) -> Result<(), OperatorProblem> {
        let of = |tensor: Option<&'a Tensor<'a>>| tensor.and_then(|t| t.quantization.as_ref());
        let scale = |q: &TensorQuantization, channel: usize| {
            f64::from(q.scales[if q.scales.len() == 1 { 0 } else { channel }])
        };
        let (Some(own), Some(input), Some(output), Some(weights)) = (
            of(self.tensors.get(bias)),
            of(self.tensor(0)),
            of(Some(self.output_tensor())),
            weights.quantization.as_ref(),
        ) else {
            return Ok(());
        };
        if own.zero_points.iter().any(|&zero_point| zero_point != 0) {
            return Err(self.wrong(bias, "bias", "with zero point 0"));
        }
        if own.scales.len() != 1 && own.scales.len() != outputs {
            let expected = format!("with one scale, or {outputs}");
            return Err(self.wrong(bias, "bias", expected));
        }
        let channels = own.scales.len().max(weights.scales.len());
        let far = (0..channels).find(|&channel| {
            let products = scale(input, 0) * scale(weights, channel);
            let apart = (scale(own, channel) - products).abs();
            apart > BIAS_TOLERANCE * scale(output, 0)
        });
        match far {
            None => Ok(()),
            Some(channel) => {
                let products = (scale(input, 0) * scale(weights, channel)) as f32;
                let found = scale(own, channel) as f32;
                let expected = format!(
                    "a scale of {products:?}, that of input times weights, for channel {channel}, which has {found:?}"
                );
                Err(self.wrong(bias, "bias", expected))
            }
        }
    }

    /// Input channels of FULLY_CONNECTED, which takes all that is in the input in rows as long as those of the weights.
    fn fully_connected_input(&self) -> Result<usize, OperatorProblem> {
        let input = self.any_activation(0, "input")?;
        let weights = self.tensor(1).map_or(&[][..], |weights| &weights.shape);
        let &[outputs, inputs] = weights else {
            return Err(self.error(1, "weights", "of 2 axes"));
        };
        if input.elements() % inputs != 0 {
            return Err(self.error(0, "input", format!("rows of {inputs} elements")));
        }
        let rows = input.elements() / inputs;
        if Some(self.output_tensor().elements()) != rows.checked_mul(outputs) {
            let expected = format!("{rows} rows of {outputs} elements");
            return Err(self.wrong(self.output, "output", expected));
        }
        Ok(inputs)
    }

    fn reshape(&self) -> Result<(), OperatorProblem> {
        let input = self.any_activation(0, "input")?;
        self.same(Some(self.output), "output", input.dtype)?;
        if self.output_tensor().elements() != input.elements() {
            let expected = format!("{} elements as the input", input.elements());
            return Err(self.wrong(self.output, "output", expected));
        }
        Ok(())
    }

    fn dequantize(&self) -> Result<(), OperatorProblem> {
        match (self.tensor(0), self.inputs[0]) {
            (Some(input), Some(index)) if input.dtype != Type::F16 => match input.dtype {
                Type::I8 | Type::U8 => self.scale(index, "input")?,
                _ => return Err(self.error(0, "input", "FLOAT16, INT8 or UINT8")),
            },
            _ => (),
        }
        if self.output_tensor().dtype != Type::F32 {
            return Err(self.wrong(self.output, "output", "FLOAT32"));
        }
        match self.tensor(0) {
            Some(input) => self.same_shape(input),
            None => Ok(()),
        }
    }
}
