//! MobileNetV1: a convolution, 13 separable blocks, a pool and a classifier.
//!
//! Source: Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", table 1, whose
//! last depthwise layer has stride 1 (the paper prints 2 by mistake). Names and layouts of the weights are those of Hugging
//! Face's `google/mobilenet_v1_*`.

mod layers;
mod quantised;
mod units;

use dwsep::{Activation, Nhwc, Stride};

pub(crate) use self::layers::{folded_bias_name, layers};
pub(crate) use self::quantised::{
    bias_name, output_name, quantised_layers, scale_name, zero_point_name,
};
pub(crate) use self::units::{Kind, Unit};
use super::summary::Cost;
pub use super::summary::LayerSummary;
use crate::weights::{Weights, shown};
use crate::{Error, Result};

/// Channels of the image.
const IMAGE: usize = 3;
/// Taps of a 3x3 window.
pub(crate) const TAPS: usize = 9;
/// Channels of the stem at alpha 1.
const STEM: usize = 32;
/// Stride of the depthwise and output channels of the pointwise convolution, at alpha 1.
const BLOCKS: [(Stride, usize); 13] = [
    (Stride::One, 64),
    (Stride::Two, 128),
    (Stride::One, 128),
    (Stride::Two, 256),
    (Stride::One, 256),
    (Stride::Two, 512),
    (Stride::One, 512),
    (Stride::One, 512),
    (Stride::One, 512),
    (Stride::One, 512),
    (Stride::One, 512),
    (Stride::Two, 1024),
    (Stride::One, 1024),
];
/// Channels of the last block at alpha 1.
const WIDEST: usize = BLOCKS[BLOCKS.len() - 1].1;
/// The fewest channels that alpha leaves.
const NARROWEST: usize = 8;
/// Epsilon of the batch norms.
const EPSILON: f64 = 1e-3;

const STEM_NAME: &str = "conv_stem";
pub(crate) const POOL_NAME: &str = "pool";
const LOGITS_NAME: &str = "logits";
const STEM_PREFIX: &str = "mobilenet_v1.conv_stem";
const CLASSIFIER_WEIGHT: &str = "classifier.weight";
const CLASSIFIER_BIAS: &str = "classifier.bias";

/// Which MobileNetV1 it is. The default is 1.0/224 with 1001 classes.
#[derive(Clone, Debug, PartialEq)]
pub struct V1Config {
    /// Width multiplier, any positive, finite number. A layer of `c` channels gets `max(8, floor(c * alpha))`.
    pub alpha: f64,
    /// Number of logits: 1001 with a background class, as Google trained it, or 1000, or any other.
    pub classes: usize,
    /// Behind every convolution: ReLU6 as in the published checkpoints, ReLU as in the paper's text.
    pub activation: Activation,
    /// Height and width of the images that it was trained on. Nothing is computed from it.
    pub resolution: usize,
}

impl Default for V1Config {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            classes: 1001,
            activation: Activation::Relu6,
            resolution: 224,
        }
    }
}

/// A separable block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// `separable_1` .. `separable_13`
    pub name: String,
    /// Stride of the depthwise convolution.
    pub stride: Stride,
    /// Channels of the depthwise convolution.
    pub c_in: usize,
    /// Output channels of the pointwise convolution.
    pub c_out: usize,
}

impl V1Config {
    /// The network that the weights are of. Alpha and classes follow from the shapes of the last block and the classifier,
    /// activation and resolution from the metadata `activation` (`relu6` or `relu`) and `image_size`, where they are there.
    ///
    /// Of all values of alpha that give the same channels it is the one with the fewest decimals: 0.75.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorRank`], [`Error::Metadata`].
    pub fn of(weights: &dyn Weights) -> Result<Self> {
        let default = Self::default();
        let last = format!("{}.convolution.weight", pointwise_prefix(BLOCKS.len() - 1));
        let width = match *weights.shape(&last)? {
            [width, inputs, 1, 1] if width > 0 && inputs > 0 => width,
            _ => return Err(rank(weights, &last, "[O, I, 1, 1], none of them 0")),
        };
        let classes = match *weights.shape(CLASSIFIER_WEIGHT)? {
            [classes, inputs] if classes > 0 && inputs > 0 => classes,
            _ => {
                let expected = "[classes, C], none of them 0";
                return Err(rank(weights, CLASSIFIER_WEIGHT, expected));
            }
        };
        let metadata = |key, found: &str, expected| Error::Metadata {
            origin: weights.origin().to_owned(),
            key,
            found: shown(found),
            expected,
        };
        let activation = match weights.metadata("activation") {
            None => default.activation,
            Some("relu6") => Activation::Relu6,
            Some("relu") => Activation::Relu,
            Some(other) => return Err(metadata("activation", other, "relu6 or relu")),
        };
        let resolution = match weights.metadata("image_size") {
            None => default.resolution,
            Some(size) => match size.parse() {
                Ok(resolution) if resolution > 0 => resolution,
                _ => return Err(metadata("image_size", size, "a positive number of pixels")),
            },
        };
        Ok(Self {
            alpha: shortest_alpha(width),
            classes,
            activation,
            resolution,
        })
    }

