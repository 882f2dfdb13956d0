//! Networks out of TensorFlow Lite files: the operators of a checked [`Graph`] become layers.
//!
//! ```text
//! PAD -> CONV_2D 3x3 VALID                a convolution with that padding         if nothing else reads what PAD writes
//! DEPTHWISE_CONV_2D -> CONV_2D 1x1        a separable layer                       if nothing else reads what is between them
//! RESHAPE, SQUEEZE                        nothing, where only sizes of 1 move     else a copy
//! DEQUANTIZE of float16 weights           weights
//! all others                              a layer
//! ```
//!
//! Every layer is planned once for the shapes in the file, and what it says of its output is compared with what the file says.

mod operands;
mod operators;
mod weights;

pub use self::weights::TfliteWeights;

use std::collections::{HashMap, HashSet};

use dwsep::{KernelSet, Nhwc, Padding, Quantization};

use crate::layer::Layer;
use crate::model::{Contents, INPUT, NamedLayer};
use crate::value::{Format, ValueInfo};
use crate::weights::shown;
use crate::weights::tflite::{
    Graph, Operator, OperatorKind, OperatorProblem, Problem, Tensor, TensorName, Type,
};
use crate::{Error, Result};

/// How a TensorFlow Lite file becomes a network.
#[derive(Clone, Copy, Debug)]
pub struct TfliteOptions {
    /// Make one layer of several operators where that is faster. The bits of the output are the same; what is between the operators
    /// is not to be seen.
    pub fuse: bool,
}

impl Default for TfliteOptions {
    fn default() -> Self {
        Self { fuse: true }
    }
}

/// The network of a graph, its layers packed for `kernels`. `origin` is the file's name, for messages and for the network's.
pub(crate) fn contents(
    origin: &str,
    graph: &Graph<'_>,
    kernels: &KernelSet,
    options: TfliteOptions,
) -> Result<Contents> {
    let problem = |problem| Error::Tflite {
        origin: origin.to_owned(),
        problem: Box::new(problem),
    };
    let ends = [("inputs", &graph.inputs), ("outputs", &graph.outputs)];
    if let Some(&(role, found)) = ends.iter().find(|(_, tensors)| tensors.len() != 1) {
        let found = found.len();
        return Err(problem(Problem::Ends { role, found }));
    }
    let (input, output) = (graph.inputs[0], graph.outputs[0]);
    let described = |tensor: usize| {
        info(&graph.tensors[tensor]).ok_or_else(|| {
            let name = TensorName::new(tensor, &graph.tensors[tensor].name);
            problem(Problem::End {
                tensor: name,
                found: describe(&graph.tensors[tensor]),
            })
        })
    };
    let (from, to) = (described(input)?, described(output)?);
    let mut builder = Builder {
        origin,
        graph,
        kernels,
        options,
        layers: Vec::new(),
        infos: vec![from],
        values: HashMap::from([(input, INPUT)]),
        readers: readers(graph),
        names: HashSet::new(),
        widened: HashMap::new(),
        pending: HashMap::new(),
    };
    let needed = needed(graph);
    for operator in &graph.operators {
        if operator
            .outputs
            .iter()
            .any(|output| needed.contains(output))
        {
            builder.operator(operator)?;
        }
    }
    if builder.layers.is_empty() {
        return Err(problem(Problem::Nothing("operators that compute anything")));
    }
    Ok(Contents {
        name: stem(origin),
        layers: builder.layers,
        input: from,
        classes: to.shape.c,
        labels: graph.labels.clone(),
        probabilities: ends_in_softmax(graph, output),
    })
}

