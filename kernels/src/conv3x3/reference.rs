//! Dense 3x3 convolution by its definition: naive, short, and what every kernel equals bit for bit.

use crate::{Activation, Nhwc, Padding, Stride};

/// A dense convolution over a dense tensor.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// `[N, H, W, c_in]`
    pub input: &'a [f32],
    /// Of the input.
    pub shape: Nhwc,
    /// `[c_out, 3, 3, c_in]`
    pub weights: &'a [f32],
    /// `[c_out]`
    pub bias: &'a [f32],
    /// In both directions.
    pub stride: Stride,
    /// Skipped, not multiplied.
    pub padding: Padding,
    /// Fused into the store.
    pub activation: Activation,
}

impl Problem<'_> {
    /// `[N, OH, OW, c_out]`
    pub fn output_shape(&self) -> Nhwc {
        let (Nhwc { n, h, w, .. }, p, s) = (self.shape, self.padding, self.stride.get());
        Nhwc::new(
            n,
            (h + p.top + p.bottom - 3) / s + 1,
            (w + p.left + p.right - 3) / s + 1,
            self.bias.len(),
        )
    }
}

/// Each step a multiplication and an addition: what `scalar` and `portable` compute.
pub fn conv3x3(problem: &Problem<'_>, output: &mut [f32]) {
    compute(problem, output, |acc, a, w| acc + a * w);
}

/// Each step one fused multiply-add: what AVX2 with FMA, AVX-512 and NEON compute.
pub fn conv3x3_fma(problem: &Problem<'_>, output: &mut [f32]) {
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
        let (o, at) = (at % out.c, at / out.c);
        let (ox, at) = (at % out.w, at / out.w);
        let (oy, image) = (at % out.h, at / out.h);
        let mut acc = problem.bias[o];
        for ky in 0..3 {
            for kx in 0..3 {
                // Position in the padded input.
                let (py, px) = (oy * s + ky, ox * s + kx);
                let (top, left) = (problem.padding.top, problem.padding.left);
                if py < top || px < left || py - top >= h || px - left >= w {
                    continue;
                }
                let pixel = (image * h + py - top) * w + px - left;
                for ch in 0..c {
                    let weight = problem.weights[((o * 3 + ky) * 3 + kx) * c + ch];
                    acc = step(acc, problem.input[pixel * c + ch], weight);
                }
            }
        }
        *y = problem.activation.apply(acc);
    }
}
