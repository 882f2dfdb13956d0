//! The classifier.

use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedPointwise, Pointwise};

use crate::layer::{Layer, PlannedLayer, convolution_macs};

/// Every output is a weighted sum of all inputs, `[N, 1, 1, c_in]` to `[N, 1, 1, c_out]`: a pointwise convolution of one pixel.
#[derive(Clone, Debug)]
pub struct Dense {
    packed: PackedPointwise,
    activation: Activation,
}

impl Dense {
    /// Packs weights `[c_out, c_in]` and a bias of `c_out`.
    ///
    /// # Errors
    /// As [`PackedPointwise::pack`].
    pub fn new(
        kernels: &KernelSet,
        (c_in, c_out): (usize, usize),
        filter: Filter<'_, F32>,
        activation: Activation,
    ) -> dwsep::Result<Self> {
        let filter = filter.flush_subnormals();
        let packed = PackedPointwise::pack(kernels.pointwise(), c_in, c_out, filter)?;
        Ok(Self { packed, activation })
    }
}

impl Layer for Dense {
    fn description(&self) -> String {
        let (c_in, c_out) = self.packed.channels();
        format!("dense, {c_in} to {c_out} channels")
    }

    fn kernels(&self) -> Vec<&'static str> {
        vec![self.packed.kernel().name()]
    }

    fn weights(&self) -> usize {
        let (c_in, c_out) = self.packed.channels();
        (c_in + 1) * c_out
    }

    fn macs(&self, output: Nhwc) -> u64 {
        convolution_macs(output, self.packed.channels().0)
    }

    fn plan(&self, input: Nhwc) -> dwsep::Result<Box<dyn PlannedLayer>> {
        for (dim, found) in [("h", input.h), ("w", input.w)] {
            if found != 1 {
                return Err(dwsep::Error::Mismatch {
                    operand: "input",
                    dim,
                    expected: 1,
                    found,
                });
            }
        }
        Ok(Box::new(Pointwise::new(
            &self.packed,
            input,
            self.activation,
        )?))
    }
}
