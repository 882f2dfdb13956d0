//! Options that are stored as constant tensors: the axes of MEAN, the paddings of PAD.

use super::graph::{Tensor, Type};
use super::operands::Operands;
use super::operators::Values;
use super::problem::OperatorProblem;

/// The axes of MEAN.
pub(super) fn axes(operands: &Operands<'_>) -> Result<Vec<usize>, OperatorProblem> {
    const OPERAND: &str = "axes";
    let axes = operands.tensor(1);
    let rank = operands.tensor(0).map_or(0, |input| input.shape.len());
    let values = axes
        .filter(|axes| axes.dtype == Type::I32)
        .and_then(integers);
    match values {
        Some(values) => Values {
            operator: operands.operator,
        }
        .axes(values.map(|axis| axis as i32), rank),
        None => Err(operands.error(
            1,
            OPERAND,
            "constant INT32, at most one for each axis of the input",
        )),
    }
}

/// The paddings of PAD, which have to make the output's shape of the input's.
pub(super) fn paddings(operands: &Operands<'_>) -> Result<Vec<(usize, usize)>, OperatorProblem> {
    const OPERAND: &str = "paddings";
    let expected = "constant INT32 or INT64, not negative, and the difference between the shapes of input and output";
    let error = || operands.error(1, OPERAND, expected);
    let (Some(input), Some(paddings)) = (operands.tensor(0), operands.tensor(1)) else {
        return Err(error());
    };
    let output = operands.output_tensor();
    if paddings.shape[..] != [input.shape.len(), 2] || output.shape.len() != input.shape.len() {
        return Err(error());
    }
    let values: Option<Vec<usize>> = (integers(paddings).ok_or_else(error)?)
        .map(|value| usize::try_from(value).ok())
        .collect();
    let values = values.ok_or_else(error)?;
    let pairs: Vec<(usize, usize)> = (values.chunks_exact(2))
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let fits = (pairs.iter().zip(&input.shape).zip(&output.shape)).all(
        |((&(before, after), &input), &output)| {
            (before.checked_add(after)).and_then(|sum| sum.checked_add(input)) == Some(output)
        },
    );
    if fits { Ok(pairs) } else { Err(error()) }
}

/// The elements of a constant tensor of integers.
fn integers<'a>(tensor: &Tensor<'a>) -> Option<impl Iterator<Item = i64> + use<'a>> {
    let data = tensor.data?;
    let size = match tensor.dtype {
        Type::I32 | Type::I64 => tensor.dtype.size(),
        _ => return None,
    };
    Some(data.chunks_exact(size).map(|bytes| match *bytes {
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => bytes.try_into().map_or(0, i64::from_le_bytes),
    }))
}
