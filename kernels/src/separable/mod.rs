//! Depthwise 3x3 and pointwise in one: a strip of rows at a time, so that what is between them stays in cache.
//!
//! It composes the two packed ops and owns no kernel. Equal bit for bit to the two run one after the other.

pub(crate) mod driver;

use core::ops::Range;

use crate::depthwise::{Depthwise, PackedDepthwise};
use crate::executor::Executor;
use crate::memory;
use crate::pointwise::PackedPointwise;
use crate::scheme::{F32, Scheme};
use crate::shape::{Nhwc, Padding, Stride};
use crate::view::{View, ViewMut};
use crate::{Activation, Error, Result};

/// A depthwise 3x3 and a pointwise convolution of one input shape, fused: `[N, H, W, C]` to `[N, OH, OW, c_out]`.
///
/// ```
/// use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedDepthwise, PackedPointwise, Padding, Separable, Serial, Stride};
/// use dwsep::{View, ViewMut};
///
/// let kernels = KernelSet::native()?;
/// // When the model is loaded: pack.
/// let dw = PackedDepthwise::<F32>::pack(kernels.depthwise(), 8, Filter::new(&[0.1; 72], None))?;
/// let pw = PackedPointwise::<F32>::pack(kernels.pointwise(), 8, 16, Filter::new(&[0.2; 128], Some(&[0.5; 16])))?;
/// // For an input shape: the op, which says how much workspace it takes.
/// let shape = Nhwc::new(1, 10, 10, 8);
/// let padding = Padding::same(10, 10, Stride::Two);
/// let op = Separable::new(&dw, &pw, shape, Stride::Two, padding, Activation::Relu6, Activation::Relu6)?;
/// assert_eq!(op.output_shape(), Nhwc::new(1, 5, 5, 16));
/// // For each input: run.
/// let (input, mut output) = (vec![1.0; 800], vec![0.0; 400]);
/// let mut workspace = vec![0; op.workspace_len(1)];
/// op.run(&Serial, View::new(&input, shape)?, ViewMut::new(&mut output, op.output_shape())?, &mut workspace)?;
/// assert!((output[0] - (0.5 + 8.0 * 0.2 * 0.9)).abs() < 1e-5);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Separable<S: Scheme = F32> {
    pub(crate) depthwise: Depthwise<S>,
    pub(crate) pointwise: PackedPointwise<S>,
    pub(crate) epilogue: S::Epilogue,
    /// What the depthwise op changes the bits of its outputs by, so that the pointwise kernel can meet them in place.
    pub(crate) flip: u8,
}

impl<S: Scheme> Separable<S> {
    /// For inputs of the shape `input`. Everything but the views is checked here.
    ///
    /// # Errors
    /// As [`Depthwise::new`]; [`Error::Mismatch`] where the pointwise convolution has another number of input channels.
    pub fn new(
        depthwise: &PackedDepthwise<S>,
        pointwise: &PackedPointwise<S>,
        input: Nhwc,
        stride: Stride,
        padding: Padding,
        depthwise_activation: Activation,
        pointwise_activation: Activation,
    ) -> Result<Self> {
        let (expected, found) = (depthwise.channels, pointwise.c_in);
        if expected != found {
            return Err(Error::Mismatch {
                operand: "pointwise weights",
                dim: "c_in",
                expected,
                found,
            });
        }
        let mut depthwise =
            Depthwise::new(depthwise, input, stride, padding, depthwise_activation)?;
        let epilogue = S::epilogue(pointwise_activation, &pointwise.panels.params)?;
        let flip = S::met_in_place(pointwise.kernel.form, &epilogue, pointwise.c_in).unwrap_or(0);
        depthwise.epilogue = S::flipped(depthwise.epilogue, flip);
        let op = Self {
            depthwise,
            pointwise: pointwise.clone(),
            epilogue,
            flip,
        };
        op.output_shape().len("output")?;
        Ok(op)
    }

    /// `[N, H, W, C]`
    pub fn input_shape(&self) -> Nhwc {
        self.depthwise.input_shape()
    }

    /// `[N, OH, OW, c_out]`
    pub fn output_shape(&self) -> Nhwc {
        Nhwc {
            c: self.pointwise.c_out,
            ..self.depthwise.output_shape()
        }
    }

    /// Bytes of workspace that [`run`](Self::run) takes on up to so many threads: a strip for each of them, or all that is between the two.
    pub fn workspace_len(&self, threads: usize) -> usize {
        let len = |threads| memory::workspace_len(1, driver::Division::of(self, threads).bytes());
        // Fewer threads than planned may take more: strips of their own, where more of them would share all that is between the two.
        len(threads).max(len(threads.min(driver::most_fused_threads(self))))
    }

    /// The whole output, on the executor's threads.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for views of another shape; [`Error::WorkspaceTooSmall`].
    pub fn run(
        &self,
        executor: &dyn Executor,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> Result<()> {
        input.shape().must_be("input", self.input_shape())?;
        output.shape().must_be("output", self.output_shape())?;
        let threads = executor.threads();
        let division = driver::Division::of(self, threads);
        let workspace = memory::carve(workspace, 1, division.bytes())?;
        driver::run(self, executor, &division, input, output, workspace);
        Ok(())
    }

    /// Rows `rows` of the `N * OH` output rows, on the calling thread, for engines that schedule by themselves. `output` holds
    /// these rows alone, as `[1, rows, OW, c_out]`; the input is whole. The workspace is that of one thread.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::RowRange`].
    pub fn run_rows(
        &self,
        rows: Range<usize>,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> Result<()> {
        input.shape().must_be("input", self.input_shape())?;
        output.shape().must_be(
            "output",
            crate::shape::row_range(self.output_shape(), &rows)?,
        )?;
        let division = driver::Division::of(self, 1);
        let workspace = memory::carve(workspace, 1, division.bytes())?;
        driver::rows(self, &input, rows, output, workspace);
        Ok(())
    }
}
