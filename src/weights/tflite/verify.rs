//! Verification by the crate `flatbuffers`, with limits that follow from the file's size, and its errors on one line.

use flatbuffers::{ErrorTraceDetail, InvalidFlatbuffer, VerifierOptions};

use super::problem::{Problem, TensorName};
use super::schema::Outline;
use super::table::{Field, root};

/// Tables within tables: model, subgraph, operator, options.
const DEPTH: usize = 8;

/// How much a file may hold, measured with each table, vector and vtable counted as often as it is referred to, in bytes for each
/// byte of the file. Writers share vtables, and some share vectors; networks from TensorFlow stay below 2. Without the limit, a file
/// of 1 MB whose 100 000 tensors share a shape of 100 000 axes would be read for hours.
const APPARENT: usize = 8;

/// A table takes four bytes, and the offset to it another four.
const SMALLEST_TABLE: usize = 8;

fn limits(bytes: &[u8]) -> VerifierOptions {
    VerifierOptions {
        max_depth: DEPTH,
        max_tables: bytes.len() / SMALLEST_TABLE,
        max_apparent_size: bytes.len().saturating_mul(APPARENT),
        // Texts are read by their length.
        ignore_missing_null_terminator: true,
    }
}

/// The root table, once all that it leads to has been verified.
pub(super) fn verified<'a, T: Field<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    root(bytes, &limits(bytes)).map_err(|error| {
        let trace = match &error {
            InvalidFlatbuffer::MissingRequiredField { error_trace, .. }
            | InvalidFlatbuffer::InconsistentUnion { error_trace, .. }
            | InvalidFlatbuffer::Utf8Error { error_trace, .. }
            | InvalidFlatbuffer::MissingNullTerminator { error_trace, .. }
            | InvalidFlatbuffer::Unaligned { error_trace, .. }
            | InvalidFlatbuffer::RangeOutOfBounds { error_trace, .. }
            | InvalidFlatbuffer::SignedOffsetOutOfBounds { error_trace, .. } => {
                error_trace.as_ref()
            }
            _ => &[],
        };
        Problem::Flatbuffer {
            place: place(trace) + &owner(bytes, trace),
            what: what(&error, bytes.len()),
        }
    })
}

/// `subgraphs[0].tensors[3].name`. The trace begins with the innermost.
fn place(trace: &[ErrorTraceDetail]) -> String {
    let mut place = String::new();
    for step in trace.iter().rev() {
        match step {
            ErrorTraceDetail::TableField { field_name, .. } => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(field_name);
            }
            ErrorTraceDetail::VectorElement { index, .. } => place.push_str(&format!("[{index}]")),
            ErrorTraceDetail::UnionVariant { variant, .. } => {
                place.push_str(&format!(".{variant}"))
            }
        }
    }
    if place.is_empty() {
        place.push_str("the flatbuffer");
    }
    place
}

/// If what does not verify is a buffer: the tensor whose data it holds.
fn owner(bytes: &[u8], trace: &[ErrorTraceDetail]) -> String {
    let mut steps = trace.iter().rev();
    let (
        Some(ErrorTraceDetail::TableField { field_name, .. }),
        Some(ErrorTraceDetail::VectorElement { index, .. }),
    ) = (steps.next(), steps.next())
    else {
        return String::new();
    };
    if field_name != "buffers" {
        return String::new();
    }
    let find = || {
        let outline: Outline<'_> = root(bytes, &limits(bytes)).ok()?;
        let tensors = outline.subgraphs()?.get(0)?.tensors()?;
        let (tensor, found) = (tensors.iter().enumerate())
            .find(|(_, tensor)| usize::try_from(tensor.buffer()) == Ok(*index))?;
        let name = TensorName::new(tensor, found.name().unwrap_or_default());
        Some(format!(", the data of {name}"))
    };
    find().unwrap_or_default()
}

/// Without line breaks, and with the file's size.
fn what(error: &InvalidFlatbuffer, len: usize) -> String {
    match error {
        InvalidFlatbuffer::RangeOutOfBounds { range, .. } => format!(
            "bytes {} to {} are needed, the file has {len}",
            range.start, range.end
        ),
        InvalidFlatbuffer::SignedOffsetOutOfBounds { position, .. } => {
            format!("the table at byte {position} has its vtable out of the file")
        }
        InvalidFlatbuffer::Unaligned {
            position,
            unaligned_type,
            ..
        } => format!("byte {position} is not aligned for {unaligned_type}"),
        InvalidFlatbuffer::Utf8Error { range, .. } => {
            format!(
                "the text of bytes {} to {} is not UTF-8",
                range.start, range.end
            )
        }
        InvalidFlatbuffer::TooManyTables => format!(
            "there are more than {} tables, which {len} bytes cannot hold",
            len / SMALLEST_TABLE
        ),
        InvalidFlatbuffer::ApparentSizeTooLarge => {
            format!("what it refers to adds up to more than {APPARENT} times its {len} bytes")
        }
        InvalidFlatbuffer::DepthLimitReached => {
            format!("tables lie more than {DEPTH} deep in each other")
        }
        other => other
            .to_string()
            .replace(['\n', '\t'], " ")
            .trim()
            .to_owned(),
    }
}
