//! A [`Problem`]: one call of one op, all of it in plain integers, so that the same problem can be drawn by proptest, read from a fuzzer's
//! bytes, and written down in a regression test.

use alloc::vec::Vec;

use proptest::strategy::Strategy;

use super::Tested;
use super::guard::Memory;
use crate::scheme::F32;
use crate::shape::WINDOW;
use crate::{Activation, Nhwc, Padding, Stride};

/// The ops that kernels run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// [`crate::Pointwise`]
    Pointwise,
    /// [`crate::Depthwise`]
    Depthwise,
    /// [`crate::Conv3x3`]
    Conv3x3,
    /// [`crate::Separable`]
    Separable,
}

/// Unused elements behind each pixel, row and image of a tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gaps {
    /// Behind an image.
    pub n: usize,
    /// Behind a row.
    pub h: usize,
    /// Behind a pixel.
    pub w: usize,
}

/// What the operands hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Values {
    /// Multiples of 2^-23 in [-1, 1): every product is rounded.
    #[default]
    Uniform,
    /// As `Uniform`, times powers of two between 2^-20 and 2^20: another order of summation gives other bits.
    Wide,
    /// As `Uniform`, with NaN, infinities, zeros of both signs, subnormals and the largest numbers among them.
    Special,
    /// As large as they can be without a sum that overflows.
    Largest,
    /// Neighbours in a sum cancel: a result far smaller than its terms.
    Cancelling,
    /// Products a hair above half a unit in the last place of the sum. With a bias of 1, a fused step rounds up each time, and one
    /// that rounds the product first is a tie each time, and rounds down: the two drift apart as far as two ways of summing can.
    Ties,
}

impl Values {
    /// All kinds.
    pub const ALL: [Values; 6] = [
        Values::Uniform,
        Values::Wide,
        Values::Special,
        Values::Largest,
        Values::Cancelling,
        Values::Ties,
    ];
}

/// One call of one op.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    /// The op.
    pub op: Op,
    /// Shape of the input.
    pub input: Nhwc,
    /// Output channels. A depthwise convolution has as many as the input.
    pub c_out: usize,
    /// Of the 3x3 window; a pointwise convolution has none.
    pub stride: Stride,
    /// Of the 3x3 window; a pointwise convolution has none.
    pub padding: Padding,
    /// Of the op; of its pointwise half where it is separable.
    pub activation: Activation,
    /// Of the depthwise half of a separable convolution.
    pub depthwise_activation: Activation,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether a residual is added. Pointwise convolutions only.
    pub residual: bool,
    /// What the operands hold.
    pub values: Values,
    /// The operands follow from it.
    pub seed: u64,
    /// Of the input.
    pub input_gaps: Gaps,
    /// Of the residual.
    pub residual_gaps: Gaps,
    /// Of the output.
    pub output_gaps: Gaps,
    /// A stride that is never taken, since its dimension is one, is `usize::MAX`.
    pub wild_strides: bool,
    /// Where the operands lie.
    pub memory: Memory,
}

/// The numbers of a problem, dense.
#[derive(Clone, Debug)]
pub struct Operands<S: Tested = F32> {
    /// `[N, H, W, C]`
    pub input: Vec<S::Elem>,
    /// `[c_out, c_in]`, `[3, 3, C]` or `[c_out, 3, 3, c_in]`; of a separable convolution those of its pointwise half.
    pub weights: Vec<S::Weight>,
    /// `[c_out]`
    pub bias: Option<Vec<S::Bias>>,
    /// How to read them, where they are integers.
    pub quantization: S::Quantization,
    /// `[N, OH, OW, c_out]`
    pub residual: Option<Vec<S::Elem>>,
    /// Weights `[3, 3, C]` of the depthwise half of a separable convolution; otherwise empty.
    pub depthwise_weights: Vec<S::Weight>,
    /// Biases `[C]` of it.
    pub depthwise_bias: Option<Vec<S::Bias>>,
    /// How to read these, where they are integers.
    pub depthwise_quantization: S::Quantization,
}

