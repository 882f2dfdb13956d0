//! Exact results and derived error bounds: what any faithful way of computing an op must keep to. Written apart from the references, so
//! that a mistake in those shows.
//!
//! Unit roundoff `u = 2^-24`. A sum of a bias and `k` products, one after the other, is `sum x_i (1 + d_i)` with `1 + d_i` a product of
//! at most `k` factors `1 + e`, `|e| <= u`, where each step is fused, and of at most `k + 1` where the product is rounded first. A product of `m`
//! such factors differs from 1 by at most `gamma(m) = m u / (1 - m u)` (Higham, "Accuracy and Stability of Numerical Algorithms", lemma
//! 3.1). So the error is at most `gamma(k) S` or `gamma(k + 1) S` with `S = |bias| + sum |a| |w|`, and the two ways differ by at most
//! `gamma(2 k + 1) S`. [`Values::Ties`](super::Values::Ties) comes close to that.

use alloc::vec::Vec;

use super::problem::{Op, Operands, Problem};
use crate::Activation;
use crate::shape::WINDOW;

/// Unit roundoff of f32.
const U: f64 = 1.0 / (1 << 24) as f64;

/// Half of the smallest subnormal: what a product that underflows may lose.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64 * U;

/// What `n` roundings may do: `n u / (1 - n u)`.
pub fn gamma(n: usize) -> f64 {
    n as f64 * U / (1.0 - n as f64 * U)
}

/// A result in exact arithmetic (f64, whose own roundings are a 2^-29th of those bounded), and how far from it an f32 result may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// In exact arithmetic.
    pub value: f64,
    /// Largest absolute error.
    pub error: f64,
    /// What no intermediate result exceeds: `|bias| + sum |a| |w|` of the last sum, six times that under a HardSwish.
    pub size: f64,
}

impl Bounded {
    /// Whether `x` is near enough. Always where something may overflow.
    pub fn admits(&self, x: f32) -> bool {
        let overflows = self.size >= f64::from(f32::MAX);
        overflows || (f64::from(x) - self.value).abs() <= self.error
    }
}

impl Problem {
    /// Every output in exact arithmetic, and the error that a kernel may make. For finite operands.
    pub fn exact(&self, fused: bool) -> Vec<Bounded> {
        let operands: Operands = self.operands();
        let input = operands.input.iter().map(|&x| Bounded {
            value: f64::from(x),
            error: 0.0,
            size: 0.0,
        });
        let input: Vec<_> = input.collect();
        if self.op == Op::Separable {
            let [depthwise, pointwise] = self.halves();
            let between = depthwise.layer(&input, &operands.depthwise_half(), fused);
            pointwise.layer(&between, &operands, fused)
        } else {
            self.layer(&input, &operands, fused)
        }
    }

    fn layer(&self, input: &[Bounded], operands: &Operands, fused: bool) -> Vec<Bounded> {
        let (from, to) = (self.input, self.output());
        let (window, stride, top, left) = match self.op {
            Op::Pointwise => (1, 1, 0, 0),
            _ => {
                let (p, stride) = (self.padding, self.stride.get());
                (WINDOW, stride, p.top, p.left)
            }
        };
        let mut outputs = Vec::new();
        for index in 0..to.n * to.h * to.w * to.c {
            let (o, pixel) = (index % to.c, index / to.c);
            let (x, y, n) = (pixel % to.w, pixel / to.w % to.h, pixel / to.w / to.h);
            let bias = operands.bias.as_ref().map_or(0.0, |b| f64::from(b[o]));
            let (mut value, mut size, mut error) = (bias, bias.abs(), 0.0);
            let mut roundings = usize::from(!fused);
            for tap in 0..window * window {
                let row = (y * stride + tap / window).checked_sub(top);
                let col = (x * stride + tap % window).checked_sub(left);
                let (Some(row), Some(col)) = (row, col) else {
                    continue;
                };
                if row >= from.h || col >= from.w {
                    continue;
                }
                let at = ((n * from.h + row) * from.w + col) * from.c;
                let mut term = |a: Bounded, weight: f32| {
                    let weight = f64::from(weight);
                    value += a.value * weight;
                    size += (a.value.abs() + a.error) * weight.abs();
                    error += a.error * weight.abs() + UNDERFLOW;
                    roundings += 1;
                };
                if self.op == Op::Depthwise {
                    term(input[at + o], operands.weights[tap * from.c + o]);
                } else {
                    for c in 0..from.c {
                        let weight = (o * window * window + tap) * from.c + c;
                        term(input[at + c], operands.weights[weight]);
                    }
                }
            }
            if let Some(residual) = &operands.residual {
                let residual = f64::from(residual[index]);
                value += residual;
                size += residual.abs();
                roundings += 1;
            }
            error += gamma(roundings) * size;
            // f64's own roundings.
            error *= 1.0 + 1e-6;
            outputs.push(activate(self.activation, value, error, size));
        }
        outputs
    }
}

fn activate(activation: Activation, x: f64, error: f64, size: f64) -> Bounded {
    let mut size = size;
    let (value, error) = match activation {
        Activation::HardSwish => {
            size *= 6.0;
            // The slope is at most 1.5; then four roundings (x + 3, two products, the constant 1/6).
            let gate = (x + 3.0).clamp(0.0, 6.0);
            let rounded = gamma(4) * x.abs().max(error) * (gate / 6.0 + 1.0);
            (x * gate / 6.0, 1.5 * error + rounded)
        }
        Activation::None => (x, error),
        Activation::Relu => (x.max(0.0), error),
        Activation::Relu6 => (x.clamp(0.0, 6.0), error),
        Activation::Clamp { lo, hi } => (x.clamp(f64::from(lo), f64::from(hi)), error),
    };
    Bounded { value, error, size }
}
