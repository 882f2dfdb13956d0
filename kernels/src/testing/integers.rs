//! Quantised problems: their integers with scales and zero points, and what the references say.
//!
//! Outputs have to show mistakes: a sum that is clamped, or scaled down by thousands, hides them. So the output's scale is drawn for
//! the sums to be expected, and where these are near the limits of i32 ([`Values::Largest`]), every other problem has biases that
//! bring them back to a few units.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::Tested;
use super::problem::{Op, Operands, Problem, Role, Values};
use crate::reference::quantised as reference;
use crate::scheme::Quantised;
use crate::{Activation, Filter, FilterQuantization, Nhwc, Quantization};

/// How the integers of a filter are to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Integers {
    /// Of the input.
    pub input: Quantization,
    /// Of the output.
    pub output: Quantization,
    /// One, or one an output channel.
    pub weight_scales: Vec<f32>,
    /// In the weights' own type.
    pub weight_zero_point: i32,
    /// Whether weights are u8. They are kept as bytes, whatever they are.
    pub unsigned: bool,
}

impl Integers {
    /// As an op takes it.
    pub fn quantization(&self) -> FilterQuantization<'_> {
        FilterQuantization {
            input: self.input,
            output: self.output,
            weight_scales: &self.weight_scales,
            weight_zero_point: self.weight_zero_point,
        }
    }

    /// The integer that a byte of weights is.
    pub fn weight(&self, byte: u8) -> i32 {
        if self.unsigned {
            i32::from(byte)
        } else {
            i32::from(byte as i8)
        }
    }
}

impl<S: Quantised> Tested for S {
    type Quantization = Integers;

    const TELLS: bool = false;

    fn activation(activation: Activation) -> Activation {
        match activation {
            Activation::HardSwish => Activation::Relu6,
            other => other,
        }
    }

    fn operands(problem: &Problem) -> Operands<S> {
        let elements = Range::of(S::LEAST);
        let first = match problem.op {
            Op::Separable => problem.halves()[0],
            _ => *problem,
        };
        let roles = [Role::Weights, Role::Bias];
        let depthwise_roles = [Role::DepthwiseWeights, Role::DepthwiseBias];
        let (at_ends, scale) = (Ends::of_input(&first), 2.0_f32.powi(-5));
        let zero_point =
            elements.zero_point(&first, at_ends, first.random(Role::Input, usize::MAX));
        let input = Quantization::new(scale, zero_point);
        let Nhwc { n, h, w, c } = problem.input;
        let numbers = (0..n * h * w * c).map(|i| {
            let random = first.random(Role::Input, i);
            S::elem(elements.number(&first, at_ends, zero_point, random, true))
        });
        let numbers = numbers.collect();
        let half = |problem, input, roles| Half::draw(problem, elements, input, roles);
        if problem.op == Op::Separable {
            let [depthwise, pointwise] = problem.halves();
            let depthwise = half(&depthwise, input, depthwise_roles);
            let pointwise = half(&pointwise, depthwise.quantization.output, roles);
            Operands {
                input: numbers,
                weights: pointwise.weights,
                bias: pointwise.bias,
                quantization: pointwise.quantization,
                residual: None,
                depthwise_weights: depthwise.weights,
                depthwise_bias: depthwise.bias,
                depthwise_quantization: depthwise.quantization,
            }
        } else {
            let only = half(problem, input, roles);
            Operands {
                input: numbers,
                weights: only.weights,
                bias: only.bias,
                quantization: only.quantization.clone(),
                residual: None,
                depthwise_weights: Vec::new(),
                depthwise_bias: None,
                depthwise_quantization: only.quantization,
            }
        }
    }

