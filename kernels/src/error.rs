//! What can be wrong with a call, with both numbers in it.

use alloc::boxed::Box;
use core::fmt;

use crate::Isa;

/// Why a call was refused. Nothing has been written to the output when a call returns one of these.
///
/// `operand` names the argument ("input", "output", "weights", ...) and `dim` the dimension of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A dimension is zero; every dimension counts from 1.
    ZeroDimension {
        /// The operand.
        operand: &'static str,
        /// The dimension of it.
        dim: &'static str,
    },
    /// The size in bytes does not fit in `isize`.
    SizeOverflow {
        /// The operand.
        operand: &'static str,
    },
    /// A dimension is not what the weights or the other operands ask for.
    Mismatch {
        /// The operand.
        operand: &'static str,
        /// The dimension of it.
        dim: &'static str,
        /// What it has to be.
        expected: usize,
        /// What it is.
        found: usize,
    },
    /// A slice is shorter than its shape and strides need. Counted in elements.
    TooShort {
        /// The operand.
        operand: &'static str,
        /// Elements needed.
        needed: usize,
        /// Elements there.
        found: usize,
    },
    /// A stride is so small that elements would share memory. Counted in elements.
    Overlap {
        /// The operand.
        operand: &'static str,
        /// The dimension whose stride it is.
        dim: &'static str,
        /// The smallest stride without overlap.
        needed: usize,
        /// The stride given.
        found: usize,
    },
    /// The padded input is smaller than the window, so that there is no output.
    WindowTooLarge {
        /// Height or width.
        dim: &'static str,
        /// Of the input, padding included.
        padded: usize,
        /// Of the window.
        window: usize,
    },
    /// The workspace is too small. Counted in bytes; what is needed is what the op's `workspace_len` says.
    WorkspaceTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// There is not so much memory.
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// A range of output rows is empty, reversed, or reaches beyond the last row.
    RowRange {
        /// First row of the range.
        start: usize,
        /// One past the last row of the range.
        end: usize,
        /// Output rows that there are (`n * h`).
        rows: usize,
    },
    /// No instruction set of that name is known.
    UnknownIsa {
        /// The name given.
        name: Box<str>,
    },
    /// This CPU, or this build, cannot run that instruction set.
    IsaUnavailable {
        /// The instruction set.
        isa: Isa,
    },
    /// A clamp's lower bound is above its upper bound, or one of them is NaN.
    InvalidClamp,
    /// A scale is not a positive, finite and normal number; or the product of three is not, which takes an accumulator to the output.
    InvalidScale {
        /// The operand.
        operand: &'static str,
        /// Which of its scales.
        channel: usize,
        /// What it is.
        found: f32,
    },
    /// A zero point is not one of the integers of the element type.
    ZeroPoint {
        /// The operand.
        operand: &'static str,
        /// The least that it can be.
        least: i32,
        /// The greatest that it can be.
        most: i32,
        /// What it is.
        found: i32,
    },
    /// Some input makes the sum of an output channel leave the range of i32.
    AccumulatorOverflow {
        /// The output channel.
        channel: usize,
    },
    /// Something that this op or this scheme does not compute.
    Unsupported {
        /// The operand.
        operand: &'static str,
        /// What it is.
        found: &'static str,
        /// What it could be.
        expected: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ZeroDimension { operand, dim } => {
                write!(f, "{operand}: {dim} is 0, expected at least 1")
            }
            Error::SizeOverflow { operand } => {
                write!(
                    f,
                    "{operand}: the size in bytes overflows the address space"
                )
            }
            Error::Mismatch {
                operand,
                dim,
                expected,
                found,
            } => {
                write!(f, "{operand}: {dim} is {found}, expected {expected}")
            }
            Error::TooShort {
                operand,
                needed,
                found,
            } => {
                write!(f, "{operand}: {found} elements, expected at least {needed}")
            }
            Error::Overlap {
                operand,
                dim,
                needed,
                found,
            } => {
                write!(
                    f,
                    "{operand}: the stride of {dim} is {found}, at least {needed} keeps elements apart"
                )
            }
            Error::WindowTooLarge {
                dim,
                padded,
                window,
            } => {
                write!(
                    f,
                    "input: the padded {dim} is {padded}, the window needs at least {window}"
                )
            }
            Error::WorkspaceTooSmall { needed, found } => {
                write!(f, "workspace: {found} bytes, expected at least {needed}")
            }
            Error::OutOfMemory { bytes } => write!(f, "{bytes} bytes of memory cannot be had"),
            Error::RowRange { start, end, rows } => {
                write!(
                    f,
                    "rows {start}..{end}: expected a non-empty range within 0..{rows}"
                )
            }
            Error::UnknownIsa { name } => {
                write!(f, "unknown instruction set {name:?}, expected one of")?;
                for (i, isa) in Isa::ALL.iter().enumerate() {
                    write!(f, "{} {isa}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Error::IsaUnavailable { isa } => {
                write!(
                    f,
                    "{isa}: this CPU or this build cannot run it, available are"
                )?;
                for (i, isa) in Isa::ALL.iter().filter(|isa| isa.is_available()).enumerate() {
                    write!(f, "{} {isa}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Error::InvalidScale {
                operand,
                channel,
                found,
            } => {
                write!(
                    f,
                    "{operand}: scale {channel} is {found:e}, expected a positive, finite and normal number"
                )
            }
            Error::ZeroPoint {
                operand,
                least,
                most,
                found,
            } => {
                write!(
                    f,
                    "{operand}: the zero point is {found}, expected one of {least}..={most}"
                )
            }
            Error::AccumulatorOverflow { channel } => {
                write!(
                    f,
                    "weights: the sum of output channel {channel} leaves the range of i32 for some inputs"
                )
            }
            Error::Unsupported {
                operand,
                found,
                expected,
            } => {
                write!(
                    f,
                    "{operand}: {found} is not supported, expected {expected}"
                )
            }
            Error::InvalidClamp => {
                write!(
                    f,
                    "activation: the lower bound of the clamp is above the upper one, or NaN"
                )
            }
        }
    }
}

impl core::error::Error for Error {}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;
