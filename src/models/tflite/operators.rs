//! Operators to layers.

use dwsep::{F32, Nhwc, Padding, Qs8, Qu8, Stride};

use super::operands::{Source, real};
use super::{Builder, Pending};
use crate::layer::{Border, Formats, Window};
use crate::layers::{
    Add, AveragePool, Conv3x3, Convert, Dense, Depthwise, Flatten, GlobalAveragePool, Pad,
    Pointwise, PoolWindow, Separable, Softmax,
};
use crate::value::DType;
use crate::weights::tflite::{self, FusedActivation, Operator, OperatorKind, Type};
use crate::{Error, Result};

/// What CONV_2D and DEPTHWISE_CONV_2D have in common.
struct Convolution<'a> {
    operator: &'a Operator,
    stride: (usize, usize),
    padding: tflite::Padding,
    activation: FusedActivation,
    /// Of the window.
    size: (usize, usize),
    channels: (usize, usize),
}

impl<'a> Builder<'a> {
    pub(super) fn operator(&mut self, operator: &'a Operator) -> Result<()> {
        match &operator.kind {
            OperatorKind::Conv2d { .. } | OperatorKind::DepthwiseConv2d { .. } => {
                self.by_type(operator)
            }
            OperatorKind::FullyConnected { .. } => self.by_type(operator),
            OperatorKind::Add { activation } => self.add(operator, *activation),
            OperatorKind::Pad { paddings } => self.pad(operator, paddings),
            OperatorKind::AveragePool2d {
                window,
                stride,
                padding,
                activation,
            } => self.average_pool(operator, (*window, *stride), *padding, *activation),
            OperatorKind::Mean { axes, .. } => self.mean(operator, axes),
            OperatorKind::Reshape | OperatorKind::Squeeze { .. } => self.reshape(operator),
            OperatorKind::Softmax { beta } => self.softmax(operator, *beta),
            OperatorKind::Quantize => self.convert(operator),
            OperatorKind::Dequantize => {
                let (from, to) = (self.input(operator, 0)?, operator.outputs[0]);
                // Constants of float16 are weights; integers are converted where they are computed.
                if self.tensor(from).dtype == Type::F16 {
                    if self.widen(from, to) {
                        return Ok(());
                    }
                    return Err(self.operand(operator, from, "input", "constant, if FLOAT16"));
                }
                self.convert(operator)
            }
        }
    }

    /// Operators with weights, by the type that they compute in.
    fn by_type(&mut self, operator: &'a Operator) -> Result<()> {
        let input = self.input(operator, 0)?;
        match self.info(operator, input)?.format.dtype() {
            DType::F32 => self.weighted::<F32>(operator),
            DType::I8 => self.weighted::<Qs8>(operator),
            DType::U8 => self.weighted::<Qu8>(operator),
        }
    }

    fn weighted<S: Source>(&mut self, operator: &'a Operator) -> Result<()> {
        match operator.kind {
            OperatorKind::FullyConnected { activation, .. } => {
                self.fully_connected::<S>(operator, activation)
            }
            OperatorKind::DepthwiseConv2d { .. } => self.depthwise::<S>(operator),
            _ => self.convolution::<S>(operator),
        }
    }

