//! The tables for people: every kernel with its name, and a check of it on this very CPU against the reference.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::kernel::args::{DwKernel, PwKernel};
use crate::reference;
use crate::{
    Activation, Depthwise, Error, F32, Filter, Isa, Nhwc, PackedDepthwise, PackedPointwise,
    Padding, Pointwise, Scheme, Serial, Stride, View, ViewMut,
};
#[cfg(feature = "qs8")]
use crate::{Qs8, Qu8};

#[cfg(feature = "qs8")]
mod integers;

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct KernelInfo(Row);

#[derive(Clone, Copy, Debug)]
enum Row {
    F32(Of<F32>),
    #[cfg(feature = "qs8")]
    Qs8(Of<Qs8>),
    #[cfg(feature = "qs8")]
    Qu8(Of<Qu8>),
}

#[derive(Clone, Copy, Debug)]
enum Of<S: Scheme> {
    Pointwise(&'static PwKernel<S>),
    Depthwise(&'static DwKernel<S>),
}

/// `$body` with the row of a scheme inside.
macro_rules! inside {
    ($row:expr, $of:ident => $body:expr) => {
        match $row {
            Row::F32($of) => $body,
            #[cfg(feature = "qs8")]
            Row::Qs8($of) => $body,
            #[cfg(feature = "qs8")]
            Row::Qu8($of) => $body,
        }
    };
}

/// Every kernel of this build: those of single precision, then of i8, then of u8; of an op those first that dispatch prefers.
pub fn kernels() -> impl Iterator<Item = KernelInfo> {
    let rows = of(Row::F32);
    #[cfg(feature = "qs8")]
    let rows = rows.chain(of(Row::Qs8)).chain(of(Row::Qu8));
    rows.map(KernelInfo)
}

fn of<S: Scheme>(row: fn(Of<S>) -> Row) -> impl Iterator<Item = Row> {
    let pointwise = S::pointwise_kernels().iter().map(Of::Pointwise);
    let depthwise = S::depthwise_kernels().iter().map(Of::Depthwise);
    pointwise.chain(depthwise).map(row)
}

/// Why a kernel failed its self-check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SelfCheckError {
    /// It could not be run.
    Refused(Error),
    /// An element differs from the reference.
    Differs {
        /// Index of the element in the dense output of the case.
        index: usize,
        /// The reference's. Integers are exact.
        expected: f32,
        /// The kernel's.
        found: f32,
    },
}

impl fmt::Display for SelfCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelfCheckError::Refused(error) => write!(f, "{error}"),
            SelfCheckError::Differs {
                index,
                expected,
                found,
            } => {
                write!(
                    f,
                    "element {index} is {found:?}, the reference says {expected:?}"
                )
            }
        }
    }
}

impl core::error::Error for SelfCheckError {}

impl From<Error> for SelfCheckError {
    fn from(error: Error) -> Self {
        SelfCheckError::Refused(error)
    }
}

impl KernelInfo {
    /// `<op>_<dtype>_<tile>__<isa>`
    pub fn name(&self) -> &'static str {
        inside!(self.0, of => match of {
            Of::Pointwise(kernel) => kernel.name,
            Of::Depthwise(kernel) => kernel.name,
        })
    }

    /// `pointwise` or `depthwise`.
    pub fn op(&self) -> &'static str {
        inside!(self.0, of => match of {
            Of::Pointwise(_) => "pointwise",
            Of::Depthwise(_) => "depthwise",
        })
    }

    /// `f32`, `qs8` or `qu8`.
    pub fn dtype(&self) -> &'static str {
        match self.0 {
            Row::F32(_) => "f32",
            #[cfg(feature = "qs8")]
            Row::Qs8(_) => "qs8",
            #[cfg(feature = "qs8")]
            Row::Qu8(_) => "qu8",
        }
    }

    /// The instruction set it is written for.
    pub fn isa(&self) -> Isa {
        inside!(self.0, of => match of {
            Of::Pointwise(kernel) => kernel.isa,
            Of::Depthwise(kernel) => kernel.isa,
        })
    }

    /// Whether this CPU can run it.
    pub fn is_available(&self) -> bool {
        self.isa().is_available()
    }

    /// Runs it on a few small cases (whole and partial tiles) and compares every bit with the reference.
    ///
    /// # Errors
    /// [`SelfCheckError::Differs`]; [`SelfCheckError::Refused`] where this CPU cannot run it.
    pub fn self_check(&self) -> Result<(), SelfCheckError> {
        match self.0 {
            Row::F32(Of::Pointwise(kernel)) => {
                MATRICES.iter().try_for_each(|&of| pointwise(kernel, of))
            }
            Row::F32(Of::Depthwise(kernel)) => {
                images().try_for_each(|(stride, c)| depthwise(kernel, stride, c))
            }
            #[cfg(feature = "qs8")]
            Row::Qs8(of) => integers::check(of),
            #[cfg(feature = "qs8")]
            Row::Qu8(of) => integers::check(of),
        }
    }
}

