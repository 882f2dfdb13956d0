//! The block that MobileNetV1 is made of: depthwise, then pointwise.

use dwsep::{
    Activation, F32, Filter, KernelSet, Nhwc, PackedDepthwise, PackedPointwise, Scheme, Stride,
};

use crate::layer::{
    Formats, Layer, LayerScheme, PlannedLayer, Result, Window, convolution_macs, planned,
    scheme_bytes, sole_of,
};
use crate::value::ValueInfo;

/// A depthwise 3x3 and a pointwise convolution, `[N, H, W, c_in]` to `[N, OH, OW, c_out]`. Padded by TensorFlow's rule `OH` is
/// `ceil(H / stride)`.
///
/// Source: Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 3.1.
#[derive(Clone, Debug)]
pub struct Separable<S: Scheme = F32> {
    depthwise: PackedDepthwise<S>,
    pointwise: PackedPointwise<S>,
    window: Window,
    activations: [Activation; 2],
    formats: Formats,
}

impl Separable {
    /// Packs depthwise weights `[3, 3, c_in]` with a bias of `c_in`, and pointwise weights `[c_out, c_in]` with a bias of `c_out`,
    /// in f32. Padded by TensorFlow's rule, both with the same activation.
    ///
    /// # Errors
    /// As [`PackedDepthwise::pack`] and [`PackedPointwise::pack`].
    pub fn new(
        kernels: &KernelSet,
        channels: (usize, usize),
        depthwise: Filter<'_, F32>,
        pointwise: Filter<'_, F32>,
        stride: Stride,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let filters = (depthwise.flush_subnormals(), pointwise.flush_subnormals());
        let (window, activations) = (Window::same(stride), [activation; 2]);
        Self::pack(
            kernels,
            channels,
            filters,
            window,
            activations,
            Formats::F32,
        )
    }
}

impl<S: Scheme> Separable<S> {
    /// Packs depthwise weights `[3, 3, c_in]` with a bias of `c_in`, and pointwise weights `[c_out, c_in]` with a bias of `c_out`.
    /// `formats` are those that the first filter is made for on its input and the second on its output.
    ///
    /// # Errors
    /// As [`PackedDepthwise::pack`] and [`PackedPointwise::pack`].
    pub fn pack(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        (depthwise, pointwise): (Filter<'_, S>, Filter<'_, S>),
        window: Window,
        activations: [Activation; 2],
        formats: Formats,
    ) -> dwsep::Result<Self> {
        Ok(Self {
            depthwise: PackedDepthwise::pack(kernels.depthwise(), c_in, depthwise)?,
            pointwise: PackedPointwise::pack(kernels.pointwise_for(c_in), c_in, c_out, pointwise)?,
            window,
            activations,
            formats,
        })
    }
}

impl<S: LayerScheme> Layer for Separable<S> {
    fn description(&self) -> String {
        let (c_in, c_out) = self.pointwise.channels();
        let stride = self.window.stride.get();
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

    fn weight_bytes(&self) -> usize {
        let (c_in, c_out) = self.pointwise.channels();
        scheme_bytes::<S>((9 + c_out) * c_in, c_in + c_out)
    }

    fn macs(&self, output: Nhwc) -> u64 {
        let c_in = self.depthwise.channels();
        let between = Nhwc { c: c_in, ..output };
        convolution_macs(between, 9).saturating_add(convolution_macs(output, c_in))
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, self.formats.input)?;
        let Window { stride, border } = self.window;
        let [depthwise, pointwise] = self.activations;
        let op = dwsep::Separable::new(
            &self.depthwise,
            &self.pointwise,
            input,
            stride,
            border.padding(input, stride),
            depthwise,
            pointwise,
        )?;
        Ok(planned(op, self.formats.output))
    }
}
