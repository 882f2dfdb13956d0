//! Units to layers, in any scheme.

use std::ops::Deref;

use dwsep::{F32, Filter, KernelSet};

use super::{CLASSIFIER_BIAS, EPSILON, Kind, NORMALIZATION, POOL_NAME, Unit, V1Config};
use crate::fold::BatchNorm;
use crate::layer::{Formats, Layer, LayerScheme, Window};
use crate::layers::{Conv3x3, Dense, Depthwise, GlobalAveragePool, Pointwise, Separable};
use crate::model::NamedLayer;
use crate::weights::Weights;
use crate::{Buffer, Result};

/// What a unit multiplies with.
pub(super) trait Parameters<S: LayerScheme> {
    fn filter(&self) -> Filter<'_, S>;
    fn formats(&self) -> Formats;
}

/// The layers, packed for `kernels`. `fuse` makes one layer of the two halves of a block.
pub(super) fn build<S: LayerScheme, P: Parameters<S>>(
    units: &[Unit],
    kernels: &KernelSet,
    fuse: bool,
    pool: Formats,
    mut load: impl FnMut(&Unit) -> Result<P>,
) -> Result<Vec<NamedLayer>> {
    let mut layers = Chain(Vec::with_capacity(units.len() + 1));
    let mut depthwise: Option<(&Unit, P)> = None;
    for unit in units {
        let parameters = load(unit)?;
        let (filter, formats) = (parameters.filter(), parameters.formats());
        let (channels, activation) = ((unit.c_in, unit.c_out), unit.activation);
        match unit.kind {
            Kind::Conv3x3(stride) => {
                let window = Window::same(stride);
                let layer = Conv3x3::pack(kernels, channels, filter, window, activation, formats);
                layers.push(&unit.name, layer)?;
            }
            Kind::Depthwise(_) if fuse => depthwise = Some((unit, parameters)),
            Kind::Depthwise(stride) => {
                let window = Window::same(stride);
                let layer =
                    Depthwise::pack(kernels, unit.c_in, filter, window, activation, formats);
                layers.push(&unit.name, layer)?;
            }
            Kind::Pointwise => match depthwise.take() {
                Some((
                    Unit {
                        kind: Kind::Depthwise(stride),
                        activation: first,
                        ..
                    },
                    outer,
                )) => {
                    let (filters, window) = ((outer.filter(), filter), Window::same(*stride));
                    let formats = Formats {
                        input: outer.formats().input,
                        output: formats.output,
                    };
                    let activations = [*first, activation];
                    let layer =
                        Separable::pack(kernels, channels, filters, window, activations, formats);
                    layers.push(&unit.name, layer)?;
                }
                _ => {
                    let layer = Pointwise::pack(kernels, channels, filter, activation, formats);
                    layers.push(&unit.name, layer)?;
                }
            },
            Kind::Dense => {
                layers.push(POOL_NAME, Ok(GlobalAveragePool { formats: pool }))?;
                let layer = Pointwise::pack(kernels, channels, filter, activation, formats);
                layers.push(&unit.name, layer.map(Dense::from))?;
            }
        }
    }
    Ok(layers.0)
}

/// Layers, each of which reads what the one before it writes.
struct Chain(Vec<NamedLayer>);

impl Chain {
    fn push(&mut self, name: &str, layer: dwsep::Result<impl Layer + 'static>) -> Result<()> {
        let input = self.0.len();
        self.0.push(NamedLayer::new(name, layer, vec![input])?);
        Ok(())
    }
}

/// The layers of the network in f32.
pub(crate) fn layers(
    config: &V1Config,
    weights: &dyn Weights,
    kernels: &KernelSet,
    fuse: bool,
) -> Result<Vec<NamedLayer>> {
    build(&config.units()?, kernels, fuse, Formats::F32, |unit| {
        let (filters, bias) = unit.folded(weights)?;
        Ok(Floats {
            weights: match unit.transposed(&filters) {
                Some(transposed) => Box::new(transposed),
                None => Box::new(filters),
            },
            bias,
        })
    })
}

struct Floats {
    weights: Box<dyn Deref<Target = [f32]>>,
    bias: Vec<f32>,
}

impl Parameters<F32> for Floats {
    fn filter(&self) -> Filter<'_, F32> {
        Filter::new(&self.weights, Some(&self.bias)).flush_subnormals()
    }

    fn formats(&self) -> Formats {
        Formats::F32
    }
}

/// The name of the bias of a unit without a batch norm.
pub(crate) fn folded_bias_name(unit: &Unit) -> String {
    match unit.kind {
        Kind::Dense => CLASSIFIER_BIAS.to_owned(),
        _ => format!("{}.convolution.bias", unit.prefix),
    }
}

impl Unit {
    /// Weights in the layout of the file, with the batch norm behind them folded in, and the bias. A convolution that has a bias and no batch
    /// norm is taken for folded.
    pub fn folded(&self, weights: &dyn Weights) -> Result<(Buffer, Vec<f32>)> {
        let shape = self.shape();
        let mut filters = weights.tensor(&self.weight(), &shape)?;
        let name = |name: &str| format!("{}.normalization.{name}", self.prefix);
        let bias = folded_bias_name(self);
        let normalised = || {
            NORMALIZATION
                .iter()
                .any(|x| weights.shape(&name(x)).is_ok())
        };
        if self.kind == Kind::Dense || (weights.shape(&bias).is_ok() && !normalised()) {
            let bias = weights.tensor(&bias, &shape[..1])?;
            return Ok((filters, bias.to_vec()));
        }
        let parameter = |parameter| weights.tensor(&name(parameter), &shape[..1]);
        let [gamma, beta, mean, variance] = NORMALIZATION.map(parameter);
        let norm = BatchNorm {
            gamma: gamma?.to_vec(),
            beta: beta?.to_vec(),
            mean: mean?.to_vec(),
            variance: variance?.to_vec(),
            epsilon: EPSILON,
        };
        let bias = norm.fold(&mut filters);
        Ok((filters, bias))
    }
}
