//! A run asks for no memory, and neither does a refusal.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use dwsep_capi::dwsep_status::{DWSEP_OK, DWSEP_ROW_RANGE};
use dwsep_capi::dwsep_type::DWSEP_F32;
use dwsep_capi::*;

thread_local! {
    /// Requests of this thread: the test harness allocates on threads of its own.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to `System`; counting does not allocate (a constant, without a destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn runs_and_refusals_ask_for_no_memory() {
    const PIXELS: usize = 2 * 9 * 8;
    let (dw, pw) = ([0.1_f32; 9 * 8], [0.2_f32; 8 * 5]);
    let filter = |weights: &[f32]| dwsep_filter_f32 {
        weights: weights.as_ptr(),
        weights_len: weights.len(),
        bias: ptr::null(),
        bias_len: 0,
        flags: 0,
        reserved: 0,
    };
    let shape = dwsep_shape {
        n: 2,
        h: 9,
        w: 8,
        c: 8,
    };
    let window = dwsep_window {
        stride: 1,
        top: 1,
        bottom: 1,
        left: 1,
        right: 1,
    };
    let (mut first, mut second, mut op, mut len) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0);
    let null = ptr::null();
    // SAFETY: arrays of the lengths given, and room for what is asked; NULL is no activation.
    let statuses = unsafe {
        [
            dwsep_weights_create_depthwise_f32(0, 8, &filter(&dw), &mut first),
            dwsep_weights_create_pointwise_f32(0, 8, 5, &filter(&pw), &mut second),
            dwsep_op_create_separable(first, second, &shape, &window, null, null, &mut op),
            dwsep_op_workspace_len(op, &mut len),
        ]
    };
    assert_eq!(statuses, [DWSEP_OK; 4]);

    let (input, mut output) = ([1.0_f32; PIXELS * 8], [0.0_f32; PIXELS * 5]);
    let mut workspace = vec![0_u8; len];
    let from = dwsep_tensor {
        data: input.as_ptr().cast(),
        len: input.len(),
        strides: dwsep_strides::default(),
        r#type: DWSEP_F32 as i32,
        reserved: 0,
    };
    let to = dwsep_tensor_mut {
        data: output.as_mut_ptr().cast(),
        len: output.len(),
        strides: dwsep_strides::default(),
        r#type: DWSEP_F32 as i32,
        reserved: 0,
    };
    let before = REQUESTS.get();
    let mut run = |rows| {
        // SAFETY: the tensors and the workspace are as long as they say.
        unsafe {
            let workspace = workspace.as_mut_ptr().cast();
            dwsep_op_run(op, 0, rows, &from, ptr::null(), &to, workspace, len)
        }
    };
    let (done, refused) = (run(18), run(19));
    assert_eq!(REQUESTS.get(), before);
    assert!(before > 0, "requests are not counted");
    assert_eq!((done, refused), (DWSEP_OK, DWSEP_ROW_RANGE));
    assert!(output.iter().all(|&x| x > 0.0));
    // SAFETY: made above, destroyed once.
    let statuses = unsafe {
        [
            dwsep_weights_destroy(first),
            dwsep_weights_destroy(second),
            dwsep_op_destroy(op),
        ]
    };
    assert_eq!(statuses, [DWSEP_OK; 3]);
}
