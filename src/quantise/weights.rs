//! Weights to integers, with a scale an output channel.

/// The greatest magnitude of a weight: -128 is left out, so that the integers lie symmetrically.
const MOST: f32 = 127.0;
/// The greatest magnitude of a bias. What is left of i32 is for the sum of the products.
const MOST_BIAS: f64 = (1_u64 << 30) as f64;

pub(super) struct Weights {
    pub weights: Vec<i8>,
    pub scales: Vec<f32>,
    pub bias: Vec<i32>,
}

/// Weights with the output channels outermost, one of `bias` each. `input` is the scale of what they are multiplied with, and
/// `mean(o, i)` the mean of what weight `i` of channel `o` is: biases make up for what rounding the weights adds on average.
pub(super) fn quantise(
    weights: &[f32],
    bias: &[f32],
    input: f32,
    mean: impl Fn(usize, usize) -> f64,
) -> Weights {
    let depth = (weights.len() / bias.len().max(1)).max(1);
    let mut quantised = Weights {
        weights: Vec::with_capacity(weights.len()),
        scales: Vec::with_capacity(bias.len()),
        bias: Vec::with_capacity(bias.len()),
    };
    for (o, (filter, &bias)) in weights.chunks(depth).zip(bias).enumerate() {
        let largest = filter.iter().fold(0.0, |max: f32, w| max.max(w.abs()));
        // Batch norm leaves channels whose weights are next to nothing beside their bias, which has to fit, too.
        let least = f64::from(bias.abs()) / (f64::from(input) * MOST_BIAS);
        let scale = (largest / MOST).max(least as f32);
        // One that nothing depends on: all is 0.
        let scale = if scale.is_normal() { scale } else { 1.0 };
        let nearest = |w: f32| (w / scale).round_ties_even().clamp(-MOST, MOST) as i8;
        let error = |w: f32| f64::from(nearest(w)) * f64::from(scale) - f64::from(w);
        let added = filter
            .iter()
            .enumerate()
            .map(|(i, &w)| error(w) * mean(o, i));
        let added: f64 = added.sum();
        quantised.weights.extend(filter.iter().map(|&w| nearest(w)));
        quantised.scales.push(scale);
        let unit = f64::from(input) * f64::from(scale);
        // Saturates.
        let bias = ((f64::from(bias) - added) / unit).round_ties_even() as i32;
        quantised.bias.push(bias);
    }
    quantised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_a_scale_of_its_own() {
        let Weights {
            weights,
            scales,
            bias,
        } = quantise(&[1.0, -2.0, 100.0, 50.0], &[0.6, -3.0], 0.1, |_, _| 0.0);
        assert_eq!(weights, [64, -127, 127, 64]);
        assert_eq!(scales, [2.0 / 127.0, 100.0 / 127.0]);
        assert_eq!(bias, [381, -38]);
    }

    #[test]
    fn a_bias_fits_whatever_the_weights() {
        let Weights {
            weights,
            scales,
            bias,
        } = quantise(
            &[0.0, 0.0, 1e-30, 1e-38, 0.0, 0.0],
            &[0.0, 5.0, -7.0],
            0.02,
            |_, _| 1.0,
        );
        assert_eq!(weights, [0; 6]);
        assert!(scales.iter().all(|scale| scale.is_normal()), "{scales:?}");
        for ((scale, bias), expected) in scales.iter().zip(bias).zip([0.0, 5.0, -7.0]) {
            let found = f64::from(bias) * 0.02 * f64::from(*scale);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            assert!(bias.unsigned_abs() <= (1 << 30) + 64);
        }
    }

    /// The integers times the means give what the weights times the means do.
    #[test]
    fn biases_make_up_for_rounding() {
        let (weights, means) = ([0.3, 0.71, -1.0, 0.004], [5.0, 3.0, 0.5, 2.0]);
        let found = quantise(&weights, &[0.25], 0.001, |_, i| means[i]);
        let products = weights.iter().zip(means).map(|(&w, m)| f64::from(w) * m);
        let exact = 0.25 + products.sum::<f64>();
        let scale = f64::from(found.scales[0]);
        let products = found.weights.iter().zip(means);
        let products: f64 = products.map(|(&w, m)| f64::from(w) * scale * m).sum();
        let sum = products + f64::from(found.bias[0]) * f64::from(0.001_f32) * scale;
        assert!((sum - exact).abs() < 1e-5, "{sum} {exact}");
    }
}
