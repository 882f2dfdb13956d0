//! Dense 3x3 convolution, stride 1 or 2, any padding: the stem of a network, `[H, W, 3]` to 32 channels.
//!
//! It is the pointwise kernel over a longer row: in NHWC the three pixels under a row of the window lie side by side, so that an
//! output pixel is `[3 segments x 3 c_in] x [9 c_in, c_out]`, read in place. There is no im2col and no padded copy.

pub(crate) mod driver;
pub mod reference;

use core::ops::Range;

use crate::executor::Executor;
use crate::geometry::Geometry;
use crate::kernel::args::PwKernel;
use crate::kernel::prepared;
use crate::memory;
use crate::pack::{self, Filter, GemmSource, Panels};
use crate::scheme::{F32, Scheme};
use crate::shape::{Nhwc, Padding, Stride, WINDOW};
use crate::view::{View, ViewMut};
use crate::{Activation, Error, Result};

/// Weights of a dense 3x3 convolution, packed for a pointwise kernel and bound to it. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct PackedConv3x3<S: Scheme = F32> {
    pub(crate) kernel: &'static PwKernel<S>,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    pub(crate) panels: Panels<S>,
}

impl<S: Scheme> PackedConv3x3<S> {
    /// Packs weights `[c_out, 3, 3, c_in]` (TensorFlow Lite's order).
    ///
    /// # Errors
    /// [`Error::IsaUnavailable`] for a kernel that this CPU cannot run, [`Error::ZeroDimension`], [`Error::Mismatch`] where
    /// weights or bias have another length, [`Error::SizeOverflow`], [`Error::OutOfMemory`]. Of integers also
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`], [`Error::Mismatch`] for the number of scales, and
    /// [`Error::AccumulatorOverflow`] where some input's sum would leave i32.
    pub fn pack(
        kernel: &'static PwKernel<S>,
        c_in: usize,
        c_out: usize,
        filter: Filter<'_, S>,
    ) -> Result<Self> {
        pack::expect_available(kernel.isa)?;
        let dims = [
            ("c_out", c_out),
            ("kh", WINDOW),
            ("kw", WINDOW),
            ("c_in", c_in),
        ];
        pack::expect_filter(&filter, &dims, c_out)?;
        let panels = S::pack_gemm(
            &GemmSource {
                c_out,
                k: WINDOW * WINDOW * c_in,
                segments: WINDOW,
                filter,
            },
            kernel,
        )?;
        Ok(Self {
            kernel,
            c_in,
            c_out,
            panels,
        })
    }

    /// The kernel that they are packed for.
    pub fn kernel(&self) -> &'static PwKernel<S> {
        self.kernel
    }

    /// Input and output channels.
    pub fn channels(&self) -> (usize, usize) {
        (self.c_in, self.c_out)
    }

    /// Rows of a panel.
    pub(crate) fn depth(&self) -> usize {
        WINDOW * self.panels.segment_rows
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        self.panels.data.len()
    }
}

/// A dense 3x3 convolution of one input shape: `[N, H, W, c_in]` to `[N, OH, OW, c_out]` with
/// `OH = (H + top + bottom - 3) / stride + 1`, and `OW` likewise.
///
/// ```
/// use dwsep::{Activation, Conv3x3, F32, Filter, KernelSet, Nhwc, PackedConv3x3, Padding, Serial, Stride, View, ViewMut};
///
/// let kernels = KernelSet::native()?;
/// let packed = PackedConv3x3::<F32>::pack(kernels.pointwise(), 3, 32, Filter::new(&[0.5; 32 * 9 * 3], None))?;
/// let shape = Nhwc::new(1, 224, 224, 3);
/// let op = Conv3x3::new(&packed, shape, Stride::Two, Padding::same(224, 224, Stride::Two), Activation::None)?;
/// assert_eq!(op.output_shape(), Nhwc::new(1, 112, 112, 32));
///
/// let (input, mut output) = (vec![1.0; 224 * 224 * 3], vec![0.0; 112 * 112 * 32]);
/// let mut workspace = vec![0; op.workspace_len(1)];
/// op.run(&Serial, View::new(&input, shape)?, ViewMut::new(&mut output, op.output_shape())?, &mut workspace)?;
/// // A whole window has nine taps of three channels; at this stride the padding is below and on the right alone.
/// assert_eq!((output[0], output[112 * 112 * 32 - 1]), (13.5, 6.0));
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv3x3<S: Scheme = F32> {
    pub(crate) packed: PackedConv3x3<S>,
    pub(crate) input: Nhwc,
    pub(crate) geometry: Geometry,
    pub(crate) epilogue: S::Epilogue,
}

impl<S: Scheme> Conv3x3<S> {
    /// For inputs of the shape `input`. Everything but the views is checked here.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where `input.c` is not `c_in`, [`Error::ZeroDimension`], [`Error::WindowTooLarge`] where the padded
    /// input is smaller than 3x3, [`Error::SizeOverflow`], [`Error::InvalidClamp`]; [`Error::Unsupported`] for an activation of
    /// integers that is no clamp.
    pub fn new(
        packed: &PackedConv3x3<S>,
        input: Nhwc,
        stride: Stride,
        padding: Padding,
        activation: Activation,
    ) -> Result<Self> {
        input.len("input")?;
        if input.c != packed.c_in {
            return Err(Error::Mismatch {
                operand: "input",
                dim: "c",
                expected: packed.c_in,
                found: input.c,
            });
        }
        let geometry = Geometry::new(input.h, input.w, stride, padding)?;
        let op = Self {
            packed: packed.clone(),
            input,
            geometry,
            epilogue: S::epilogue(activation, &packed.panels.params)?,
        };
        op.output_shape().len("output")?;
        Ok(op)
    }

    /// `[N, H, W, c_in]`
    pub fn input_shape(&self) -> Nhwc {
        self.input
    }

    /// `[N, OH, OW, c_out]`
    pub fn output_shape(&self) -> Nhwc {
        let (h, w) = self.geometry.output();
        Nhwc {
            n: self.input.n,
            h,
            w,
            c: self.packed.c_out,
        }
    }

    /// Bytes of workspace that [`run`](Self::run) takes on so many threads.
    pub fn workspace_len(&self, threads: usize) -> usize {
        memory::workspace_len(threads.max(1), self.scratch())
    }

    /// Bytes of workspace of a thread.
    fn scratch(&self) -> usize {
        let Nhwc { h, w, .. } = self.output_shape();
        // GEMM rows follow each other along one side of an image.
        prepared::scratch(self.packed.kernel, self.packed.depth(), h.max(w))
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
        input.shape().must_be("input", self.input)?;
        output.shape().must_be("output", self.output_shape())?;
        let threads = executor.threads().max(1);
        let workspace = memory::divide(workspace, threads, self.scratch())?;
        driver::run(self, executor, input, output, workspace);
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
        input.shape().must_be("input", self.input)?;
        output.shape().must_be(
            "output",
            crate::shape::row_range(self.output_shape(), &rows)?,
        )?;
        let workspace = memory::divide(workspace, 1, self.scratch())?;
        driver::rows(self, &input, rows, output, workspace.bytes);
        Ok(())
    }
}