    fn filter<'a>(
        weights: &'a [u8],
        bias: Option<&'a [i32]>,
        integers: &'a Integers,
    ) -> Filter<'a, S> {
        if integers.unsigned {
            Filter::u8(weights, bias, integers.quantization())
        } else {
            Filter::i8(bytemuck::cast_slice(weights), bias, integers.quantization())
        }
    }

    fn expected(problem: &Problem, operands: &Operands<S>, _fused: bool) -> Vec<S::Elem> {
        if problem.op == Op::Separable {
            let [depthwise, pointwise] = problem.halves();
            let first = operands.depthwise_half();
            let second = Operands {
                input: expected_of_one(&depthwise, &first),
                ..operands.clone()
            };
            expected_of_one(&pointwise, &second)
        } else {
            expected_of_one(problem, operands)
        }
    }

    fn same(x: S::Elem, y: S::Elem) -> bool {
        S::int(x) == S::int(y)
    }

    fn show(x: S::Elem) -> String {
        S::int(x).to_string()
    }
}

fn expected_of_one<S: Quantised>(problem: &Problem, operands: &Operands<S>) -> Vec<S::Elem> {
    let integers = &operands.quantization;
    let weights = operands.weights.iter().map(|&byte| integers.weight(byte));
    let zeros = || vec![0; problem.c_out];
    let of = reference::Problem::<'_, S> {
        input: &operands.input,
        shape: problem.input,
        weights: &weights.collect::<Vec<_>>(),
        bias: &operands.bias.clone().unwrap_or_else(zeros),
        quantization: integers.quantization(),
        stride: problem.stride,
        padding: problem.padding,
        activation: problem.activation,
    };
    let Nhwc { n, h, w, c } = problem.output();
    let mut output = vec![S::elem(0); n * h * w * c];
    match problem.op {
        Op::Pointwise | Op::Separable => reference::pointwise(&of, &mut output),
        Op::Depthwise => reference::depthwise(&of, &mut output),
        Op::Conv3x3 => reference::conv3x3(&of, &mut output),
    }
    output
}

/// The 256 integers of a type.
#[derive(Clone, Copy)]
struct Range {
    least: i32,
    most: i32,
}

/// Where the numbers and the zero point of [`Values::Largest`] lie.
#[derive(Clone, Copy)]
struct Ends {
    /// All numbers at the upper end, or at the lower one.
    upper: bool,
    /// The zero point at the other end, or in the middle.
    far: bool,
    /// One less than the end: -127 instead of -128.
    inner: bool,
}

impl Ends {
    /// The low five bits of seeds count through all of them.
    fn of_input(problem: &Problem) -> Self {
        Self {
            upper: problem.seed & 1 != 0,
            far: problem.seed & 2 != 0,
            inner: false,
        }
    }

    fn of_weights(problem: &Problem) -> Self {
        Self {
            upper: problem.seed & 4 != 0,
            far: problem.seed & 8 != 0,
            inner: problem.seed & 16 != 0,
        }
    }
}

impl Range {
    fn of(least: i32) -> Self {
        Self {
            least,
            most: least + 255,
        }
    }

    fn middle(self) -> i32 {
        self.least + 128
    }

    fn zero_point(self, problem: &Problem, ends: Ends, random: u64) -> i32 {
        match problem.values {
            Values::Largest => match ends {
                Ends { far: false, .. } => self.middle(),
                Ends { upper: true, .. } => self.least,
                Ends { upper: false, .. } => self.most,
            },
            Values::Cancelling => self.middle(),
            // With room for two on either side, so that sums stay small.
            Values::Ties => self.least + 2 + (random >> 8 & 0xffff) as i32 % 252,
            _ => match random % 8 {
                0 => self.least,
                1 => self.most,
                2..5 => self.middle(),
                _ => self.least + (random >> 8 & 255) as i32,
            },
        }
    }

