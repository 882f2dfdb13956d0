//! The tables of TensorFlow Lite's schema, version 3, and of its metadata's, as far as they are read; and the names of operators
//! and types, for messages. A table's fields have numbers for ever: new ones are added at the end.

use super::table::{List, table, union};

table! {
    /// The root.
    Model<'a> {
        0 version: u32 = 0;
        1 operator_codes: List<'a, OperatorCode<'a>>;
        2 subgraphs: List<'a, SubGraph<'a>>;
        3 description: &'a str;
        4 buffers: List<'a, Buffer<'a>>;
        6 metadata: List<'a, Metadata<'a>>;
    }
}

table! {
    /// The root without the buffers, to find out whose data a buffer is that does not verify.
    Outline<'a> {
        2 subgraphs: List<'a, SubGraph<'a>>;
    }
}

table! {
    OperatorCode<'a> {
        0 deprecated_builtin_code: i8 = 0;
        1 custom_code: &'a str;
        3 builtin_code: i32 = 0;
    }
}

impl OperatorCode<'_> {
    /// Files of before 2020 have the code in a field of eight bits; later ones in both, or, if it takes more, only in the new field.
    pub(super) fn code(self) -> i32 {
        self.builtin_code()
            .max(i32::from(self.deprecated_builtin_code()))
    }
}

table! {
    SubGraph<'a> {
        0 tensors: List<'a, Tensor<'a>>;
        1 inputs: List<'a, i32>;
        2 outputs: List<'a, i32>;
        3 operators: List<'a, Operator<'a>>;
        4 name: &'a str;
    }
}

table! {
    /// Of `sparsity`, a table, only the presence matters: this is the offset to it.
    Tensor<'a> {
        0 shape: List<'a, i32>;
        1 element_type: i8 = 0;
        2 buffer: u32 = 0;
        3 name: &'a str;
        4 quantization: Quantization<'a>;
        5 is_variable: bool = false;
        6 sparsity: u32;
    }
}

table! {
    Quantization<'a> {
        2 scale: List<'a, f32>;
        3 zero_point: List<'a, i64>;
        4 details_type: u8 = 0;
        6 quantized_dimension: i32 = 0;
    }
}

table! {
    /// In files of more than 2 GB the data are outside of the flatbuffer, at `offset`, counted from the beginning of the file.
    Buffer<'a> {
        0 data: &'a [u8];
        1 offset: u64 = 0;
        2 size: u64 = 0;
    }
}

table! {
    Metadata<'a> {
        0 name: &'a str;
        1 buffer: u32 = 0;
    }
}

table! {
    Operator<'a> {
        0 opcode_index: u32 = 0;
        1 inputs: List<'a, i32>;
        2 outputs: List<'a, i32>;
        union 3 4 options: Options;
    }
}

union! {
    Options<'a> {
        1 Conv2d: Conv2dOptions;
        2 DepthwiseConv2d: DepthwiseConv2dOptions;
        5 Pool2d: Pool2dOptions;
        8 FullyConnected: FullyConnectedOptions;
        9 Softmax: SoftmaxOptions;
        11 Add: AddOptions;
        27 Reducer: ReducerOptions;
        30 Squeeze: SqueezeOptions;
    }
}

table! {
    Conv2dOptions<'a> {
        0 padding: i8 = 0;
        1 stride_w: i32 = 0;
        2 stride_h: i32 = 0;
        3 activation: i8 = 0;
        4 dilation_w: i32 = 1;
        5 dilation_h: i32 = 1;
    }
}

table! {
    /// Field 3, the multiplier, follows from the shapes.
    DepthwiseConv2dOptions<'a> {
        0 padding: i8 = 0;
        1 stride_w: i32 = 0;
        2 stride_h: i32 = 0;
        4 activation: i8 = 0;
        5 dilation_w: i32 = 1;
        6 dilation_h: i32 = 1;
    }
}

table! {
    Pool2dOptions<'a> {
        0 padding: i8 = 0;
        1 stride_w: i32 = 0;
        2 stride_h: i32 = 0;
        3 filter_w: i32 = 0;
        4 filter_h: i32 = 0;
        5 activation: i8 = 0;
    }
}

table! {
    FullyConnectedOptions<'a> {
        0 activation: i8 = 0;
        1 weights_format: i8 = 0;
        2 keep_num_dims: bool = false;
    }
}

table! {
    SoftmaxOptions<'a> {
        0 beta: f32 = 0.0;
    }
}

table! {
    AddOptions<'a> {
        0 activation: i8 = 0;
    }
}

table! {
    ReducerOptions<'a> {
        0 keep_dims: bool = false;
    }
}

table! {
    SqueezeOptions<'a> {
        0 squeeze_dims: List<'a, i32>;
    }
}

// The metadata: a flatbuffer of its own in one of the buffers.

table! {
    ModelMetadata<'a> {
        3 subgraphs: List<'a, SubGraphMetadata<'a>>;
    }
}

table! {
    SubGraphMetadata<'a> {
        3 outputs: List<'a, TensorMetadata<'a>>;
    }
}

