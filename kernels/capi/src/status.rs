//! Refusals, and what becomes of a panic.

use core::any::Any;
use core::cell::Cell;
use core::ffi::CStr;
use core::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use dwsep::Error;

use crate::types::dwsep_raw_status;
use crate::types::dwsep_status::{self, *};

/// Each with its meaning.
const TEXTS: [(dwsep_status, &CStr); 24] = [
    (DWSEP_OK, c"success"),
    (DWSEP_NULL_POINTER, c"null pointer"),
    (DWSEP_MISALIGNED, c"misaligned pointer"),
    (DWSEP_INVALID_VALUE, c"invalid value"),
    (DWSEP_TYPE_MISMATCH, c"another element type"),
    (DWSEP_WEIGHTS_MISMATCH, c"weights of another kind"),
    (DWSEP_ZERO_DIMENSION, c"a dimension is 0"),
    (DWSEP_SIZE_OVERFLOW, c"size beyond the address space"),
    (DWSEP_SHAPE_MISMATCH, c"another shape or length"),
    (DWSEP_TOO_SHORT, c"tensor too short"),
    (DWSEP_STRIDES_OVERLAP, c"strides too small"),
    (DWSEP_OPERANDS_OVERLAP, c"operands share memory"),
    (DWSEP_WINDOW_TOO_LARGE, c"window larger than the input"),
    (DWSEP_WORKSPACE_TOO_SMALL, c"workspace too small"),
    (DWSEP_OUT_OF_MEMORY, c"out of memory"),
    (DWSEP_ROW_RANGE, c"rows out of range"),
    (DWSEP_UNKNOWN_ISA, c"unknown instruction set"),
    (DWSEP_ISA_UNAVAILABLE, c"instruction set not available"),
    (DWSEP_INVALID_CLAMP, c"invalid bounds"),
    (DWSEP_INVALID_SCALE, c"invalid scale"),
    (DWSEP_INVALID_ZERO_POINT, c"invalid zero point"),
    (DWSEP_ACCUMULATOR_OVERFLOW, c"sums too large"),
    (DWSEP_UNSUPPORTED, c"not supported"),
    (DWSEP_INTERNAL, c"internal error"),
];

/// What a status means.
pub(crate) fn text(status: dwsep_raw_status) -> &'static CStr {
    let known = TEXTS.iter().find(|(known, _)| *known as i32 == status);
    known.map_or(c"unknown status", |(_, text)| text)
}

/// Why a call was refused: what the kernels say, and what only C can get wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    Kernels(Error),
    Null {
        operand: &'static str,
    },
    Misaligned {
        operand: &'static str,
        align: usize,
    },
    /// Not one of an enum's, or not zero where it has to be.
    Value {
        operand: &'static str,
        found: i128,
        expected: &'static str,
    },
    Type {
        operand: &'static str,
        expected: &'static str,
        found: &'static str,
    },
    Weights {
        operand: &'static str,
        expected: &'static str,
    },
    /// Operands that share memory.
    Shared {
        written: &'static str,
        with: &'static str,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Kernels(error)
    }
}

