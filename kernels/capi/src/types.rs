//! Structs and enums of the header, under the names that they have there. Sizes and positions of their fields never change.
//!
//! An enum of Rust that holds another value than its own is undefined behaviour, and C puts any integer into one. So what comes from
//! C is a [`dwsep_raw_type`] and the like here, of which the header says `dwsep_type`.

use core::ffi::c_void;

/// What a call says. 0 is success, everything else is a refusal, of which nothing has been written to an output tensor (but of DWSEP_INTERNAL). Numbers never
/// change their meaning; later versions may add some, so that a `switch` needs a `default`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum dwsep_status {
    /// Done.
    DWSEP_OK = 0,
    /// A pointer is null that must not be.
    DWSEP_NULL_POINTER = 1,
    /// A pointer is not aligned for its type.
    DWSEP_MISALIGNED = 2,
    /// A number is none of an enum's, a stride of a window is neither 1 nor 2, or a `reserved` field or an unknown flag is not 0.
    DWSEP_INVALID_VALUE = 3,
    /// A tensor or a filter has another element type than the call takes.
    DWSEP_TYPE_MISMATCH = 4,
    /// Weights of another kind than the op takes, or the two of a separable convolution have different element types.
    DWSEP_WEIGHTS_MISMATCH = 5,
    /// A dimension is 0; every dimension counts from 1.
    DWSEP_ZERO_DIMENSION = 6,
    /// A size in bytes is more than the address space holds.
    DWSEP_SIZE_OVERFLOW = 7,
    /// A dimension or a length is not what the weights or other operands ask for.
    DWSEP_SHAPE_MISMATCH = 8,
    /// A tensor has fewer elements than its shape and strides need.
    DWSEP_TOO_SHORT = 9,
    /// Strides are so small that elements of one tensor would share memory.
    DWSEP_STRIDES_OVERLAP = 10,
    /// What is written (output, workspace) and another operand share memory.
    DWSEP_OPERANDS_OVERLAP = 11,
    /// The padded input is smaller than the 3x3 window.
    DWSEP_WINDOW_TOO_LARGE = 12,
    /// The workspace is shorter than `dwsep_op_workspace_len` says.
    DWSEP_WORKSPACE_TOO_SMALL = 13,
    /// There is not so much memory.
    DWSEP_OUT_OF_MEMORY = 14,
    /// Rows beyond the last one.
    DWSEP_ROW_RANGE = 15,
    /// No instruction set has that name; also where the environment variable DWSEP_ISA names none.
    DWSEP_UNKNOWN_ISA = 16,
    /// This CPU, or this build, cannot run that instruction set; also for what DWSEP_ISA names.
    DWSEP_ISA_UNAVAILABLE = 17,
    /// A clamp's lower bound is above its upper bound, or one of them is NaN.
    DWSEP_INVALID_CLAMP = 18,
    /// A scale, or a product or ratio of scales, is not a positive, finite and normal number.
    DWSEP_INVALID_SCALE = 19,
    /// A zero point is none of the integers of its element type.
    DWSEP_INVALID_ZERO_POINT = 20,
    /// Some input would make the sum of an output channel leave the range of int32_t.
    DWSEP_ACCUMULATOR_OVERFLOW = 21,
    /// Something that this op or this element type does not compute.
    DWSEP_UNSUPPORTED = 22,
    /// A mistake in this library. It was caught, and the output is not to be used; please report the message.
    DWSEP_INTERNAL = 23,
}

/// What C passes for a [`dwsep_status`].
pub type dwsep_raw_status = i32;

/// The type of a tensor's elements. No type is 0, so that one that was forgotten is refused.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum dwsep_type {
    /// `float`
    DWSEP_F32 = 1,
    /// `int8_t`, with a quantization
    DWSEP_I8 = 2,
    /// `uint8_t`, with a quantization
    DWSEP_U8 = 3,
}

