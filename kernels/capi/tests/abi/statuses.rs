//! Every refusal to make something: which status, what message, and that no handle is there.

use std::ffi::c_void;
use std::ptr;

use dwsep_capi::dwsep_activation_kind::*;
use dwsep_capi::dwsep_status::{self, *};
use dwsep_capi::dwsep_type::{DWSEP_F32, DWSEP_I8, DWSEP_U8};
use dwsep_capi::*;

use crate::calls::{Op, Weights, last_message, make, pack};

pub const NATIVE: i32 = 0;
pub const SHAPE: dwsep_shape = dwsep_shape {
    n: 2,
    h: 5,
    w: 4,
    c: 3,
};
pub const WINDOW: dwsep_window = dwsep_window {
    stride: 1,
    top: 1,
    bottom: 1,
    left: 1,
    right: 1,
};
static WEIGHTS: [f32; 27] = [1.0; 27];
static BYTES: [i8; 27] = [1; 27];
static ONE: [f32; 3] = [1.0; 3];
static BIG: [i32; 3] = [i32::MAX; 3];

pub fn filter() -> dwsep_filter_f32 {
    dwsep_filter_f32 {
        weights: WEIGHTS.as_ptr(),
        weights_len: 27,
        bias: ptr::null(),
        bias_len: 0,
        flags: 0,
        reserved: 0,
    }
}

pub fn filter_q8() -> dwsep_filter_q8 {
    let one = dwsep_quantization {
        scale: 1.0,
        zero_point: 0,
    };
    dwsep_filter_q8 {
        r#type: DWSEP_I8 as i32,
        weights_type: DWSEP_I8 as i32,
        weights: BYTES.as_ptr().cast(),
        weights_len: 27,
        bias: ptr::null(),
        bias_len: 0,
        weight_scales: ONE.as_ptr(),
        weight_scales_len: 1,
        weight_zero_point: 0,
        reserved: 0,
        input: one,
        output: one,
    }
}

pub fn depthwise(isa: i32, c: usize, filter: &dwsep_filter_f32) -> Result<Weights, dwsep_status> {
    // SAFETY: here and below: arrays of the lengths given, or what is refused for being none.
    pack(|out| unsafe { dwsep_weights_create_depthwise_f32(isa, c, filter, out) })
}

fn depthwise_q8(filter: &dwsep_filter_q8) -> Result<Weights, dwsep_status> {
    // SAFETY: as above.
    pack(|out| unsafe { dwsep_weights_create_depthwise_q8(NATIVE, 3, filter, out) })
}

pub fn pointwise() -> Weights {
    let filter = dwsep_filter_f32 {
        weights_len: 9,
        ..filter()
    };
    // SAFETY: as above.
    pack(|out| unsafe { dwsep_weights_create_pointwise_f32(NATIVE, 3, 3, &filter, out) }).unwrap()
}

pub fn op(
    weights: &Weights,
    shape: &dwsep_shape,
    window: &dwsep_window,
    kind: i32,
    (lo, hi): (f32, f32),
) -> Result<Op, dwsep_status> {
    let activation = dwsep_activation { kind, lo, hi };
    // SAFETY: as above.
    make(|out| unsafe { dwsep_op_create_depthwise(weights.0, shape, window, &activation, out) })
}

#[track_caller]
fn refused<T>(made: Result<T, dwsep_status>, expected: dwsep_status, message: &str) {
    assert_eq!(made.err(), Some(expected), "{message}");
    let said = last_message();
    assert!(said.contains(message), "{said:?} without {message:?}");
}