impl Failure {
    fn status(&self) -> dwsep_status {
        match self {
            Failure::Null { .. } => DWSEP_NULL_POINTER,
            Failure::Misaligned { .. } => DWSEP_MISALIGNED,
            Failure::Value { .. } => DWSEP_INVALID_VALUE,
            Failure::Type { .. } => DWSEP_TYPE_MISMATCH,
            Failure::Weights { .. } => DWSEP_WEIGHTS_MISMATCH,
            Failure::Shared { .. } => DWSEP_OPERANDS_OVERLAP,
            Failure::Kernels(error) => match error {
                Error::ZeroDimension { .. } => DWSEP_ZERO_DIMENSION,
                Error::SizeOverflow { .. } => DWSEP_SIZE_OVERFLOW,
                Error::Mismatch { .. } => DWSEP_SHAPE_MISMATCH,
                Error::TooShort { .. } => DWSEP_TOO_SHORT,
                Error::Overlap { .. } => DWSEP_STRIDES_OVERLAP,
                Error::WindowTooLarge { .. } => DWSEP_WINDOW_TOO_LARGE,
                Error::WorkspaceTooSmall { .. } => DWSEP_WORKSPACE_TOO_SMALL,
                Error::OutOfMemory { .. } => DWSEP_OUT_OF_MEMORY,
                Error::RowRange { .. } => DWSEP_ROW_RANGE,
                Error::UnknownIsa { .. } => DWSEP_UNKNOWN_ISA,
                Error::IsaUnavailable { .. } => DWSEP_ISA_UNAVAILABLE,
                Error::InvalidClamp => DWSEP_INVALID_CLAMP,
                Error::InvalidScale { .. } => DWSEP_INVALID_SCALE,
                Error::ZeroPoint { .. } => DWSEP_INVALID_ZERO_POINT,
                Error::AccumulatorOverflow { .. } => DWSEP_ACCUMULATOR_OVERFLOW,
                Error::Unsupported { .. } => DWSEP_UNSUPPORTED,
                // The kernels' list may grow: a new line belongs above. Until then it is a refusal all the same.
                _ => DWSEP_INVALID_VALUE,
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Kernels(error) => error.fmt(f),
            Failure::Null { operand } => write!(f, "{operand}: a null pointer"),
            Failure::Misaligned { operand, align } => {
                write!(f, "{operand}: the address is no multiple of {align}")
            }
            Failure::Value {
                operand,
                found,
                expected,
            } => write!(f, "{operand}: {found}, expected {expected}"),
            Failure::Type {
                operand,
                expected,
                found,
            } => write!(f, "{operand}: of type {found}, expected {expected}"),
            Failure::Weights { operand, expected } => {
                write!(f, "{operand}: other weights, expected {expected}")
            }
            Failure::Shared { written, with } => {
                write!(f, "{written}: shares memory with {with}")
            }
        }
    }
}

/// Runs what an `extern "C"` function is there for. A panic ends here.
pub(crate) fn guard(f: impl FnOnce() -> Result<(), Failure>) -> dwsep_status {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(())) => DWSEP_OK,
        Ok(Err(failure)) => {
            Message::set(format_args!("{failure}"));
            failure.status()
        }
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Message::set(format_args!(
                "a mistake in dwsep: {}",
                what.unwrap_or("panic")
            ));
            discard(panic);
            DWSEP_INTERNAL
        }
    }
}

/// Frees what was thrown. Its own drop may throw again, and what that throws: after a few it is left where it is.
fn discard(mut thrown: Box<dyn Any + Send>) {
    for _ in 0..4 {
        match catch_unwind(AssertUnwindSafe(|| drop(thrown))) {
            Ok(()) => return,
            Err(again) => thrown = again,
        }
    }
    core::mem::forget(thrown);
}

/// A message in memory that is there from the start: an error of memory is said, too.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    bytes: [u8; Self::MOST],
    len: usize,
}

thread_local! {
    static LAST: Cell<Message> = const { Cell::new(Message::EMPTY) };
}

impl Message {
    const MOST: usize = 384;
    const EMPTY: Self = Self {
        bytes: [0; Self::MOST],
        len: 0,
    };

    fn set(text: fmt::Arguments<'_>) {
        let mut message = Self::EMPTY;
        // What does not fit is left out.
        let _ = message.write_fmt(text);
        LAST.set(message);
    }

    /// That of the last refusal in this thread.
    pub(crate) fn last() -> Self {
        LAST.get()
    }

