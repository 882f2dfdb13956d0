//! Runs a [`Problem`] on a [`Kernel`] in watched memory, and compares.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::guard::{Buffer, Memory};
use super::problem::{Gaps, Op, Operands, Problem};
use super::{Kernel, Tested};
use crate::scheme::{F32, Scheme};
use crate::view::Strides;
use crate::{
    Conv3x3, Depthwise, Error, Executor, Nhwc, PackedConv3x3, PackedDepthwise, PackedPointwise,
    Pointwise, Separable, Serial, View, ViewMut,
};

/// How an op is called.
#[derive(Clone, Copy)]
pub enum How<'a> {
    /// Once, on these threads.
    On(&'a dyn Executor),
    /// For ranges of output rows: all rows, cut in front of each of these.
    Rows(&'a [usize]),
}

/// Why a kernel failed a problem.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// It was refused.
    Refused(Error),
    /// It panicked.
    Panicked(String),
    /// An output is not what the reference says.
    Differs {
        /// `[n, h, w, c]`
        at: [usize; 4],
        /// The reference's.
        expected: String,
        /// The kernel's.
        found: String,
    },
    /// An output has not been written. Bytes never say so: one that has not been written differs from the reference.
    Unwritten {
        /// `[n, h, w, c]`
        at: [usize; 4],
    },
    /// Something was stored in a gap of the output.
    GapWritten {
        /// Elements from the start of the slice.
        at: usize,
    },
    /// Something was stored beside a slice, or read where no access is allowed.
    Touched {
        /// "input", "residual", "output" or "workspace".
        operand: &'static str,
        /// Elements (of the workspace: bytes) from the start of the slice.
        at: isize,
        /// Length of the slice.
        len: usize,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(error) => write!(f, "refused: {error}"),
            Failure::Panicked(message) => write!(f, "panicked: {message}"),
            Failure::Differs {
                at,
                expected,
                found,
            } => write!(f, "output {at:?} is {found}, the reference says {expected}"),
            Failure::Unwritten { at } => write!(f, "output {at:?} was not written"),
            Failure::GapWritten { at } => {
                write!(f, "element {at} in a gap of the output was written")
            }
            Failure::Touched { operand, at, len } => {
                write!(f, "{operand}: element {at} of a slice of {len} was touched")
            }
        }
    }
}

impl core::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Refused(error)
    }
}

/// Equal as the numerics contract has it for f32: any NaN is any NaN, the sign of a zero is unspecified, all else bit for bit.
pub fn same(x: f32, y: f32) -> bool {
    x == y || (x.is_nan() && y.is_nan())
}

/// An op of any kind.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum AnyOp<S: Scheme = F32> {
    Pointwise(Pointwise<S>),
    Depthwise(Depthwise<S>),
    Conv3x3(Conv3x3<S>),
    Separable(Separable<S>),
}

impl<S: Scheme> AnyOp<S> {
    /// The op's.
    pub fn workspace_len(&self, threads: usize) -> usize {
        match self {
            AnyOp::Pointwise(op) => op.workspace_len(threads),
            AnyOp::Depthwise(op) => op.workspace_len(threads),
            AnyOp::Conv3x3(op) => op.workspace_len(threads),
            AnyOp::Separable(op) => op.workspace_len(threads),
        }
    }

    /// The op's.
    pub fn output_shape(&self) -> Nhwc {
        match self {
            AnyOp::Pointwise(op) => op.output_shape(),
            AnyOp::Depthwise(op) => op.output_shape(),
            AnyOp::Conv3x3(op) => op.output_shape(),
            AnyOp::Separable(op) => op.output_shape(),
        }
    }

    /// The op's `run`, or `run_add` where there is a residual.
    ///
    /// # Errors
    /// The op's.
    pub fn run(
        &self,
        executor: &dyn Executor,
        input: View<'_, S::Elem>,
        residual: Option<View<'_, S::Elem>>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> crate::Result<()> {
        match (self, residual) {
            (AnyOp::Pointwise(op), Some(residual)) => {
                op.run_add(executor, input, residual, output, workspace)
            }
            (AnyOp::Pointwise(op), None) => op.run(executor, input, output, workspace),
            (AnyOp::Depthwise(op), _) => op.run(executor, input, output, workspace),
            (AnyOp::Conv3x3(op), _) => op.run(executor, input, output, workspace),
            (AnyOp::Separable(op), _) => op.run(executor, input, output, workspace),
        }
    }

    /// The op's `run_rows`.
    ///
    /// # Errors
    /// The op's.
    pub fn run_rows(
        &self,
        rows: Range<usize>,
        input: View<'_, S::Elem>,
        residual: Option<View<'_, S::Elem>>,
        output: ViewMut<'_, S::Elem>,
        workspace: &mut [u8],
    ) -> crate::Result<()> {
        match self {
            AnyOp::Pointwise(op) => op.run_rows(rows, input, residual, output, workspace),
            AnyOp::Depthwise(op) => op.run_rows(rows, input, output, workspace),
            AnyOp::Conv3x3(op) => op.run_rows(rows, input, output, workspace),
            AnyOp::Separable(op) => op.run_rows(rows, input, output, workspace),
        }
    }
}