#[test]
fn of_filters() {
    type Change = fn(&mut dwsep_filter_f32);
    let table: &[(Change, dwsep_status, &str)] = &[
        (
            |f| f.weights = ptr::null(),
            DWSEP_NULL_POINTER,
            "weights: a null pointer",
        ),
        (
            |f| f.weights = f.weights.wrapping_byte_add(1),
            DWSEP_MISALIGNED,
            "weights: the address is no multiple of 4",
        ),
        (
            |f| f.weights_len = 26,
            DWSEP_SHAPE_MISMATCH,
            "weights: length is 26, expected 27",
        ),
        (
            |f| f.weights_len = usize::MAX,
            DWSEP_SIZE_OVERFLOW,
            "weights",
        ),
        (
            |f| f.bias_len = 3,
            DWSEP_NULL_POINTER,
            "bias: a null pointer",
        ),
        (
            |f| (f.bias, f.bias_len) = (ONE.as_ptr(), 2),
            DWSEP_SHAPE_MISMATCH,
            "bias: length is 2, expected 3",
        ),
        (
            |f| f.bias = ONE.as_ptr(),
            DWSEP_SHAPE_MISMATCH,
            "bias: length is 0",
        ),
        (|f| f.flags = 2, DWSEP_INVALID_VALUE, "flags: 2"),
        (
            |f| f.reserved = 1,
            DWSEP_INVALID_VALUE,
            "filter: 1, expected 0",
        ),
    ];
    for (change, status, message) in table {
        let mut filter = filter();
        change(&mut filter);
        refused(depthwise(NATIVE, 3, &filter), *status, message);
    }
    refused(depthwise(-1, 3, &filter()), DWSEP_INVALID_VALUE, "isa: -1");
    refused(depthwise(99, 3, &filter()), DWSEP_INVALID_VALUE, "isa: 99");
    refused(
        depthwise(NATIVE, 0, &filter()),
        DWSEP_ZERO_DIMENSION,
        "weights: c is 0",
    );
    let channels = usize::MAX / 2;
    refused(
        depthwise(NATIVE, channels, &filter()),
        DWSEP_SIZE_OVERFLOW,
        "weights",
    );
    // SAFETY: NULL is refused.
    let null =
        pack(|out| unsafe { dwsep_weights_create_depthwise_f32(NATIVE, 3, ptr::null(), out) });
    refused(null, DWSEP_NULL_POINTER, "filter: a null pointer");
    let lacking = if cfg!(target_arch = "x86_64") { 7 } else { 3 };
    refused(
        depthwise(lacking, 3, &filter()),
        DWSEP_ISA_UNAVAILABLE,
        "cannot run it",
    );
    // Without somewhere to write to.
    let filter = filter();
    // SAFETY: NULL and odd addresses are refused.
    let (null, odd) = unsafe {
        let odd = ptr::without_provenance_mut(65);
        (
            dwsep_weights_create_depthwise_f32(NATIVE, 3, &filter, ptr::null_mut()),
            dwsep_weights_create_depthwise_f32(NATIVE, 3, &filter, odd),
        )
    };
    assert_eq!((null, odd), (DWSEP_NULL_POINTER, DWSEP_MISALIGNED));
}

#[test]
fn of_quantised_filters() {
    type Change = fn(&mut dwsep_filter_q8);
    let table: &[(Change, dwsep_status, &str)] = &[
        (
            |f| f.r#type = 0,
            DWSEP_INVALID_VALUE,
            "filter: 0, expected a dwsep_type",
        ),
        (
            |f| f.r#type = DWSEP_F32 as i32,
            DWSEP_TYPE_MISMATCH,
            "filter: of type DWSEP_F32",
        ),
        (|f| f.weights_type = 4, DWSEP_INVALID_VALUE, "weights: 4"),
        (
            |f| f.weights_type = DWSEP_F32 as i32,
            DWSEP_TYPE_MISMATCH,
            "weights: of type DWSEP_F32, expected DWSEP_I8 or DWSEP_U8",
        ),
        (
            |f| f.weights = ptr::null(),
            DWSEP_NULL_POINTER,
            "weights: a null",
        ),
        (
            |f| f.weight_scales = ptr::null(),
            DWSEP_NULL_POINTER,
            "weight scales",
        ),
        (
            |f| f.weight_scales_len = 2,
            DWSEP_SHAPE_MISMATCH,
            "number of scales is 2",
        ),
        (
            |f| f.weight_scales_len = 0,
            DWSEP_SHAPE_MISMATCH,
            "number of scales is 0",
        ),
        (|f| f.weights_len = 28, DWSEP_SHAPE_MISMATCH, "expected 27"),
        (|f| f.input.scale = 0.0, DWSEP_INVALID_SCALE, "input: scale"),
        (
            |f| f.output.scale = f32::NAN,
            DWSEP_INVALID_SCALE,
            "output: scale",
        ),
        (
            |f| f.input.zero_point = 128,
            DWSEP_INVALID_ZERO_POINT,
            "input: the zero point is 128",
        ),
        (
            |f| f.weight_zero_point = -129,
            DWSEP_INVALID_ZERO_POINT,
            "weights",
        ),
        (
            |f| (f.bias, f.bias_len) = (BIG.as_ptr(), 3),
            DWSEP_ACCUMULATOR_OVERFLOW,
            "output channel 0",
        ),
        (|f| f.reserved = 7, DWSEP_INVALID_VALUE, "filter: 7"),
    ];
    for (change, status, message) in table {
        let mut filter = filter_q8();
        // 28 bytes would be one more than there are; it is refused by their number.
        change(&mut filter);
        filter.weights_len = filter.weights_len.min(27) - usize::from(filter.weights_len == 28);
        refused(depthwise_q8(&filter), *status, message);
    }
}