/// What C passes for a [`dwsep_type`].
pub type dwsep_raw_type = i32;

/// An instruction set. As an argument it is a maximum: the best kernels up to it are taken. They count from 1 without gaps; later versions
/// add numbers at the end, which is therefore not the order of strength.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum dwsep_isa {
    /// The best that this CPU has, but not more than the environment variable DWSEP_ISA names.
    DWSEP_ISA_NATIVE = 0,
    /// No vectors. Runs everywhere.
    DWSEP_ISA_SCALAR = 1,
    /// SSE2 or whatever the compiler makes of small arrays; only in builds with the feature `portable`.
    DWSEP_ISA_PORTABLE = 2,
    /// x86-64: AVX2 and FMA.
    DWSEP_ISA_AVX2_FMA = 3,
    /// x86-64: AVX2 and AVX-VNNI, for 8-bit integers, on CPUs without AVX-512.
    DWSEP_ISA_AVX_VNNI = 4,
    /// x86-64: AVX-512 (F, BW, VL) and AVX512-VNNI, for 8-bit integers; floats as by DWSEP_ISA_AVX512.
    DWSEP_ISA_AVX512_VNNI = 5,
    /// AArch64: NEON, for cores that execute in program order.
    DWSEP_ISA_NEON_IN_ORDER = 6,
    /// AArch64: NEON.
    DWSEP_ISA_NEON = 7,
    /// AArch64: dot products of Armv8.2, for 8-bit integers.
    DWSEP_ISA_NEON_DOTPROD = 8,
    /// AArch64: matrix products of Armv8.6, for 8-bit integers.
    DWSEP_ISA_NEON_I8MM = 9,
    /// x86-64: AVX-512 (F, BW, VL), for floats.
    DWSEP_ISA_AVX512 = 10,
}

/// What C passes for a [`dwsep_isa`].
pub type dwsep_raw_isa = i32;

/// A function that is applied in the store. NaN propagates through each of them.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum dwsep_activation_kind {
    /// `x`
    DWSEP_ACTIVATION_NONE = 0,
    /// `max(x, 0)`
    DWSEP_ACTIVATION_RELU = 1,
    /// `min(max(x, 0), 6)`
    DWSEP_ACTIVATION_RELU6 = 2,
    /// `(x * min(max(x + 3, 0), 6)) * (1/6)`, each step rounded; f32 only
    DWSEP_ACTIVATION_HARD_SWISH = 3,
    /// `min(max(x, lo), hi)`
    DWSEP_ACTIVATION_CLAMP = 4,
}

/// What C passes for a [`dwsep_activation_kind`].
pub type dwsep_raw_activation_kind = i32;

/// An activation. For 8-bit outputs bounds are real numbers all the same, and become integers by the output's quantization.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dwsep_activation {
    /// Which.
    pub kind: dwsep_raw_activation_kind,
    /// Lower bound of DWSEP_ACTIVATION_CLAMP, not looked at otherwise.
    pub lo: f32,
    /// Upper bound of DWSEP_ACTIVATION_CLAMP, at least `lo`; not looked at otherwise.
    pub hi: f32,
}

/// The shape of a tensor, `[n, h, w, c]`, in elements. Each is at least 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct dwsep_shape {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels; those of a pixel are contiguous.
    pub c: usize,
}

/// Distances in elements (not in bytes). 0 stands for what leaves no gap: `w` is then the number of channels, `h` that of columns times `w`,
/// `n` that of rows times `h`. All 0 is a dense tensor. The distance of a dimension of one element is not looked at.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct dwsep_strides {
    /// From an image to the next.
    pub n: usize,
    /// From a row to the next.
    pub h: usize,
    /// From a pixel to the next, at least `c`.
    pub w: usize,
}

