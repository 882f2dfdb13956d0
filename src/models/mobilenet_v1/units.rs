//! The convolutions that the network is made of, one by one: what is computed with weights.

use dwsep::{Activation, Stride};

use super::{
    BLOCKS, CLASSIFIER_WEIGHT, IMAGE, LOGITS_NAME, STEM_NAME, STEM_PREFIX, TAPS, V1Config,
    depthwise_prefix, pointwise_prefix,
};
use crate::Result;
use crate::weights::transpose;

/// A convolution with the activation behind it.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// `conv_stem`, `separable_1.depthwise`, `separable_1`, .., `logits`: the layer whose output is its own.
    pub name: String,
    /// In front of the names of its tensors.
    pub prefix: String,
    pub kind: Kind,
    pub c_in: usize,
    pub c_out: usize,
    pub activation: Activation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Conv3x3(Stride),
    Depthwise(Stride),
    Pointwise,
    Dense,
}

impl V1Config {
    /// All of them, in the order in which they run. The pool is in front of the last.
    pub(crate) fn units(&self) -> Result<Vec<Unit>> {
        let stem = self.stem_channels()?;
        let mut units = Vec::with_capacity(2 * BLOCKS.len() + 2);
        let mut push = |name: &str, prefix: String, kind, (c_in, c_out), activation| {
            units.push(Unit {
                name: name.to_owned(),
                prefix,
                kind,
                c_in,
                c_out,
                activation,
            });
        };
        let activation = self.activation;
        let prefix = STEM_PREFIX.to_owned();
        let kind = Kind::Conv3x3(Stride::Two);
        push(STEM_NAME, prefix, kind, (IMAGE, stem), activation);
        let mut c = stem;
        for (i, block) in self.blocks()?.into_iter().enumerate() {
            let (name, kind) = (
                format!("{}.depthwise", block.name),
                Kind::Depthwise(block.stride),
            );
            push(&name, depthwise_prefix(i), kind, (c, c), activation);
            let channels = (c, block.c_out);
            push(
                &block.name,
                pointwise_prefix(i),
                Kind::Pointwise,
                channels,
                activation,
            );
            c = block.c_out;
        }
        let (prefix, channels) = ("classifier".to_owned(), (c, self.classes));
        push(LOGITS_NAME, prefix, Kind::Dense, channels, Activation::None);
        Ok(units)
    }
}

impl Unit {
    /// The name of its weights.
    pub fn weight(&self) -> String {
        match self.kind {
            Kind::Dense => CLASSIFIER_WEIGHT.to_owned(),
            _ => format!("{}.convolution.weight", self.prefix),
        }
    }

    /// The shape of its weights in a file, output channels first.
    pub fn shape(&self) -> Vec<usize> {
        let (c_in, c_out) = (self.c_in, self.c_out);
        match self.kind {
            Kind::Conv3x3(_) => vec![c_out, c_in, 3, 3],
            Kind::Depthwise(_) => vec![c_out, 1, 3, 3],
            Kind::Pointwise => vec![c_out, c_in, 1, 1],
            Kind::Dense => vec![c_out, c_in],
        }
    }

    /// Weights from the layout of a file to that of the kernels, if that is another one.
    pub fn transposed<T: Copy>(&self, weights: &[T]) -> Option<Vec<T>> {
        match self.kind {
            // [O, I, 3, 3] to [O, 3, 3, I]
            Kind::Conv3x3(_) => {
                let filters = weights.chunks(self.c_in * TAPS);
                Some(filters.flat_map(|filter| transpose(filter, TAPS)).collect())
            }
            // [C, 1, 3, 3] to [3, 3, C]
            Kind::Depthwise(_) => Some(transpose(weights, TAPS)),
            Kind::Pointwise | Kind::Dense => None,
        }
    }
}
