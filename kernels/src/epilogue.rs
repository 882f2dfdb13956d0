//! What happens to an accumulator before it is stored: the scalar, normative definitions that the references use and every
//! kernel equals.

use crate::{Error, Result};

/// The activation that is fused into the store.
///
/// NaN propagates through each of them. The sign of a zero is unspecified.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    None,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `(x * min(max(x + 3, 0), 6)) * (1/6)`, each step rounded. Source: Howard et al., "Searching for MobileNetV3", 5.2.
    HardSwish,
    /// `min(max(x, lo), hi)`
    Clamp {
        /// Lower bound.
        lo: f32,
        /// Upper bound, at least `lo`.
        hi: f32,
    },
}

impl Activation {
    /// The activation of one value.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::HardSwish => (x * clamp(x + 3.0, 0.0, 6.0)) * SIXTH,
            other => {
                let (lo, hi) = other.bounds();
                clamp(x, lo, hi)
            }
        }
    }

    fn bounds(self) -> (f32, f32) {
        match self {
            Activation::None | Activation::HardSwish => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::Clamp { lo, hi } => (lo, hi),
        }
    }

    /// # Errors
    /// [`Error::InvalidClamp`]
    pub(crate) fn epilogue(self) -> Result<EpilogueF32> {
        let (lo, hi) = self.bounds();
        // False for a NaN on either side.
        if lo <= hi {
            Ok(EpilogueF32 {
                lo,
                hi,
                hard_swish: self == Activation::HardSwish,
            })
        } else {
            Err(Error::InvalidClamp)
        }
    }
}

/// 1/6, rounded.
pub(crate) const SIXTH: f32 = 1.0 / 6.0;

/// NaN stays NaN, as with `minps(hi, maxps(lo, x))` and `fmin`/`fmax` of AArch64. (`f32::clamp` would panic on bad bounds.)
#[inline(always)]
pub(crate) fn clamp(x: f32, lo: f32, hi: f32) -> f32 {
    if x < lo {
        lo
    } else if x > hi {
        hi
    } else {
        x
    }
}

/// An activation as f32 kernels take it: a clamp, and the HardSwish on top.
#[derive(Clone, Copy, Debug)]
pub struct EpilogueF32 {
    pub(crate) lo: f32,
    pub(crate) hi: f32,
    pub(crate) hard_swish: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions() {
        assert_eq!(Activation::None.apply(-7.5), -7.5);
        assert_eq!(Activation::Relu.apply(-7.5), 0.0);
        assert_eq!(Activation::Relu6.apply(7.5), 6.0);
        assert_eq!(Activation::HardSwish.apply(3.0), (3.0 * 6.0) * (1.0 / 6.0));
        assert_eq!(Activation::HardSwish.apply(-3.0), 0.0);
        assert_eq!(Activation::Clamp { lo: -1.0, hi: 1.0 }.apply(-7.5), -1.0);
        for a in [
            Activation::None,
            Activation::Relu,
            Activation::Relu6,
            Activation::HardSwish,
        ] {
            assert!(a.apply(f32::NAN).is_nan());
        }
    }

    #[test]
    fn bad_clamps_are_refused() {
        for (lo, hi) in [(1.0, 0.0), (f32::NAN, 0.0), (0.0, f32::NAN)] {
            assert_eq!(
                Activation::Clamp { lo, hi }.epilogue().unwrap_err(),
                Error::InvalidClamp
            );
        }
    }
}