    /// `even`: whether it is an even term of its sum.
    fn number(
        self,
        problem: &Problem,
        ends: Ends,
        zero_point: i32,
        random: u64,
        even: bool,
    ) -> i32 {
        let near = |by: i32| (zero_point + by).clamp(self.least, self.most);
        let any = self.least + (random >> 8 & 255) as i32;
        match problem.values {
            Values::Uniform | Values::Wide => any,
            Values::Special => match random % 8 {
                0 | 1 => self.least,
                2 | 3 => self.most,
                4 => zero_point,
                5 => near(1),
                6 => near(-1),
                _ => any,
            },
            Values::Largest => match ends {
                Ends { upper: true, .. } => self.most,
                Ends { inner, .. } => self.least + i32::from(inner),
            },
            Values::Cancelling if even => self.most,
            Values::Cancelling => self.least,
            Values::Ties => near((random >> 8 & 0xffff) as i32 % 5 - 2),
        }
    }

    /// Mean and mean square of the distances of all integers from a zero point.
    fn moments(self, zero_point: i32) -> (f64, f64) {
        let distances = || (self.least..=self.most).map(|x| f64::from(x - zero_point));
        let (sum, squares) = distances().fold((0.0, 0.0), |(s, q), d| (s + d, q + d * d));
        (sum / 256.0, squares / 256.0)
    }
}

/// Weights, biases and quantization of one convolution.
struct Half {
    weights: Vec<u8>,
    bias: Option<Vec<i32>>,
    quantization: Integers,
}

impl Half {
    fn draw(
        problem: &Problem,
        elements: Range,
        input: Quantization,
        [weights, bias]: [Role; 2],
    ) -> Self {
        // Beyond any index of a weight.
        let draw = |index| problem.random(weights, usize::MAX - index);
        let unsigned = draw(0) & 1 == 0;
        let range = Range::of(if unsigned { 0 } else { -128 });
        let ends = Ends::of_weights(problem);
        let zero_point = range.zero_point(problem, ends, draw(1));
        let bytes = (0..problem.weights_len()).map(|i| {
            let even = problem.term(weights, i).is_multiple_of(2);
            let random = problem.random(weights, i);
            range.number(problem, ends, zero_point, random, even) as u8
        });
        let scales = if draw(2) & 1 == 0 { 1 } else { problem.c_out };
        let weight_scales = (0..scales).map(|channel| {
            let random = draw(16 + channel);
            match problem.values {
                Values::Ties => 2.0_f32.powi(-3),
                Values::Wide => 2.0_f32.powi((random >> 32 & 7) as i32 - 10) * part(random),
                _ => 2.0_f32.powi(-7) * part(random),
            }
        });
        let weight_scales: Vec<f32> = weight_scales.collect();

        let terms = problem.terms() as f64;
        let sums = Sums::of(problem, elements, input.zero_point, range, zero_point);
        // Of a sum, what 64 steps of the output are.
        let spread = match problem.values {
            Values::Largest if sums.come_back(problem) => 64.0,
            Values::Largest => 2.0_f64.powi(31),
            // Half a unit of the output a unit of the sum.
            Values::Ties => 128.0,
            Values::Cancelling => 64.0 * 64.0 * (1.0 + terms.sqrt()),
            Values::Uniform | Values::Wide | Values::Special => {
                let (a, b) = (
                    elements.moments(input.zero_point),
                    range.moments(zero_point),
                );
                (terms * a.0 * b.0).abs() + (terms * a.1 * b.1).sqrt()
            }
        };
        let scale = input.scale * weight_scales[0] * (spread / 64.0) as f32;
        let output_zero_point = match draw(3) % 8 {
            0 => elements.least,
            1 => elements.most,
            _ => elements.least + 64 + (draw(4) & 127) as i32,
        };
        let biases = (0..problem.c_out).map(|channel| {
            let random = problem.random(bias, channel);
            let uniform = (random >> 11) as f64 / 2.0_f64.powi(52) - 1.0;
            match problem.values {
                Values::Largest => sums.bias(problem, (random >> 32) as i64 % 128 - 64),
                Values::Ties => (uniform * 64.0) as i32,
                Values::Wide => (uniform * spread * 4.0).clamp(-1e8, 1e8) as i32,
                _ => (uniform * spread).clamp(-1e8, 1e8) as i32,
            }
        });
        Self {
            weights: bytes.collect(),
            bias: problem.bias.then(|| biases.collect()),
            quantization: Integers {
                input,
                output: Quantization::new(scale, output_zero_point),
                weight_scales,
                weight_zero_point: zero_point,
                unsigned,
            },
        }
    }
}

