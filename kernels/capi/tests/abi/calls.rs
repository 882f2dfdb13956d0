//! Handles that destroy themselves, and buffers as tensors.

use std::ffi::c_void;
use std::ptr;

use dwsep_capi::dwsep_status::DWSEP_OK;
use dwsep_capi::dwsep_type::{DWSEP_F32, DWSEP_I8, DWSEP_U8};
use dwsep_capi::*;

/// Packed weights.
pub struct Weights(pub *mut dwsep_weights);
/// An op.
pub struct Op(pub *mut dwsep_op);

// SAFETY: the header says that any thread may use handles.
unsafe impl Sync for Op {}

impl Drop for Weights {
    fn drop(&mut self) {
        // SAFETY: made by the library, and destroyed once.
        assert_eq!(unsafe { dwsep_weights_destroy(self.0) }, DWSEP_OK);
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        // SAFETY: made by the library, and destroyed once.
        assert_eq!(unsafe { dwsep_op_destroy(self.0) }, DWSEP_OK);
    }
}

/// What a function made that wrote a handle: NULL if, and only if, it was refused.
fn made<T>(handle: *mut T, status: dwsep_status) -> Result<*mut T, dwsep_status> {
    assert_eq!(handle.is_null(), status != DWSEP_OK, "{status:?}");
    if status == DWSEP_OK {
        Ok(handle)
    } else {
        Err(status)
    }
}

pub fn pack(
    call: impl FnOnce(*mut *mut dwsep_weights) -> dwsep_status,
) -> Result<Weights, dwsep_status> {
    // Not NULL, so that it is seen when it is not written.
    let mut handle = ptr::without_provenance_mut(64);
    let status = call(&mut handle);
    made(handle, status).map(Weights)
}

pub fn make(call: impl FnOnce(*mut *mut dwsep_op) -> dwsep_status) -> Result<Op, dwsep_status> {
    let mut handle = ptr::without_provenance_mut(64);
    let status = call(&mut handle);
    made(handle, status).map(Op)
}

impl Op {
    pub fn shapes(&self) -> (dwsep_shape, dwsep_shape) {
        let (mut input, mut output) = Default::default();
        // SAFETY: a handle, and room for what is asked.
        let status = unsafe { dwsep_op_shapes(self.0, &mut input, &mut output) };
        assert_eq!(status, DWSEP_OK);
        (input, output)
    }

    pub fn workspace_len(&self) -> usize {
        let mut bytes = 0;
        // SAFETY: a handle, and room for what is asked.
        let status = unsafe { dwsep_op_workspace_len(self.0, &mut bytes) };
        assert_eq!(status, DWSEP_OK);
        bytes
    }

    /// Rows from `first` on, with a workspace that is as long as it says, and starts anywhere.
    pub fn run(
        &self,
        (first, rows): (usize, usize),
        input: &dwsep_tensor,
        second: Option<&dwsep_tensor>,
        output: &dwsep_tensor_mut,
    ) -> dwsep_status {
        let len = self.workspace_len();
        let mut workspace = vec![0xA5_u8; len + 1];
        let workspace = workspace[1..].as_mut_ptr().cast::<c_void>();
        let second = second.map_or(ptr::null(), |second| second);
        // SAFETY: the tensors are of slices of the lengths that they say.
        unsafe { dwsep_op_run(self.0, first, rows, input, second, output, workspace, len) }
    }
}

/// The element of a tensor.
pub trait Elem: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    const TYPE: dwsep_type;
    fn of(random: u32) -> Self;
}

impl Elem for f32 {
    const TYPE: dwsep_type = DWSEP_F32;
    fn of(random: u32) -> f32 {
        (random >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

impl Elem for i8 {
    const TYPE: dwsep_type = DWSEP_I8;
    fn of(random: u32) -> i8 {
        (random >> 8) as i8
    }
}

impl Elem for u8 {
    const TYPE: dwsep_type = DWSEP_U8;
    fn of(random: u32) -> u8 {
        (random >> 8) as u8
    }
}

impl Elem for i32 {
    // Of biases, of which there are no tensors.
    const TYPE: dwsep_type = DWSEP_F32;
    fn of(random: u32) -> i32 {
        (random >> 8) as i32 % 1000
    }
}

pub fn random<T: Elem>(len: usize, seed: u32) -> Vec<T> {
    let mut state = seed.wrapping_mul(2_654_435_761);
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        T::of(state)
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn tensor<T: Elem>(data: &[T], strides: dwsep_strides) -> dwsep_tensor {
    dwsep_tensor {
        data: data.as_ptr().cast(),
        len: data.len(),
        strides,
        r#type: T::TYPE as i32,
        reserved: 0,
    }
}

pub fn tensor_mut<T: Elem>(data: &mut [T], strides: dwsep_strides) -> dwsep_tensor_mut {
    dwsep_tensor_mut {
        data: data.as_mut_ptr().cast(),
        len: data.len(),
        strides,
        r#type: T::TYPE as i32,
        reserved: 0,
    }
}

pub const DENSE: dwsep_strides = dwsep_strides { n: 0, h: 0, w: 0 };

pub fn last_message() -> String {
    let mut needed = 0;
    // SAFETY: nothing is written but the length.
    let status = unsafe { dwsep_last_error_message(ptr::null_mut(), 0, &mut needed) };
    assert_eq!(status, DWSEP_OK);
    let mut bytes = vec![0xFF_u8; needed + 1];
    // SAFETY: there is room for as many bytes as it says.
    let status =
        unsafe { dwsep_last_error_message(bytes.as_mut_ptr().cast(), bytes.len(), &mut needed) };
    assert_eq!((status, bytes.pop()), (DWSEP_OK, Some(0)));
    String::from_utf8(bytes).expect("a text")
}
