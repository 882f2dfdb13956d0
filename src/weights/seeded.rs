//! Weights out of nothing but a seed, the same in every language: for benchmarks, and for golden outputs from other engines
//! without megabytes of weights beside them. `tools/make_golden.py` computes the same numbers.
//!
//! Element `i` (row-major) of the tensor `name` is made of 24 bits of SplitMix64, with `G = 0x9E3779B97F4A7C15` and modulo 2^64:
//!
//! ```text
//! z = (FNV-1a-64(name) ^ (seed * G)) + (i + 1) * G
//! u = (mix(z) >> 40) / 2^24                            in [0, 1)
//! ```
//!
//! and is, computed in f64 and rounded once to f32,
//!
//! | tensor | value |
//! |---|---|
//! | `*.normalization.weight` | `0.75 + 0.5u` |
//! | `*.normalization.bias` | `(2u - 1) * 0.5 + 0.25` |
//! | `*.normalization.running_mean` | `(2u - 1) * 0.2` |
//! | `*.normalization.running_var` | `0.5 + u` |
//! | `classifier.bias` | `(2u - 1) * 0.5` |
//! | `input` | `2u - 1` |
//! | any other | `(2u - 1) * sqrt(6 / fan_in)`, where `fan_in` is the product of all dimensions but the first |
//!
//! Sources: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (SplitMix64); He et al., "Delving deep into
//! rectifiers" (the deviation, `sqrt(2 / fan_in)`).

use std::collections::BTreeMap;

use dwsep::Nhwc;

use super::{Weights, missing};
use crate::models::mobilenet_v1::{V1Config, tensor_shapes};
use crate::{Buffer, Error, Result, Tensor};

/// 2^64 divided by the golden ratio: the increment of SplitMix64.
const G: u64 = 0x9E37_79B9_7F4A_7C15;

/// The weights of a network of a given shape, computed from a seed when they are asked for.
#[derive(Clone, Debug)]
pub struct Seeded {
    seed: u64,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl Seeded {
    /// Weights for MobileNetV1.
    ///
    /// # Errors
    /// [`Error::Alpha`], or [`Error::Kernels`] where the number of channels overflows.
    pub fn new(seed: u64, config: &V1Config) -> Result<Self> {
        Ok(Self {
            seed,
            shapes: tensor_shapes(config)?.into_iter().collect(),
        })
    }

    /// An input of the shape `[N, H, W, C]`: the tensor `input`, with values in `[-1, 1)`.
    ///
    /// # Errors
    /// As [`Tensor::zeros`].
    pub fn input(seed: u64, shape: Nhwc) -> Result<Tensor> {
        let mut tensor = Tensor::zeros(shape)?;
        fill("input", seed, 1, tensor.data_mut());
        Ok(tensor)
    }
}

impl Weights for Seeded {
    fn origin(&self) -> &str {
        "seeded weights"
    }

    fn names(&self) -> Vec<String> {
        self.shapes.keys().cloned().collect()
    }

    fn metadata(&self, _key: &str) -> Option<&str> {
        None
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(self.shapes.get(name).ok_or_else(|| missing(self, name))?)
    }

    fn values(&self, name: &str) -> Result<Buffer> {
        let shape = self.shape(name)?;
        let product = |sizes: &[usize]| {
            let overflow = Error::OutOfMemory {
                operand: "weights",
                bytes: usize::MAX,
            };
            sizes
                .iter()
                .try_fold(1, |x: usize, &size| x.checked_mul(size))
                .ok_or(overflow)
        };
        let mut values = Buffer::zeros("weights", product(shape)?)?;
        fill(
            name,
            self.seed,
            product(shape.get(1..).unwrap_or_default())?,
            &mut values,
        );
        Ok(values)
    }
}

/// The values of the tensor `name` by the rule above.
fn fill(name: &str, seed: u64, fan_in: usize, values: &mut [f32]) {
    let start = fnv1a(name.bytes()) ^ seed.wrapping_mul(G);
    let deviation = (6.0 / fan_in as f64).sqrt();
    let value = |u: f64| {
        let symmetric = 2.0 * u - 1.0;
        match name.rsplit_once(".normalization.") {
            Some((_, "weight")) => 0.75 + 0.5 * u,
            Some((_, "bias")) => symmetric * 0.5 + 0.25,
            Some((_, "running_mean")) => symmetric * 0.2,
            Some((_, "running_var")) => 0.5 + u,
            _ if name == "classifier.bias" => symmetric * 0.5,
            _ if name == "input" => symmetric,
            _ => symmetric * deviation,
        }
    };
    let mut z = start;
    for x in values {
        z = z.wrapping_add(G);
        *x = value((mix(z) >> 40) as f64 / (1_u64 << 24) as f64) as f32;
    }
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.into_iter().fold(0xCBF2_9CE4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits of the first four elements and of the last: of `tools/make_golden.py`.
    #[test]
    fn equals_the_script_bit_for_bit() {
        let tensor = |name, seed, alpha, classes| {
            let config = V1Config {
                alpha,
                classes,
                ..V1Config::default()
            };
            let values = Seeded::new(seed, &config).unwrap().values(name).unwrap();
            values.to_vec()
        };
        let input = Seeded::input(1, Nhwc::new(1, 33, 47, 3)).unwrap();
        for (values, expected) in [
            (
                input.into_data(),
                [0x3d1bfac0, 0x3f366ef4, 0x3d127dc0, 0xbf15bad2, 0xbdb87760],
            ),
            (
                tensor("mobilenet_v1.conv_stem.convolution.weight", 1, 0.25, 1001),
                [0xbec34b51, 0x3ead6d01, 0xbeda95e4, 0x3e69c1fd, 0x3ee3c1f5],
            ),
            (
                tensor("mobilenet_v1.layer.1.normalization.bias", 3, 0.5, 1001),
                [0x3ceca160, 0x3c250b80, 0x3eb492b2, 0x3eb36e46, 0x3ed16fb0],
            ),
            (
                tensor("classifier.bias", 5, 1.0, 1000),
                [0xbe06c6f4, 0x3dff0dc0, 0x3e4377ec, 0x3e1fca88, 0xbe974254],
            ),
        ] {
            let (first, last) = (&values[..4], &values[values.len() - 1..]);
            let bits: Vec<u32> = first.iter().chain(last).map(|x| x.to_bits()).collect();
            assert_eq!(bits, expected);
        }
    }
}
