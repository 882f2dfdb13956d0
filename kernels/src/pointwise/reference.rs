//! Pointwise convolution by its definition: naive, short, and what every kernel equals bit for bit.

use crate::Activation;

/// A pointwise convolution over dense rows.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// `[m, c_in]`
    pub input: &'a [f32],
    /// `[c_out, c_in]`
    pub weights: &'a [f32],
    /// `[c_out]`
    pub bias: &'a [f32],
    /// `[m, c_out]`
    pub residual: Option<&'a [f32]>,
    /// Input channels.
    pub c_in: usize,
    /// Fused into the store.
    pub activation: Activation,
}

/// Each step a multiplication and an addition: what `scalar` and `portable` compute. `output` is `[m, c_out]`.
pub fn pointwise(problem: &Problem<'_>, output: &mut [f32]) {
    compute(problem, output, |acc, a, w| acc + a * w);
}

/// Each step one fused multiply-add: what AVX2 with FMA, AVX-512 and NEON compute. `output` is `[m, c_out]`.
pub fn pointwise_fma(problem: &Problem<'_>, output: &mut [f32]) {
    compute(problem, output, |acc, a, w| libm::fmaf(a, w, acc));
}

fn compute(problem: &Problem<'_>, output: &mut [f32], step: impl Fn(f32, f32, f32) -> f32) {
    let c_out = problem.bias.len();
    for (pixel, output) in output.chunks_exact_mut(c_out).enumerate() {
        for (o, y) in output.iter_mut().enumerate() {
            let mut acc = problem.bias[o];
            for k in 0..problem.c_in {
                acc = step(
                    acc,
                    problem.input[pixel * problem.c_in + k],
                    problem.weights[o * problem.c_in + k],
                );
            }
            if let Some(residual) = problem.residual {
                acc += residual[pixel * c_out + o];
            }
            *y = problem.activation.apply(acc);
        }
    }
}