/// A tensor to be read. Its shape is the op's.
///
/// From its first to behind its last element nobody may write during a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dwsep_tensor {
    /// The first element, aligned for its type and for nothing else.
    pub data: *const c_void,
    /// Elements that may be read from `data` on, gaps included: at least what `dwsep_strides_extent` says.
    pub len: usize,
    /// Distances in elements.
    pub strides: dwsep_strides,
    /// Type of the elements: that of the op.
    pub r#type: dwsep_raw_type,
    /// 0.
    pub reserved: u32,
}

/// A tensor to be written. Its shape is the op's.
///
/// A call uses the elements of the rows that it was told to compute and nothing else: neither other rows nor what lies between pixels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dwsep_tensor_mut {
    /// The first element of the whole tensor, whichever rows are computed.
    pub data: *mut c_void,
    /// Elements from `data` on, gaps included: at least what `dwsep_strides_extent` says.
    pub len: usize,
    /// Distances in elements.
    pub strides: dwsep_strides,
    /// Type of the elements: that of the op.
    pub r#type: dwsep_raw_type,
    /// 0.
    pub reserved: u32,
}

/// How a 3x3 window moves over an image. The output has `(h + top + bottom - 3) / stride + 1` rows, and columns likewise.
/// `dwsep_window_same` fills it by TensorFlow's rule. Padding contributes nothing, even where weights are infinite or NaN.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct dwsep_window {
    /// 1 or 2, in both directions.
    pub stride: usize,
    /// Rows imagined above the image.
    pub top: usize,
    /// Rows imagined below.
    pub bottom: usize,
    /// Columns imagined on the left.
    pub left: usize,
    /// Columns imagined on the right.
    pub right: usize,
}

/// What the integers of a tensor stand for: `scale * (q - zero_point)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct dwsep_quantization {
    /// Positive, finite, normal.
    pub scale: f32,
    /// One of the element type's integers.
    pub zero_point: i32,
}

/// Weights and biases of a convolution in f32. They are copied: the arrays may go when the call returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dwsep_filter_f32 {
    /// In the order that the function names.
    pub weights: *const f32,
    /// Elements of `weights`: exactly as many as there are weights.
    pub weights_len: usize,
    /// One an output channel; NULL with `bias_len` 0 for zeros.
    pub bias: *const f32,
    /// Elements of `bias`.
    pub bias_len: usize,
    /// 0 or DWSEP_FLUSH_SUBNORMALS.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

/// Packs subnormal weights and biases as zeros: arithmetic on subnormals is many times slower on some CPUs.
pub const DWSEP_FLUSH_SUBNORMALS: u32 = 1;

/// Weights and biases of a convolution in 8-bit integers. They are copied: the arrays may go when the call returns.
///
/// With `acc` the sum of `(input - input.zero_point) * (weight - weight_zero_point)` and the bias, an output is
/// `acc * (input.scale * weight_scale / output.scale)`, clamped to the activation's bounds, rounded to the nearest integer, ties to even,
/// plus `output.zero_point`. The same bits on every instruction set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct dwsep_filter_q8 {
    /// Type of inputs and outputs: DWSEP_I8 or DWSEP_U8.
    pub r#type: dwsep_raw_type,
    /// Type of `weights`: DWSEP_I8 or DWSEP_U8, whatever `type` is.
    pub weights_type: dwsep_raw_type,
    /// In the order that the function names.
    pub weights: *const c_void,
    /// Elements of `weights`: exactly as many as there are weights.
    pub weights_len: usize,
    /// One an output channel, in units of `input.scale * weight_scale`; NULL with `bias_len` 0 for zeros.
    pub bias: *const i32,
    /// Elements of `bias`.
    pub bias_len: usize,
    /// Scales of the weights.
    pub weight_scales: *const f32,
    /// One, or one an output channel.
    pub weight_scales_len: usize,
    /// The weight that stands for zero.
    pub weight_zero_point: i32,
    /// 0.
    pub reserved: u32,
    /// Of the inputs.
    pub input: dwsep_quantization,
    /// Of the outputs.
    pub output: dwsep_quantization,
}
