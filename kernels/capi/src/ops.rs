//! The functions of the header that make ops and run them.

use core::ffi::c_void;

use dwsep::quantised::{Add, GlobalAveragePool};
use dwsep::{Activation, Nhwc, Padding, Qs8, Qu8, Stride};

use crate::boundary::Caller;
use crate::op::{Op, Run};
use crate::plain::{AddQ8, AveragePoolF32, AveragePoolQ8, SoftmaxF32};
use crate::status::{Failure, guard};
use crate::types::dwsep_type::{self, *};
use crate::types::*;
use crate::weights::{Weights, Window, by_scheme};
use crate::{dwsep_op, dwsep_weights};

impl Caller {
    /// What every function that makes an op does.
    fn make(
        &self,
        op: *mut *mut dwsep_op,
        make: impl FnOnce() -> Result<Box<dyn Op>, Failure>,
    ) -> Result<(), Failure> {
        let slot = self.slot(op, "op")?;
        slot.fill(dwsep_op::of(make()?));
        Ok(())
    }

    fn weights(
        &self,
        weights: *const dwsep_weights,
        operand: &'static str,
    ) -> Result<&dyn Weights, Failure> {
        Ok(self.get(weights, operand)?.get())
    }

    pub(crate) fn shape(
        &self,
        shape: *const dwsep_shape,
        operand: &'static str,
    ) -> Result<Nhwc, Failure> {
        let shape = Nhwc::from(*self.get(shape, operand)?);
        shape.len(operand)?;
        Ok(shape)
    }

    fn window(&self, window: *const dwsep_window) -> Result<Window, Failure> {
        let &dwsep_window {
            stride,
            top,
            bottom,
            left,
            right,
        } = self.get(window, "window")?;
        let padding = Padding {
            top,
            bottom,
            left,
            right,
        };
        Ok((stride_of(stride)?, padding))
    }

    /// None for NULL.
    fn activation(
        &self,
        activation: *const dwsep_activation,
        operand: &'static str,
    ) -> Result<Activation, Failure> {
        use dwsep_activation_kind::*;
        let Some(&dwsep_activation { kind, lo, hi }) = self.optional(activation, operand)? else {
            return Ok(Activation::None);
        };
        let all = [
            (DWSEP_ACTIVATION_NONE, Activation::None),
            (DWSEP_ACTIVATION_RELU, Activation::Relu),
            (DWSEP_ACTIVATION_RELU6, Activation::Relu6),
            (DWSEP_ACTIVATION_HARD_SWISH, Activation::HardSwish),
            (DWSEP_ACTIVATION_CLAMP, Activation::Clamp { lo, hi }),
        ];
        let known = all.into_iter().find(|&(known, _)| known as i32 == kind);
        let (_, activation) = known.ok_or(Failure::Value {
            operand,
            found: kind.into(),
            expected: "a dwsep_activation_kind",
        })?;
        Ok(activation)
    }

    fn quantization(
        &self,
        quantization: *const dwsep_quantization,
        operand: &'static str,
    ) -> Result<dwsep::Quantization, Failure> {
        Ok((*self.get(quantization, operand)?).into())
    }
}

pub(crate) fn stride_of(stride: usize) -> Result<Stride, Failure> {
    match stride {
        1 => Ok(Stride::One),
        2 => Ok(Stride::Two),
        found => Err(Failure::Value {
            operand: "stride",
            found: found as i128,
            expected: "1 or 2",
        }),
    }
}

/// A depthwise 3x3 convolution of inputs of shape `input`, `[n, h, w, channels]` to `[n, oh, ow, channels]`, into a new handle.
/// `activation` may be NULL, for none.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE; DWSEP_WEIGHTS_MISMATCH for weights of another kind; DWSEP_SHAPE_MISMATCH
/// where `input->c` is not what the weights were packed for; DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW, DWSEP_WINDOW_TOO_LARGE,
/// DWSEP_INVALID_CLAMP; DWSEP_UNSUPPORTED for DWSEP_ACTIVATION_HARD_SWISH in 8-bit integers. `*op` is NULL then.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_depthwise(
    weights: *const dwsep_weights,
    input: *const dwsep_shape,
    window: *const dwsep_window,
    activation: *const dwsep_activation,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let weights = caller.weights(weights, "weights")?;
            let activation = caller.activation(activation, "activation")?;
            let (input, window) = (caller.shape(input, "input")?, caller.window(window)?);
            weights.depthwise(input, window, activation)
        })
    })
}

