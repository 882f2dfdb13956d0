//! Tensors that must not be read.

use super::check;
use crate::file::{Buffer, I32, U8};
use crate::samples::{INPUT, WEIGHTS, every_operator};
use crate::{changed, refused};

#[test]
fn tensors() {
    check(&[
        // Types.
        (
            |f| f.tensor(WEIGHTS).dtype = 5,
            "tensor 4 `weights` is of type STRING, expected FLOAT32, FLOAT16, INT32, INT64, INT8 or UINT8",
        ),
        (
            |f| f.tensor(WEIGHTS).dtype = 17,
            "tensor 4 `weights` is of type INT4, expected FLOAT32, FLOAT16, INT32, INT64, INT8 or UINT8",
        ),
        (
            |f| f.tensor(INPUT).dtype = -1,
            "tensor 0 `x` is of type type -1, expected FLOAT32, FLOAT16, INT32, INT64, INT8 or UINT8",
        ),
        (
            |f| f.tensor(INPUT).dtype = 99,
            "tensor 0 `x` is of type type 99, expected FLOAT32, FLOAT16, INT32, INT64, INT8 or UINT8",
        ),
        (
            |f| f.tensor(INPUT).variable = true,
            "tensor 0 `x` is a variable, expected one that is written before it is read",
        ),
        (
            |f| f.tensor(WEIGHTS).sparse = true,
            "tensor 4 `weights` is sparse, expected all elements",
        ),
        // Shapes.
        (
            |f| f.tensor(INPUT).shape[1] = -1,
            "tensor 0 `x` has shape [1, -1, 4, 2], expected sizes of at least 1",
        ),
        (
            |f| f.tensor(INPUT).shape[1] = 0,
            "tensor 0 `x` has shape [1, 0, 4, 2], expected sizes of at least 1",
        ),
        (
            |f| f.tensor(INPUT).shape = vec![i32::MAX; 3],
            "tensor 0 `x` has shape [2147483647, 2147483647, 2147483647], of which FLOAT32 has more bytes than can be counted",
        ),
        (
            |f| f.tensor(INPUT).shape = vec![1 << 30, 1 << 30, 2],
            "tensor 0 `x` has shape [1073741824, 1073741824, 2], of which FLOAT32 has more bytes than can be counted",
        ),
        (
            |f| f.tensor(INPUT).shape = vec![1; 9],
            "tensor 0 `x` has 9 axes, expected at most 8",
        ),
        // Data.
        (
            |f| f.tensor(WEIGHTS).buffer = 9,
            "tensor 4 `weights` has its data in buffer 9, expected one below 9",
        ),
        (
            |f| f.tensor(WEIGHTS).buffer = u32::MAX,
            "tensor 4 `weights` has its data in buffer 4294967295, expected one below 9",
        ),
        (
            |f| f.tensor(WEIGHTS).shape[0] = 4,
            "tensor 4 `weights` has 6 bytes of data, expected 8 for INT8 [4, 1, 1, 2]",
        ),
        (
            |f| f.tensor(WEIGHTS).dtype = I32,
            "tensor 4 `weights` has 6 bytes of data, expected 24 for INT32 [3, 1, 1, 2]",
        ),
        (
            |f| f.buffers[2].data.truncate(5),
            "tensor 4 `weights` has 5 bytes of data, expected 6 for INT8 [3, 1, 1, 2]",
        ),
        (
            |f| f.buffers.clear(),
            "tensor 2 `paddings` has its data in buffer 1, expected one below 0",
        ),
        (
            |f| {
                f.buffers[2] = Buffer {
                    data: Vec::new(),
                    offset: 1 << 40,
                    size: 6,
                }
            },
            "tensor 4 `weights` has its data in 6 bytes from byte 1099511627776 of the file, which has 3216 bytes",
        ),
        (
            |f| {
                f.buffers[2] = Buffer {
                    data: Vec::new(),
                    offset: u64::MAX,
                    size: u64::MAX,
                }
            },
            "tensor 4 `weights` has its data in 18446744073709551615 bytes from byte 18446744073709551615 of the file, which has 3216 bytes",
        ),
        // A name is one line, and not long.
        (
            |f| {
                f.tensor(INPUT).name = "a\nb".to_owned();
                f.tensor(INPUT).variable = true;
            },
            "tensor 0 `a\\nb` is a variable, expected one that is written before it is read",
        ),
    ]);
    let long = changed(every_operator(), |f| {
        f.tensor(INPUT).name = "ä".repeat(10_000);
        f.tensor(INPUT).variable = true;
    });
    assert_eq!(
        refused(&long),
        format!(
            "tensor 0 `{}...` is a variable, expected one that is written before it is read",
            "ä".repeat(100)
        )
    );
}

