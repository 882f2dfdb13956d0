//! Pointwise (1x1) convolution: the GEMM `[pixels, c_in] x [c_in, c_out]`, with bias, residual and activation in the store.

pub(crate) mod driver;
pub mod reference;

use core::ops::Range;

use crate::executor::Executor;
use crate::kernel::args::PwKernel;
use crate::kernel::prepared;
use crate::memory::{self, Parts};
use crate::pack::{self, Filter, GemmSource, Panels};
use crate::scheme::{F32, Scheme};
use crate::shape::Nhwc;
use crate::view::{View, ViewMut};
use crate::{Activation, Error, Result};

/// Weights of a pointwise convolution, packed for a kernel and bound to it. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct PackedPointwise<S: Scheme = F32> {
    pub(crate) kernel: &'static PwKernel<S>,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    pub(crate) panels: Panels<S>,
}

impl<S: Scheme> PackedPointwise<S> {
    /// Packs weights `[c_out, c_in]` (TensorFlow Lite's `[c_out, 1, 1, c_in]`, PyTorch's `[c_out, c_in, 1, 1]`).
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
        pack::expect_filter(&filter, &[("c_out", c_out), ("c_in", c_in)], c_out)?;
        let panels = S::pack_gemm(
            &GemmSource {
                c_out,
                k: c_in,
                segments: 1,
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

    /// Panels whose sums are too large for a kernel that takes two products in one multiplication, and are computed one by one;
    /// 0 for other kernels.
    pub fn panels_with_mark(&self) -> usize {
        let panels = self.panels.data.chunks_exact(self.panels.panel_bytes);
        panels
            .filter(|panel| S::has_mark(self.kernel, panel))
            .count()
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        self.panels.data.len()
    }
}

/// A pointwise convolution of one input shape: `[N, H, W, c_in]` to `[N, H, W, c_out]`.
///
/// ```
/// use dwsep::{Activation, F32, Filter, KernelSet, Nhwc, PackedPointwise, Pointwise, Serial, View, ViewMut};
///
/// let kernels = KernelSet::native()?;
/// // Weights [c_out, c_in], a bias for each of c_out.
/// let filter = Filter::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Some(&[0.5, 0.0, -20.0]));
/// let packed = PackedPointwise::<F32>::pack(kernels.pointwise(), 2, 3, filter)?;
/// let op = Pointwise::new(&packed, Nhwc::new(1, 1, 2, 2), Activation::Relu)?;
/// assert_eq!(op.output_shape(), Nhwc::new(1, 1, 2, 3));
///
/// let (input, mut output) = ([1.0, 2.0, 3.0, -1.0], [0.0; 6]);
/// let mut workspace = vec![0; op.workspace_len(1)];
/// op.run(&Serial, View::new(&input, op.input_shape())?, ViewMut::new(&mut output, op.output_shape())?, &mut workspace)?;
/// assert_eq!(output, [5.5, 11.0, 0.0, 1.5, 5.0, 0.0]);
/// # Ok::<(), dwsep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pointwise<S: Scheme = F32> {
    packed: PackedPointwise<S>,
    input: Nhwc,
    epilogue: S::Epilogue,
}

impl<S: Scheme> Pointwise<S> {
    /// For inputs of the shape `input`. Everything but the views is checked here.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where `input.c` is not `c_in`, [`Error::ZeroDimension`], [`Error::SizeOverflow`] of input or output,
    /// [`Error::InvalidClamp`]; [`Error::Unsupported`] for an activation of integers that is no clamp.
    pub fn new(packed: &PackedPointwise<S>, input: Nhwc, activation: Activation) -> Result<Self> {
        input.len("input")?;
        if input.c != packed.c_in {
            return Err(Error::Mismatch {
                operand: "input",
                dim: "c",
                expected: packed.c_in,
                found: input.c,
            });
        }
        Nhwc {
            c: packed.c_out,
            ..input
        }
        .len("output")?;
        Ok(Self {
            packed: packed.clone(),
            input,
            epilogue: S::epilogue(activation, &packed.panels.params)?,
        })
    }

    /// `[N, H, W, c_in]`
    pub fn input_shape(&self) -> Nhwc {
        self.input
    }

    /// `[N, H, W, c_out]`
    pub fn output_shape(&self) -> Nhwc {
        Nhwc {
            c: self.packed.c_out,
            ..self.input
        }
    }

    /// Bytes of workspace that [`run`](Self::run) takes on so many threads.
    pub fn workspace_len(&self, threads: usize) -> usize {
        memory::workspace_len(threads.max(1), self.scratch())
    }

    /// Bytes of workspace of a thread.
    fn scratch(&self) -> usize {
        let Nhwc { n, h, w, .. } = self.input;
        prepared::scratch(self.packed.kernel, self.packed.c_in, n * h * w)
    }

    /// `output = activation(input x weights + bias)`.
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
        let scratch = self.check(
            &input,
            None,
            &output,
            self.output_shape(),
            workspace,
            executor.threads(),
        )?;
        driver::run(
            &self.packed,
            self.epilogue,
            executor,
            input,
            0,
            None,
            output,
            scratch,
        );
        Ok(())
    }

    /// `output = activation(input x weights + bias + residual)`, the residual of the output's shape.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::Unsupported`] for a scheme that does not [add](Scheme::ADDS).
    pub fn run_add(
        &self,
        executor: &dyn Executor,
        input: View<'_, S::Elem>,
        residual: View<'_, S::Elem>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> Result<()> {
        let scratch = self.check(
            &input,
            Some(&residual),
            &output,
            self.output_shape(),
            workspace,
            executor.threads(),
        )?;
        driver::run(
            &self.packed,
            self.epilogue,
            executor,
            input,
            0,
            Some(residual),
            output,
            scratch,
        );
        Ok(())
    }

    /// Rows `rows` of the `N * H` output rows, on the calling thread, for engines that schedule by themselves. `output` holds
    /// these rows alone, as `[1, rows, W, c_out]`; input and residual are whole. The workspace is that of one thread.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::RowRange`].
    pub fn run_rows(
        &self,
        rows: Range<usize>,
        input: View<'_, S::Elem>,
        residual: Option<View<'_, S::Elem>>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> Result<()> {
        let part = crate::shape::row_range(self.output_shape(), &rows)?;
        let scratch = self.check(&input, residual.as_ref(), &output, part, workspace, 1)?;
        driver::rows(
            &self.packed,
            self.epilogue,
            &input,
            0,
            residual.as_ref(),
            rows,
            0..self.packed.c_out,
            output,
            scratch.bytes,
        );
        Ok(())
    }

    /// The workspace, divided for so many threads.
    fn check<'w>(
        &self,
        input: &View<'_, S::Elem>,
        residual: Option<&View<'_, S::Elem>>,
        output: &ViewMut<'_, S::Elem>,
        output_shape: Nhwc,
        workspace: &'w mut [u8],
        threads: usize,
    ) -> Result<Parts<'w>> {
        input.shape().must_be("input", self.input)?;
        residual.map_or(Ok(()), |r| {
            r.shape().must_be("residual", self.output_shape())
        })?;
        if residual.is_some() && !S::ADDS {
            return Err(Error::Unsupported {
                operand: "residual",
                found: "a tensor",
                expected: "none: quantised tensors are added by an op of their own",
            });
        }
        output.shape().must_be("output", output_shape)?;
        memory::divide(workspace, threads.max(1), self.scratch())
    }
}
