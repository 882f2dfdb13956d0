//! How far two engines may be apart.

use anyhow::ensure;
use tract_onnx::prelude::{Tensor, TractResult};

/// The largest difference of two outputs, and how large it may be.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    pub difference: f32,
    pub tolerance: f32,
}

impl Agreement {
    /// Of outputs of a network whose sums have `depths` products.
    ///
    /// The engines compute the same sums in different orders. A sum of `k` products, rounded `k` times, is off by about `sqrt(k) u` of
    /// the size of what it sums, `u = 2^-24`: the roundings are as good as independent (Higham and Mary, "A new approach to
    /// probabilistic rounding error analysis", 2019; what always bounds it is `k u`). What is off goes through the layers behind and
    /// adds up, in both engines. So it is `2 u (sqrt(k1) + sqrt(k2) + ...)` of the largest output, which stands for the size of what is
    /// summed. What is wrong, such as a tap beside its place, is off by a thousand times as much.
    pub fn of(ours: &Tensor, theirs: &Tensor, depths: &[usize]) -> TractResult<Self> {
        ensure!(
            ours.shape() == theirs.shape(),
            "an output of {:?} where tract's is of {:?}",
            ours.shape(),
            theirs.shape()
        );
        let (ours, theirs) = (ours.try_as_plain_ram()?, theirs.try_as_plain_ram()?);
        let (ours, theirs) = (ours.as_slice::<f32>()?, theirs.as_slice::<f32>()?);
        let unit = f64::from(f32::EPSILON) / 2.0;
        let share: f64 = depths.iter().map(|&k| 2.0 * unit * (k as f64).sqrt()).sum();
        let differences = ours.iter().zip(theirs).map(|(a, b)| a - b);
        Ok(Self {
            difference: largest(differences),
            tolerance: share as f32 * largest(theirs.iter().copied()),
        })
    }

    pub fn holds(&self) -> bool {
        // Not where either is NaN.
        self.difference <= self.tolerance
    }
}

/// The largest of the absolute values; NaN where one is NaN.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).fold(0.0, |largest, x| {
        if x > largest || x.is_nan() {
            x
        } else {
            largest
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::prelude::tensor1;

    fn agreement(ours: &[f32], theirs: &[f32]) -> Agreement {
        Agreement::of(&tensor1(ours), &tensor1(theirs), &[9, 16]).unwrap()
    }

    #[test]
    fn the_tolerance_is_of_the_largest_output() {
        let found = agreement(&[1.0, -2.0], &[1.0, -2.0]);
        assert_eq!(
            (found.difference, found.tolerance),
            (0.0, 14.0 * f32::EPSILON)
        );
        // A step of numbers from 2 to 4 is twice that of numbers from 1 to 2.
        let step = 2.0 * f32::EPSILON;
        assert!(agreement(&[2.0 + 7.0 * step], &[2.0]).holds());
        assert!(!agreement(&[2.0 + 8.0 * step], &[2.0]).holds());
    }

    #[test]
    fn nan_is_no_agreement() {
        assert!(!agreement(&[f32::NAN, 0.0], &[1.0, 0.0]).holds());
        assert!(!agreement(&[1.0, 0.0], &[f32::NAN, 0.0]).holds());
        assert!(!agreement(&[f32::NAN, 0.0], &[f32::NAN, 0.0]).holds());
    }

    #[test]
    fn other_shapes_are_an_error() {
        assert!(Agreement::of(&tensor1(&[1.0_f32]), &tensor1(&[1.0_f32, 2.0]), &[1]).is_err());
    }
}
