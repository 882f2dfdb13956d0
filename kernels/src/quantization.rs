//! Quantised tensors: what their integers mean, and what becomes of an accumulator.
//!
//! A tensor of scale `s` and zero point `z` stands for the real numbers `s * (q - z)`. A convolution of such tensors is one of
//! integers, `acc = sum (a - za) * (w - zw) + bias` in i32, whose unit is `sa * sw`; its output is
//!
//! ```text
//! x = acc as f32 * (sa * sw / so)      one scale an output channel
//! x = clamp(x, min - zo, max - zo)     the activation's bounds, in the output's integers
//! y = round_ties_even(x) + zo
//! ```
//!
//! Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2.2; the
//! rounding is that of TensorFlow Lite with its XNNPACK delegate ("fp32" requantisation).

use crate::epilogue::{Activation, EpilogueF32};
use crate::scheme::Quantised;
use crate::{Error, Result};

/// What the integers of a tensor stand for: `scale * (q - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The distance between two neighbouring integers; positive, finite and normal.
    pub scale: f32,
    /// The integer that stands for zero, one of the element type's: -128..=127 for i8, 0..=255 for u8.
    pub zero_point: i32,
}

impl Quantization {
    /// `scale * (q - zero_point)`.
    pub const fn new(scale: f32, zero_point: i32) -> Self {
        Self { scale, zero_point }
    }

    /// # Errors
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`]
    pub(crate) fn check<S: Quantised>(&self, operand: &'static str) -> Result<()> {
        expect_scale(operand, 0, self.scale)?;
        expect_zero_point(operand, self.zero_point, S::LEAST..=S::MOST)
    }

    /// The integer next to `x`, ties to even, within those of the scheme. NaN becomes the zero point.
    pub fn quantise<S: Quantised>(&self, x: f32) -> i32 {
        let steps = libm::rintf(x / self.scale);
        let zero = self.zero_point as f32;
        let steps = if steps.is_nan() { 0.0 } else { steps };
        // Bounds are integers below 2^9, which f32 holds.
        let within = steps.clamp(S::LEAST as f32 - zero, S::MOST as f32 - zero);
        within as i32 + self.zero_point
    }

    /// `scale * (q - zero_point)`
    pub fn dequantise(&self, q: i32) -> f32 {
        self.scale * (q.wrapping_sub(self.zero_point)) as f32
    }
}

/// A scale that real numbers can be divided by: positive, finite and not subnormal.
pub(crate) fn expect_scale(operand: &'static str, channel: usize, scale: f32) -> Result<()> {
    if scale.is_normal() && scale > 0.0 {
        Ok(())
    } else {
        Err(Error::InvalidScale {
            operand,
            channel,
            found: scale,
        })
    }
}

pub(crate) fn expect_zero_point(
    operand: &'static str,
    found: i32,
    range: core::ops::RangeInclusive<i32>,
) -> Result<()> {
    if range.contains(&found) {
        Ok(())
    } else {
        Err(Error::ZeroPoint {
            operand,
            least: *range.start(),
            most: *range.end(),
            found,
        })
    }
}

/// How the integers of a quantised convolution are to be read. Weights are per output channel or per tensor.
///
/// ```
/// use dwsep::{Activation, Filter, FilterQuantization, KernelSet, Nhwc, PackedPointwise, Pointwise, Qs8, Quantization};
/// use dwsep::{Serial, View, ViewMut};
///
/// // What the integers of the input and of the output stand for: 0.5 q, and 0.25 (q + 10). Weights have a scale for each output channel.
/// let (input, output) = (Quantization::new(0.5, 0), Quantization::new(0.25, -10));
/// let quantization = FilterQuantization { input, output, weight_scales: &[0.125, 1.0], weight_zero_point: 0 };
/// // Weights 0.125 [2, 4] and [1, -1]; biases are in units of 0.5 * 0.125 and 0.5 * 1: 1.5 and 0.
/// let filter = Filter::i8(&[2, 4, 1, -1], Some(&[24, 0]), quantization);
/// let kernels = KernelSet::native()?;
/// let packed = PackedPointwise::<Qs8>::pack(kernels.pointwise(), 2, 2, filter)?;
/// let op = Pointwise::new(&packed, Nhwc::new(1, 1, 1, 2), Activation::Relu)?;
///
/// // 3.0 and 4.0 are 6 and 8.
/// let pixel = [3.0, 4.0].map(|x| input.quantise::<Qs8>(x) as i8);
/// let mut found = [0_i8; 2];
/// let mut workspace = vec![0; op.workspace_len(1)];
/// op.run(&Serial, View::new(&pixel, op.input_shape())?, ViewMut::new(&mut found, op.output_shape())?, &mut workspace)?;
/// // 0.25 * 3 + 0.5 * 4 + 1.5 is 4.25, and 3 - 4 is below 0.
/// assert_eq!(found.map(|q| output.dequantise(q.into())), [4.25, 0.0]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FilterQuantization<'a> {
    /// Of the input.
    pub input: Quantization,
    /// Of the output.
    pub output: Quantization,
    /// Of the weights: one an output channel, or one for all.
    pub weight_scales: &'a [f32],
    /// The weight that stands for zero: -128..=127 for i8, 0..=255 for u8.
    pub weight_zero_point: i32,
}

