//! From logits to probabilities.

use dwsep::{Nhwc, View, ViewMut};

use crate::tensor::zeroed;
use crate::{Error, Result};

/// The probabilities of `logits`, `[N, H, W, classes]`: those of a pixel add up to 1.
///
/// # Errors
/// [`Error::Length`] where `logits` is shorter or longer than `shape`; [`Error::Kernels`] for a shape with a zero in it.
pub fn softmax(logits: &[f32], shape: Nhwc) -> Result<Vec<f32>> {
    let expected = shape.len("logits")?;
    if logits.len() != expected {
        return Err(Error::Length {
            shape,
            expected,
            found: logits.len(),
        });
    }
    let mut probabilities = zeroed("probabilities", expected)?;
    dwsep::softmax(
        View::new(logits, shape)?,
        ViewMut::new(&mut probabilities, shape)?,
    )?;
    Ok(probabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one_image_by_image() {
        let shape = Nhwc::new(2, 1, 1, 3);
        let p = softmax(&[1.0, 2.0, 3.0, -1e30, 0.0, -1e30], shape).unwrap();
        assert!((p[..3].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(p[0] < p[1] && p[1] < p[2]);
        assert_eq!(p[3..], [0.0, 1.0, 0.0]);
        let error = softmax(&[1.0], shape).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a tensor of shape [2, 1, 1, 3] has 1 elements, expected 6"
        );
    }
}