/// A tensor in watched memory.
struct Tensor<T> {
    buffer: Buffer<T>,
    shape: Nhwc,
    strides: Strides,
}

impl<T: bytemuck::Pod> Tensor<T> {
    /// Just long enough for its last element; all canaries.
    fn new(shape: Nhwc, gaps: Gaps, wild: bool, memory: Memory) -> Self {
        let w = shape.c + gaps.w;
        let h = shape.w * w + gaps.h;
        let n = shape.h * h + gaps.n;
        let len = (shape.n - 1) * n + (shape.h - 1) * h + (shape.w - 1) * w + shape.c;
        let stride = |size, stride| {
            if wild && size == 1 {
                usize::MAX
            } else {
                stride
            }
        };
        Self {
            buffer: Buffer::new(memory, len),
            shape,
            strides: Strides {
                n: stride(shape.n, n),
                h: stride(shape.h, h),
                w: stride(shape.w, w),
            },
        }
    }

    /// Where each element of a dense tensor of its shape lies.
    fn offsets(&self) -> impl Iterator<Item = usize> + use<T> {
        let (Nhwc { n, h, w, c }, strides) = (self.shape, self.strides);
        (0..n * h * w * c).map(move |i| {
            let (i, c) = (i / c, i % c);
            let (i, w) = (i / w, i % w);
            i / h * strides.n + i % h * strides.h + w * strides.w + c
        })
    }

    fn view(&self) -> crate::Result<View<'_, T>> {
        View::with_strides(self.buffer.slice(), self.shape, self.strides)
    }

    fn view_mut(&mut self) -> crate::Result<ViewMut<'_, T>> {
        ViewMut::with_strides(self.buffer.slice_mut(), self.shape, self.strides)
    }

    fn fill(mut self, dense: &[T]) -> Self {
        for (at, &x) in self.offsets().zip(dense) {
            self.buffer.slice_mut()[at] = x;
        }
        self
    }

    fn untouched(&self, operand: &'static str) -> Result<(), Failure> {
        untouched(&self.buffer, operand)
    }

    /// The elements, of which all (where they tell) and nothing else must have been written. The first row is row `first` of `whole`.
    fn written(&self, first: usize, whole: Nhwc, tells: bool) -> Result<Vec<T>, Failure> {
        self.untouched("output")?;
        let slice = self.buffer.slice();
        let mut in_gap = alloc::vec![true; slice.len()];
        for (i, at) in self.offsets().enumerate() {
            in_gap[at] = false;
            if tells && self.buffer.is_as_new(at) {
                let at = position(whole, first * whole.w * whole.c + i);
                return Err(Failure::Unwritten { at });
            }
        }
        let written = |&at: &usize| in_gap[at] && !self.buffer.is_as_new(at);
        if let Some(at) = (0..slice.len()).find(written) {
            return Err(Failure::GapWritten { at });
        }
        Ok(self.offsets().map(|at| slice[at]).collect())
    }
}

fn untouched<T: bytemuck::Pod>(buffer: &Buffer<T>, operand: &'static str) -> Result<(), Failure> {
    buffer.touched().map_or(Ok(()), |at| {
        let len = buffer.slice().len();
        Err(Failure::Touched { operand, at, len })
    })
}

fn position(shape: Nhwc, index: usize) -> [usize; 4] {
    let (i, c) = (index / shape.c, index % shape.c);
    let (i, w) = (i / shape.w, i % shape.w);
    [i / shape.h, i % shape.h, w, c]
}

impl Problem {
    /// The op, packed for `kernel`.
    ///
    /// # Errors
    /// What packing and the op refuse.
    ///
    /// # Panics
    /// Where the kernel is of another op.
    pub fn any_op<S: Tested>(
        &self,
        kernel: Kernel<S>,
        operands: &Operands<S>,
    ) -> crate::Result<AnyOp<S>> {
        let (c, suited) = (self.input.c, self.suited::<S>());
        let filter = S::filter(
            &operands.weights,
            operands.bias.as_deref(),
            &operands.quantization,
        );
        assert_eq!(kernel.op(), self.op);
        Ok(match kernel {
            Kernel::Pointwise(pw) => {
                let packed = PackedPointwise::pack(pw, c, self.c_out, filter)?;
                AnyOp::Pointwise(Pointwise::new(&packed, self.input, suited.activation)?)
            }
            Kernel::Depthwise(dw) => {
                let packed = PackedDepthwise::pack(dw, c, filter)?;
                AnyOp::Depthwise(Depthwise::new(
                    &packed,
                    self.input,
                    self.stride,
                    self.padding,
                    suited.activation,
                )?)
            }
            Kernel::Conv3x3(pw) => {
                let packed = PackedConv3x3::pack(pw, c, self.c_out, filter)?;
                AnyOp::Conv3x3(Conv3x3::new(
                    &packed,
                    self.input,
                    self.stride,
                    self.padding,
                    suited.activation,
                )?)
            }
            Kernel::Separable(dw, pw) => {
                let depthwise = S::filter(
                    &operands.depthwise_weights,
                    operands.depthwise_bias.as_deref(),
                    &operands.depthwise_quantization,
                );
                AnyOp::Separable(Separable::new(
                    &PackedDepthwise::pack(dw, c, depthwise)?,
                    &PackedPointwise::pack(pw, c, self.c_out, filter)?,
                    self.input,
                    self.stride,
                    self.padding,
                    suited.depthwise_activation,
                    suited.activation,
                )?)
            }
        })
    }

