//! Quantised convolutions, and means of windows, by their definition: naive, short, and what every kernel equals byte for byte. Nothing here is shared with
//! what packs or computes, so that a mistake in either shows.

use crate::{Activation, FilterQuantization, Nhwc, Padding, PoolWindow, Quantised, Stride};

/// A quantised convolution over a dense tensor.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, S: Quantised> {
    /// `[N, H, W, c_in]`
    pub input: &'a [S::Elem],
    /// Of the input.
    pub shape: Nhwc,
    /// `[c_out, c_in]`, `[3, 3, C]` or `[c_out, 3, 3, c_in]`; the integers of either type of weights.
    pub weights: &'a [i32],
    /// `[c_out]`
    pub bias: &'a [i32],
    /// How the integers are to be read.
    pub quantization: FilterQuantization<'a>,
    /// In both directions. A pointwise convolution has none.
    pub stride: Stride,
    /// Stands for zero, and contributes nothing. A pointwise convolution has none.
    pub padding: Padding,
    /// Bounds of what the outputs stand for.
    pub activation: Activation,
}

/// `output` is `[N, H, W, c_out]`.
pub fn pointwise<S: Quantised>(problem: &Problem<'_, S>, output: &mut [S::Elem]) {
    let (c, c_out) = (problem.shape.c, problem.bias.len());
    for (at, y) in output.iter_mut().enumerate() {
        let (pixel, o) = (at / c_out, at % c_out);
        let products = (0..c).map(|ch| problem.product(pixel * c + ch, o * c + ch));
        *y = problem.requantise(o, products.sum());
    }
}

/// `output` is `[N, OH, OW, C]`.
pub fn depthwise<S: Quantised>(problem: &Problem<'_, S>, output: &mut [S::Elem]) {
    let c = problem.shape.c;
    for (at, y) in output.iter_mut().enumerate() {
        let mut acc = 0;
        problem.for_each_tap(at / c, |tap, pixel| {
            acc += problem.product(pixel * c + at % c, tap * c + at % c);
        });
        *y = problem.requantise(at % c, acc);
    }
}

/// `output` is `[N, OH, OW, c_out]`.
pub fn conv3x3<S: Quantised>(problem: &Problem<'_, S>, output: &mut [S::Elem]) {
    let (c, c_out) = (problem.shape.c, problem.bias.len());
    for (at, y) in output.iter_mut().enumerate() {
        let (o, mut acc) = (at % c_out, 0);
        problem.for_each_tap(at / c_out, |tap, pixel| {
            for ch in 0..c {
                acc += problem.product(pixel * c + ch, (o * 9 + tap) * c + ch);
            }
        });
        *y = problem.requantise(o, acc);
    }
}

/// Means of windows: `[N, H, W, C]` to `[N, OH, OW, C]`, within bounds that are integers.
pub fn average_pool<S: Quantised>(
    input: &[S::Elem],
    shape: Nhwc,
    window: PoolWindow,
    (least, most): (i32, i32),
    output: &mut [S::Elem],
) {
    let outputs = |length: usize, size: usize, stride: usize| match window.same {
        true => length.div_ceil(stride),
        false => (length - size) / stride + 1,
    };
    let (oh, ow) = (
        outputs(shape.h, window.size.0, window.stride.0),
        outputs(shape.w, window.size.1, window.stride.1),
    );
    // Where window `i` begins: half of what the windows are longer than the image lies in front of it, rounded down.
    let begin = |i: usize, length: usize, size: usize, stride: usize, count: usize| {
        let longer = ((count - 1) * stride + size) as i64 - length as i64;
        (i * stride) as i64 - longer.max(0) / 2
    };
    for (at, to) in output.iter_mut().enumerate() {
        let (pixel, c) = (at / shape.c, at % shape.c);
        let (image, y, x) = (pixel / (oh * ow), pixel / ow % oh, pixel % ow);
        let top = begin(y, shape.h, window.size.0, window.stride.0, oh);
        let left = begin(x, shape.w, window.size.1, window.stride.1, ow);
        let (mut sum, mut count) = (0.0, 0.0);
        for y in top..top + window.size.0 as i64 {
            for x in left..left + window.size.1 as i64 {
                if (0..shape.h as i64).contains(&y) && (0..shape.w as i64).contains(&x) {
                    let row = image * shape.h + y as usize;
                    let pixel = row * shape.w + x as usize;
                    sum += f64::from(S::int(input[pixel * shape.c + c]));
                    count += 1.0;
                }
            }
        }
        // Half away from zero. A quotient that is no half is further from one than f64 can err.
        *to = S::elem((libm::round(sum / count) as i32).clamp(least, most));
    }
}

impl<S: Quantised> Problem<'_, S> {
    /// Of an input element and a weight.
    fn product(&self, element: usize, weight: usize) -> i64 {
        let q = &self.quantization;
        let a = S::int(self.input[element]) - q.input.zero_point;
        i64::from(a) * i64::from(self.weights[weight] - q.weight_zero_point)
    }

    /// Calls `f` with the taps of an output pixel that fall onto the input, and with the pixels they fall onto.
    fn for_each_tap(&self, output_pixel: usize, mut f: impl FnMut(usize, usize)) {
        let (Nhwc { h, w, .. }, p, s) = (self.shape, self.padding, self.stride.get());
        let out_h = (h + p.top + p.bottom - 3) / s + 1;
        let out_w = (w + p.left + p.right - 3) / s + 1;
        let (image, oy, ox) = (
            output_pixel / out_w / out_h,
            output_pixel / out_w % out_h,
            output_pixel % out_w,
        );
        for tap in 0..9 {
            // Position in the padded input.
            let (py, px) = (oy * s + tap / 3, ox * s + tap % 3);
            if py >= p.top && px >= p.left && py - p.top < h && px - p.left < w {
                f(tap, (image * h + py - p.top) * w + px - p.left);
            }
        }
    }

    /// The output that a sum of products becomes.
    fn requantise(&self, channel: usize, sum: i64) -> S::Elem {
        let q = &self.quantization;
        let weight_scale = match q.weight_scales {
            [one] => *one,
            many => many[channel],
        };
        let scale = q.input.scale * weight_scale / q.output.scale;
        let (lo, hi) = match self.activation {
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::Clamp { lo, hi } => (lo, hi),
            _ => (f32::NEG_INFINITY, f32::INFINITY),
        };
        let zero = q.output.zero_point as f32;
        let bound = |x: f32| {
            let integer = libm::rintf(x / q.output.scale + zero);
            integer.max(S::LEAST as f32).min(S::MOST as f32) - zero
        };
        let acc = sum + i64::from(self.bias[channel]);
        let x = (acc as f32 * scale).max(bound(lo)).min(bound(hi));
        S::elem(libm::rintf(x) as i32 + q.output.zero_point)
    }
}
