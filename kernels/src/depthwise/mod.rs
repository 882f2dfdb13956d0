//! Depthwise 3x3 convolution, stride 1 or 2, any padding, with bias and activation in the store.

pub(crate) mod driver;
pub mod reference;

use core::ops::Range;

use crate::executor::Executor;
use crate::geometry::Geometry;
use crate::kernel::args::DwKernel;
use crate::pack::{self, DepthwiseSource, Filter, Panels};
use crate::scheme::{F32, Scheme};
use crate::shape::{Nhwc, Padding, Stride, WINDOW};
use crate::view::{View, ViewMut};
use crate::{Activation, Error, Result};

/// Weights of a depthwise 3x3 convolution, packed for a kernel and bound to it. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct PackedDepthwise<S: Scheme = F32> {
    pub(crate) kernel: &'static DwKernel<S>,
    pub(crate) channels: usize,
    pub(crate) panels: Panels<S>,
}

impl<S: Scheme> PackedDepthwise<S> {
    /// Packs weights `[3, 3, C]` (TensorFlow Lite's `[1, 3, 3, C]`).
    ///
    /// # Errors
    /// [`Error::IsaUnavailable`] for a kernel that this CPU cannot run, [`Error::ZeroDimension`], [`Error::Mismatch`] where
    /// weights or bias have another length, [`Error::SizeOverflow`], [`Error::OutOfMemory`]. Of integers also
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`], [`Error::Mismatch`] for the number of scales, and
    /// [`Error::AccumulatorOverflow`] where some input's sum would leave i32.
    pub fn pack(
        kernel: &'static DwKernel<S>,
        channels: usize,
        filter: Filter<'_, S>,
    ) -> Result<Self> {
        pack::expect_available(kernel.isa)?;
        pack::expect_filter(
            &filter,
            &[("kh", WINDOW), ("kw", WINDOW), ("c", channels)],
            channels,
        )?;
        let panels = S::pack_depthwise(&DepthwiseSource { channels, filter }, kernel)?;
        Ok(Self {
            kernel,
            channels,
            panels,
        })
    }

    /// The kernel that they are packed for.
    pub fn kernel(&self) -> &'static DwKernel<S> {
        self.kernel
    }

    /// Channels, in and out.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        self.panels.data.len()
    }
}

/// A depthwise 3x3 convolution of one input shape: `[N, H, W, C]` to `[N, OH, OW, C]` with
/// `OH = (H + top + bottom - 3) / stride + 1`, and `OW` likewise.
///
/// ```
/// use dwsep::{Activation, Depthwise, F32, Filter, KernelSet, Nhwc, PackedDepthwise, Padding, Serial, Stride, View, ViewMut};
///
/// let kernels = KernelSet::native()?;
/// // Weights [3, 3, C] of two channels: the first sums the window, the second takes its centre.
/// let mut weights = [[1.0, 0.0]; 9];
/// weights[4][1] = 1.0;
/// let filter = Filter::new(weights.as_flattened(), Some(&[0.0, 0.5]));
/// let packed = PackedDepthwise::<F32>::pack(kernels.depthwise(), 2, filter)?;
/// let op = Depthwise::new(&packed, Nhwc::new(1, 3, 3, 2), Stride::Two, Padding::symmetric(1), Activation::None)?;
/// assert_eq!(op.output_shape(), Nhwc::new(1, 2, 2, 2));
///
/// let (input, mut output) = ([1.0; 18], [0.0; 8]);
/// // The same in parts, as an engine's own threads take them: `run_rows`.
/// op.run(&Serial, View::new(&input, op.input_shape())?, ViewMut::new(&mut output, op.output_shape())?, &mut [])?;
/// // At each corner four pixels of the window are there, the rest is padding.
/// assert_eq!(output, [4.0, 1.5, 4.0, 1.5, 4.0, 1.5, 4.0, 1.5]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Depthwise<S: Scheme = F32> {
    pub(crate) packed: PackedDepthwise<S>,
    pub(crate) input: Nhwc,
    pub(crate) geometry: Geometry,
    pub(crate) epilogue: S::Epilogue,
}

impl<S: Scheme> Depthwise<S> {
    /// For inputs of the shape `input`. Everything but the views is checked here.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where `input.c` is not the weights' channel count, [`Error::ZeroDimension`],
    /// [`Error::WindowTooLarge`] where the padded input is smaller than 3x3, [`Error::SizeOverflow`], [`Error::InvalidClamp`];
    /// [`Error::Unsupported`] for an activation of integers that is no clamp.
    pub fn new(
        packed: &PackedDepthwise<S>,
        input: Nhwc,
        stride: Stride,
        padding: Padding,
        activation: Activation,
    ) -> Result<Self> {
        input.len("input")?;
        if input.c != packed.channels {
            return Err(Error::Mismatch {
                operand: "input",
                dim: "c",
                expected: packed.channels,
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

    /// `[N, H, W, C]`
    pub fn input_shape(&self) -> Nhwc {
        self.input
    }

    /// `[N, OH, OW, C]`
    pub fn output_shape(&self) -> Nhwc {
        let (h, w) = self.geometry.output();
        Nhwc { h, w, ..self.input }
    }

    /// Bytes of workspace that [`run`](Self::run) takes on so many threads.
    pub fn workspace_len(&self, _threads: usize) -> usize {
        0
    }

    /// The whole output, on the executor's threads.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for views of another shape.
    pub fn run(
        &self,
        executor: &dyn Executor,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        _workspace: &mut [u8],
    ) -> Result<()> {
        input.shape().must_be("input", self.input)?;
        output.shape().must_be("output", self.output_shape())?;
        driver::run(self, executor, input, output);
        Ok(())
    }

    /// Rows `rows` of the `N * OH` output rows, on the calling thread, for engines that schedule by themselves. `output` holds
    /// these rows alone, as `[1, rows, OW, C]`; the input is whole. The workspace is that of one thread.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::RowRange`].
    pub fn run_rows(
        &self,
        rows: Range<usize>,
        input: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        _workspace: &mut [u8],
    ) -> Result<()> {
        input.shape().must_be("input", self.input)?;
        output.shape().must_be(
            "output",
            crate::shape::row_range(self.output_shape(), &rows)?,
        )?;
        driver::rows(self, &input, rows, output);
        Ok(())
    }
}