    /// What the kernel computes on one thread. Dense.
    ///
    /// # Errors
    /// Where it is refused, panics, leaves an output unwritten, or touches what is none of its operands.
    pub fn run<S: Tested>(&self, kernel: Kernel<S>) -> Result<Vec<S::Elem>, Failure> {
        self.run_on(kernel, &self.operands(), How::On(&Serial))
    }

    /// As [`run`](Self::run), with other numbers than the seed's and called in another way.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_on<S: Tested>(
        &self,
        kernel: Kernel<S>,
        operands: &Operands<S>,
        how: How<'_>,
    ) -> Result<Vec<S::Elem>, Failure> {
        catch_unwind(AssertUnwindSafe(|| self.run_watched(kernel, operands, how))).unwrap_or_else(
            |panic| {
                let message = panic.downcast_ref::<String>().cloned();
                let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
                Err(Failure::Panicked(message.or(literal).unwrap_or_default()))
            },
        )
    }

    fn run_watched<S: Tested>(
        &self,
        kernel: Kernel<S>,
        operands: &Operands<S>,
        how: How<'_>,
    ) -> Result<Vec<S::Elem>, Failure> {
        let (op, output) = (self.any_op(kernel, operands)?, self.output());
        if op.output_shape() != output {
            let (found, expected) = (op.output_shape(), output);
            return Err(Failure::Panicked(alloc::format!(
                "the op's output is {found}, the problem's {expected}"
            )));
        }
        let tensor = |shape, gaps| Tensor::new(shape, gaps, self.wild_strides, self.memory);
        let input = tensor(self.input, self.input_gaps).fill(&operands.input);
        let residual = operands
            .residual
            .as_ref()
            .map(|r| tensor(output, self.residual_gaps).fill(r));
        let view = || residual.as_ref().map(Tensor::view).transpose();

        let mut found = Vec::new();
        match how {
            How::On(executor) => {
                let mut workspace =
                    Buffer::<u8>::new(self.memory, op.workspace_len(executor.threads()));
                let mut tensor = tensor(output, self.output_gaps);
                op.run(
                    executor,
                    input.view()?,
                    view()?,
                    tensor.view_mut()?,
                    workspace.slice_mut(),
                )?;
                untouched(&workspace, "workspace")?;
                found = tensor.written(0, output, S::TELLS)?;
            }
            How::Rows(cuts) => {
                let mut workspace = Buffer::<u8>::new(self.memory, op.workspace_len(1));
                let all = output.n * output.h;
                let ends = cuts.iter().copied().chain([all]);
                for (start, end) in [0].into_iter().chain(cuts.iter().copied()).zip(ends) {
                    let part = Nhwc {
                        n: 1,
                        h: end - start,
                        ..output
                    };
                    let mut tensor = tensor(part, self.output_gaps);
                    op.run_rows(
                        start..end,
                        input.view()?,
                        view()?,
                        tensor.view_mut()?,
                        workspace.slice_mut(),
                    )?;
                    found.extend(tensor.written(start, output, S::TELLS)?);
                }
                untouched(&workspace, "workspace")?;
            }
        }
        input.untouched("input")?;
        residual.map_or(Ok(()), |r| r.untouched("residual"))?;
        Ok(found)
    }

    /// Runs the kernel and compares every output with the reference that its ISA stands for.
    ///
    /// # Errors
    /// As [`run`](Self::run), and where an output differs.
    pub fn check<S: Tested>(&self, kernel: Kernel<S>) -> Result<(), Failure> {
        self.check_on(kernel, &self.operands(), How::On(&Serial))
    }

    /// As [`check`](Self::check), with other numbers than the seed's and called in another way.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_on<S: Tested>(
        &self,
        kernel: Kernel<S>,
        operands: &Operands<S>,
        how: How<'_>,
    ) -> Result<(), Failure> {
        let found = self.run_on(kernel, operands, how)?;
        let expected = S::expected(&self.suited::<S>(), operands, kernel.isa().fuses());
        assert_eq!(found.len(), expected.len());
        let differs = |(x, y): (&S::Elem, &S::Elem)| !S::same(*x, *y);
        match expected.iter().zip(&found).position(differs) {
            None => Ok(()),
            Some(i) => Err(Failure::Differs {
                at: position(self.output(), i),
                expected: S::show(expected[i]),
                found: S::show(found[i]),
            }),
        }
    }
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 4] = [Op::Pointwise, Op::Depthwise, Op::Conv3x3, Op::Separable];
}
