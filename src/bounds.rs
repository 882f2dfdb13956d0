//! The integers that an activation lets through.
//!
//! Whether 6 at a scale of 12/255 is 127 or 128 steps is a tie, which TensorFlow Lite breaks in two ways.

use dwsep::Activation;

use crate::layer::{LayerError, Result};
use crate::value::{Integer, Quantization};

/// Where a bound goes that lies in the middle between two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    /// To the even integer, the zero point included: XNNPACK.
    Even,
    /// Away from the zero point: TensorFlow Lite's own kernels.
    Away,
}

/// The least and the greatest integer within an activation that is a clamp.
///
/// # Errors
/// [`LayerError::Activation`] for one that is none; [`dwsep::Error::InvalidClamp`].
pub(crate) fn quantised<T: Integer>(
    activation: Activation,
    quantization: Quantization,
    ties: Ties,
) -> Result<(T, T)> {
    let (lo, hi) = match activation {
        Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::Clamp { lo, hi } => (lo, hi),
        _ => return Err(LayerError::Activation),
    };
    if !(lo <= hi) {
        return Err(dwsep::Error::InvalidClamp.into());
    }
    let bound = |x: f32| {
        let (x, zero) = (x / quantization.scale, quantization.zero_point);
        let q = match ties {
            Ties::Even => (x + zero as f32).round_ties_even(),
            Ties::Away => x.round() + zero as f32,
        };
        // Saturates, as do infinities.
        T::saturated(q as i64)
    };
    Ok((bound(lo), bound(hi)))
}

/// The activation with bounds that are exactly those integers, however they are rounded.
///
/// # Errors
/// As [`quantised`].
pub(crate) fn exact<T: Integer>(
    activation: Activation,
    quantization: Quantization,
) -> Result<Activation> {
    let (least, most) = quantised::<T>(activation, quantization, Ties::Even)?;
    Ok(Activation::Clamp {
        lo: quantization.real(least),
        hi: quantization.real(most),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn q(scale: f32, zero_point: i32) -> Quantization {
        Quantization { scale, zero_point }
    }

    #[test]
    fn ties_are_broken_in_two_ways() {
        // 6 / (12 / 255) is 127.5.
        let scale = 12.0 / 255.0;
        assert_eq!(6.0 / scale, 127.5);
        let bounds = |zero, ties| quantised::<u8>(Activation::Relu6, q(scale, zero), ties).unwrap();
        assert_eq!(bounds(0, Ties::Even), (0, 128));
        assert_eq!(bounds(3, Ties::Even), (3, 130));
        assert_eq!(bounds(3, Ties::Away), (3, 131));
        let wide = Activation::Clamp {
            lo: -1.0,
            hi: f32::INFINITY,
        };
        assert_eq!(
            quantised::<i8>(wide, q(0.5, -127), Ties::Even).unwrap(),
            (-128, 127)
        );
        assert_eq!(
            quantised::<i8>(Activation::None, q(0.5, 9), Ties::Even).unwrap(),
            (-128, 127)
        );
        for (lo, hi) in [(1.0, 0.0), (f32::NAN, 0.0)] {
            let error = quantised::<i8>(Activation::Clamp { lo, hi }, q(1.0, 0), Ties::Even);
            assert!(matches!(
                error,
                Err(LayerError::Kernels(dwsep::Error::InvalidClamp))
            ));
        }
        let error = quantised::<i8>(Activation::HardSwish, q(1.0, 0), Ties::Even);
        assert!(matches!(error, Err(LayerError::Activation)));
    }

    /// Whoever rounds them, before or after the zero point is added.
    #[test]
    fn exact_bounds_are_integers() {
        for scale in [12.0 / 255.0, 0.023_528_5, 6.0 / 255.0, 1e-3, 3.7, 1e30] {
            for zero in [-128, -127, -3, 0, 64, 127] {
                let q = q(scale, zero);
                let (least, most) = quantised::<i8>(Activation::Relu6, q, Ties::Even).unwrap();
                let Ok(Activation::Clamp { lo, hi }) = exact::<i8>(Activation::Relu6, q) else {
                    panic!("a clamp");
                };
                for (real, expected) in [(lo, least), (hi, most)] {
                    let steps = real / scale;
                    assert!((steps - (i32::from(expected) - zero) as f32).abs() < 1e-4);
                }
            }
        }
    }
}
