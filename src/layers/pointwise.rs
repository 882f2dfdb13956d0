//! Pointwise convolutions: alone, and as the classifier.

use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedPointwise, Scheme};

use crate::layer::{
    Formats, Layer, LayerScheme, PlannedLayer, Result, convolution_macs, planned, scheme_bytes,
    sole_of,
};
use crate::value::ValueInfo;

/// A 1x1 convolution, `[N, H, W, c_in]` to `[N, H, W, c_out]`.
#[derive(Clone, Debug)]
pub struct Pointwise<S: Scheme = F32> {
    packed: PackedPointwise<S>,
    activation: Activation,
    formats: Formats,
}

/// Every output is a weighted sum of all inputs, `[N, 1, 1, c_in]` to `[N, 1, 1, c_out]`: a pointwise convolution of one pixel.
#[derive(Clone, Debug)]
pub struct Dense<S: Scheme = F32>(Pointwise<S>);

impl<S: Scheme> Pointwise<S> {
    /// Packs weights `[c_out, c_in]` and a bias of `c_out`. `formats` are those that the filter is made for.
    ///
    /// # Errors
    /// As [`PackedPointwise::pack`].
    pub fn pack(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        filter: Filter<'_, S>,
        activation: Activation,
        formats: Formats,
    ) -> dwsep::Result<Self> {
        Ok(Self {
            packed: PackedPointwise::pack(kernels.pointwise_for(c_in), c_in, c_out, filter)?,
            activation,
            formats,
        })
    }
}

impl Dense {
    /// Packs weights `[c_out, c_in]` and a bias of `c_out`, in f32.
    ///
    /// # Errors
    /// As [`PackedPointwise::pack`].
    pub fn new(
        kernels: &KernelSet,
        channels: (usize, usize),
        filter: Filter<'_, F32>,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let filter = filter.flush_subnormals();
        Pointwise::pack(kernels, channels, filter, activation, Formats::F32).map(Self)
    }
}

impl<S: Scheme> From<Pointwise<S>> for Dense<S> {
    fn from(pointwise: Pointwise<S>) -> Self {
        Self(pointwise)
    }
}

impl<S: LayerScheme> Layer for Pointwise<S> {
    fn description(&self) -> String {
        let (c_in, c_out) = self.packed.channels();
        format!("pointwise, {c_in} to {c_out} channels")
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![self.packed.kernel().name()]
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        (c_in + 1) * c_out
    }

    fn weight_bytes(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        scheme_bytes::<S>(c_in * c_out, c_out)
    }

    fn macs(&self, output: Nhwc) -> u64 {
        convolution_macs(output, self.packed.channels().0)
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, self.formats.input)?;
        let op = dwsep::Pointwise::new(&self.packed, input, self.activation)?;
        Ok(planned(op, self.formats.output))
    }
}

impl<S: LayerScheme> Layer for Dense<S> {
    fn description(&self) -> String {
        let (c_in, c_out) = self.0.packed.channels();
        format!("dense, {c_in} to {c_out} channels")
    }

    fn kernels(&self) -> Vec<&'static str> {
        self.0.kernels()
    }

    fn weights(&self) -> usize {
        self.0.weights()
    }

    fn weight_bytes(&self) -> usize {
        self.0.weight_bytes()
    }

    fn macs(&self, output: Nhwc) -> u64 {
        self.0.macs(output)
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, self.0.formats.input)?;
        for (dim, found) in [("h", input.h), ("w", input.w)] {
            if found != 1 {
                return Err(dwsep::Error::Mismatch {
                    operand: "input",
                    dim,
                    expected: 1,
                    found,
                }
                .into());
            }
        }
        self.0.plan(inputs)
    }
}