#[test]
fn of_ops() {
    let dw = depthwise(NATIVE, 3, &filter()).unwrap();
    let (pw, q8) = (pointwise(), depthwise_q8(&filter_q8()).unwrap());
    let none = (DWSEP_ACTIVATION_NONE as i32, (0.0, 0.0));
    let of = |shape: &dwsep_shape, window: &dwsep_window| op(&dw, shape, window, none.0, none.1);
    refused(
        of(&dwsep_shape { h: 0, ..SHAPE }, &WINDOW),
        DWSEP_ZERO_DIMENSION,
        "input: h is 0",
    );
    let huge = usize::MAX / 3;
    refused(
        of(&dwsep_shape { n: huge, ..SHAPE }, &WINDOW),
        DWSEP_SIZE_OVERFLOW,
        "input",
    );
    refused(
        of(
            &SHAPE,
            &dwsep_window {
                top: huge,
                ..WINDOW
            },
        ),
        DWSEP_SIZE_OVERFLOW,
        "output",
    );
    refused(
        of(&dwsep_shape { c: 4, ..SHAPE }, &WINDOW),
        DWSEP_SHAPE_MISMATCH,
        "input: c is 4, expected 3",
    );
    for stride in [0, 3, usize::MAX] {
        refused(
            of(&SHAPE, &dwsep_window { stride, ..WINDOW }),
            DWSEP_INVALID_VALUE,
            "stride",
        );
    }
    let alone = dwsep_window {
        stride: 1,
        ..Default::default()
    };
    refused(
        of(&dwsep_shape { w: 2, ..SHAPE }, &alone),
        DWSEP_WINDOW_TOO_LARGE,
        "the padded width is 2",
    );
    let with = |weights: &Weights, kind, bounds| op(weights, &SHAPE, &WINDOW, kind, bounds);
    refused(
        with(&dw, 5, (0.0, 0.0)),
        DWSEP_INVALID_VALUE,
        "activation: 5",
    );
    let clamp = DWSEP_ACTIVATION_CLAMP as i32;
    for bounds in [(1.0, 0.0), (f32::NAN, 0.0)] {
        refused(with(&dw, clamp, bounds), DWSEP_INVALID_CLAMP, "");
    }
    let hard_swish = DWSEP_ACTIVATION_HARD_SWISH as i32;
    assert!(with(&dw, hard_swish, (0.0, 0.0)).is_ok());
    refused(
        with(&q8, hard_swish, (0.0, 0.0)),
        DWSEP_UNSUPPORTED,
        "HardSwish",
    );
    refused(with(&pw, none.0, none.1), DWSEP_WEIGHTS_MISMATCH, "weights");

    let null = ptr::null();
    let separable = |first: &Weights, second: &Weights| {
        // SAFETY: here and below: handles and structs of this function, or NULL.
        make(|out| unsafe {
            dwsep_op_create_separable(first.0, second.0, &SHAPE, &WINDOW, null, null, out)
        })
    };
    assert!(separable(&dw, &pw).is_ok());
    for (first, second) in [(&dw, &dw), (&pw, &pw), (&q8, &pw), (&pw, &dw)] {
        refused(
            separable(first, second),
            DWSEP_WEIGHTS_MISMATCH,
            "expected those of",
        );
    }
    // SAFETY: as above.
    let conv = make(|out| unsafe { dwsep_op_create_conv3x3(dw.0, &SHAPE, &WINDOW, null, out) });
    refused(conv, DWSEP_WEIGHTS_MISMATCH, "dense 3x3");
    // SAFETY: as above.
    let pointwise = make(|out| unsafe { dwsep_op_create_pointwise(dw.0, &SHAPE, null, out) });
    refused(pointwise, DWSEP_WEIGHTS_MISMATCH, "pointwise");
    // SAFETY: as above.
    let null = make(|out| unsafe { dwsep_op_create_pointwise(null.cast(), &SHAPE, null, out) });
    refused(null, DWSEP_NULL_POINTER, "weights");
}

