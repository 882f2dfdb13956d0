//! A dense 3x3 convolution: the first layer, which sees the image.

use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedConv3x3, Scheme, Stride};

use crate::layer::{
    Formats, Layer, LayerScheme, PlannedLayer, Result, Window, convolution_macs, planned,
    scheme_bytes, sole_of,
};
use crate::value::ValueInfo;

/// A dense 3x3 convolution, `[N, H, W, c_in]` to `[N, OH, OW, c_out]`. Padded by TensorFlow's rule `OH` is `ceil(H / stride)`.
#[derive(Clone, Debug)]
pub struct Conv3x3<S: Scheme = F32> {
    packed: PackedConv3x3<S>,
    window: Window,
    activation: Activation,
    formats: Formats,
}

impl Conv3x3 {
    /// Packs weights `[c_out, 3, 3, c_in]` and a bias of `c_out`, in f32. Padded by TensorFlow's rule.
    ///
    /// # Errors
    /// As [`PackedConv3x3::pack`].
    pub fn new(
        kernels: &KernelSet,
        channels: (usize, usize),
        filter: Filter<'_, F32>,
        stride: Stride,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let (filter, window) = (filter.flush_subnormals(), Window::same(stride));
        Self::pack(kernels, channels, filter, window, activation, Formats::F32)
    }
}

impl<S: Scheme> Conv3x3<S> {
    /// Packs weights `[c_out, 3, 3, c_in]` and a bias of `c_out`. `formats` are those that the filter is made for.
    ///
    /// # Errors
    /// As [`PackedConv3x3::pack`].
    pub fn pack(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        filter: Filter<'_, S>,
        window: Window,
        activation: Activation,
        formats: Formats,
    ) -> dwsep::Result<Self> {
        Ok(Self {
            packed: PackedConv3x3::pack(kernels.pointwise_for(9 * c_in), c_in, c_out, filter)?,
            window,
            activation,
            formats,
        })
    }
}

impl<S: LayerScheme> Layer for Conv3x3<S> {
    fn description(&self) -> String {
        let (c_in, c_out) = self.packed.channels();
        format!(
            "convolution 3x3, stride {}, {c_in} to {c_out} channels",
            self.window.stride.get()
        )
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![self.packed.kernel().name()]
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        (9 * c_in + 1) * c_out
    }

    fn weight_bytes(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        scheme_bytes::<S>(9 * c_in * c_out, c_out)
    }

    fn macs(&self, output: Nhwc) -> u64 {
        convolution_macs(output, 9 * self.packed.channels().0)
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, self.formats.input)?;
        let Window { stride, border } = self.window;
        let padding = border.padding(input, stride);
        let op = dwsep::Conv3x3::new(&self.packed, input, stride, padding, self.activation)?;
        Ok(planned(op, self.formats.output))
    }
}
