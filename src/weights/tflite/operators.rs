//! Operators: codes, operands by index, options.

use std::fmt::Display;

use super::graph::{FusedActivation, Operator, OperatorKind, Padding, Tensor};
use super::problem::{OperatorProblem, Problem};
use super::schema::{self, CUSTOM, OperatorCode, Options, operator_name};
use super::table::List;
use super::{constants, operands};
use crate::weights::shown;

/// What is supported: the code, the name, and how many inputs it has at least and at most.
const SUPPORTED: [(i32, &str, usize, usize); 12] = [
    (0, "ADD", 2, 2),
    (1, "AVERAGE_POOL_2D", 1, 1),
    (3, "CONV_2D", 2, 3),
    (4, "DEPTHWISE_CONV_2D", 2, 3),
    (6, "DEQUANTIZE", 1, 1),
    (9, "FULLY_CONNECTED", 2, 3),
    (22, "RESHAPE", 1, 2),
    (25, "SOFTMAX", 1, 1),
    (34, "PAD", 2, 2),
    (40, "MEAN", 2, 2),
    (43, "SQUEEZE", 1, 1),
    (114, "QUANTIZE", 1, 1),
];

/// The same for messages.
const NAMES: &str = "ADD, AVERAGE_POOL_2D, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, FULLY_CONNECTED, MEAN, PAD, QUANTIZE, \
     RESHAPE, SOFTMAX, SQUEEZE";

/// The position of the bias, the only input that may be absent.
const BIAS: usize = 2;

