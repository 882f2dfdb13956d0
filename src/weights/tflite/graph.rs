//! What a file becomes: tensors and operators by index, with everything checked that can be without running it.

use std::fmt;

/// A network as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph<'a> {
    /// All tensors; operators name them by index.
    pub tensors: Vec<Tensor<'a>>,
    /// In an order in which each reads only what is there: constants, the graph's inputs, what operators before it write.
    pub operators: Vec<Operator>,
    /// Tensors that the caller gives. At least one; none is constant or written by an operator.
    pub inputs: Vec<usize>,
    /// Tensors that the caller gets. At least one; each is written by an operator.
    pub outputs: Vec<usize>,
    /// What the file says of itself, such as the name of its converter.
    pub description: Option<String>,
    /// The name of its graph.
    pub name: Option<String>,
    /// The names of the classes, if the metadata have them.
    pub labels: Option<Vec<String>>,
}

/// A tensor: constant, if it has data.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Its name, which need not be unique, and may be empty.
    pub name: String,
    /// Sizes of at least 1, outermost first; a scalar has none. With the size of an element, their product fits in `isize`.
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub dtype: Type,
    /// The elements, little-endian, last dimension innermost, in the file's memory, without any alignment. As many bytes as shape
    /// and type need.
    pub data: Option<&'a [u8]>,
    /// How integers stand for real numbers; of other types, never.
    pub quantization: Option<TensorQuantization>,
}

impl Tensor<'_> {
    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 16 bits.
    F16,
    /// Signed, 32 bits: biases, shapes, axes.
    I32,
    /// Signed, 64 bits: shapes, axes.
    I64,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
}

impl Type {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

impl fmt::Display for Type {
    /// The schema's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "FLOAT32",
            Self::F16 => "FLOAT16",
            Self::I32 => "INT32",
            Self::I64 => "INT64",
            Self::I8 => "INT8",
            Self::U8 => "UINT8",
        })
    }
}

/// `real = scale * (q - zero_point)`, with one pair for the tensor or one for each index along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorQuantization {
    /// Positive and finite; one, or as many as the axis is long.
    pub scales: Vec<f32>,
    /// As many as there are scales, each in the range of the tensor's type.
    pub zero_points: Vec<i32>,
    /// The axis; 0 if there is one scale.
    pub axis: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// Its index in the file, for messages.
    pub index: usize,
    /// What it does.
    pub kind: OperatorKind,
    /// The tensors that it reads. An optional one that is absent is `None`.
    pub inputs: Vec<Option<usize>>,
    /// The tensors that it writes.
    pub outputs: Vec<usize>,
}

/// What an operator does, with its options. Pairs are (height, width).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OperatorKind {
    /// CONV_2D: input `[N, H, W, I]`, weights `[O, h, w, I]`, bias `[O]` or absent.
    Conv2d {
        /// Positive.
        stride: (usize, usize),
        /// Positive.
        dilation: (usize, usize),
        /// What lies beyond the edges.
        padding: Padding,
        /// Applied to the result.
        activation: FusedActivation,
    },
    /// DEPTHWISE_CONV_2D: input `[N, H, W, C]`, weights `[1, h, w, C * multiplier]`, bias `[C * multiplier]` or absent.
    DepthwiseConv2d {
        /// Positive.
        stride: (usize, usize),
        /// Positive.
        dilation: (usize, usize),
        /// What lies beyond the edges.
        padding: Padding,
        /// Applied to the result.
        activation: FusedActivation,
        /// Output channels for each input channel, from the shapes.
        multiplier: usize,
    },
    /// ADD of two tensors.
    Add {
        /// Applied to the result.
        activation: FusedActivation,
    },
    /// PAD with zeros, which are the zero point of quantised tensors.
    Pad {
        /// Before and after, for each axis of the input.
        paddings: Vec<(usize, usize)>,
    },
    /// AVERAGE_POOL_2D, in which padding does not count.
    AveragePool2d {
        /// Positive.
        window: (usize, usize),
        /// Positive.
        stride: (usize, usize),
        /// What lies beyond the edges.
        padding: Padding,
        /// Applied to the result.
        activation: FusedActivation,
    },
    /// MEAN over some axes.
    Mean {
        /// Axes of the input, ascending, each once.
        axes: Vec<usize>,
        /// The axes stay, with size 1.
        keep_dims: bool,
    },
    /// FULLY_CONNECTED: weights `[O, I]`, bias `[O]` or absent.
    FullyConnected {
        /// Applied to the result.
        activation: FusedActivation,
        /// The output has the input's rank.
        keep_num_dims: bool,
    },
    /// RESHAPE to the output's shape, which has as many elements.
    Reshape,
    /// SQUEEZE to the output's shape, which has as many elements.
    Squeeze {
        /// Axes of the input; none stands for all of size 1.
        dims: Vec<usize>,
    },
    /// SOFTMAX of `beta * x` over the last axis.
    Softmax {
        /// Positive and finite.
        beta: f32,
    },
    /// QUANTIZE to the output's scale, from floats or from another scale.
    Quantize,
    /// DEQUANTIZE to floats; of float16, too.
    Dequantize,
}

impl OperatorKind {
    /// The schema's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "CONV_2D",
            Self::DepthwiseConv2d { .. } => "DEPTHWISE_CONV_2D",
            Self::Add { .. } => "ADD",
            Self::Pad { .. } => "PAD",
            Self::AveragePool2d { .. } => "AVERAGE_POOL_2D",
            Self::Mean { .. } => "MEAN",
            Self::FullyConnected { .. } => "FULLY_CONNECTED",
            Self::Reshape => "RESHAPE",
            Self::Squeeze { .. } => "SQUEEZE",
            Self::Softmax { .. } => "SOFTMAX",
            Self::Quantize => "QUANTIZE",
            Self::Dequantize => "DEQUANTIZE",
        }
    }
}

/// How much of what lies beyond the input's edges a window may cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So much that the output has `ceil(input / stride)` rows; if it is odd, the larger half is at the end.
    Same,
    /// Nothing.
    Valid,
}

/// An activation that is part of another operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedActivation {
    /// The value itself.
    None,
    /// At least 0.
    Relu,
    /// Between -1 and 1.
    ReluN1To1,
    /// Between 0 and 6.
    Relu6,
}
