//! What is lost: the network of int8 beside the one of f32, image by image.

use dwsep::View;

use super::Quantised;
use crate::models::mobilenet_v1::V1Config;
use crate::weights::{Safetensors, Weights};
use crate::{Engine, Model, Result, Session};

/// The two networks, which see the same images.
#[derive(Debug)]
pub struct Comparison {
    float: Session,
    quantised: Session,
    layers: Vec<LayerNoise>,
    images: usize,
    agreed: usize,
}

/// How far a layer's output is from that of f32, over all images, with the errors of all layers before it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNoise {
    /// The layer.
    pub name: String,
    /// Sum of the squares of what f32 gives.
    pub signal: f64,
    /// Sum of the squares of the differences.
    pub noise: f64,
}

impl LayerNoise {
    /// The signal-to-noise ratio in decibels; infinite where nothing differs.
    pub fn decibels(&self) -> f64 {
        10.0 * (self.signal / self.noise).log10()
    }
}

impl Comparison {
    /// `weights` are those that `quantised` was made of.
    ///
    /// # Errors
    /// As [`Model::from_weights`], [`Model::from_safetensors`] and [`Model::session`].
    pub fn new(weights: &dyn Weights, quantised: &Quantised, engine: &Engine) -> Result<Self> {
        let file = Safetensors::from_bytes("the quantised network", quantised.to_bytes())?;
        let float = Model::apart(&V1Config::of(weights)?, weights, engine.kernels())?;
        let quantised = Model::quantised(&file, engine.kernels(), false)?;
        let (input, threads) = (float.default_input(), engine.threads());
        Ok(Self {
            float: float.session(input, threads)?,
            quantised: quantised.session(input, threads)?,
            layers: Vec::new(),
            images: 0,
            agreed: 0,
        })
    }

    /// Both see an image.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn observe(&mut self, engine: &Engine, image: View<'_, f32>) -> Result<()> {
        let mut outputs = Vec::new();
        let best = best(self.float.run_with(engine, image, &mut |layer| {
            outputs.push((layer.name.to_owned(), layer.real()));
        })?);
        if self.layers.is_empty() {
            let layer = |(name, _): &(String, _)| LayerNoise {
                name: name.clone(),
                signal: 0.0,
                noise: 0.0,
            };
            self.layers = outputs.iter().map(layer).collect();
        }
        let mut layers = self.layers.iter_mut().zip(&outputs);
        let found = self::best(self.quantised.run_with(engine, image, &mut |layer| {
            if let Some((sums, (_, expected))) = layers.next() {
                for (&x, &y) in expected.iter().zip(&layer.real()) {
                    sums.signal += f64::from(x).powi(2);
                    sums.noise += (f64::from(x) - f64::from(y)).powi(2);
                }
            }
        })?);
        self.images += 1;
        self.agreed += usize::from(best == found);
        Ok(())
    }

    /// Every layer in the order in which they run; none before the first image.
    pub fn layers(&self) -> &[LayerNoise] {
        &self.layers
    }

    /// For how many images both find the same class the likeliest, and how many there were.
    pub fn agreement(&self) -> (usize, usize) {
        (self.agreed, self.images)
    }
}

/// The class of the largest logit, the first of several.
fn best(logits: &[f32]) -> usize {
    let better = |best: usize, (i, x): (usize, &f32)| if *x > logits[best] { i } else { best };
    logits.iter().enumerate().fold(0, better)
}