impl<S: Tested> Operands<S> {
    /// Those of the depthwise half of a separable convolution ([`Problem::halves`]). The other half differs in its input only.
    pub fn depthwise_half(&self) -> Self {
        Self {
            weights: self.depthwise_weights.clone(),
            bias: self.depthwise_bias.clone(),
            quantization: self.depthwise_quantization.clone(),
            ..self.clone()
        }
    }
}

/// Which operand a number is drawn for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Input,
    Weights,
    Bias,
    Residual,
    DepthwiseWeights,
    DepthwiseBias,
}

/// Bytes that [`Problem::from_bytes`] takes.
pub const BYTES: usize = 32;

/// Problems of an op. They shrink towards one pixel of one channel, dense, without padding, activation or bias.
pub fn problems(op: Op) -> impl Strategy<Value = Problem> {
    proptest::array::uniform32(0_u8..)
        .prop_map(move |bytes: [u8; BYTES]| Problem::from_bytes(op, &bytes))
}

impl Problem {
    /// Stride 1, no padding, no activation, with bias, without residual, uniform numbers, dense on the heap. The other fields are there to be
    /// overridden: `Problem { seed: 7, ..Problem::new(op, input, c_out) }`.
    pub fn new(op: Op, input: Nhwc, c_out: usize) -> Self {
        Self {
            op,
            input,
            c_out: if op == Op::Depthwise { input.c } else { c_out },
            stride: Stride::One,
            padding: Padding::NONE,
            activation: Activation::None,
            depthwise_activation: Activation::None,
            bias: true,
            residual: false,
            values: Values::Uniform,
            seed: 1,
            input_gaps: Gaps::default(),
            residual_gaps: Gaps::default(),
            output_gaps: Gaps::default(),
            wild_strides: false,
            memory: Memory::Heap,
        }
    }

    /// Any bytes are a problem, missing ones count as 0, and smaller ones make a simpler problem.
    pub fn from_bytes(op: Op, bytes: &[u8]) -> Self {
        let mut bytes = bytes.iter().copied();
        let mut next = || usize::from(bytes.next().unwrap_or(0));
        // 1 to `most`, one of six times 1.
        let size = |byte: usize, most: usize| 1 + byte.saturating_sub(43) * most / 213;
        let (n, h, w) = (size(next(), 3), size(next(), 9), size(next(), 12));
        let (c, c_out) = (next(), next());
        let (c, c_out) = match op {
            Op::Conv3x3 => (size(c, 6), size(c_out, 40)),
            Op::Pointwise => (size(c, 30), size(c_out, 50)),
            Op::Depthwise | Op::Separable => (size(c, 30), size(c_out, 30)),
        };
        let stride = [Stride::One, Stride::Two][next() / 128];
        let mut side = || next() * 5 / 256;
        let padding = Padding {
            top: side(),
            bottom: side(),
            left: side(),
            right: side(),
        };
        let activation = |byte: usize| match byte * 6 / 256 {
            0 | 1 => Activation::None,
            2 => Activation::Relu,
            3 => Activation::Relu6,
            4 => Activation::HardSwish,
            _ => Activation::Clamp { lo: -0.25, hi: 0.5 },
        };
        let (activation, depthwise_activation) = (activation(next()), activation(next()));
        let (bias, residual) = (next() >= 64, next() >= 128 && op == Op::Pointwise);
        let values = Values::ALL[next() * Values::ALL.len() / 256];
        let seed = (next() | next() << 8) as u64;
        let mut gap = || (next().saturating_sub(128)) / 16;
        let mut gaps = || Gaps {
            n: gap(),
            h: gap(),
            w: gap(),
        };
        let (input_gaps, residual_gaps, output_gaps) = (gaps(), gaps(), gaps());
        let wild_strides = next() >= 128;
        let memory = Memory::ALL[next() * 3 / 256];
        Self {
            stride,
            padding,
            activation,
            depthwise_activation,
            bias,
            residual,
            values,
            seed,
            input_gaps,
            residual_gaps,
            output_gaps,
            wild_strides,
            memory,
            ..Self::new(op, Nhwc::new(n, h, w, c), c_out)
        }
        .fit()
    }

    /// As much more padding below and on the right as makes room for a window.
    pub fn fit(mut self) -> Self {
        let p = &mut self.padding;
        p.bottom = p.bottom.max(WINDOW.saturating_sub(self.input.h + p.top));
        p.right = p.right.max(WINDOW.saturating_sub(self.input.w + p.left));
        self
    }

