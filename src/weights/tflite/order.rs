//! Who writes what, before whom: one writer for each tensor, and operators in the order of the data.

use super::graph::{Operator, Tensor};
use super::problem::{OperatorProblem, Problem, TensorName, TensorProblem};
use super::table::List;

/// Indices of the graph's inputs or outputs.
pub(super) fn ends(
    role: &'static str,
    list: Option<List<'_, i32>>,
    tensors: &[Tensor<'_>],
) -> Result<Vec<usize>, Problem> {
    let indices: Vec<usize> = (list.into_iter().flat_map(List::iter).enumerate())
        .map(|(position, found)| {
            (usize::try_from(found).ok())
                .filter(|&index| index < tensors.len())
                .ok_or(Problem::GraphIndex {
                    role,
                    position,
                    found,
                    last: tensors.len() as i64 - 1,
                })
        })
        .collect::<Result<_, _>>()?;
    if indices.is_empty() {
        return Err(Problem::Nothing(role));
    }
    Ok(indices)
}

/// How often the file's bytes may be read as constants, on average. A network that packs its weights for each operator takes so
/// much memory.
const CONSTANTS: usize = 8;

/// What the operators read of constants stays in proportion to the file's `bytes`.
pub(super) fn constants(
    tensors: &[Tensor<'_>],
    operators: &[Operator],
    bytes: usize,
) -> Result<(), Problem> {
    let most = bytes.saturating_mul(CONSTANTS);
    let mut found = 0_usize;
    for operator in operators {
        for &input in operator.inputs.iter().flatten() {
            found = found.saturating_add(tensors[input].data.map_or(0, <[u8]>::len));
        }
        if found > most {
            return Err(Problem::Operator {
                index: operator.index,
                problem: OperatorProblem::Constants {
                    operator: operator.kind.name(),
                    found,
                    most,
                    bytes,
                },
            });
        }
    }
    Ok(())
}

/// Where a tensor's value comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Nothing,
    Constant,
    Input,
    Operator(usize),
}

/// Every tensor has one source at most, and what is read has one that comes before.
pub(super) fn check(
    tensors: &[Tensor<'_>],
    operators: &[Operator],
    inputs: &[usize],
    outputs: &[usize],
) -> Result<(), Problem> {
    let sources = sources(tensors, operators, inputs)?;
    for (step, operator) in operators.iter().enumerate() {
        for &input in operator.inputs.iter().flatten() {
            let tensor = || TensorName::new(input, &tensors[input].name);
            let name = operator.kind.name();
            let problem = match sources[input] {
                Source::Constant | Source::Input => continue,
                Source::Operator(writer) if writer < step => continue,
                Source::Operator(writer) => OperatorProblem::Order {
                    operator: name,
                    tensor: tensor(),
                    writer: operators[writer].index,
                },
                Source::Nothing => OperatorProblem::Unwritten {
                    operator: name,
                    tensor: tensor(),
                },
            };
            return Err(Problem::Operator {
                index: operator.index,
                problem,
            });
        }
    }
    for &output in outputs {
        if !matches!(sources[output], Source::Operator(_)) {
            return Err(problem(tensors, output, TensorProblem::Output));
        }
    }
    Ok(())
}

fn sources(
    tensors: &[Tensor<'_>],
    operators: &[Operator],
    inputs: &[usize],
) -> Result<Vec<Source>, Problem> {
    let mut sources: Vec<Source> = (tensors.iter())
        .map(|tensor| match tensor.data {
            Some(_) => Source::Constant,
            None => Source::Nothing,
        })
        .collect();
    for &input in inputs {
        let what = match sources[input] {
            Source::Nothing => {
                sources[input] = Source::Input;
                continue;
            }
            Source::Constant => "constant",
            Source::Input | Source::Operator(_) => "there a second time",
        };
        return Err(problem(tensors, input, TensorProblem::Input { what }));
    }
    for (step, operator) in operators.iter().enumerate() {
        for &output in &operator.outputs {
            let writer = operator.index;
            let found = match sources[output] {
                Source::Nothing => {
                    sources[output] = Source::Operator(step);
                    continue;
                }
                Source::Constant => TensorProblem::Written {
                    what: "constant",
                    writer,
                },
                Source::Input => TensorProblem::Written {
                    what: "an input of the graph",
                    writer,
                },
                Source::Operator(first) => TensorProblem::TwoWriters {
                    first: operators[first].index,
                    second: writer,
                },
            };
            return Err(problem(tensors, output, found));
        }
    }
    Ok(sources)
}

fn problem(tensors: &[Tensor<'_>], index: usize, problem: TensorProblem) -> Problem {
    Problem::Tensor {
        tensor: TensorName::new(index, &tensors[index].name),
        problem,
    }
}