/// The name of a file without its folder and its ending.
fn stem(origin: &str) -> String {
    let stem = std::path::Path::new(origin).file_stem();
    stem.map_or_else(
        || origin.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// Whether the output is that of a softmax, written down in another way perhaps.
fn ends_in_softmax(graph: &Graph<'_>, output: usize) -> bool {
    let mut tensor = output;
    // What writes an operator's input comes before it.
    for operator in graph.operators.iter().rev() {
        if !operator.outputs.contains(&tensor) {
            continue;
        }
        match (&operator.kind, operator.inputs.first()) {
            (OperatorKind::Softmax { .. }, _) => return true,
            (
                OperatorKind::Reshape
                | OperatorKind::Squeeze { .. }
                | OperatorKind::Quantize
                | OperatorKind::Dequantize,
                Some(&Some(from)),
            ) => tensor = from,
            _ => return false,
        }
    }
    false
}

/// The tensors that the graph's output depends on, and the output.
fn needed(graph: &Graph<'_>) -> HashSet<usize> {
    let mut needed: HashSet<usize> = graph.outputs.iter().copied().collect();
    for operator in graph.operators.iter().rev() {
        if operator
            .outputs
            .iter()
            .any(|output| needed.contains(output))
        {
            needed.extend(operator.inputs.iter().flatten());
        }
    }
    needed
}

/// The operators that read each tensor, once for each time that they name it; the graph's end reads its output.
fn readers(graph: &Graph<'_>) -> HashMap<usize, Vec<Reader>> {
    let mut readers: HashMap<usize, Vec<Reader>> = HashMap::new();
    for (position, operator) in graph.operators.iter().enumerate() {
        for &tensor in operator.inputs.iter().flatten() {
            readers
                .entry(tensor)
                .or_default()
                .push(Reader::Operator(position));
        }
    }
    for &output in &graph.outputs {
        readers.entry(output).or_default().push(Reader::End);
    }
    readers
}

#[derive(Clone, Copy)]
enum Reader {
    /// By its position in the list of operators.
    Operator(usize),
    End,
}

/// An operator that becomes a part of the one that reads what it writes.
#[derive(Clone, Copy)]
enum Pending<'a> {
    Pad { from: usize, padding: Padding },
    Depthwise(&'a Operator),
}

struct Builder<'a> {
    origin: &'a str,
    graph: &'a Graph<'a>,
    kernels: &'a KernelSet,
    options: TfliteOptions,
    layers: Vec<NamedLayer>,
    /// Of each value: the input, then what each layer writes.
    infos: Vec<ValueInfo>,
    /// The value that each tensor has that has one.
    values: HashMap<usize, usize>,
    readers: HashMap<usize, Vec<Reader>>,
    names: HashSet<String>,
    /// Constants of float16 that an operator makes float32.
    widened: HashMap<usize, Vec<f32>>,
    pending: HashMap<usize, Pending<'a>>,
}

impl<'a> Builder<'a> {
    fn tensor(&self, index: usize) -> &'a Tensor<'a> {
        &self.graph.tensors[index]
    }

    /// The tensor that an operator reads at a position where the reader has made sure that there is one.
    fn input(&self, operator: &Operator, position: usize) -> Result<usize> {
        let found = operator.inputs.get(position).copied().flatten();
        found.ok_or_else(|| self.option(operator, "input", "nothing", "a tensor"))
    }

    /// The value of a tensor that is computed.
    fn value(&self, operator: &Operator, tensor: usize) -> Result<usize> {
        let found = self.values.get(&tensor).copied();
        found.ok_or_else(|| self.operand(operator, tensor, "input", "a tensor that is computed"))
    }

    /// Shape and format of a tensor that operators compute with.
    fn info(&self, operator: &Operator, tensor: usize) -> Result<ValueInfo> {
        info(self.tensor(tensor)).ok_or_else(|| {
            let expected = "FLOAT32, or INT8 or UINT8 with one scale, of 1 to 4 axes";
            self.operand(operator, tensor, "operand", expected)
        })
    }

    /// The only operator that reads a tensor, if it does so once and nothing else does.
    fn sole_reader(&self, tensor: usize) -> Option<&'a Operator> {
        match self.readers.get(&tensor).map(|readers| &readers[..]) {
            Some(&[Reader::Operator(position)]) => Some(&self.graph.operators[position]),
            _ => None,
        }
    }

    /// Adds a layer that computes what `operator` writes from the values of `inputs`.
    fn push(
        &mut self,
        operator: &Operator,
        inputs: &[usize],
        layer: dwsep::Result<impl Layer + 'static>,
    ) -> Result<()> {
        let output = operator.outputs[0];
        let expected = self.info(operator, output)?;
        let name = self.name(operator, output);
        let value = self.push_value(name, inputs, layer)?;
        let found = self.infos[value];
        if found != expected {
            let expected = format!("{} {}", found.format, found.shape);
            return Err(self.operand(operator, output, "output", expected));
        }
        self.values.insert(output, value);
        Ok(())
    }

    /// Adds a layer. Returns the value that it writes.
    fn push_value(
        &mut self,
        name: String,
        inputs: &[usize],
        layer: dwsep::Result<impl Layer + 'static>,
    ) -> Result<usize> {
        let layer = NamedLayer::new(&name, layer, inputs.to_vec())?;
        let infos: Vec<ValueInfo> = inputs.iter().map(|&value| self.infos[value]).collect();
        self.infos.push(layer.plan(&infos)?.output());
        self.layers.push(layer);
        Ok(self.layers.len())
    }

    /// What the tensor is called, or the operator, where that is not unique. Of the names of all that a converter has made one
    /// operator of, `Relu6;BatchNorm;Conv2D`, the first; cut and escaped, as messages and tables show it.
    fn name(&mut self, operator: &Operator, output: usize) -> String {
        let name = self.tensor(output).name.split(';').next();
        let name = shown(name.unwrap_or_default());
        if name.is_empty() || !self.names.insert(name.clone()) {
            return format!("{} {}", operator.kind.name(), operator.index);
        }
        name
    }

    fn problem(&self, operator: &Operator, problem: OperatorProblem) -> Error {
        Error::Tflite {
            origin: self.origin.to_owned(),
            problem: Box::new(Problem::Operator {
                index: operator.index,
                problem,
            }),
        }
    }

    /// That an option is not supported.
    fn option(
        &self,
        operator: &Operator,
        option: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Error {
        let problem = OperatorProblem::Option {
            operator: operator.kind.name(),
            option,
            found: found.to_string(),
            expected: expected.to_string(),
        };
        self.problem(operator, problem)
    }

    /// That an operand is not supported.
    fn operand(
        &self,
        operator: &Operator,
        tensor: usize,
        operand: &'static str,
        expected: impl ToString,
    ) -> Error {
        let found = self.tensor(tensor);
        let problem = OperatorProblem::Operand {
            operator: operator.kind.name(),
            tensor: TensorName::new(tensor, &found.name),
            operand,
            found: describe(found),
            expected: expected.to_string(),
        };
        self.problem(operator, problem)
    }
}

/// Type, shape and scale for a message.
fn describe(tensor: &Tensor<'_>) -> String {
    let constant = if tensor.data.is_some() {
        "constant "
    } else {
        ""
    };
    let scale = match &tensor.quantization {
        None => String::new(),
        Some(q) => match (&q.scales[..], &q.zero_points[..]) {
            ([scale], [zero]) => format!(" with scale {scale:?} and zero point {zero}"),
            (scales, _) => format!(" with {} scales", scales.len()),
        },
    };
    format!("{constant}{} {:?}{scale}", tensor.dtype, tensor.shape)
}

/// `[N, H, W, C]` of a shape with fewer axes, perhaps: those that it lacks have size 1.
fn nhwc(shape: &[usize]) -> Option<Nhwc> {
    Some(match *shape {
        [n, h, w, c] => Nhwc::new(n, h, w, c),
        [n, w, c] => Nhwc::new(n, 1, w, c),
        [n, c] => Nhwc::new(n, 1, 1, c),
        [c] => Nhwc::new(1, 1, 1, c),
        _ => return None,
    })
}

/// Shape and format of a tensor, if there can be a value of that kind.
fn info(tensor: &Tensor<'_>) -> Option<ValueInfo> {
    let quantization = || match &tensor.quantization {
        Some(q) => match (&q.scales[..], &q.zero_points[..]) {
            (&[scale], &[zero_point]) => Some(Quantization { scale, zero_point }),
            _ => None,
        },
        None => None,
    };
    Some(ValueInfo {
        shape: nhwc(&tensor.shape)?,
        format: match tensor.dtype {
            Type::F32 => Format::F32,
            Type::I8 => Format::I8(quantization()?),
            Type::U8 => Format::U8(quantization()?),
            _ => return None,
        },
    })
}