/// A pointwise convolution, `[n, h, w, c_in]` to `[n, h, w, c_out]`. A fully connected layer is one of `[n, 1, 1, c_in]`.
///
/// Refusals are those of `dwsep_op_create_depthwise`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_pointwise(
    weights: *const dwsep_weights,
    input: *const dwsep_shape,
    activation: *const dwsep_activation,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let weights = caller.weights(weights, "weights")?;
            let activation = caller.activation(activation, "activation")?;
            weights.pointwise(caller.shape(input, "input")?, activation)
        })
    })
}

/// A dense 3x3 convolution, `[n, h, w, c_in]` to `[n, oh, ow, c_out]`: the stem of a network.
///
/// Refusals are those of `dwsep_op_create_depthwise`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_conv3x3(
    weights: *const dwsep_weights,
    input: *const dwsep_shape,
    window: *const dwsep_window,
    activation: *const dwsep_activation,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let weights = caller.weights(weights, "weights")?;
            let activation = caller.activation(activation, "activation")?;
            let (input, window) = (caller.shape(input, "input")?, caller.window(window)?);
            weights.conv3x3(input, window, activation)
        })
    })
}

/// A depthwise and a pointwise convolution in one, `[n, h, w, c]` to `[n, oh, ow, c_out]`: the bits of the two one after the other, while
/// what is between them stays in cache. Weights of 8-bit integers meet where `output` of the first is `input` of the second, which is
/// not looked at.
///
/// Refusals are those of `dwsep_op_create_depthwise`; DWSEP_WEIGHTS_MISMATCH for two types, too, and DWSEP_SHAPE_MISMATCH where `c_in` of
/// the second is not `channels` of the first.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_separable(
    depthwise: *const dwsep_weights,
    pointwise: *const dwsep_weights,
    input: *const dwsep_shape,
    window: *const dwsep_window,
    depthwise_activation: *const dwsep_activation,
    pointwise_activation: *const dwsep_activation,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let depthwise = caller.weights(depthwise, "depthwise")?;
            let pointwise = caller.weights(pointwise, "pointwise")?;
            let activations = [
                caller.activation(depthwise_activation, "depthwise activation")?,
                caller.activation(pointwise_activation, "pointwise activation")?,
            ];
            let (input, window) = (caller.shape(input, "input")?, caller.window(window)?);
            depthwise.separable(pointwise, input, window, activations)
        })
    })
}

/// The mean over rows and columns in f32, `[n, h, w, c]` to `[n, 1, 1, c]`. Its rows are images.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW. `*op` is NULL then.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_average_pool_f32(
    input: *const dwsep_shape,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let input = caller.shape(input, "input")?;
            Ok(Box::new(AveragePoolF32 { input }))
        })
    })
}

/// The same in 8-bit integers, of `type` DWSEP_I8 or DWSEP_U8, from the quantization `from` to `to`.
///
/// As `dwsep_op_create_average_pool_f32`; DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_INVALID_SCALE, DWSEP_INVALID_ZERO_POINT;
/// DWSEP_SIZE_OVERFLOW for images of more than 2^23 pixels, too.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_average_pool_q8(
    r#type: dwsep_raw_type,
    input: *const dwsep_shape,
    from: *const dwsep_quantization,
    to: *const dwsep_quantization,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let input = caller.shape(input, "input")?;
            let from = caller.quantization(from, "from")?;
            let to = caller.quantization(to, "to")?;
            by_scheme!(r#type, "type", S => {
                let pool = GlobalAveragePool::<S>::new(input.h, input.w, from, to)?;
                Ok(Box::new(AveragePoolQ8 { input, pool }) as Box<dyn Op>)
            })
        })
    })
}