    /// `mobilenet_v1_` and alpha.
    pub fn name(&self) -> String {
        format!("mobilenet_v1_{:?}", self.alpha)
    }

    /// Output channels of the stem.
    ///
    /// # Errors
    /// [`Error::Alpha`] where alpha is not a positive, finite number, or one too large to count channels.
    pub fn stem_channels(&self) -> Result<usize> {
        self.channels(STEM)
    }

    /// The 13 separable blocks.
    ///
    /// # Errors
    /// As [`stem_channels`](V1Config::stem_channels).
    pub fn blocks(&self) -> Result<Vec<Block>> {
        let mut c_in = self.stem_channels()?;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (i, (stride, c)) in BLOCKS.into_iter().enumerate() {
            let c_out = self.channels(c)?;
            blocks.push(Block {
                name: format!("separable_{}", i + 1),
                stride,
                c_in,
                c_out,
            });
            c_in = c_out;
        }
        Ok(blocks)
    }

    /// `max(8, floor(c * alpha))`
    fn channels(&self, c: usize) -> Result<usize> {
        // All `c` are powers of two: the product is exact.
        let scaled = c as f64 * self.alpha;
        // False for NaN.
        if self.alpha > 0.0 && scaled < usize::MAX as f64 {
            Ok((scaled as usize).max(NARROWEST))
        } else {
            Err(Error::Alpha { alpha: self.alpha })
        }
    }
}

/// The number with the fewest decimals that makes `width` channels of the last block's, and so all other channels, too: as these
/// are `WIDEST` divided by a power of two, they follow from `width`.
fn shortest_alpha(width: usize) -> f64 {
    let (least, above) = (
        width as f64 / WIDEST as f64,
        (width as f64 + 1.0) / WIDEST as f64,
    );
    let mut power = 1.0;
    while power < 1e9 {
        power *= 10.0;
        let alpha = (least * power).ceil() / power;
        if (least..above).contains(&alpha) {
            return alpha;
        }
    }
    least
}

fn rank(weights: &dyn Weights, tensor: &str, expected: &'static str) -> Error {
    match weights.shape(tensor) {
        Err(error) => error,
        Ok(found) => Error::TensorRank {
            origin: weights.origin().to_owned(),
            tensor: tensor.to_owned(),
            expected,
            found: found.to_owned(),
        },
    }
}

/// In front of the weights of block `i`'s depthwise convolution, `i` from 0.
fn depthwise_prefix(i: usize) -> String {
    format!("mobilenet_v1.layer.{}", 2 * i)
}

/// In front of the weights of block `i`'s pointwise convolution, `i` from 0.
fn pointwise_prefix(i: usize) -> String {
    format!("mobilenet_v1.layer.{}", 2 * i + 1)
}

/// Name and shape of every tensor that the network is made of, in the order of the layers.
///
/// # Errors
/// As [`V1Config::blocks`].
pub fn tensor_shapes(config: &V1Config) -> Result<Vec<(String, Vec<usize>)>> {
    let mut shapes = Vec::new();
    for unit in config.units()? {
        let shape = unit.shape();
        let per_channel = vec![shape[0]];
        shapes.push((unit.weight(), shape));
        match unit.kind {
            Kind::Dense => shapes.push((CLASSIFIER_BIAS.to_owned(), per_channel)),
            _ => shapes.extend(NORMALIZATION.map(|parameter| {
                let name = format!("{}.normalization.{parameter}", unit.prefix);
                (name, per_channel.clone())
            })),
        }
    }
    Ok(shapes)
}

