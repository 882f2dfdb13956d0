//! What a layer is: weights that are packed once, and a plan for each input shape.
//!
//! A layer lives as an op of the kernels does: **build** it from weights when a model is loaded, **plan** it for an input shape
//! (which checks everything), **run** the plan. A block with branches inside, such as an inverted residual, is one layer: it
//! keeps what it needs between its ops in the workspace.

use std::fmt;

use dwsep::{Conv3x3, Executor, Nhwc, Pointwise, Separable, View, ViewMut};

/// A step of a network, with its weights packed.
pub trait Layer: fmt::Debug + Send + Sync {
    /// What it computes, in a few words: "depthwise 3x3, stride 2, 64 channels; pointwise to 128".
    fn description(&self) -> String;

    /// The names of the kernels that run it, in the order in which they run. None for what is not in the kernels' tables.
    fn kernels(&self) -> Vec<&'static str>;

    /// Weights and biases, in elements.
    fn weights(&self) -> usize;

    /// Multiply-adds for an output of this shape. Taps in the padding count, as they do wherever such numbers are published.
    fn macs(&self, output: Nhwc) -> u64;

    /// Prepares the layer for inputs of one shape. The plan shares the weights and does not borrow.
    ///
    /// # Errors
    /// Where the layer cannot take the shape: other channels, a zero in it, sizes that overflow.
    fn plan(&self, input: Nhwc) -> dwsep::Result<Box<dyn PlannedLayer>>;
}

/// Multiply-adds of a convolution, each of whose outputs is a sum of so many products.
pub(crate) fn convolution_macs(output: Nhwc, products: usize) -> u64 {
    let Nhwc { n, h, w, c } = output;
    [n, h, w, c, products]
        .into_iter()
        .fold(1, |x: u64, factor| x.saturating_mul(factor as u64))
}

/// A layer for inputs of one shape. Running it allocates nothing.
pub trait PlannedLayer: fmt::Debug + Send + Sync {
    /// `[N, H, W, C]` of the output.
    fn output_shape(&self) -> Nhwc;

    /// Bytes of workspace that [`run`](PlannedLayer::run) takes on up to so many threads.
    fn workspace_len(&self, threads: usize) -> usize;

    /// Computes the output.
    ///
    /// # Errors
    /// For views of another shape than planned, or a workspace that is too small.
    fn run(
        &self,
        executor: &dyn Executor,
        input: View<'_, f32>,
        output: ViewMut<'_, f32>,
        workspace: &mut [u8],
    ) -> dwsep::Result<()>;
}

/// Layers that are a single op of the kernels. The ops have no trait in common, but these methods.
macro_rules! plan_is_op {
    ($($op:ty),+) => {$(
        impl PlannedLayer for $op {
            fn output_shape(&self) -> Nhwc {
                <$op>::output_shape(self)
            }

            fn workspace_len(&self, threads: usize) -> usize {
                <$op>::workspace_len(self, threads)
            }

            fn run(
                &self,
                executor: &dyn Executor,
                input: View<'_, f32>,
                output: ViewMut<'_, f32>,
                workspace: &mut [u8],
            ) -> dwsep::Result<()> {
                <$op>::run(self, executor, input, output, workspace)
            }
        }
    )+};
}

plan_is_op!(Conv3x3, Pointwise, Separable);
