//! Depthwise 3x3 convolution by its definition: naive, short, and what every kernel equals bit for bit.

use crate::{Activation, Nhwc, Padding, Stride};

/// A depthwise convolution over a dense tensor.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// `[N, H, W, C]`
    pub input: &'a [f32],
    /// Of the input.
    pub shape: Nhwc,
    /// `[3, 3, C]`
    pub weights: &'a [f32],
    /// `[C]`
    pub bias: &'a [f32],
    /// In both directions.
    pub stride: Stride,
    /// Skipped, not multiplied.
    pub padding: Padding,
    /// Fused into the store.
    pub activation: Activation,
}

impl Problem<'_> {
    /// `[N, OH, OW, C]`
    pub fn output_shape(&self) -> Nhwc {
        let (Nhwc { h, w, .. }, p, s) = (self.shape, self.padding, self.stride.get());
        Nhwc {
            h: (h + p.top + p.bottom - 3) / s + 1,
            w: (w + p.left + p.right - 3) / s + 1,
            ..self.shape
        }
    }
}

/// Each step a multiplication and an addition: what `scalar` and `portable` compute.
pub fn depthwise(problem: &Problem<'_>, output: &mut [f32]) {
    compute(problem, output, |acc, a, w| acc + a * w);
}

/// Each step one fused multiply-add: what AVX2 with FMA, AVX-512 and NEON compute.
pub fn depthwise_fma(problem: &Problem<'_>, output: &mut [f32]) {
    compute(problem, output, |acc, a, w| libm::fmaf(a, w, acc));
}

fn compute(problem: &Problem<'_>, output: &mut [f32], step: impl Fn(f32, f32, f32) -> f32) {
    let Nhwc { h, w, c, .. } = problem.shape;
    let out = problem.output_shape();
    let s = problem.stride.get();
    for (at, y) in output
        .iter_mut()
        .enumerate()
        .take(out.n * out.h * out.w * out.c)
    {
        let (ch, at) = (at % c, at / c);
        let (ox, at) = (at % out.w, at / out.w);
        let (oy, image) = (at % out.h, at / out.h);
        let mut acc = problem.bias[ch];
        for ky in 0..3 {
            for kx in 0..3 {
                // Position in the padded input.
                let (py, px) = (oy * s + ky, ox * s + kx);
                let (top, left) = (problem.padding.top, problem.padding.left);
                if py < top || px < left || py - top >= h || px - left >= w {
                    continue;
                }
                let pixel = (image * h + py - top) * w + px - left;
                acc = step(
                    acc,
                    problem.input[pixel * c + ch],
                    problem.weights[(ky * 3 + kx) * c + ch],
                );
            }
        }
        *y = problem.activation.apply(acc);
    }
}