/// The parameters of a batch norm: gamma, beta, mean, variance.
const NORMALIZATION: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// What each layer costs for one image of `h` rows and `w` columns, and what a standard convolution in its place would cost:
/// a separable block costs `1 / c_out + 1 / 9` of it (the paper's equation 5).
///
/// # Errors
/// [`Error::Alpha`]; [`Error::Kernels`] for an image or a layer without elements, or of more than the address space holds;
/// [`Error::TooLarge`] where a cost exceeds 64 bits.
pub fn summary(config: &V1Config, h: usize, w: usize) -> Result<Vec<LayerSummary>> {
    let mut shape = Nhwc::new(1, h, w, IMAGE);
    shape.len("input")?;
    let strided = |shape: Nhwc, stride: Stride, c| {
        let (h, w) = (
            shape.h.div_ceil(stride.get()),
            shape.w.div_ceil(stride.get()),
        );
        Nhwc { h, w, c, ..shape }
    };
    let mut rows = Vec::with_capacity(BLOCKS.len() + 3);

    shape = strided(shape, Stride::Two, config.stem_channels()?);
    let stem = Cost::convolution(TAPS, IMAGE, shape);
    rows.push(LayerSummary::new(STEM_NAME, shape, stem, stem)?);

    for Block {
        name,
        stride,
        c_in,
        c_out,
    } in config.blocks()?
    {
        let between = strided(shape, stride, c_in);
        shape = Nhwc {
            c: c_out,
            ..between
        };
        let depthwise = Cost::convolution(TAPS, 1, between);
        let pointwise = Cost::convolution(1, c_in, shape);
        let separable = depthwise.zip(pointwise).and_then(|(dw, pw)| dw.then(pw));
        let standard = Cost::convolution(TAPS, c_in, shape);
        rows.push(LayerSummary::new(&name, shape, separable, standard)?);
    }

    let pooled = Nhwc {
        h: 1,
        w: 1,
        ..shape
    };
    rows.push(LayerSummary::new(
        POOL_NAME,
        pooled,
        Some(Cost::NONE),
        Some(Cost::NONE),
    )?);
    let output = Nhwc {
        c: config.classes,
        ..pooled
    };
    output.len("logits")?;
    let logits = Cost::dense(pooled.c, config.classes);
    rows.push(LayerSummary::new(LOGITS_NAME, output, logits, logits)?);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(alpha: f64, resolution: usize) -> (u64, u64) {
        let config = V1Config {
            alpha,
            ..V1Config::default()
        };
        let rows = summary(&config, resolution, resolution).unwrap();
        rows.iter().fold((0, 0), |(params, macs), row| {
            (params + row.params, macs + row.macs)
        })
    }

    /// Millions of parameters and multiply-adds as published, and exact ones at two corners.
    #[test]
    fn costs_are_the_published_ones() {
        for (alpha, params, macs) in [
            (1.0, 4.24, [568.7, 418.1, 290.7, 186.4]),
            (0.75, 2.59, [325.4, 239.3, 166.4, 106.8]),
            (0.5, 1.34, [149.5, 110.0, 76.5, 49.2]),
            (0.25, 0.47, [41.0, 30.2, 21.1, 13.6]),
        ] {
            for (resolution, macs) in [224, 192, 160, 128].into_iter().zip(macs) {
                let found = totals(alpha, resolution);
                assert_eq!(
                    format!("{:.2}", found.0 as f64 / 1e6),
                    format!("{params:.2}")
                );
                assert_eq!(format!("{:.1}", found.1 as f64 / 1e6), format!("{macs:.1}"));
            }
        }
        assert_eq!(totals(1.0, 224), (4_243_945, 568_741_376));
    }

    #[test]
    fn a_separable_block_costs_a_ninth_and_one_of_its_channels() {
        let rows = summary(&V1Config::default(), 224, 224).unwrap();
        for row in &rows[1..14] {
            let ratio = row.macs as f64 / row.standard_macs as f64;
            let expected = 1.0 / row.output.c as f64 + 1.0 / 9.0;
            assert!(
                (ratio - expected).abs() < 1e-12,
                "{}: {ratio} {expected}",
                row.name
            );
        }
        assert_eq!(rows[13].output, Nhwc::new(1, 7, 7, 1024));
    }

    #[test]
    fn costs_beyond_64_bits_are_errors() {
        let config = |alpha, classes| V1Config {
            alpha,
            classes,
            ..V1Config::default()
        };
        assert!(matches!(
            summary(&config(1e9, 10), 8, 8),
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(
            summary(&config(1.0, 0), 8, 8),
            Err(Error::Kernels(_))
        ));
        assert!(matches!(
            summary(&config(1.0, 10), 0, 8),
            Err(Error::Kernels(_))
        ));
        assert!(matches!(
            summary(&config(1.0, 10), 1 << 40, 1 << 40),
            Err(Error::Kernels(_))
        ));
    }

    #[test]
    fn alpha_is_any_positive_number() {
        let stem = |alpha| {
            V1Config {
                alpha,
                ..V1Config::default()
            }
            .stem_channels()
        };
        assert_eq!(stem(1e-300).unwrap(), 8);
        assert_eq!(stem(0.7).unwrap(), 22);
        assert_eq!(stem(1.4).unwrap(), 44);
        for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let error = stem(alpha).unwrap_err();
            assert!(matches!(error, Error::Alpha { .. }), "{alpha}: {error}");
        }
    }

    #[test]
    fn alpha_follows_from_the_widest_layer() {
        for alpha in [0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.4, 2.0] {
            let config = V1Config {
                alpha,
                ..V1Config::default()
            };
            let width = config.blocks().unwrap()[12].c_out;
            assert_eq!(shortest_alpha(width), alpha);
        }
        // Every width is reached, and gives the channels that it came from.
        for width in 8..3000 {
            let alpha = shortest_alpha(width);
            let config = V1Config {
                alpha,
                ..V1Config::default()
            };
            assert_eq!(config.blocks().unwrap()[12].c_out, width, "{alpha}");
            assert_eq!(config.stem_channels().unwrap(), (width / 32).max(8));
        }
    }
}