    /// Shape of the output: of a depthwise half too, but for the channels.
    pub fn output(&self) -> Nhwc {
        let Nhwc { n, h, w, .. } = self.input;
        let (p, stride) = (self.padding, self.stride.get());
        let (h, w) = match self.op {
            Op::Pointwise => (h, w),
            Op::Depthwise | Op::Conv3x3 | Op::Separable => (
                (h + p.top + p.bottom - WINDOW) / stride + 1,
                (w + p.left + p.right - WINDOW) / stride + 1,
            ),
        };
        Nhwc::new(n, h, w, self.c_out)
    }

    /// Multiplications in a sum.
    pub fn terms(&self) -> usize {
        match self.op {
            Op::Pointwise | Op::Separable => self.input.c,
            Op::Depthwise => WINDOW * WINDOW,
            Op::Conv3x3 => WINDOW * WINDOW * self.input.c,
        }
    }

    /// The numbers that the seed stands for.
    pub fn operands<S: Tested>(&self) -> Operands<S> {
        S::operands(&self.suited::<S>())
    }

    /// Weights of the op, of the pointwise half where it is separable.
    pub(super) fn weights_len(&self) -> usize {
        match self.op {
            Op::Depthwise => self.terms() * self.input.c,
            _ => self.terms() * self.c_out,
        }
    }

    /// Which term of its sum a weight is.
    pub(super) fn term(&self, role: Role, index: usize) -> usize {
        match (self.op, role) {
            (Op::Depthwise, Role::Weights) | (_, Role::DepthwiseWeights) => index / self.input.c,
            _ => index % self.terms(),
        }
    }

    /// What the references say in f32: with a fused multiply-add in each step or with two roundings. Dense.
    pub fn expected(&self, fused: bool) -> Vec<f32> {
        F32::expected(self, &self.operands(), fused)
    }

    /// What a kernel of the scheme can be asked, that comes nearest to this: activations that it has, and a residual only where it
    /// adds one.
    pub fn suited<S: Tested>(&self) -> Self {
        Self {
            activation: S::activation(self.activation),
            depthwise_activation: S::activation(self.depthwise_activation),
            residual: self.residual && S::ADDS,
            ..*self
        }
    }

    /// The two halves of a separable convolution, the second on what the first puts out, dense.
    pub fn halves(&self) -> [Self; 2] {
        let depthwise = Self {
            op: Op::Depthwise,
            c_out: self.input.c,
            activation: self.depthwise_activation,
            ..*self
        };
        let pointwise = Self {
            op: Op::Pointwise,
            input: depthwise.output(),
            ..*self
        };
        [depthwise, pointwise]
    }

    /// The same bits for the same seed, role and index, and others for any others.
    pub(super) fn random(&self, role: Role, index: usize) -> u64 {
        mix(mix(self.seed) ^ mix(((role as u64) << 56) ^ index as u64))
    }
}

/// Any bits of `x` change all bits. Source: Steele et al., "Fast splittable pseudorandom number generators", the finaliser.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_the_simplest_problem_and_all_ones_the_largest() {
        let simple = Problem::from_bytes(Op::Pointwise, &[]);
        assert_eq!(simple.input, Nhwc::new(1, 1, 1, 1));
        assert_eq!((simple.bias, simple.memory), (false, Memory::Heap));
        let large = Problem::from_bytes(Op::Pointwise, &[255; BYTES]);
        assert_eq!((large.input, large.c_out), (Nhwc::new(3, 9, 12, 30), 50));
        assert_eq!(large.memory, Memory::GuardAfter);
        assert!(large.wild_strides && large.residual);
    }

    #[test]
    fn special_values_leave_sums_without_and_hit_some() {
        let problem = Problem {
            values: Values::Special,
            ..Problem::new(Op::Pointwise, Nhwc::new(1, 8, 8, 16), 16)
        };
        let output = problem.expected(true);
        let finite = output.iter().filter(|x| x.is_finite()).count();
        assert!((100..1000).contains(&finite), "{finite} of 1024");
    }
}
