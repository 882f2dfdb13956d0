//! The block that MobileNetV1 is made of: depthwise, then pointwise.

use dwsep::{
    Activation, F32, Filter, KernelSet, Nhwc, PackedDepthwise, PackedPointwise, Padding, Stride,
};

use crate::layer::{Layer, PlannedLayer, convolution_macs};

/// A depthwise 3x3 and a pointwise convolution, both with the same activation, `[N, H, W, c_in]` to
/// `[N, ceil(H / stride), ceil(W / stride), c_out]`, padded by TensorFlow's rule.
///
/// Source: Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 3.1.
#[derive(Clone, Debug)]
pub struct Separable {
    depthwise: PackedDepthwise,
    pointwise: PackedPointwise,
    stride: Stride,
    activation: Activation,
}

impl Separable {
    /// Packs depthwise weights `[3, 3, c_in]` with a bias of `c_in`, and pointwise weights `[c_out, c_in]` with a bias of `c_out`.
    ///
    /// # Errors
    /// As [`PackedDepthwise::pack`] and [`PackedPointwise::pack`].
    pub fn new(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        depthwise: Filter<'_, F32>,
        pointwise: Filter<'_, F32>,
        stride: Stride,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let (depthwise, pointwise) = (depthwise.flush_subnormals(), pointwise.flush_subnormals());
        Ok(Self {
            depthwise: PackedDepthwise::pack(kernels.depthwise(), c_in, depthwise)?,
            pointwise: PackedPointwise::pack(kernels.pointwise(), c_in, c_out, pointwise)?,
            stride,
            activation,
        })
    }
}

impl Layer for Separable {
    fn description(&self) -> String {
        let (c_in, c_out) = self.pointwise.channels();
        let stride = self.stride.get();
        format!("depthwise 3x3, stride {stride}, {c_in} channels; pointwise to {c_out}")
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![
            self.depthwise.kernel().name(),
            self.pointwise.kernel().name(),
        ]
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = self.pointwise.channels();
        (9 + 1) * c_in + (c_in + 1) * c_out
    }

    fn macs(&self, output: Nhwc) -> u64 {
        let c_in = self.depthwise.channels();
        let between = Nhwc { c: c_in, ..output };
        convolution_macs(between, 9).saturating_add(convolution_macs(output, c_in))
    }

    fn plan(&self, input: Nhwc) -> dwsep::Result<Box<dyn PlannedLayer>> {
        Ok(Box::new(dwsep::Separable::new(
            &self.depthwise,
            &self.pointwise,
            input,
            self.stride,
            Padding::same(input.h, input.w, self.stride),
            self.activation,
            self.activation,
        )?))
    }
}
