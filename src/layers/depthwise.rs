//! A depthwise 3x3 convolution that nothing follows which it could be fused with.

use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedDepthwise, Scheme};

use crate::layer::{
    Formats, Layer, LayerScheme, PlannedLayer, Result, Window, convolution_macs, planned,
    scheme_bytes, sole_of,
};
use crate::value::ValueInfo;

/// A depthwise 3x3 convolution, `[N, H, W, C]` to `[N, OH, OW, C]`.
#[derive(Clone, Debug)]
pub struct Depthwise<S: Scheme = F32> {
    packed: PackedDepthwise<S>,
    window: Window,
    activation: Activation,
    formats: Formats,
}

impl<S: Scheme> Depthwise<S> {
    /// Packs weights `[3, 3, C]` and a bias of `C`. `formats` are those that the filter is made for.
    ///
    /// # Errors
    /// As [`PackedDepthwise::pack`].
    pub fn pack(
        kernels: &KernelSet,
        channels: usize,
        filter: Filter<'_, S>,
        window: Window,
        activation: Activation,
        formats: Formats,
    ) -> dwsep::Result<Self> {
        Ok(Self {
            packed: PackedDepthwise::pack(kernels.depthwise(), channels, filter)?,
            window,
            activation,
            formats,
        })
    }
}

impl<S: LayerScheme> Layer for Depthwise<S> {
    fn description(&self) -> String {
        format!(
            "depthwise 3x3, stride {}, {} channels",
            self.window.stride.get(),
            self.packed.channels()
        )
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![self.packed.kernel().name()]
    }

    fn weights(&self) -> usize {
        (9 + 1) * self.packed.channels()
    }

    fn weight_bytes(&self) -> usize {
        let channels = self.packed.channels();
        scheme_bytes::<S>(9 * channels, channels)
    }

    fn macs(&self, output: Nhwc) -> u64 {
        convolution_macs(output, 9)
    }

    fn plan(&self, inputs: &[ValueInfo]) -> Result<Box<dyn PlannedLayer>> {
        let input = sole_of(inputs, self.formats.input)?;
        let Window { stride, border } = self.window;
        let padding = border.padding(input, stride);
        let op = dwsep::Depthwise::new(&self.packed, input, stride, padding, self.activation)?;
        Ok(planned(op, self.formats.output))
    }
}