impl Activation {
    /// # Errors
    /// [`Error::InvalidClamp`]; [`Error::Unsupported`] for one that is no clamp.
    pub(crate) fn clamp(self) -> Result<EpilogueF32> {
        let bounds = self.epilogue()?;
        if bounds.hard_swish {
            return Err(Error::Unsupported {
                operand: "activation",
                found: "HardSwish",
                expected: "a clamp, where outputs are quantised",
            });
        }
        Ok(bounds)
    }
}

impl EpilogueF32 {
    /// The bounds in a tensor's integers. Ties become even when the zero point has been added, as in XNNPACK.
    pub(crate) fn quantised<S: Quantised>(&self, q: &Quantization) -> (i32, i32) {
        let bound = |x: f32| {
            let q = libm::rintf(x / q.scale + q.zero_point as f32);
            q.clamp(S::LEAST as f32, S::MOST as f32) as i32
        };
        (bound(self.lo), bound(self.hi))
    }
}

/// What packing a quantised filter leaves to be known beside the panels. Zero points are in the domain of i8.
#[derive(Clone, Copy, Debug)]
pub struct ParamsQ8 {
    pub(crate) input_zero_point: i32,
    pub(crate) weight_zero_point: i32,
    /// In the elements' own domain.
    pub(crate) output: Quantization,
}

/// What kernels do to an accumulator, and what they know of their inputs. Zero points are in the domain of i8.
#[derive(Clone, Copy, Debug)]
pub struct EpilogueQ8 {
    /// Bounds of the scaled accumulator: the output's, less its zero point.
    pub(crate) lo: f32,
    pub(crate) hi: f32,
    pub(crate) zero_point: i32,
    pub(crate) input_zero_point: i32,
    pub(crate) weight_zero_point: i32,
    /// What changes the bits of inputs to those of i8.
    pub(crate) input_flip: u8,
    /// What changes the bits of i8 to those of outputs: to elements, or to what a pointwise kernel meets in place.
    pub(crate) flip: u8,
}

impl EpilogueQ8 {
    /// # Errors
    /// [`Error::InvalidClamp`]; [`Error::Unsupported`] for an activation that is no clamp.
    pub(crate) fn new<S: Quantised>(activation: Activation, params: &ParamsQ8) -> Result<Self> {
        let (lo, hi) = activation.clamp()?.quantised::<S>(&params.output);
        let zero_point = params.output.zero_point;
        Ok(Self {
            lo: (lo - zero_point) as f32,
            hi: (hi - zero_point) as f32,
            zero_point: zero_point + S::TO_I8,
            input_zero_point: params.input_zero_point,
            weight_zero_point: params.weight_zero_point,
            input_flip: S::FLIP,
            flip: S::FLIP,
        })
    }

    /// The rule at the head of this file: what every kernel equals. Of the integer, which is clamped, the low eight bits are the element.
    #[inline(always)]
    pub(crate) fn apply(&self, acc: i32, scale: f32) -> u8 {
        let x = crate::epilogue::clamp(acc as f32 * scale, self.lo, self.hi);
        (round_ties_even(x) as i32 + self.zero_point) as u8 ^ self.flip
    }
}

/// Of `|x| < 2^22`: there a sum with 1.5 * 2^23 has no room for fractions.
#[inline(always)]
pub(crate) fn round_ties_even(x: f32) -> f32 {
    const NO_FRACTIONS: f32 = 12_582_912.0;
    (x + NO_FRACTIONS) - NO_FRACTIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Qs8, Qu8};

    #[test]
    fn quantise_rounds_ties_to_even_and_saturates() {
        let q = Quantization::new(0.5, 3);
        for (x, expected) in [
            (0.0, 3),
            (0.25, 3),
            (0.75, 5),
            (-0.25, 3),
            (1e30, 127),
            (-1e30, -128),
            (f32::INFINITY, 127),
            (f32::NAN, 3),
        ] {
            assert_eq!(q.quantise::<Qs8>(x), expected, "{x}");
        }
        assert_eq!(q.quantise::<Qu8>(-1e30), 0);
        assert_eq!(q.quantise::<Qu8>(1e30), 255);
    }

    #[test]
    fn rounding_is_to_even() {
        for i in -1024_i32..=1024 {
            let x = i as f32 / 4.0;
            assert_eq!(round_ties_even(x), libm::rintf(x), "{x}");
        }
    }

    #[test]
    fn scales_and_zero_points_are_checked() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
            let error = Quantization::new(scale, 0).check::<Qs8>("input");
            assert!(
                matches!(error, Err(Error::InvalidScale { .. })),
                "{error:?}"
            );
        }
        let error = Quantization::new(1.0, 128)
            .check::<Qs8>("input")
            .unwrap_err();
        assert_eq!(
            alloc::string::ToString::to_string(&error),
            "input: the zero point is 128, expected one of -128..=127"
        );
        assert!(Quantization::new(1.0, 255).check::<Qu8>("input").is_ok());
        assert!(Quantization::new(1.0, -1).check::<Qu8>("input").is_err());
    }
}