#[test]
fn quantization() {
    check(&[
        (
            |f| f.tensor(WEIGHTS).scales[1] = 0.0,
            "tensor 4 `weights` has 0 as scale 1, expected a positive, finite number",
        ),
        (
            |f| f.tensor(WEIGHTS).scales[1] = -0.5,
            "tensor 4 `weights` has -0.5 as scale 1, expected a positive, finite number",
        ),
        (
            |f| f.tensor(WEIGHTS).scales[2] = f32::NAN,
            "tensor 4 `weights` has NaN as scale 2, expected a positive, finite number",
        ),
        (
            |f| f.tensor(1).scales[0] = f32::INFINITY,
            "tensor 1 `quantised` has inf as scale 0, expected a positive, finite number",
        ),
        (
            |f| f.tensor(1).scales[0] = f32::NEG_INFINITY,
            "tensor 1 `quantised` has -inf as scale 0, expected a positive, finite number",
        ),
        (
            |f| {
                f.tensor(WEIGHTS).scales.pop();
            },
            "tensor 4 `weights` has 2 scales, expected 1, or 3 as axis 0 is long",
        ),
        (
            |f| f.tensor(WEIGHTS).scales.push(1.0),
            "tensor 4 `weights` has 4 scales, expected 1, or 3 as axis 0 is long",
        ),
        (
            |f| f.tensor(WEIGHTS).axis = 3,
            "tensor 4 `weights` has 3 scales, expected 1, or 2 as axis 3 is long",
        ),
        (
            |f| f.tensor(WEIGHTS).axis = 4,
            "tensor 4 `weights` has 3 scales along axis 4, expected an axis below 4",
        ),
        (
            |f| f.tensor(WEIGHTS).axis = -1,
            "tensor 4 `weights` has 3 scales along axis -1, expected an axis below 4",
        ),
        (
            |f| {
                f.tensor(WEIGHTS).zero_points.pop();
            },
            "tensor 4 `weights` has 2 zero points, expected 3, one for each scale",
        ),
        (
            |f| f.tensor(1).zero_points.clear(),
            "tensor 1 `quantised` has 0 zero points, expected 1, one for each scale",
        ),
        (
            |f| f.tensor(1).zero_points[0] = 128,
            "tensor 1 `quantised` has 128 as zero point 0, expected -128 to 127 for INT8",
        ),
        (
            |f| f.tensor(1).zero_points[0] = -129,
            "tensor 1 `quantised` has -129 as zero point 0, expected -128 to 127 for INT8",
        ),
        (
            |f| f.tensor(1).zero_points[0] = 1 << 32,
            "tensor 1 `quantised` has 4294967296 as zero point 0, expected -128 to 127 for INT8",
        ),
        (
            |f| f.tensor(1).dtype = U8,
            "tensor 1 `quantised` has -3 as zero point 0, expected 0 to 255 for UINT8",
        ),
        (
            |f| {
                f.tensor(1).dtype = U8;
                f.tensor(1).zero_points[0] = 256;
            },
            "tensor 1 `quantised` has 256 as zero point 0, expected 0 to 255 for UINT8",
        ),
        (
            |f| {
                f.tensor(5).scales = vec![1.0];
                f.tensor(5).zero_points = vec![i64::MIN];
            },
            "tensor 5 `bias` has -9223372036854775808 as zero point 0, expected -2147483648 to 2147483647 for INT32",
        ),
        (
            |f| f.tensor(1).details = 1,
            "tensor 1 `quantised` has a custom quantization, expected scales and zero points",
        ),
    ]);
}
