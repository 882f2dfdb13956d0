//! What can be wrong with a file: where, what was found, what was expected.

use std::fmt;

use super::Type;
use crate::weights::shown;

/// What is wrong with a TensorFlow Lite file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file ends before its identifier does.
    #[error(
        "not a TensorFlow Lite file: it has {found} bytes, the identifier alone ends with byte 8"
    )]
    Short {
        /// Bytes of the file.
        found: usize,
    },
    /// The file is of another format.
    #[error("not a TensorFlow Lite file: bytes 5 to 8 are \"{found}\", expected \"TFL3\"")]
    Identifier {
        /// These bytes, escaped.
        found: String,
    },
    /// An offset or a length leads out of the file, or what is there is not what it should be.
    #[error("{place}: {what}")]
    Flatbuffer {
        /// The way from the root, `subgraphs[0].tensors[3].name`.
        place: String,
        /// What is wrong there, in numbers.
        what: String,
    },
    /// Another version of the schema.
    #[error("the schema's version is {found}, expected 3")]
    Version {
        /// The version.
        found: u32,
    },
    /// No subgraph, or several, as control flow needs them.
    #[error("there are {found} subgraphs, expected 1")]
    Subgraphs {
        /// Their number.
        found: usize,
    },
    /// The graph has nothing to compute from, or computes nothing.
    #[error("the graph has no {0}")]
    Nothing(&'static str),
    /// Only graphs with one of each are networks that can be run here.
    #[error("the graph has {found} {role}, expected 1")]
    Ends {
        /// "inputs" or "outputs".
        role: &'static str,
        /// Their number.
        found: usize,
    },
    /// The graph's input or output is of a type or a shape that is not supported there.
    #[error(
        "{tensor} is an end of the graph: it is {found}, expected FLOAT32, or INT8 or UINT8 with one scale, of 1 to 4 axes"
    )]
    End {
        /// The tensor.
        tensor: TensorName,
        /// What it is.
        found: String,
    },
    /// The graph's list of inputs or outputs has an index of no tensor.
    #[error("{role} {position} of the graph is tensor {found}, expected one of 0 to {last}")]
    GraphIndex {
        /// "input" or "output".
        role: &'static str,
        /// Its position in the list.
        position: usize,
        /// The index.
        found: i32,
        /// The last tensor's.
        last: i64,
    },
    /// Something about a tensor.
    #[error("{tensor} {problem}")]
    Tensor {
        /// The tensor.
        tensor: TensorName,
        /// What is wrong with it.
        problem: TensorProblem,
    },
    /// Something about an operator.
    #[error("operator {index} {problem}")]
    Operator {
        /// Its index.
        index: usize,
        /// What is wrong with it.
        problem: OperatorProblem,
    },
}

/// A tensor as messages name it. A name from a file is neither short nor printable for certain: it is cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorName {
    /// Its index.
    pub index: usize,
    /// Its name, cut and escaped.
    pub name: String,
}

impl TensorName {
    pub(crate) fn new(index: usize, name: &str) -> Self {
        Self {
            index,
            name: shown(name),
        }
    }
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensor {} `{}`", self.index, self.name)
    }
}