/// From a half to one.
fn part(random: u64) -> f32 {
    0.5 + (random >> 40) as f32 / (1 << 25) as f32
}

/// The sums of [`Values::Largest`] without their biases.
struct Sums {
    /// With the numbers at their end, and with all of them at the other one.
    these: i64,
    others: i64,
}

impl Sums {
    fn of(problem: &Problem, elements: Range, za: i32, weights: Range, zw: i32) -> Self {
        let ends = Ends::of_input(problem);
        let a = elements.number(problem, ends, za, 0, true);
        let w = weights.number(problem, Ends::of_weights(problem), zw, 0, true);
        let other = elements.least + elements.most - a;
        let terms = problem.terms() as i64 * i64::from(w - zw);
        Self {
            these: terms * i64::from(a - za),
            others: terms * i64::from(other - za),
        }
    }

    /// Whether biases bring the sums back to a few units. Not where the opposite input would leave i32 with them.
    fn come_back(&self, problem: &Problem) -> bool {
        let opposite = (self.others - self.these).abs() + 128 < i64::from(i32::MAX);
        problem.bias && problem.seed & 32 == 0 && opposite
    }

    /// One that does, up to `units`; or one that takes the sum to the very limit of i32.
    fn bias(&self, problem: &Problem, units: i64) -> i32 {
        // Behind a depthwise half the zero point may be at the end that the numbers are at: then the other end goes farther.
        let bias = if self.come_back(problem) {
            units - self.these
        } else if self.these < 0 {
            i64::from(i32::MIN) - self.these.min(self.others)
        } else {
            i64::from(i32::MAX) - self.these.max(self.others)
        };
        bias.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Qs8, Qu8};

    /// The share of outputs at an end of their type, and how many different ones there are, over many problems of an op.
    fn spread<S: Quantised>(op: Op, values: Values) -> (f64, usize) {
        let (mut ends, mut all, mut seen) = (0, 0, [false; 256]);
        for seed in 0..64 {
            let problem = Problem {
                values,
                seed,
                ..Problem::new(op, Nhwc::new(1, 5, 4, 20), 20)
            };
            for y in S::expected(&problem, &problem.operands(), false) {
                let q = S::int(y);
                seen[(q - S::LEAST) as usize] = true;
                all += 1;
                ends += usize::from(q == S::LEAST || q == S::MOST);
            }
        }
        let different = seen.iter().filter(|&&seen| seen).count();
        (f64::from(ends as u32) / f64::from(all), different)
    }

    /// Mistakes show in outputs that are not clamped.
    #[test]
    fn outputs_are_spread() {
        for op in Op::ALL {
            for values in Values::ALL {
                for (ends, different) in [spread::<Qs8>(op, values), spread::<Qu8>(op, values)] {
                    assert!(ends < 0.6, "{op:?} {values:?}: {ends} are at the ends");
                    assert!(different > 100, "{op:?} {values:?}: {different} values");
                }
            }
        }
    }

    /// Half a unit of the output a unit of the sum: every odd sum is a tie.
    #[test]
    fn ties_are_ties() {
        let problem = Problem {
            values: Values::Ties,
            ..Problem::new(Op::Pointwise, Nhwc::new(1, 4, 4, 8), 8)
        };
        let operands: Operands<Qs8> = problem.operands();
        let integers = &operands.quantization;
        let scale = integers.input.scale * integers.weight_scales[0] / integers.output.scale;
        assert_eq!(scale, 0.5);
    }
}
