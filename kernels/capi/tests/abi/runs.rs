//! Every refusal to run: which status, what message, and that nothing has been written.

use std::ffi::c_void;
use std::ptr;

use dwsep_capi::dwsep_status::{self, *};
use dwsep_capi::*;

use crate::calls::{DENSE, last_message, make, pack, tensor, tensor_mut};
use crate::statuses::{NATIVE, SHAPE, WINDOW, depthwise, filter, filter_q8, op, pointwise};

/// Elements of a tensor of [`SHAPE`].
const LEN: usize = 120;

/// What a run is told. It starts right, and a line of the table spoils it.
struct Told {
    input: dwsep_tensor,
    second: Option<dwsep_tensor>,
    output: dwsep_tensor_mut,
    first: usize,
    rows: usize,
    workspace: *mut c_void,
    workspace_len: usize,
}

#[test]
fn of_runs() {
    type Change = fn(&mut Told);
    let table: &[(Change, dwsep_status, &str)] = &[
        (|t| t.input.data = ptr::null(), DWSEP_NULL_POINTER, "input"),
        (
            |t| t.output.data = ptr::null_mut(),
            DWSEP_NULL_POINTER,
            "output",
        ),
        (
            |t| t.input.data = t.input.data.wrapping_byte_add(2),
            DWSEP_MISALIGNED,
            "input: the address is no multiple of 4",
        ),
        (
            |t| t.output.data = t.output.data.wrapping_byte_add(1),
            DWSEP_MISALIGNED,
            "output",
        ),
        (|t| t.input.r#type = 0, DWSEP_INVALID_VALUE, "input: 0"),
        (
            |t| t.output.r#type = 2,
            DWSEP_TYPE_MISMATCH,
            "output: of type DWSEP_I8, expected DWSEP_F32",
        ),
        (|t| t.input.reserved = 1, DWSEP_INVALID_VALUE, "input: 1"),
        (|t| t.output.reserved = 1, DWSEP_INVALID_VALUE, "output: 1"),
        (
            |t| t.input.len = LEN - 1,
            DWSEP_TOO_SHORT,
            "input: 119 elements, expected at least 120",
        ),
        (|t| t.output.len = LEN - 1, DWSEP_TOO_SHORT, "output"),
        (
            |t| t.input.strides.w = 2,
            DWSEP_STRIDES_OVERLAP,
            "input: the stride of w is 2",
        ),
        (
            |t| t.output.strides.h = 11,
            DWSEP_STRIDES_OVERLAP,
            "output: the stride of h is 11",
        ),
        (
            |t| t.output.strides.n = usize::MAX,
            DWSEP_SIZE_OVERFLOW,
            "output",
        ),
        (
            |t| (t.input.strides.n, t.input.len) = (usize::MAX / 2, usize::MAX),
            DWSEP_SIZE_OVERFLOW,
            "input",
        ),
        (|t| t.first = 11, DWSEP_ROW_RANGE, "rows 11..21"),
        (|t| t.rows = 11, DWSEP_ROW_RANGE, "rows 0..11: expected"),
        (|t| t.rows = usize::MAX, DWSEP_ROW_RANGE, "within 0..10"),
        (|t| t.second = Some(t.input), DWSEP_UNSUPPORTED, "second"),
        (
            |t| t.input.data = t.output.data.wrapping_byte_add(476),
            DWSEP_OPERANDS_OVERLAP,
            "output: shares memory with input",
        ),
        (
            |t| (t.workspace, t.workspace_len) = (t.output.data, 1),
            DWSEP_OPERANDS_OVERLAP,
            "output: shares memory with workspace",
        ),
        (
            |t| (t.workspace, t.workspace_len) = (t.input.data.cast_mut(), 1),
            DWSEP_OPERANDS_OVERLAP,
            "workspace: shares memory with input",
        ),
        (|t| t.workspace_len = 1, DWSEP_NULL_POINTER, "workspace"),
    ];
    let weights = depthwise(NATIVE, 3, &filter()).unwrap();
    let op = op(&weights, &SHAPE, &WINDOW, 0, (0.0, 0.0)).unwrap();
    let input = vec![1.0_f32; LEN];
    for (change, status, message) in table {
        let mut output = vec![7.0_f32; LEN];
        let mut told = Told {
            input: tensor(&input, DENSE),
            second: None,
            output: tensor_mut(&mut output, DENSE),
            first: 0,
            rows: 10,
            workspace: ptr::null_mut(),
            workspace_len: 0,
        };
        change(&mut told);
        let second = told.second.as_ref().map_or(ptr::null(), |second| second);
        // SAFETY: the tensors are of slices of this function; what is wrong with them is refused.
        let found = unsafe {
            dwsep_op_run(
                op.0,
                told.first,
                told.rows,
                &told.input,
                second,
                &told.output,
                told.workspace,
                told.workspace_len,
            )
        };
        assert_eq!(found, *status, "{message}");
        assert!(
            last_message().contains(message),
            "{:?} without {message:?}",
            last_message()
        );
        assert!(
            output.iter().all(|&x| x == 7.0),
            "{message}: something was written"
        );
    }
}

#[test]
fn of_runs_without_what_they_need() {
    // A workspace.
    let (dw, pw) = (depthwise(NATIVE, 3, &filter()).unwrap(), pointwise());
    let null = ptr::null();
    // SAFETY: here and below: handles and structs of this function.
    let op = make(|out| unsafe {
        dwsep_op_create_separable(dw.0, pw.0, &SHAPE, &WINDOW, null, null, out)
    });
    let op = op.unwrap();
    let (input, mut output) = (vec![1.0_f32; LEN], vec![7.0_f32; LEN]);
    let (from, to) = (tensor(&input, DENSE), tensor_mut(&mut output, DENSE));
    let needed = op.workspace_len();
    assert!(needed > 0);
    let mut workspace = vec![0_u8; needed];
    let workspace = workspace.as_mut_ptr().cast();
    let run = |len| {
        // SAFETY: as above; the workspace is at least as long as it says.
        unsafe { dwsep_op_run(op.0, 0, 10, &from, ptr::null(), &to, workspace, len) }
    };
    assert_eq!(run(needed - 1), DWSEP_WORKSPACE_TOO_SMALL);
    assert!(last_message().contains(&format!("expected at least {needed}")));
    assert_eq!(run(0), DWSEP_WORKSPACE_TOO_SMALL);
    assert_eq!(run(needed), DWSEP_OK);

    // A second tensor; and one that lies where it may not.
    let one = dwsep_quantization {
        scale: 1.0,
        zero_point: 0,
    };
    let (mut a, b, mut to) = ([1_u8; LEN], [2_u8; LEN], [7_u8; LEN]);
    // SAFETY: as above.
    let add = make(|out| unsafe {
        dwsep_op_create_add_q8(3, &SHAPE, &one, &one, &one, ptr::null(), out)
    });
    let add = add.unwrap();
    let (from, second) = (tensor(&a, DENSE), tensor(&b, DENSE));
    let status = add.run((0, 10), &from, None, &tensor_mut(&mut to, DENSE));
    assert_eq!((status, to), (DWSEP_NULL_POINTER, [7; LEN]));
    let status = add.run((0, 10), &second, Some(&from), &tensor_mut(&mut a, DENSE));
    assert_eq!((status, a), (DWSEP_OPERANDS_OVERLAP, [1; LEN]));
    let (from, second) = (tensor(&a, DENSE), tensor(&b, DENSE));
    let status = add.run((0, 10), &from, Some(&second), &tensor_mut(&mut to, DENSE));
    assert_eq!((status, to), (DWSEP_OK, [3; LEN]));
    // 8-bit convolutions add nothing in their store.
    let mut filter = filter_q8();
    filter.weights_len = 9;
    // SAFETY: as above.
    let weights =
        pack(|out| unsafe { dwsep_weights_create_pointwise_q8(0, 3, 3, &filter, out) }).unwrap();
    // SAFETY: as above.
    let op = make(|out| unsafe { dwsep_op_create_pointwise(weights.0, &SHAPE, ptr::null(), out) });
    let (a, b, mut to) = ([1_i8; LEN], [2_i8; LEN], [7_i8; LEN]);
    let (from, second) = (tensor(&a, DENSE), tensor(&b, DENSE));
    let op = op.unwrap();
    // No rows are checked as all are.
    for rows in [10, 0] {
        let to = tensor_mut(&mut to, DENSE);
        let status = op.run((0, rows), &from, Some(&second), &to);
        assert_eq!(status, DWSEP_UNSUPPORTED, "{rows}");
    }
    assert_eq!(to, [7; LEN]);
}