/// The sum of two tensors of one shape in 8-bit integers, of `type` DWSEP_I8 or DWSEP_U8: `input` of quantization `a` and `second` of
/// `b`. In f32 a pointwise convolution adds in its store.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW,
/// DWSEP_INVALID_SCALE, DWSEP_INVALID_ZERO_POINT, DWSEP_INVALID_CLAMP; DWSEP_UNSUPPORTED where the scale of `a` or `b` is not within 2^-10 to
/// 2^8 times that of `output`, and for DWSEP_ACTIVATION_HARD_SWISH. `*op` is NULL then.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_add_q8(
    r#type: dwsep_raw_type,
    shape: *const dwsep_shape,
    a: *const dwsep_quantization,
    b: *const dwsep_quantization,
    output: *const dwsep_quantization,
    activation: *const dwsep_activation,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let shape = caller.shape(shape, "shape")?;
            let (a, b) = (caller.quantization(a, "a")?, caller.quantization(b, "b")?);
            let output = caller.quantization(output, "output")?;
            let activation = caller.activation(activation, "activation")?;
            by_scheme!(r#type, "type", S => {
                let add = Add::<S>::new(a, b, output, activation)?;
                Ok(Box::new(AddQ8 { shape, add }) as Box<dyn Op>)
            })
        })
    })
}

/// `exp(x - max) / sum(exp(x - max))` over the channels of each pixel, in f32.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW. `*op` is NULL then.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_create_softmax_f32(
    shape: *const dwsep_shape,
    op: *mut *mut dwsep_op,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        caller.make(op, || {
            let shape = caller.shape(shape, "shape")?;
            Ok(Box::new(SoftmaxF32 { shape }))
        })
    })
}

/// Gives the memory of a handle back. NULL is no mistake.
///
/// DWSEP_MISALIGNED, for what cannot be a handle.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_destroy(op: *mut dwsep_op) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        drop(caller.take(op)?);
        Ok(())
    })
}

/// The shapes of the op's input and of its output; either pointer may be NULL. The output has `output->n * output->h` rows, which
/// are what `dwsep_op_run` counts.
///
/// DWSEP_NULL_POINTER for `op`, DWSEP_MISALIGNED.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_shapes(
    op: *const dwsep_op,
    input: *mut dwsep_shape,
    output: *mut dwsep_shape,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let (of_input, of_output) = caller.get(op, "op")?.get().shapes();
        if !input.is_null() {
            caller.put(input, "input", of_input.into())?;
        }
        if !output.is_null() {
            caller.put(output, "output", of_output.into())?;
        }
        Ok(())
    })
}

/// Bytes of workspace that a call of `dwsep_op_run` takes; 0 for many ops. Calls at the same time take one each.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_op_workspace_len(
    op: *const dwsep_op,
    bytes: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| caller.put(bytes, "bytes", caller.get(op, "op")?.get().workspace()))
}

/// Computes `rows` rows of the output from `first_row` on, on the calling thread, without allocating. Rows are counted through all images:
/// row `y` of image `i` is `i * h + y`. All of them in one call, or any split of them over any threads at the same time, give the same bits.
/// With `rows` 0 everything is checked and nothing computed.
///
/// `input` and `output` are whole tensors whichever rows are computed. `second` is another input of the output's shape: what is added
/// before the activation of a pointwise convolution in f32 (or NULL), and what `dwsep_op_create_add_q8` adds; NULL for all other ops.
/// `workspace` is any memory of `workspace_len` bytes, aligned or not, with nothing in it before or after; NULL with 0 where the op
/// takes none.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_TYPE_MISMATCH, DWSEP_ROW_RANGE, DWSEP_TOO_SHORT, DWSEP_STRIDES_OVERLAP,
/// DWSEP_SIZE_OVERFLOW, DWSEP_WORKSPACE_TOO_SMALL; DWSEP_OPERANDS_OVERLAP where the span of the output (from its first to behind its last
/// element) or the workspace shares memory with another operand; DWSEP_UNSUPPORTED for a `second` that the op does not take.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
#[allow(
    clippy::too_many_arguments,
    reason = "what a run takes; by name on the other side of it"
)]
pub unsafe extern "C" fn dwsep_op_run(
    op: *const dwsep_op,
    first_row: usize,
    rows: usize,
    input: *const dwsep_tensor,
    second: *const dwsep_tensor,
    output: *const dwsep_tensor_mut,
    workspace: *mut c_void,
    workspace_len: usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let run = Run {
            first_row,
            rows,
            input,
            second,
            output,
            workspace,
            workspace_len,
        };
        caller.get(op, "op")?.get().run(&caller, &run)
    })
}