#[test]
fn of_ops_without_weights() {
    let one = dwsep_quantization {
        scale: 1.0,
        zero_point: 0,
    };
    let (u8, null) = (DWSEP_U8 as i32, ptr::null());
    let pool = |r#type, shape: &dwsep_shape, to: &dwsep_quantization| {
        // SAFETY: here and below: structs of this function, or NULL.
        make(|out| unsafe { dwsep_op_create_average_pool_q8(r#type, shape, &one, to, out) })
    };
    assert!(pool(u8, &SHAPE, &one).is_ok());
    refused(
        pool(DWSEP_F32 as i32, &SHAPE, &one),
        DWSEP_TYPE_MISMATCH,
        "type",
    );
    refused(pool(9, &SHAPE, &one), DWSEP_INVALID_VALUE, "type: 9");
    let scale = f32::INFINITY;
    let infinite = dwsep_quantization { scale, ..one };
    refused(pool(u8, &SHAPE, &infinite), DWSEP_INVALID_SCALE, "output");
    let large = dwsep_shape {
        n: 1,
        h: 1 << 12,
        w: 1 << 12,
        c: 1,
    };
    refused(pool(u8, &large, &one), DWSEP_SIZE_OVERFLOW, "input");
    let add = |a: &dwsep_quantization| {
        // SAFETY: as above.
        make(|out| unsafe { dwsep_op_create_add_q8(u8, &SHAPE, a, &one, &one, null, out) })
    };
    assert!(add(&one).is_ok());
    refused(
        add(&dwsep_quantization { scale: 1e3, ..one }),
        DWSEP_UNSUPPORTED,
        "a: a scale",
    );
    let zero = dwsep_shape { c: 0, ..SHAPE };
    // SAFETY: as above.
    let made = make(|out| unsafe { dwsep_op_create_softmax_f32(&zero, out) });
    refused(made, DWSEP_ZERO_DIMENSION, "shape: c is 0");
    // SAFETY: as above.
    let made = make(|out| unsafe { dwsep_op_create_average_pool_f32(ptr::null(), out) });
    refused(made, DWSEP_NULL_POINTER, "input");
}

#[test]
fn of_null_everywhere() {
    let (null, out) = (ptr::null::<c_void>(), ptr::null_mut::<c_void>());
    let mut handle = ptr::null_mut();
    let mut weights = ptr::null_mut();
    // SAFETY: NULL is refused.
    let statuses = unsafe {
        [
            dwsep_isa_from_name(null.cast(), 0, out.cast()),
            dwsep_isa_resolve(0, out.cast()),
            dwsep_isa_list(out.cast(), 0, out.cast()),
            dwsep_weights_create_depthwise_q8(0, 1, null.cast(), &mut weights),
            dwsep_weights_create_pointwise_f32(0, 1, 1, null.cast(), &mut weights),
            dwsep_weights_create_pointwise_q8(0, 1, 1, null.cast(), &mut weights),
            dwsep_weights_create_conv3x3_f32(0, 1, 1, null.cast(), &mut weights),
            dwsep_weights_create_conv3x3_q8(0, 1, 1, null.cast(), out.cast()),
            dwsep_weights_isa(null.cast(), out.cast()),
            dwsep_weights_kernel(null.cast(), out.cast(), 0, out.cast()),
            dwsep_weights_bytes(null.cast(), out.cast()),
            dwsep_op_create_depthwise(null.cast(), &SHAPE, &WINDOW, null.cast(), &mut handle),
            dwsep_op_create_conv3x3(
                null.cast(),
                null.cast(),
                null.cast(),
                null.cast(),
                &mut handle,
            ),
            dwsep_op_create_softmax_f32(null.cast(), &mut handle),
            dwsep_op_create_softmax_f32(&SHAPE, out.cast()),
            dwsep_op_create_average_pool_q8(2, &SHAPE, null.cast(), null.cast(), &mut handle),
            dwsep_op_create_add_q8(
                2,
                &SHAPE,
                null.cast(),
                null.cast(),
                null.cast(),
                null.cast(),
                &mut handle,
            ),
            dwsep_op_shapes(null.cast(), out.cast(), out.cast()),
            dwsep_op_workspace_len(null.cast(), out.cast()),
            dwsep_op_run(
                null.cast(),
                0,
                0,
                null.cast(),
                null.cast(),
                null.cast(),
                out,
                0,
            ),
            dwsep_window_same(3, 3, 1, out.cast()),
            dwsep_strides_spread(1, null.cast(), out.cast()),
            dwsep_strides_extent(&SHAPE, null.cast(), out.cast()),
        ]
    };
    assert_eq!(statuses, [DWSEP_NULL_POINTER; 23]);
    assert!(handle.is_null() && weights.is_null());
    // SAFETY: nothing to destroy.
    let statuses = unsafe {
        [
            dwsep_weights_destroy(ptr::null_mut()),
            dwsep_op_destroy(ptr::null_mut()),
        ]
    };
    assert_eq!(statuses, [DWSEP_OK; 2]);
    let mut isa = -1;
    // SAFETY: a name of that length.
    let status = unsafe { dwsep_isa_from_name(c"avx9".as_ptr(), 4, &mut isa) };
    assert_eq!((status, isa), (DWSEP_UNKNOWN_ISA, -1));
}
