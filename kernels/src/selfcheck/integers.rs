//! The check of kernels of 8-bit integers, on integers that are the same everywhere.

use alloc::vec;
use alloc::vec::Vec;

use super::{MATRICES, Of, SelfCheckError, compare, images, numbers};
use crate::reference;
use crate::{
    Activation, Depthwise, Filter, FilterQuantization, Nhwc, PackedDepthwise, PackedPointwise,
    Padding, Pointwise, Quantised, Quantization, Serial, Stride, View, ViewMut,
};

/// A kernel of integers, with weights of either sign.
pub(super) fn check<S: Quantised>(of: Of<S>) -> Result<(), SelfCheckError> {
    for unsigned in [false, true] {
        match of {
            Of::Pointwise(kernel) => MATRICES.iter().try_for_each(|&(m, c_in, c_out)| {
                let shape = Nhwc::new(1, 1, m, c_in);
                Integers::new(shape, c_in, c_out, unsigned).check(
                    Padding::NONE,
                    Stride::One,
                    reference::quantised::pointwise,
                    |filter, activation, input, found| {
                        let packed = PackedPointwise::pack(kernel, c_in, c_out, filter)?;
                        let op = Pointwise::new(&packed, shape, activation)?;
                        let output = ViewMut::new(found, op.output_shape())?;
                        let mut workspace = vec![0; op.workspace_len(1)];
                        op.run(&Serial, View::new(input, shape)?, output, &mut workspace)
                    },
                )
            })?,
            Of::Depthwise(kernel) => images().try_for_each(|(stride, c)| {
                let shape = Nhwc::new(1, 10, 11, c);
                let padding = Padding::same(shape.h, shape.w, stride);
                Integers::new(shape, 9, c, unsigned).check(
                    padding,
                    stride,
                    reference::quantised::depthwise,
                    |filter, activation, input, found| {
                        let packed = PackedDepthwise::pack(kernel, c, filter)?;
                        let op = Depthwise::new(&packed, shape, stride, padding, activation)?;
                        let output = ViewMut::new(found, op.output_shape())?;
                        op.run(&Serial, View::new(input, shape)?, output, &mut [])
                    },
                )
            })?,
        }
    }
    Ok(())
}

/// Operands of a quantised convolution, the same everywhere.
struct Integers<S: Quantised> {
    shape: Nhwc,
    input: Vec<S::Elem>,
    weights: Vec<u8>,
    unsigned: bool,
    bias: Vec<i32>,
    scales: Vec<f32>,
    /// What outputs are a 64th of.
    spread: f32,
}

impl<S: Quantised> Integers<S> {
    fn new(shape: Nhwc, terms: usize, c_out: usize, unsigned: bool) -> Self {
        let integers = |len, seed| {
            numbers(len, seed)
                .into_iter()
                .map(|x| (x * 128.0) as i32 + 128)
        };
        let of_scheme = |x| S::elem(S::LEAST + x);
        Self {
            shape,
            input: integers(shape.h * shape.w * shape.c, 8)
                .map(of_scheme)
                .collect(),
            weights: integers(terms * c_out, 9).map(|x| x as u8).collect(),
            unsigned,
            bias: integers(c_out, 10).map(|x| 40 * (x - 128)).collect(),
            scales: integers(c_out, 11).map(|x| (x + 128) as f32).collect(),
            // Numbers and weights are about 74 from their means.
            spread: libm::sqrtf(terms as f32) * 74.0 * 74.0 * 256.0,
        }
    }

    fn check(
        &self,
        padding: Padding,
        stride: Stride,
        reference: fn(&reference::quantised::Problem<'_, S>, &mut [S::Elem]),
        run: impl Fn(Filter<'_, S>, Activation, &[S::Elem], &mut [S::Elem]) -> crate::Result<()>,
    ) -> Result<(), SelfCheckError> {
        let quantization = FilterQuantization {
            input: Quantization::new(0.02, S::LEAST + 117),
            output: Quantization::new(0.02 * self.spread / 64.0, S::LEAST + 140),
            weight_scales: &self.scales,
            weight_zero_point: if self.unsigned { 123 } else { 0 },
        };
        let integer = |&byte: &u8| {
            if self.unsigned {
                i32::from(byte)
            } else {
                i32::from(byte as i8)
            }
        };
        // Bounds in the midst of the outputs.
        let activation = Activation::Clamp {
            lo: -100.0 * quantization.output.scale,
            hi: 60.0 * quantization.output.scale,
        };
        let Nhwc { h, w, .. } = self.shape;
        let side = |size: usize, before: usize, after: usize, window: usize| {
            (size + before + after - window) / stride.get() + 1
        };
        // A window is padded, a pixel is not.
        let window = if padding == Padding::NONE { 1 } else { 3 };
        let pixels = side(h, padding.top, padding.bottom, window)
            * side(w, padding.left, padding.right, window);
        let mut expected = vec![S::elem(0); pixels * self.bias.len()];
        let problem = reference::quantised::Problem {
            input: &self.input,
            shape: self.shape,
            weights: &self.weights.iter().map(integer).collect::<Vec<_>>(),
            bias: &self.bias,
            quantization,
            stride,
            padding,
            activation,
        };
        reference(&problem, &mut expected);
        // Anything but what is expected.
        let mut found: Vec<_> = expected.iter().map(|&x| S::elem(!S::int(x))).collect();
        let signed: &[i8] = bytemuck::cast_slice(&self.weights);
        let filter = if self.unsigned {
            Filter::u8(&self.weights, Some(&self.bias), quantization)
        } else {
            Filter::i8(signed, Some(&self.bias), quantization)
        };
        run(filter, activation, &self.input, &mut found)?;
        let floats =
            |of: Vec<S::Elem>| of.into_iter().map(|x| S::int(x) as f32).collect::<Vec<_>>();
        compare(&floats(expected), &floats(found))
    }
}
