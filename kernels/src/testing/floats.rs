//! Problems of single precision: their numbers, and what the references say.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Tested;
use super::problem::{Op, Operands, Problem, Role, Values};
use super::run::same;
use crate::reference;
use crate::scheme::F32;
use crate::shape::WINDOW;
use crate::{Activation, Filter, Nhwc};

impl Tested for F32 {
    type Quantization = ();

    const TELLS: bool = true;

    fn activation(activation: Activation) -> Activation {
        activation
    }

    fn operands(problem: &Problem) -> Operands {
        let Nhwc { n, h, w, c } = problem.input;
        let output = problem.output();
        let draw = |role, len: usize| {
            (0..len)
                .map(|i| problem.number(role, i))
                .collect::<Vec<_>>()
        };
        let separable = problem.op == Op::Separable;
        Operands {
            input: draw(Role::Input, n * h * w * c),
            weights: draw(Role::Weights, problem.weights_len()),
            bias: problem.bias.then(|| draw(Role::Bias, problem.c_out)),
            residual: problem
                .residual
                .then(|| draw(Role::Residual, output.n * output.h * output.w * output.c)),
            depthwise_weights: if separable {
                draw(Role::DepthwiseWeights, WINDOW * WINDOW * c)
            } else {
                Vec::new()
            },
            quantization: (),
            depthwise_quantization: (),
            depthwise_bias: (separable && problem.bias).then(|| draw(Role::DepthwiseBias, c)),
        }
    }

    fn filter<'a>(weights: &'a [f32], bias: Option<&'a [f32]>, (): &'a ()) -> Filter<'a, F32> {
        Filter::new(weights, bias)
    }

    fn expected(problem: &Problem, operands: &Operands, fused: bool) -> Vec<f32> {
        let Nhwc { n, h, w, c } = problem.output();
        let zeros = vec![0.0; problem.c_out.max(problem.input.c)];
        let bias = |bias: &'_ Option<Vec<f32>>, len: usize| match bias {
            Some(bias) => bias.clone(),
            None => zeros[..len].to_vec(),
        };
        let mut output = vec![0.0; n * h * w * c];
        let depthwise = |weights: &[f32], bias: &[f32], activation, output: &mut [f32]| {
            let of = reference::depthwise::Problem {
                input: &operands.input,
                shape: problem.input,
                weights,
                bias,
                stride: problem.stride,
                padding: problem.padding,
                activation,
            };
            if fused {
                reference::depthwise::depthwise_fma(&of, output);
            } else {
                reference::depthwise::depthwise(&of, output);
            }
        };
        let pointwise = |input: &[f32], output: &mut [f32]| {
            let of = reference::pointwise::Problem {
                input,
                weights: &operands.weights,
                bias: &bias(&operands.bias, problem.c_out),
                residual: operands.residual.as_deref(),
                c_in: problem.input.c,
                activation: problem.activation,
            };
            if fused {
                reference::pointwise::pointwise_fma(&of, output);
            } else {
                reference::pointwise::pointwise(&of, output);
            }
        };
        match problem.op {
            Op::Pointwise => pointwise(&operands.input, &mut output),
            Op::Depthwise => {
                let bias = bias(&operands.bias, problem.c_out);
                depthwise(&operands.weights, &bias, problem.activation, &mut output);
            }
            Op::Conv3x3 => {
                let of = reference::conv3x3::Problem {
                    input: &operands.input,
                    shape: problem.input,
                    weights: &operands.weights,
                    bias: &bias(&operands.bias, problem.c_out),
                    stride: problem.stride,
                    padding: problem.padding,
                    activation: problem.activation,
                };
                if fused {
                    reference::conv3x3::conv3x3_fma(&of, &mut output);
                } else {
                    reference::conv3x3::conv3x3(&of, &mut output);
                }
            }
            Op::Separable => {
                let mut between = vec![0.0; n * h * w * problem.input.c];
                let bias = bias(&operands.depthwise_bias, problem.input.c);
                depthwise(
                    &operands.depthwise_weights,
                    &bias,
                    problem.depthwise_activation,
                    &mut between,
                );
                pointwise(&between, &mut output);
            }
        }
        output
    }

    fn same(x: f32, y: f32) -> bool {
        same(x, y)
    }

    fn show(x: f32) -> String {
        format!("{x:e} ({:#010x})", x.to_bits())
    }
}

impl Problem {
    fn number(&self, role: Role, index: usize) -> f32 {
        let random = self.random(role, index);
        let uniform = (random >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let sign = if random & 1 == 0 { 1.0 } else { -1.0 };
        let term = self.term(role, index);
        match self.values {
            Values::Uniform => uniform,
            Values::Wide => uniform * power_of_two((random % 41) as i32 - 20),
            Values::Special => {
                // As many as leave about half of the sums without one.
                let one_of = match role {
                    Role::Input | Role::Weights | Role::DepthwiseWeights => 4 * self.terms() as u64,
                    Role::Bias | Role::DepthwiseBias | Role::Residual => 8,
                };
                if (random >> 8).is_multiple_of(one_of) {
                    SPECIAL[(random % SPECIAL.len() as u64) as usize]
                } else {
                    uniform
                }
            }
            Values::Largest => {
                let most = match (self.op, role) {
                    // Behind a depthwise half that is as large as can be already.
                    (Op::Separable, Role::Weights) => 0.5 / self.terms() as f32,
                    (_, Role::Input | Role::Weights | Role::DepthwiseWeights) => {
                        let terms = self.terms().max(WINDOW * WINDOW) + 2;
                        libm::sqrtf(f32::MAX / 2.0 / terms as f32)
                    }
                    _ => f32::MAX / 16.0 / (self.terms() + 2) as f32,
                };
                sign * most * (0.75 + 0.25 * uniform)
            }
            Values::Cancelling => {
                let size = 1.0 + uniform * power_of_two(-12);
                let alternate = if term.is_multiple_of(2) { size } else { -size };
                match role {
                    Role::Input => size * power_of_two(20),
                    Role::Weights | Role::DepthwiseWeights => alternate,
                    Role::Bias | Role::DepthwiseBias => -size * power_of_two(20),
                    Role::Residual => uniform,
                }
            }
            Values::Ties => match role {
                Role::Input => 1.0 + power_of_two(-12),
                Role::Weights | Role::DepthwiseWeights => {
                    power_of_two(-24) * (1.0 - power_of_two(-12) + power_of_two(-24))
                }
                Role::Bias | Role::DepthwiseBias => 1.0,
                Role::Residual => power_of_two(-24),
            },
        }
    }
}

/// What makes arithmetic fail: the last two products with 1 are subnormal, or overflow with 2.
const SPECIAL: [f32; 12] = [
    f32::NAN,
    -f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    f32::MIN_POSITIVE / 2.0,
    -1e-40,
    f32::MAX,
    f32::MIN,
];

/// 2^e for normal results.
fn power_of_two(e: i32) -> f32 {
    f32::from_bits(((e + 127) as u32) << 23)
}
