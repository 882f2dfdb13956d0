//! The functions of the header that compute sizes, for those who do not want to do it themselves.

use dwsep::{Padding, Strides};

use crate::boundary::Caller;
use crate::ops::stride_of;
use crate::status::guard;
use crate::tensor::resolve;
use crate::types::dwsep_type::{self, *};
use crate::types::*;

/// TensorFlow's padding "SAME" of a 3x3 window over `h` rows and `w` columns: the output has `ceil(h / stride)` rows, and the odd one of the
/// padding is below and on the right.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_window_same(
    h: usize,
    w: usize,
    stride: usize,
    window: *mut dwsep_window,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let Padding {
            top,
            bottom,
            left,
            right,
        } = Padding::same(h, w, stride_of(stride)?);
        let same = dwsep_window {
            stride,
            top,
            bottom,
            left,
            right,
        };
        caller.put(window, "window", same)
    })
}

/// Strides with a cache line between pixels where they help: pixels a multiple of 1024 bytes apart compete for a few sets of a
/// first-level cache, and a depthwise convolution of them takes up to four times as long. Those of a dense tensor otherwise. For activations
/// in memory of your own, between one op and the next.
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_INVALID_VALUE, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_strides_spread(
    r#type: dwsep_raw_type,
    shape: *const dwsep_shape,
    strides: *mut dwsep_strides,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let shape = caller.shape(shape, "shape")?;
        let Strides { n, h, w } = match dwsep_type::of_c(r#type, "type")? {
            DWSEP_F32 => Strides::spread::<f32>(shape)?,
            DWSEP_I8 | DWSEP_U8 => Strides::spread::<u8>(shape)?,
        };
        caller.put(strides, "strides", dwsep_strides { n, h, w })
    })
}

/// Elements from the first to behind the last of a tensor: the least `len` of one of this shape and these strides (NULL: dense).
///
/// DWSEP_NULL_POINTER, DWSEP_MISALIGNED, DWSEP_ZERO_DIMENSION, DWSEP_SIZE_OVERFLOW, DWSEP_STRIDES_OVERLAP.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dwsep_strides_extent(
    shape: *const dwsep_shape,
    strides: *const dwsep_strides,
    len: *mut usize,
) -> dwsep_status {
    // SAFETY: this function's caller promises it.
    let caller = unsafe { Caller::promises() };
    guard(|| {
        let shape = caller.shape(shape, "shape")?;
        let strides = caller.optional(strides, "strides")?;
        let (_, extent) = resolve(shape, strides.copied().unwrap_or_default(), "strides")?;
        caller.put(len, "len", extent)
    })
}
