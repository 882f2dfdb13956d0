//! Batch norm folded into the convolution in front of it, once, when a model is loaded.

/// The parameters of a batch norm, one of each a channel: `y = (x - mean) / sqrt(variance + epsilon) * gamma + beta`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Offset.
    pub beta: Vec<f32>,
    /// Mean of the training data.
    pub mean: Vec<f32>,
    /// Variance of the training data.
    pub variance: Vec<f32>,
    /// What keeps the divisor from zero.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Scales the `weights` of a convolution, whose outermost dimension is the output channel, and returns its bias, so that
    /// the convolution alone computes what the two did. In f64, rounded once:
    ///
    /// ```text
    /// s = gamma / sqrt(variance + epsilon)        weights *= s        bias = beta - mean * s
    /// ```
    pub fn fold(&self, weights: &mut [f32]) -> Vec<f32> {
        let channels = self.gamma.len();
        let parameters = self
            .gamma
            .iter()
            .zip(&self.beta)
            .zip(&self.mean)
            .zip(&self.variance);
        let filters = weights.chunks_mut((weights.len() / channels.max(1)).max(1));
        parameters
            .zip(filters)
            .map(|((((&gamma, &beta), &mean), &variance), filter)| {
                let scale = f64::from(gamma) / (f64::from(variance) + self.epsilon).sqrt();
                for w in filter {
                    *w = (f64::from(*w) * scale) as f32;
                }
                (f64::from(beta) - f64::from(mean) * scale) as f32
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_convolution_alone_computes_what_the_two_did() {
        let norm = BatchNorm {
            gamma: vec![2.0, 1.0],
            beta: vec![0.5, -1.0],
            mean: vec![3.0, 0.25],
            variance: vec![3.999, 0.999],
            epsilon: 1e-3,
        };
        let mut weights = [1.0, 2.0, 4.0, -8.0];
        let bias = norm.fold(&mut weights);
        // Variances so that the square roots are 2 and 1, but for the rounding of 3.999 and 0.999 to f32.
        for (found, expected) in weights.into_iter().zip([1.0, 2.0, 4.0, -8.0]) {
            assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
        }
        for (found, expected) in bias.into_iter().zip([0.5 - 3.0, -1.25]) {
            assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn a_nan_stays_in_its_channel() {
        let norm = BatchNorm {
            gamma: vec![1.0, f32::NAN],
            beta: vec![0.0; 2],
            mean: vec![0.0; 2],
            variance: vec![1.0; 2],
            epsilon: 1e-3,
        };
        let mut weights = [1.0, 1.0];
        let bias = norm.fold(&mut weights);
        assert!(weights[0].is_finite() && bias[0] == 0.0);
        assert!(weights[1].is_nan() && bias[1].is_nan());
    }
}
