//! Networks in TensorFlow Lite files: a flatbuffer of tensors and operators, checked as a whole, then a [`Graph`].
//!
//! ```text
//! byte 0   u32: offset of the root     4   "TFL3"     8   tables, vectors, weights, in any order     [ zip: labels.txt ]
//!
//! Model --- operator_codes [ code, ... ]
//!       |-- subgraphs [ one ] --- tensors   [ shape, type, buffer, name, quantization { scales, zero points, axis }, ... ]
//!       |                     |-- operators [ operator code, tensors read, tensors written, options { stride, ... }, ... ]
//!       |                     `-- inputs, outputs [ tensor, ... ]
//!       |-- buffers [ empty, bytes, ... ]      a tensor with an empty buffer is computed, others are constant
//!       `-- metadata [ "TFLITE_METADATA": a buffer --- ... --- the name of a file in the zip, ... ]
//! ```
//!
//! **Supported**: version 3 of the schema (all files since 2018), one subgraph, tensors of FLOAT32, FLOAT16, INT32, INT64, INT8 and
//! UINT8 with sizes that are known, scales for a tensor or along an axis, and the operators ADD, AVERAGE_POOL_2D, CONV_2D,
//! DEPTHWISE_CONV_2D, DEQUANTIZE, FULLY_CONNECTED, MEAN, PAD, QUANTIZE, RESHAPE, SOFTMAX and SQUEEZE with fused RELU, RELU6
//! and RELU_N1_TO_1. Weights may lie behind the flatbuffer, as in files of more than 2 GB. **Refused** with an error that names the
//! tensor or the operator: everything else, of which custom operators, control flow, variables, sparse tensors, strings and floats
//! with integer weights are the likely ones.
//!
//! # Hostile files
//!
//! No file makes [`parse`] panic, or use memory or time out of proportion. The crate `flatbuffers` verifies every table that is read,
//! within limits that follow from the file's length: what tables and vectors add up to, each counted as often as it is referred to,
//! is at most 8 times the file, so tricks that let a hundred thousand tensors share one long vector do not pay; the constants that
//! operators read, each counted for each of them, are at most 8 times the file, so that a model made of them stays in proportion,
//! too. Tensors have at most 8 axes. What [`parse`] allocates is at most 64 bytes for each byte of the file, plus some MiB
//! for labels; weights stay where they are. How large the tensors are that the network computes is for the caller to judge.
//!
//! | checked | by |
//! |---|---|
//! | offsets, lengths, alignment, UTF-8, nesting, size | `flatbuffers`, with the tables of `schema` |
//! | types, shapes, lengths of data, scales, zero points | `tensors` |
//! | operator codes, options, indices | `operators`, `constants` |
//! | operands: their types, scales, shapes of weights | `operands` |
//! | one writer for each tensor, order, no cycle | `order` |

mod constants;
mod graph;
mod labels;
mod operands;
mod operators;
mod order;
mod problem;
mod schema;
mod table;
mod tensors;
mod verify;

pub use self::graph::{
    FusedActivation, Graph, Operator, OperatorKind, Padding, Tensor, TensorQuantization, Type,
};
pub use self::problem::{OperatorProblem, Problem, TensorName, TensorProblem};

use std::path::Path;

use self::table::List;
use self::tensors::Buffers;
use crate::{Error, Result};

/// Where the identifier is.
const IDENTIFIER: std::ops::Range<usize> = 4..8;

/// Whether a file says that it is a TensorFlow Lite file.
pub fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(IDENTIFIER) == Some(b"TFL3")
}

/// The same of a file with these bytes, by them or by its name.
pub(crate) fn is_tflite_file(path: &Path, bytes: &[u8]) -> bool {
    let named = path.extension();
    is_tflite(bytes) || named.is_some_and(|ending| ending.eq_ignore_ascii_case("tflite"))
}

/// Reads a TensorFlow Lite file that is in memory; `origin` is what errors call it.
///
/// # Errors
/// [`Error::Tflite`], for whatever is wrong with the file or not supported.
pub fn parse<'a>(origin: &str, bytes: &'a [u8]) -> Result<Graph<'a>> {
    graph(bytes).map_err(|problem| Error::Tflite {
        origin: origin.to_owned(),
        problem: Box::new(problem),
    })
}

fn graph(bytes: &[u8]) -> Result<Graph<'_>, Problem> {
    match bytes.get(IDENTIFIER) {
        None => return Err(Problem::Short { found: bytes.len() }),
        Some(b"TFL3") => (),
        Some(other) => {
            return Err(Problem::Identifier {
                found: other.escape_ascii().to_string(),
            });
        }
    }
    let model: schema::Model<'_> = verify::verified(bytes)?;
    if model.version() != 3 {
        return Err(Problem::Version {
            found: model.version(),
        });
    }
    let subgraphs = model.subgraphs();
    let (1, Some(subgraph)) = (
        subgraphs.map_or(0, List::len),
        subgraphs.and_then(|list| list.get(0)),
    ) else {
        return Err(Problem::Subgraphs {
            found: subgraphs.map_or(0, List::len),
        });
    };
    let buffers = Buffers {
        file: bytes,
        list: model.buffers(),
    };
    let tensors = match subgraph.tensors() {
        Some(tensors) => tensors::read(tensors, &buffers)?,
        None => return Err(Problem::Nothing("tensors")),
    };
    let inputs = order::ends("input", subgraph.inputs(), &tensors)?;
    let outputs = order::ends("output", subgraph.outputs(), &tensors)?;
    let operators = operators::read(subgraph.operators(), model.operator_codes(), &tensors)?;
    order::check(&tensors, &operators, &inputs, &outputs)?;
    order::constants(&tensors, &operators, bytes.len())?;
    Ok(Graph {
        tensors,
        operators,
        inputs,
        outputs,
        description: model.description().map(str::to_owned),
        name: subgraph.name().map(str::to_owned),
        labels: labels::read(model.metadata(), &buffers),
    })
}