/// Rows, input and output channels.
const MATRICES: [(usize, usize, usize); 3] = [(1, 19, 101), (13, 32, 17), (24, 7, 32)];

/// Strides and channels.
fn images() -> impl Iterator<Item = (Stride, usize)> {
    let strides = [Stride::One, Stride::Two].into_iter();
    strides.flat_map(|stride| [7, 16, 21].map(|c| (stride, c)))
}

/// Numbers in [-1, 1) that need all their bits, the same everywhere.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn compare(expected: &[f32], found: &[f32]) -> Result<(), SelfCheckError> {
    // `==`: zeros of either sign are the same, and there is no NaN.
    match expected.iter().zip(found).position(|(x, y)| x != y) {
        None => Ok(()),
        Some(index) => Err(SelfCheckError::Differs {
            index,
            expected: expected[index],
            found: found[index],
        }),
    }
}

fn pointwise(
    kernel: &'static PwKernel<F32>,
    (m, c_in, c_out): (usize, usize, usize),
) -> Result<(), SelfCheckError> {
    let (input, weights, bias) = (
        numbers(m * c_in, 1),
        numbers(c_in * c_out, 2),
        numbers(c_out, 3),
    );
    let residual = numbers(m * c_out, 4);
    let activation = Activation::Relu6;
    let (mut expected, mut found) = (vec![0.0; m * c_out], vec![f32::NAN; m * c_out]);
    let problem = reference::pointwise::Problem {
        input: &input,
        weights: &weights,
        bias: &bias,
        residual: Some(&residual),
        c_in,
        activation,
    };
    if kernel.isa.fuses() {
        reference::pointwise::pointwise_fma(&problem, &mut expected);
    } else {
        reference::pointwise::pointwise(&problem, &mut expected);
    }
    let packed = PackedPointwise::pack(kernel, c_in, c_out, Filter::new(&weights, Some(&bias)))?;
    let op = Pointwise::new(&packed, Nhwc::new(1, 1, m, c_in), activation)?;
    op.run_add(
        &Serial,
        View::new(&input, op.input_shape())?,
        View::new(&residual, op.output_shape())?,
        ViewMut::new(&mut found, op.output_shape())?,
        &mut [],
    )?;
    compare(&expected, &found)
}

fn depthwise(
    kernel: &'static DwKernel<F32>,
    stride: Stride,
    c: usize,
) -> Result<(), SelfCheckError> {
    let shape = Nhwc::new(1, 10, 11, c);
    let padding = Padding::same(shape.h, shape.w, stride);
    let (input, weights, bias) = (numbers(110 * c, 5), numbers(9 * c, 6), numbers(c, 7));
    let activation = Activation::HardSwish;
    let problem = reference::depthwise::Problem {
        input: &input,
        shape,
        weights: &weights,
        bias: &bias,
        stride,
        padding,
        activation,
    };
    let packed = PackedDepthwise::pack(kernel, c, Filter::new(&weights, Some(&bias)))?;
    let op = Depthwise::new(&packed, shape, stride, padding, activation)?;
    let len = op.output_shape().len("output")?;
    let (mut expected, mut found) = (vec![0.0; len], vec![f32::NAN; len]);
    if kernel.isa.fuses() {
        reference::depthwise::depthwise_fma(&problem, &mut expected);
    } else {
        reference::depthwise::depthwise(&problem, &mut expected);
    }
    op.run(
        &Serial,
        View::new(&input, shape)?,
        ViewMut::new(&mut found, op.output_shape())?,
        &mut [],
    )?;
    compare(&expected, &found)
}