table! {
    TensorMetadata<'a> {
        6 files: List<'a, AssociatedFile<'a>>;
    }
}

table! {
    AssociatedFile<'a> {
        0 name: &'a str;
        2 file_type: i8 = 0;
    }
}

/// The type of an associated file that has a name for each element along an axis: the classes' labels.
pub(super) const TENSOR_AXIS_LABELS: i8 = 2;

/// The code of an operator that is not TensorFlow Lite's own.
pub(super) const CUSTOM: i32 = 32;

/// What the schema calls the operator with this code.
pub(super) fn operator_name(code: i32) -> String {
    match usize::try_from(code)
        .ok()
        .and_then(|code| OPERATORS.get(code))
    {
        Some(&name) => name.to_owned(),
        None => format!("operator code {code}"),
    }
}

/// What the schema calls an element type.
pub(super) fn type_name(element_type: i8) -> String {
    match usize::try_from(element_type)
        .ok()
        .and_then(|element_type| TYPES.get(element_type))
    {
        Some(&name) => name.to_owned(),
        None => format!("type {element_type}"),
    }
}

const TYPES: [&str; 18] = [
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "UINT8",
    "INT64",
    "STRING",
    "BOOL",
    "INT16",
    "COMPLEX64",
    "INT8",
    "FLOAT64",
    "COMPLEX128",
    "UINT64",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT16",
    "INT4",
];

/// By code. What comes after these are operators of other compilers, which TensorFlow Lite itself runs only in part.
const OPERATORS: [&str; 162] = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "EMBEDDING_LOOKUP",
    "FLOOR",
    "FULLY_CONNECTED",
    "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION",
    "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION",
    "LOGISTIC",
    "LSH_PROJECTION",
    "LSTM",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "RELU_N1_TO_1",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RNN",
    "SOFTMAX",
    "SPACE_TO_DEPTH",
    "SVDF",
    "TANH",
    "CONCAT_EMBEDDINGS",
    "SKIP_GRAM",
    "CALL",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "GATHER",
    "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
    "TRANSPOSE",
    "MEAN",
    "SUB",
    "DIV",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "STRIDED_SLICE",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP",
    "TOPK_V2",
    "SPLIT",
    "LOG_SOFTMAX",
    "DELEGATE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "CAST",
    "PRELU",
    "MAXIMUM",
    "ARG_MAX",
    "MINIMUM",
    "LESS",
    "NEG",
    "PADV2",
    "GREATER",
    "GREATER_EQUAL",
    "LESS_EQUAL",
    "SELECT",
    "SLICE",
    "SIN",
    "TRANSPOSE_CONV",
    "SPARSE_TO_DENSE",
    "TILE",
    "EXPAND_DIMS",
    "EQUAL",
    "NOT_EQUAL",
    "LOG",
    "SUM",
    "SQRT",
    "RSQRT",
    "SHAPE",
    "POW",
    "ARG_MIN",
    "FAKE_QUANT",
    "REDUCE_PROD",
    "REDUCE_MAX",
    "PACK",
    "LOGICAL_OR",
    "ONE_HOT",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "UNPACK",
    "REDUCE_MIN",
    "FLOOR_DIV",
    "REDUCE_ANY",
    "SQUARE",
    "ZEROS_LIKE",
    "FILL",
    "FLOOR_MOD",
    "RANGE",
    "RESIZE_NEAREST_NEIGHBOR",
    "LEAKY_RELU",
    "SQUARED_DIFFERENCE",
    "MIRROR_PAD",
    "ABS",
    "SPLIT_V",
    "UNIQUE",
    "CEIL",
    "REVERSE_V2",
    "ADD_N",
    "GATHER_ND",
    "COS",
    "WHERE",
    "RANK",
    "ELU",
    "REVERSE_SEQUENCE",
    "MATRIX_DIAG",
    "QUANTIZE",
    "MATRIX_SET_DIAG",
    "ROUND",
    "HARD_SWISH",
    "IF",
    "WHILE",
    "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5",
    "SCATTER_ND",
    "SELECT_V2",
    "DENSIFY",
    "SEGMENT_SUM",
    "BATCH_MATMUL",
    "PLACEHOLDER_FOR_GREATER_OP_CODES",
    "CUMSUM",
    "CALL_ONCE",
    "BROADCAST_TO",
    "RFFT2D",
    "CONV_3D",
    "IMAG",
    "REAL",
    "COMPLEX_ABS",
    "HASHTABLE",
    "HASHTABLE_FIND",
    "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE",
    "REDUCE_ALL",
    "CONV_3D_TRANSPOSE",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
    "BROADCAST_ARGS",
    "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE",
    "RANDOM_UNIFORM",
    "MULTINOMIAL",
    "GELU",
    "DYNAMIC_UPDATE_SLICE",
    "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD",
    "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_SUM",
    "ATAN2",
    "UNSORTED_SEGMENT_MIN",
    "SIGN",
    "BITCAST",
    "BITWISE_XOR",
    "RIGHT_SHIFT",
];