    fn described(&self, operator: &'a Operator) -> Result<Convolution<'a>> {
        let weights = self.tensor(self.input(operator, 1)?);
        // The reader has compared them with the input. Of DEPTHWISE_CONV_2D they are [1, h, w, C].
        let (size, channels) = match weights.shape[..] {
            [c_out, h, w, c_in] => ((h, w), (c_in, c_out)),
            _ => ((0, 0), (0, 0)),
        };
        let (stride, dilation, padding, activation) = match operator.kind {
            OperatorKind::Conv2d {
                stride,
                dilation,
                padding,
                activation,
            }
            | OperatorKind::DepthwiseConv2d {
                stride,
                dilation,
                padding,
                activation,
                ..
            } => (stride, dilation, padding, activation),
            _ => (
                (1, 1),
                (1, 1),
                tflite::Padding::Valid,
                FusedActivation::None,
            ),
        };
        if dilation != (1, 1) {
            let found = format!("{} x {}", dilation.0, dilation.1);
            return Err(self.option(operator, "dilation", found, "1 x 1"));
        }
        Ok(Convolution {
            operator,
            stride,
            padding,
            activation,
            size,
            channels,
        })
    }

    fn convolution<S: Source>(&mut self, operator: &'a Operator) -> Result<()> {
        let convolution = self.described(operator)?;
        let channels = convolution.channels;
        if convolution.size == (1, 1) && convolution.stride == (1, 1) {
            return self.pointwise::<S>(&convolution);
        }
        let Some(stride) = convolution.stride_of_3x3() else {
            let expected = "a window of 1 x 1 with stride 1, or of 3 x 3 with stride 1 or 2";
            return Err(convolution.refused(self, expected));
        };
        let (from, window) = self.window(&convolution, stride)?;
        let operands = self.operands::<S>(operator, from, convolution.activation)?;
        let (activation, formats) = (operands.activation, operands.formats);
        let value = self.value(operator, from)?;
        let filter = operands.filter();
        let layer = Conv3x3::pack(self.kernels, channels, filter, window, activation, formats);
        self.push(operator, &[value], layer)
    }

    fn pointwise<S: Source>(&mut self, convolution: &Convolution<'a>) -> Result<()> {
        let operator = convolution.operator;
        let from = self.input(operator, 0)?;
        let operands = self.operands::<S>(operator, from, convolution.activation)?;
        let (channels, activation) = (convolution.channels, operands.activation);
        let filter = operands.filter();
        let Some(&Pending::Depthwise(first)) = self.pending.get(&from) else {
            let value = self.value(operator, from)?;
            let formats = operands.formats;
            let layer = Pointwise::pack(self.kernels, channels, filter, activation, formats);
            return self.push(operator, &[value], layer);
        };
        let depthwise = self.described(first)?;
        let Some(stride) = depthwise.stride_of_3x3() else {
            return Err(depthwise.refused(self, DEPTHWISE));
        };
        let (from, window) = self.window(&depthwise, stride)?;
        let first_operands = self.operands::<S>(first, from, depthwise.activation)?;
        let formats = Formats {
            input: first_operands.formats.input,
            output: operands.formats.output,
        };
        let value = self.value(first, from)?;
        let filters = (first_operands.filter(), filter);
        let activations = [first_operands.activation, activation];
        let layer = Separable::pack(
            self.kernels,
            channels,
            filters,
            window,
            activations,
            formats,
        );
        self.push(operator, &[value], layer)
    }

    fn depthwise<S: Source>(&mut self, operator: &'a Operator) -> Result<()> {
        let convolution = self.described(operator)?;
        if let OperatorKind::DepthwiseConv2d { multiplier, .. } = operator.kind
            && multiplier != 1
        {
            return Err(self.option(operator, "depth_multiplier", multiplier, "1"));
        }
        let Some(stride) = convolution.stride_of_3x3() else {
            return Err(convolution.refused(self, DEPTHWISE));
        };
        let output = operator.outputs[0];
        if self.options.fuse && self.is_read_by_pointwise(output) {
            self.pending.insert(output, Pending::Depthwise(operator));
            return Ok(());
        }
        let (from, window) = self.window(&convolution, stride)?;
        let operands = self.operands::<S>(operator, from, convolution.activation)?;
        let (activation, formats) = (operands.activation, operands.formats);
        let value = self.value(operator, from)?;
        let (channels, filter) = (convolution.channels.0, operands.filter());
        let layer = Depthwise::pack(self.kernels, channels, filter, window, activation, formats);
        self.push(operator, &[value], layer)
    }

    /// Whether a pointwise convolution reads the tensor, as its input, and nothing else does.
    fn is_read_by_pointwise(&self, tensor: usize) -> bool {
        self.sole_reader(tensor).is_some_and(|reader| {
            reader.inputs.first() == Some(&Some(tensor))
                && matches!(reader.kind, OperatorKind::Conv2d { .. })
                && (self.described(reader))
                    .is_ok_and(|found| found.size == (1, 1) && found.stride == (1, 1))
        })
    }

    /// The tensor that a 3x3 window moves over, and how: a PAD in front of it is a part of it.
    fn window(&self, convolution: &Convolution<'_>, stride: Stride) -> Result<(usize, Window)> {
        let input = self.input(convolution.operator, 0)?;
        let border = match convolution.padding {
            tflite::Padding::Same => Border::Same,
            tflite::Padding::Valid => Border::Fixed(Padding::NONE),
        };
        Ok(match self.pending.get(&input) {
            Some(&Pending::Pad { from, padding }) => {
                let border = Border::Fixed(padding);
                (from, Window { stride, border })
            }
            _ => (input, Window { stride, border }),
        })
    }

    fn fully_connected<S: Source>(
        &mut self,
        operator: &'a Operator,
        activation: FusedActivation,
    ) -> Result<()> {
        let from = self.input(operator, 0)?;
        let operands = self.operands::<S>(operator, from, activation)?;
        // [c_out, c_in], as the reader has made sure.
        let weights = &self.tensor(self.input(operator, 1)?).shape;
        let (c_out, c_in) = (weights[0], weights[weights.len() - 1]);
        let Nhwc { h, w, c, .. } = self.info(operator, from)?.shape;
        if h * w * c != c_in {
            let expected = format!("[N, {c_in}]");
            return Err(self.operand(operator, from, "input", expected));
        }
        let mut value = self.value(operator, from)?;
        if (h, w) != (1, 1) {
            let name = format!("{} {} flatten", operator.kind.name(), operator.index);
            value = self.push_value(name, &[value], Ok(Flatten))?;
        }
        let (activation, formats) = (operands.activation, operands.formats);
        let filter = operands.filter();
        let layer = Pointwise::pack(self.kernels, (c_in, c_out), filter, activation, formats);
        self.push(operator, &[value], layer.map(Dense::from))
    }

    fn add(&mut self, operator: &Operator, activation: FusedActivation) -> Result<()> {
        let inputs = [self.input(operator, 0)?, self.input(operator, 1)?];
        let values = [
            self.value(operator, inputs[0])?,
            self.value(operator, inputs[1])?,
        ];
        if self.infos[values[0]].shape != self.infos[values[1]].shape {
            let expected = format!("{:?} as the first", self.tensor(inputs[0]).shape);
            return Err(self.operand(operator, inputs[1], "second input", expected));
        }
        let layer = Add {
            activation: real(activation),
            output: self.info(operator, operator.outputs[0])?.format,
        };
        self.push(operator, &values, Ok(layer))
    }

    fn pad(&mut self, operator: &'a Operator, paddings: &[(usize, usize)]) -> Result<()> {
        let &[(0, 0), (top, bottom), (left, right), (0, 0)] = paddings else {
            let expected = "rows and columns of [N, H, W, C] alone";
            return Err(self.option(operator, "paddings", format!("{paddings:?}"), expected));
        };
        let padding = Padding {
            top,
            bottom,
            left,
            right,
        };
        let (from, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let same = self.info(operator, from)?.format == self.info(operator, output)?.format;
        if !same {
            let expected = "the scale and the zero point of the input";
            return Err(self.operand(operator, output, "output", expected));
        }
        if self.options.fuse && self.is_read_by_valid_3x3(output) {
            self.pending.insert(output, Pending::Pad { from, padding });
            return Ok(());
        }
        let value = self.value(operator, from)?;
        self.push(operator, &[value], Ok(Pad { padding }))
    }

    /// Whether a 3x3 convolution without padding of its own reads the tensor, as its input, and nothing else does.
    fn is_read_by_valid_3x3(&self, tensor: usize) -> bool {
        self.sole_reader(tensor).is_some_and(|reader| {
            reader.inputs.first() == Some(&Some(tensor))
                && matches!(
                    reader.kind,
                    OperatorKind::Conv2d { .. } | OperatorKind::DepthwiseConv2d { .. }
                )
                && self.described(reader).is_ok_and(|found| {
                    found.padding == tflite::Padding::Valid && found.stride_of_3x3().is_some()
                })
        })
    }

    fn average_pool(
        &mut self,
        operator: &Operator,
        (size, stride): ((usize, usize), (usize, usize)),
        padding: tflite::Padding,
        activation: FusedActivation,
    ) -> Result<()> {
        let (from, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let input = self.info(operator, from)?;
        if self.info(operator, output)?.format != input.format {
            let expected = "the scale and the zero point of the input";
            return Err(self.operand(operator, output, "output", expected));
        }
        let same = padding == tflite::Padding::Same;
        // The image's size in the file: for others the window goes along.
        let window = if !same && size == (input.shape.h, input.shape.w) {
            PoolWindow::Image
        } else {
            PoolWindow::Fixed(dwsep::PoolWindow { size, stride, same })
        };
        let layer = AveragePool {
            window,
            activation: real(activation),
        };
        let value = self.value(operator, from)?;
        self.push(operator, &[value], Ok(layer))
    }

    fn mean(&mut self, operator: &Operator, axes: &[usize]) -> Result<()> {
        let from = self.input(operator, 0)?;
        if axes != [1, 2] || self.tensor(from).shape.len() != 4 {
            let expected = "[1, 2] of [N, H, W, C]";
            return Err(self.option(operator, "axes", format!("{axes:?}"), expected));
        }
        let formats = self.formats(operator, from)?;
        let value = self.value(operator, from)?;
        self.push(operator, &[value], Ok(GlobalAveragePool { formats }))
    }

    fn reshape(&mut self, operator: &Operator) -> Result<()> {
        let (from, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let value = self.value(operator, from)?;
        let (input, expected) = (self.infos[value], self.info(operator, output)?);
        if input == expected {
            self.values.insert(output, value);
            return Ok(());
        }
        let Nhwc { n, h, w, c } = input.shape;
        if expected.shape == Nhwc::new(n, 1, 1, h * w * c) {
            return self.push(operator, &[value], Ok(Flatten));
        }
        let expected = format!(
            "{:?} without or with more sizes of 1, or [{n}, {}]; of the same scale and zero point",
            self.tensor(from).shape,
            h * w * c
        );
        Err(self.operand(operator, output, "output", expected))
    }

    fn softmax(&mut self, operator: &Operator, beta: f32) -> Result<()> {
        let from = self.input(operator, 0)?;
        let formats = self.formats(operator, from)?;
        if beta != 1.0 && formats.input.dtype() == DType::F32 {
            return Err(self.option(operator, "beta", beta, "1"));
        }
        let value = self.value(operator, from)?;
        self.push(operator, &[value], Ok(Softmax { formats, beta }))
    }

    fn convert(&mut self, operator: &Operator) -> Result<()> {
        let from = self.input(operator, 0)?;
        let formats = self.formats(operator, from)?;
        let value = self.value(operator, from)?;
        self.push(operator, &[value], Ok(Convert { formats }))
    }

    /// Of what an operator reads, and of what it writes.
    fn formats(&self, operator: &Operator, from: usize) -> Result<Formats> {
        Ok(Formats {
            input: self.info(operator, from)?.format,
            output: self.info(operator, operator.outputs[0])?.format,
        })
    }
}

const DEPTHWISE: &str = "a window of 3 x 3 with stride 1 or 2";

impl Convolution<'_> {
    /// The stride, if it is a 3x3 window with one that the kernels have.
    fn stride_of_3x3(&self) -> Option<Stride> {
        match (self.size, self.stride) {
            ((3, 3), (1, 1)) => Some(Stride::One),
            ((3, 3), (2, 2)) => Some(Stride::Two),
            _ => None,
        }
    }

    fn refused(&self, builder: &Builder<'_>, expected: &'static str) -> Error {
        let ((h, w), (y, x)) = (self.size, self.stride);
        let found = format!("a window of {h} x {w} with stride {y} x {x}");
        builder.option(self.operator, "window and stride", found, expected)
    }
}