/// What is wrong with a tensor.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorProblem {
    /// A type that no operator here computes with.
    #[error("is of type {found}, expected FLOAT32, FLOAT16, INT32, INT64, INT8 or UINT8")]
    Type {
        /// The schema's name of it.
        found: String,
    },
    /// A state that lasts from one inference to the next.
    #[error("is a variable, expected one that is written before it is read")]
    Variable,
    /// Only some elements are stored.
    #[error("is sparse, expected all elements")]
    Sparse,
    /// More axes than any operator here has a use for.
    #[error("has {found} axes, expected at most {most}")]
    Rank {
        /// Their number.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A size is 0, or unknown.
    #[error("has shape {found:?}, expected sizes of at least 1")]
    Size {
        /// The sizes.
        found: Vec<i32>,
    },
    /// More bytes than there can be.
    #[error("has shape {shape:?}, of which {dtype} has more bytes than can be counted")]
    Overflow {
        /// The sizes.
        shape: Vec<usize>,
        /// The type.
        dtype: Type,
    },
    /// Its buffer does not exist.
    #[error("has its data in buffer {found}, expected one below {buffers}")]
    Buffer {
        /// The buffer's index.
        found: u32,
        /// The number of buffers.
        buffers: usize,
    },
    /// Its data are stored behind the flatbuffer, and beyond the end of the file.
    #[error("has its data in {size} bytes from byte {offset} of the file, which has {bytes} bytes")]
    Outside {
        /// The first byte.
        offset: u64,
        /// Their number.
        size: u64,
        /// Bytes of the file.
        bytes: usize,
    },
    /// Shape and type do not go with the data.
    #[error("has {found} bytes of data, expected {expected} for {dtype} {shape:?}")]
    DataLength {
        /// Bytes there.
        found: usize,
        /// Bytes that shape and type need.
        expected: usize,
        /// The type.
        dtype: Type,
        /// The shape.
        shape: Vec<usize>,
    },
    /// A quantisation that is not linear.
    #[error("has a custom quantization, expected scales and zero points")]
    CustomQuantization,
    /// The scales' axis does not exist.
    #[error("has {scales} scales along axis {found}, expected an axis below {rank}")]
    Axis {
        /// The number of scales.
        scales: usize,
        /// The axis.
        found: i32,
        /// The number of axes.
        rank: usize,
    },
    /// There are too few or too many scales.
    #[error("has {found} scales, expected 1, or {expected} as axis {axis} is long")]
    Scales {
        /// The number of scales.
        found: usize,
        /// The length of the axis.
        expected: usize,
        /// The axis.
        axis: usize,
    },
    /// A scale with which nothing can be computed.
    #[error("has {found} as scale {index}, expected a positive, finite number")]
    Scale {
        /// Its position.
        index: usize,
        /// Its value.
        found: f32,
    },
    /// Scales and zero points are not pairs.
    #[error("has {found} zero points, expected {expected}, one for each scale")]
    ZeroPoints {
        /// The number of zero points.
        found: usize,
        /// The number of scales.
        expected: usize,
    },
    /// A zero point that the type cannot hold.
    #[error("has {found} as zero point {index}, expected {lowest} to {highest} for {dtype}")]
    ZeroPoint {
        /// Its position.
        index: usize,
        /// Its value.
        found: i64,
        /// The type's lowest value.
        lowest: i64,
        /// The type's highest value.
        highest: i64,
        /// The type.
        dtype: Type,
    },
    /// Two operators write it, or one twice.
    #[error("is written by operator {first} and again by operator {second}, expected one writer")]
    TwoWriters {
        /// The first operator.
        first: usize,
        /// The second.
        second: usize,
    },
    /// An operator writes what has a value already.
    #[error("is {what}, but operator {writer} writes it")]
    Written {
        /// "constant" or "an input of the graph".
        what: &'static str,
        /// The operator.
        writer: usize,
    },
    /// The graph's input is not one.
    #[error("is an input of the graph, but {what}")]
    Input {
        /// "constant", "twice".
        what: &'static str,
    },
    /// The graph's output has no value.
    #[error("is an output of the graph, but no operator writes it")]
    Output,
}

/// What is wrong with an operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorProblem {
    /// Its code is in no table.
    #[error("has operator code {found}, expected one below {codes}")]
    Code {
        /// The index into the file's codes.
        found: u32,
        /// The number of codes.
        codes: usize,
    },
    /// Not an operator of these networks.
    #[error("is {found}, which is not supported; expected one of {expected}")]
    Unsupported {
        /// The schema's name, or a custom operator's.
        found: String,
        /// The names of those that are.
        expected: &'static str,
    },
    /// The options are those of another operator, or absent.
    #[error("({operator}) has {found}, expected {expected}")]
    Options {
        /// The operator's name.
        operator: &'static str,
        /// What there is.
        found: String,
        /// The table that it needs.
        expected: &'static str,
    },
    /// An option has a value that is not known, or makes no sense.
    #[error("({operator}) has {option} = {found}, expected {expected}")]
    Option {
        /// The operator's name.
        operator: &'static str,
        /// The option's.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// Too few or too many inputs or outputs.
    #[error("({operator}) has {found} {role}s, expected {expected}")]
    Count {
        /// The operator's name.
        operator: &'static str,
        /// "input" or "output".
        role: &'static str,
        /// Their number.
        found: usize,
        /// What it may be.
        expected: &'static str,
    },
    /// An index of no tensor.
    #[error("({operator}) has tensor {found} as {role} {position}, expected one of 0 to {last}")]
    TensorIndex {
        /// The operator's name.
        operator: &'static str,
        /// "input" or "output".
        role: &'static str,
        /// Its position.
        position: usize,
        /// The index.
        found: i32,
        /// The last tensor's.
        last: i64,
    },
    /// It reads what has no value.
    #[error("({operator}) reads {tensor}, which no operator writes")]
    Unwritten {
        /// The operator's name.
        operator: &'static str,
        /// What it reads.
        tensor: TensorName,
    },
    /// It reads what has no value yet: a cycle, or another order than that of the data.
    #[error(
        "({operator}) reads {tensor}, which operator {writer} writes, expected an operator before it"
    )]
    Order {
        /// The operator's name.
        operator: &'static str,
        /// What it reads.
        tensor: TensorName,
        /// Who writes it.
        writer: usize,
    },
    /// The same constants are read so often that a network made of them would take more memory than the file justifies.
    #[error(
        "({operator}) is where the constants that operators read reach {found} bytes, expected at most {most} in a file of {bytes}"
    )]
    Constants {
        /// The operator's name.
        operator: &'static str,
        /// Bytes of constants up to here, each counted for each operator that reads it.
        found: usize,
        /// How many there may be.
        most: usize,
        /// Bytes of the file.
        bytes: usize,
    },
    /// An operand is not what the operator computes with.
    #[error("({operator}) has {tensor} as {operand}: it is {found}, expected {expected}")]
    Operand {
        /// The operator's name.
        operator: &'static str,
        /// The tensor.
        tensor: TensorName,
        /// What it is for the operator, "weights".
        operand: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
}
