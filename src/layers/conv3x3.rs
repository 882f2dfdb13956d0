//! The first layer: a dense 3x3 convolution of the image.

use dwsep::{Activation, Conv3x3, F32, Filter, KernelSet, Nhwc, PackedConv3x3, Padding, Stride};

use crate::layer::{Layer, PlannedLayer, convolution_macs};

/// A dense 3x3 convolution, `[N, H, W, c_in]` to `[N, ceil(H / stride), ceil(W / stride), c_out]`, padded by TensorFlow's rule.
#[derive(Clone, Debug)]
pub struct Stem {
    packed: PackedConv3x3,
    stride: Stride,
    activation: Activation,
}

impl Stem {
    /// Packs weights `[c_out, 3, 3, c_in]` and a bias of `c_out`.
    ///
    /// # Errors
    /// As [`PackedConv3x3::pack`].
    pub fn new(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        filter: Filter<'_, F32>,
        stride: Stride,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let filter = filter.flush_subnormals();
        let packed = PackedConv3x3::pack(kernels.pointwise(), c_in, c_out, filter)?;
        Ok(Self {
            packed,
            stride,
            activation,
        })
    }
}

impl Layer for Stem {
    fn description(&self) -> String {
        let (c_in, c_out) = self.packed.channels();
        format!(
            "convolution 3x3, stride {}, {c_in} to {c_out} channels",
            self.stride.get()
        )
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![self.packed.kernel().name()]
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        (9 * c_in + 1) * c_out
    }

    fn macs(&self, output: Nhwc) -> u64 {
        convolution_macs(output, 9 * self.packed.channels().0)
    }

    fn plan(&self, input: Nhwc) -> dwsep::Result<Box<dyn PlannedLayer>> {
        let padding = Padding::same(input.h, input.w, self.stride);
        let op = Conv3x3::new(&self.packed, input, self.stride, padding, self.activation)?;
        Ok(Box::new(op))
    }
}