    /// Makes it the last again.
    pub(crate) fn keep(self) {
        LAST.set(self);
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let end = self.len + c.len_utf8();
            // A NUL would end the text early.
            if c != '\0' {
                c.encode_utf8(self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?);
                self.len = end;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(guard(|| panic!("of {} words", 3)), DWSEP_INTERNAL);
        assert_eq!(Message::last().text(), b"a mistake in dwsep: of 3 words");
        assert_eq!(guard(|| panic!("a word")), DWSEP_INTERNAL);
        assert_eq!(Message::last().text(), b"a mistake in dwsep: a word");
        assert_eq!(guard(|| std::panic::panic_any(3)), DWSEP_INTERNAL);
        assert_eq!(Message::last().text(), b"a mistake in dwsep: panic");
        assert_eq!(guard(|| Ok(())), DWSEP_OK);
    }

    /// How many of them have been dropped.
    static DROPPED: AtomicU32 = AtomicU32::new(0);

    /// Throws another in its drop, as often as it says.
    struct Thrown(u32);

    impl Drop for Thrown {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Relaxed);
            if let Some(again) = self.0.checked_sub(1) {
                std::panic::panic_any(Thrown(again));
            }
        }
    }

    #[test]
    fn what_is_thrown_is_freed() {
        assert_eq!(guard(|| std::panic::panic_any(Thrown(0))), DWSEP_INTERNAL);
        assert_eq!(DROPPED.swap(0, Relaxed), 1);
        assert_eq!(guard(|| std::panic::panic_any(Thrown(2))), DWSEP_INTERNAL);
        assert_eq!(DROPPED.swap(0, Relaxed), 3);
    }

    #[test]
    fn messages_end_at_a_character_and_have_no_nul() {
        Message::set(format_args!("a\0b"));
        assert_eq!(Message::last().text(), b"ab");
        Message::set(format_args!("a{}", "\u{e9}".repeat(400)));
        let last = Message::last();
        assert_eq!(last.text().len(), Message::MOST - 1);
        assert!(std::str::from_utf8(last.text()).is_ok());
    }

    #[test]
    fn a_failure_of_each_kind_has_a_status_of_its_own() {
        let (operand, dim) = ("x", "c");
        let kernels = [
            Error::ZeroDimension { operand, dim },
            Error::SizeOverflow { operand },
            Error::Mismatch {
                operand,
                dim,
                expected: 1,
                found: 2,
            },
            Error::TooShort {
                operand,
                needed: 2,
                found: 1,
            },
            Error::Overlap {
                operand,
                dim,
                needed: 2,
                found: 1,
            },
            Error::WindowTooLarge {
                dim,
                padded: 2,
                window: 3,
            },
            Error::WorkspaceTooSmall {
                needed: 2,
                found: 1,
            },
            Error::OutOfMemory { bytes: 1 },
            Error::RowRange {
                start: 0,
                end: 2,
                rows: 1,
            },
            Error::UnknownIsa { name: "x".into() },
            Error::IsaUnavailable {
                isa: dwsep::Isa::Neon,
            },
            Error::InvalidClamp,
            Error::InvalidScale {
                operand,
                channel: 0,
                found: 0.0,
            },
            Error::ZeroPoint {
                operand,
                least: 0,
                most: 255,
                found: 256,
            },
            Error::AccumulatorOverflow { channel: 0 },
            Error::Unsupported {
                operand,
                found: "a",
                expected: "b",
            },
        ];
        let mut statuses = vec![DWSEP_OK, DWSEP_INTERNAL];
        statuses.extend(kernels.map(|error| Failure::from(error).status()));
        statuses.extend(
            [
                Failure::Null { operand },
                Failure::Misaligned { operand, align: 4 },
                Failure::Value {
                    operand,
                    found: 9,
                    expected: "1 or 2",
                },
                Failure::Type {
                    operand,
                    expected: "DWSEP_F32",
                    found: "DWSEP_I8",
                },
                Failure::Weights {
                    operand,
                    expected: "depthwise",
                },
                Failure::Shared {
                    written: "output",
                    with: "input",
                },
            ]
            .map(|failure| failure.status()),
        );
        let mut numbers: Vec<i32> = statuses.into_iter().map(|status| status as i32).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..=23).collect::<Vec<_>>());
        let texts: Vec<_> = numbers.into_iter().map(text).collect();
        assert!(texts.iter().all(|t| *t != c"unknown status"), "{texts:?}");
        assert_eq!(text(24), c"unknown status");
        assert_eq!(text(-1), c"unknown status");
    }
}
