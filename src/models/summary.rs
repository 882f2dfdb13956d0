//! What the layers of a network cost, without building it.

use dwsep::Nhwc;

use crate::{Error, Result};

/// What a layer costs: a row of a network's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name.
    pub name: String,
    /// `[1, H, W, C]` of its output.
    pub output: Nhwc,
    /// Parameters. Batch norm counts three a channel (offset, mean, variance), as in TensorFlow-Slim, whose batch norm has no
    /// scale unless asked, and as in the published numbers.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
    /// Parameters of a standard convolution in its place; its own where it is no separable one.
    pub standard_params: u64,
    /// Multiply-adds of a standard convolution in its place; its own where it is no separable one.
    pub standard_macs: u64,
}

/// Parameters of a batch norm, a channel.
const NORM: usize = 3;

/// Parameters and multiply-adds.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    params: u64,
    macs: u64,
}

impl Cost {
    /// What has neither.
    pub const NONE: Self = Self { params: 0, macs: 0 };

    /// A convolution with batch norm: `taps` weights for each pair of an output channel and an input channel of its group.
    /// `None` where a number exceeds 64 bits.
    pub fn convolution(taps: usize, group: usize, output: Nhwc) -> Option<Self> {
        let weights = product(&[taps, group, output.c])?;
        Some(Self {
            params: weights.checked_add(product(&[NORM, output.c])?)?,
            macs: weights.checked_mul(product(&[output.n, output.h, output.w])?)?,
        })
    }

    /// A dense layer with bias.
    pub fn dense(c_in: usize, c_out: usize) -> Option<Self> {
        let macs = product(&[c_in, c_out])?;
        Some(Self {
            params: macs.checked_add(product(&[c_out])?)?,
            macs,
        })
    }

    /// Of two layers, one after the other.
    pub fn then(self, next: Self) -> Option<Self> {
        Some(Self {
            params: self.params.checked_add(next.params)?,
            macs: self.macs.checked_add(next.macs)?,
        })
    }
}

impl LayerSummary {
    /// # Errors
    /// [`Error::TooLarge`] where a cost is `None`.
    pub(super) fn new(
        name: &str,
        output: Nhwc,
        cost: Option<Cost>,
        standard: Option<Cost>,
    ) -> Result<Self> {
        let (Some(cost), Some(standard)) = (cost, standard) else {
            return Err(Error::TooLarge {
                layer: name.to_owned(),
            });
        };
        Ok(Self {
            name: name.to_owned(),
            output,
            params: cost.params,
            macs: cost.macs,
            standard_params: standard.params,
            standard_macs: standard.macs,
        })
    }
}

fn product(factors: &[usize]) -> Option<u64> {
    factors.iter().try_fold(1_u64, |x, &factor| {
        x.checked_mul(u64::try_from(factor).ok()?)
    })
}