/// All operators of a subgraph.
pub(super) fn read(
    operators: Option<List<'_, schema::Operator<'_>>>,
    codes: Option<List<'_, OperatorCode<'_>>>,
    tensors: &[Tensor<'_>],
) -> Result<Vec<Operator>, Problem> {
    (operators.into_iter().flat_map(List::iter).enumerate())
        .map(|(index, operator)| {
            self::operator(index, operator, codes, tensors)
                .map_err(|problem| Problem::Operator { index, problem })
        })
        .collect()
}

fn operator(
    index: usize,
    operator: schema::Operator<'_>,
    codes: Option<List<'_, OperatorCode<'_>>>,
    tensors: &[Tensor<'_>],
) -> Result<Operator, OperatorProblem> {
    let (code, name, fewest, most) = supported(operator, codes)?;
    let count = |role, found, fewest, most| {
        if (fewest..=most).contains(&found) {
            return Ok(());
        }
        Err(OperatorProblem::Count {
            operator: name,
            role,
            found,
            expected: match (fewest, most) {
                (1, 1) => "1",
                (2, 2) => "2",
                (1, 2) => "1 or 2",
                _ => "2 or 3",
            },
        })
    };
    let (inputs, outputs) = (operator.inputs(), operator.outputs());
    count("input", inputs.map_or(0, List::len), fewest, most)?;
    count("output", outputs.map_or(0, List::len), 1, 1)?;

    let tensor = |role, position, found: i32| {
        (usize::try_from(found).ok())
            .filter(|&tensor| tensor < tensors.len())
            .ok_or(OperatorProblem::TensorIndex {
                operator: name,
                role,
                position,
                found,
                last: tensors.len() as i64 - 1,
            })
    };
    let inputs: Vec<Option<usize>> = (inputs.into_iter().flat_map(List::iter).enumerate())
        .map(|(position, found)| match found {
            -1 if position == BIAS => Ok(None),
            _ => tensor("input", position, found).map(Some),
        })
        .collect::<Result<_, _>>()?;
    let outputs: Vec<usize> = (outputs.into_iter().flat_map(List::iter).enumerate())
        .map(|(position, found)| tensor("output", position, found))
        .collect::<Result<_, _>>()?;

    let operands = operands::Operands {
        operator: name,
        tensors,
        inputs: &inputs,
        output: outputs[0],
    };
    let kind = kind(code, name, operator.options(), &operands)?;
    operands.check(&kind)?;
    Ok(Operator {
        index,
        kind,
        inputs,
        outputs,
    })
}

/// The operator's line in the table of those that are supported.
fn supported(
    operator: schema::Operator<'_>,
    codes: Option<List<'_, OperatorCode<'_>>>,
) -> Result<(i32, &'static str, usize, usize), OperatorProblem> {
    let found = operator.opcode_index();
    let code = (codes.zip(usize::try_from(found).ok()))
        .and_then(|(codes, index)| codes.get(index))
        .ok_or(OperatorProblem::Code {
            found,
            codes: codes.map_or(0, List::len),
        })?;
    if let Some(&line) = SUPPORTED.iter().find(|line| line.0 == code.code()) {
        return Ok(line);
    }
    Err(OperatorProblem::Unsupported {
        found: match code.code() {
            CUSTOM => format!(
                "the custom operator `{}`",
                shown(code.custom_code().unwrap_or_default())
            ),
            code => operator_name(code),
        },
        expected: NAMES,
    })
}

/// The operator with its options. Where these matter, they have to be there; schemas' defaults are no strides.
fn kind(
    code: i32,
    name: &'static str,
    options: Option<Options<'_>>,
    operands: &operands::Operands<'_>,
) -> Result<OperatorKind, OperatorProblem> {
    let values = Values { operator: name };
    let wrong = |expected| {
        Err(OperatorProblem::Options {
            operator: name,
            found: match options {
                None => "no options".to_owned(),
                Some(Options::Other(tag)) => format!("options of type {tag}"),
                Some(_) => "the options of another operator".to_owned(),
            },
            expected,
        })
    };
    Ok(match (code, options) {
        (0, None) => OperatorKind::Add {
            activation: FusedActivation::None,
        },
        (0, Some(Options::Add(options))) => OperatorKind::Add {
            activation: values.activation(options.activation())?,
        },
        (0, _) => return wrong("AddOptions"),

        (1, Some(Options::Pool2d(options))) => OperatorKind::AveragePool2d {
            window: values.pair(
                ("filter_height", options.filter_h()),
                ("filter_width", options.filter_w()),
            )?,
            stride: values.strides(options.stride_h(), options.stride_w())?,
            padding: values.padding(options.padding())?,
            activation: values.activation(options.activation())?,
        },
        (1, _) => return wrong("Pool2DOptions"),

        (3, Some(Options::Conv2d(options))) => OperatorKind::Conv2d {
            stride: values.strides(options.stride_h(), options.stride_w())?,
            dilation: values.dilation(options.dilation_h(), options.dilation_w())?,
            padding: values.padding(options.padding())?,
            activation: values.activation(options.activation())?,
        },
        (3, _) => return wrong("Conv2DOptions"),

        (4, Some(Options::DepthwiseConv2d(options))) => OperatorKind::DepthwiseConv2d {
            stride: values.strides(options.stride_h(), options.stride_w())?,
            dilation: values.dilation(options.dilation_h(), options.dilation_w())?,
            padding: values.padding(options.padding())?,
            activation: values.activation(options.activation())?,
            multiplier: operands.multiplier()?,
        },
        (4, _) => return wrong("DepthwiseConv2DOptions"),

        (9, Some(Options::FullyConnected(options))) => {
            values.check(
                "weights_format",
                options.weights_format(),
                0,
                "0, the plain one",
            )?;
            OperatorKind::FullyConnected {
                activation: values.activation(options.activation())?,
                keep_num_dims: options.keep_num_dims(),
            }
        }
        (9, _) => return wrong("FullyConnectedOptions"),

        (25, Some(Options::Softmax(options))) => OperatorKind::Softmax {
            beta: values.beta(options.beta())?,
        },
        (25, _) => return wrong("SoftmaxOptions"),

        (40, Some(Options::Reducer(options))) => OperatorKind::Mean {
            axes: constants::axes(operands)?,
            keep_dims: options.keep_dims(),
        },
        (40, _) => return wrong("ReducerOptions"),

        (43, None) => OperatorKind::Squeeze { dims: Vec::new() },
        (43, Some(Options::Squeeze(options))) => OperatorKind::Squeeze {
            dims: values.axes(
                options.squeeze_dims().into_iter().flat_map(List::iter),
                operands.tensor(0).map_or(0, |input| input.shape.len()),
            )?,
        },
        (43, _) => return wrong("SqueezeOptions"),

        // These have no options of a meaning, so it does not matter what is there.
        (6, _) => OperatorKind::Dequantize,
        (22, _) => OperatorKind::Reshape,
        (34, _) => OperatorKind::Pad {
            paddings: constants::paddings(operands)?,
        },
        (_, _) => OperatorKind::Quantize,
    })
}

/// Checks values of options.
pub(super) struct Values {
    pub(super) operator: &'static str,
}

impl Values {
    fn error(
        &self,
        option: &'static str,
        found: impl Display,
        expected: impl Into<String>,
    ) -> OperatorProblem {
        OperatorProblem::Option {
            operator: self.operator,
            option,
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    fn check(
        &self,
        option: &'static str,
        found: i8,
        only: i8,
        expected: &str,
    ) -> Result<(), OperatorProblem> {
        if found == only {
            Ok(())
        } else {
            Err(self.error(option, found, expected))
        }
    }

    fn positive(&self, option: &'static str, found: i32) -> Result<usize, OperatorProblem> {
        (usize::try_from(found).ok().filter(|&value| value > 0))
            .ok_or_else(|| self.error(option, found, "at least 1"))
    }

    fn pair(
        &self,
        height: (&'static str, i32),
        width: (&'static str, i32),
    ) -> Result<(usize, usize), OperatorProblem> {
        Ok((
            self.positive(height.0, height.1)?,
            self.positive(width.0, width.1)?,
        ))
    }

    fn strides(&self, height: i32, width: i32) -> Result<(usize, usize), OperatorProblem> {
        self.pair(("stride_h", height), ("stride_w", width))
    }

    fn dilation(&self, height: i32, width: i32) -> Result<(usize, usize), OperatorProblem> {
        self.pair(("dilation_h_factor", height), ("dilation_w_factor", width))
    }

    fn padding(&self, found: i8) -> Result<Padding, OperatorProblem> {
        match found {
            0 => Ok(Padding::Same),
            1 => Ok(Padding::Valid),
            _ => Err(self.error("padding", found, "0 (SAME) or 1 (VALID)")),
        }
    }

    fn activation(&self, found: i8) -> Result<FusedActivation, OperatorProblem> {
        let found = match found {
            0 => return Ok(FusedActivation::None),
            1 => return Ok(FusedActivation::Relu),
            2 => return Ok(FusedActivation::ReluN1To1),
            3 => return Ok(FusedActivation::Relu6),
            4 => "TANH".to_owned(),
            5 => "SIGN_BIT".to_owned(),
            other => other.to_string(),
        };
        let expected = "NONE, RELU, RELU_N1_TO_1 or RELU6";
        Err(self.error("fused_activation_function", found, expected))
    }

    fn beta(&self, found: f32) -> Result<f32, OperatorProblem> {
        if found > 0.0 && found.is_finite() {
            Ok(found)
        } else {
            Err(self.error("beta", found, "a positive, finite number"))
        }
    }

    /// Axes of a tensor of this rank, ascending and each once. Negative ones count from the end.
    pub(super) fn axes(
        &self,
        found: impl Iterator<Item = i32>,
        rank: usize,
    ) -> Result<Vec<usize>, OperatorProblem> {
        // So that what is collected does not exceed the rank, which is a vector in memory.
        let mut named = vec![false; rank];
        for axis in found {
            let from_start = i64::from(axis) + if axis < 0 { rank as i64 } else { 0 };
            match usize::try_from(from_start)
                .ok()
                .and_then(|axis| named.get_mut(axis))
            {
                Some(named) => *named = true,
                None => {
                    let expected = format!("an axis of {rank}");
                    return Err(self.error("axis", axis, expected));
                }
            }
        }
        Ok((0..rank).filter(|&axis| named[axis]).collect())
    }
}
