//! Operators that must not be read.

use super::check;
use crate::file::{U8, Value};
use crate::samples::*;
use crate::{changed, refused};

const UNSUPPORTED: &str = "which is not supported; expected one of ADD, AVERAGE_POOL_2D, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, \
     FULLY_CONNECTED, MEAN, PAD, QUANTIZE, RESHAPE, SOFTMAX, SQUEEZE";

#[test]
fn operators_that_are_not_supported() {
    let cases = [
        (17, None, "MAX_POOL_2D"),
        (14, None, "LOGISTIC"),
        (117, None, "HARD_SWISH"),
        (161, None, "RIGHT_SHIFT"),
        (162, None, "operator code 162"),
        (i32::MAX, None, "operator code 2147483647"),
        (
            32,
            Some("TFLite_Detection_PostProcess"),
            "the custom operator `TFLite_Detection_PostProcess`",
        ),
        (32, None, "the custom operator ``"),
    ];
    for (code, custom, name) in cases {
        let bytes = changed(every_operator(), |f| {
            f.codes[POOL].code = code;
            f.codes[POOL].custom = custom.map(str::to_owned);
        });
        assert_eq!(
            refused(&bytes),
            format!("operator 5 is {name}, {UNSUPPORTED}")
        );
    }
    let negative = changed(every_operator(), |f| {
        f.codes[POOL].code = -1;
        f.codes[POOL].deprecated = -2;
    });
    assert_eq!(
        refused(&negative),
        format!("operator 5 is operator code -1, {UNSUPPORTED}")
    );
    check(&[
        (
            |f| f.operator(POOL).code = 12,
            "operator 5 has operator code 12, expected one below 12",
        ),
        (
            |f| f.codes.clear(),
            "operator 0 has operator code 0, expected one below 0",
        ),
    ]);
}

#[test]
fn options() {
    check(&[
        (
            |f| f.operator(CONV).options = None,
            "operator 2 (CONV_2D) has no options, expected Conv2DOptions",
        ),
        (
            |f| f.operator(CONV).options.as_mut().unwrap().0 = 11,
            "operator 2 (CONV_2D) has the options of another operator, expected Conv2DOptions",
        ),
        (
            |f| f.operator(CONV).options.as_mut().unwrap().0 = 200,
            "operator 2 (CONV_2D) has options of type 200, expected Conv2DOptions",
        ),
        (
            |f| f.operator(DEPTHWISE).options = None,
            "operator 3 (DEPTHWISE_CONV_2D) has no options, expected DepthwiseConv2DOptions",
        ),
        (
            |f| f.operator(ADD).options.as_mut().unwrap().0 = 1,
            "operator 4 (ADD) has the options of another operator, expected AddOptions",
        ),
        (
            |f| f.operator(POOL).options = None,
            "operator 5 (AVERAGE_POOL_2D) has no options, expected Pool2DOptions",
        ),
        (
            |f| f.operator(MEAN).options = None,
            "operator 6 (MEAN) has no options, expected ReducerOptions",
        ),
        (
            |f| f.operator(SQUEEZE).options.as_mut().unwrap().0 = 1,
            "operator 7 (SQUEEZE) has the options of another operator, expected SqueezeOptions",
        ),
        (
            |f| f.operator(FULLY_CONNECTED).options = None,
            "operator 9 (FULLY_CONNECTED) has no options, expected FullyConnectedOptions",
        ),
        (
            |f| f.operator(SOFTMAX).options = None,
            "operator 10 (SOFTMAX) has no options, expected SoftmaxOptions",
        ),
        (
            |f| f.option(CONV, 0, Value::I8(2)),
            "operator 2 (CONV_2D) has padding = 2, expected 0 (SAME) or 1 (VALID)",
        ),
        (
            |f| f.option(CONV, 1, Value::I32(0)),
            "operator 2 (CONV_2D) has stride_w = 0, expected at least 1",
        ),
        (
            |f| f.option(CONV, 2, Value::I32(-1)),
            "operator 2 (CONV_2D) has stride_h = -1, expected at least 1",
        ),
        (
            |f| f.option(CONV, 3, Value::I8(4)),
            "operator 2 (CONV_2D) has fused_activation_function = TANH, expected NONE, RELU, RELU_N1_TO_1 or RELU6",
        ),
        (
            |f| f.option(CONV, 3, Value::I8(-7)),
            "operator 2 (CONV_2D) has fused_activation_function = -7, expected NONE, RELU, RELU_N1_TO_1 or RELU6",
        ),
        (
            |f| f.option(CONV, 4, Value::I32(0)),
            "operator 2 (CONV_2D) has dilation_w_factor = 0, expected at least 1",
        ),
        (
            |f| f.option(DEPTHWISE, 6, Value::I32(i32::MIN)),
            "operator 3 (DEPTHWISE_CONV_2D) has dilation_h_factor = -2147483648, expected at least 1",
        ),
        (
            |f| f.option(POOL, 4, Value::I32(0)),
            "operator 5 (AVERAGE_POOL_2D) has filter_height = 0, expected at least 1",
        ),
        (
            |f| f.option(SQUEEZE, 0, Value::I32s(vec![4])),
            "operator 7 (SQUEEZE) has axis = 4, expected an axis of 4",
        ),
        (
            |f| f.option(SQUEEZE, 0, Value::I32s(vec![-5])),
            "operator 7 (SQUEEZE) has axis = -5, expected an axis of 4",
        ),
        (
            |f| f.option(FULLY_CONNECTED, 1, Value::I8(1)),
            "operator 9 (FULLY_CONNECTED) has weights_format = 1, expected 0, the plain one",
        ),
        (
            |f| f.option(SOFTMAX, 0, Value::F32(f32::NAN)),
            "operator 10 (SOFTMAX) has beta = NaN, expected a positive, finite number",
        ),
        (
            |f| f.option(SOFTMAX, 0, Value::F32(0.0)),
            "operator 10 (SOFTMAX) has beta = 0, expected a positive, finite number",
        ),
        // Options in constant tensors.
        (
            |f| f.buffers[5].data[0] = 9,
            "operator 6 (MEAN) has axis = 9, expected an axis of 4",
        ),
        (
            |f| f.tensor(11).buffer = 0,
            "operator 6 (MEAN) has tensor 11 `axes` as axes: it is INT32 [2], expected constant INT32, at most one for each axis of the input",
        ),
        (
            |f| f.buffers[1].data[4..8].fill(0xff),
            "operator 1 (PAD) has tensor 2 `paddings` as paddings: it is constant INT32 [4, 2], expected constant INT32 or INT64, not negative, and the difference between the shapes of input and output",
        ),
        (
            |f| f.tensor(3).shape[1] = 5,
            "operator 1 (PAD) has tensor 2 `paddings` as paddings: it is constant INT32 [4, 2], expected constant INT32 or INT64, not negative, and the difference between the shapes of input and output",
        ),
        (
            |f| f.tensor(2).buffer = 0,
            "operator 1 (PAD) has tensor 2 `paddings` as paddings: it is INT32 [4, 2], expected constant INT32 or INT64, not negative, and the difference between the shapes of input and output",
        ),
    ]);
}

#[test]
fn operands() {
    check(&[
        (
            |f| {
                f.operator(CONV).inputs.pop();
                f.operator(CONV).inputs.pop();
            },
            "operator 2 (CONV_2D) has 1 inputs, expected 2 or 3",
        ),
        (
            |f| f.operator(CONV).inputs.push(0),
            "operator 2 (CONV_2D) has 4 inputs, expected 2 or 3",
        ),
        (
            |f| f.operator(ADD).inputs.clear(),
            "operator 4 (ADD) has 0 inputs, expected 2",
        ),
        (
            |f| f.operator(QUANTIZE).outputs.clear(),
            "operator 0 (QUANTIZE) has 0 outputs, expected 1",
        ),
        (
            |f| f.operator(QUANTIZE).outputs.push(20),
            "operator 0 (QUANTIZE) has 2 outputs, expected 1",
        ),
        (
            |f| f.operator(CONV).inputs[0] = 21,
            "operator 2 (CONV_2D) has tensor 21 as input 0, expected one of 0 to 20",
        ),
        (
            |f| f.operator(CONV).inputs[0] = i32::MAX,
            "operator 2 (CONV_2D) has tensor 2147483647 as input 0, expected one of 0 to 20",
        ),
        (
            |f| f.operator(CONV).inputs[1] = -1,
            "operator 2 (CONV_2D) has tensor -1 as input 1, expected one of 0 to 20",
        ),
        (
            |f| f.operator(CONV).inputs[2] = -2,
            "operator 2 (CONV_2D) has tensor -2 as input 2, expected one of 0 to 20",
        ),
        (
            |f| f.operator(CONV).outputs[0] = -1,
            "operator 2 (CONV_2D) has tensor -1 as output 0, expected one of 0 to 20",
        ),
        // Types.
        (
            |f| f.operator(QUANTIZE).inputs[0] = 2,
            "operator 0 (QUANTIZE) has tensor 2 `paddings` as input: it is constant INT32 [4, 2], expected FLOAT32, INT8 or UINT8",
        ),
        (
            |f| f.tensor(WEIGHTS).dtype = U8,
            "operator 2 (CONV_2D) has tensor 4 `weights` as weights: it is constant UINT8 [3, 1, 1, 2] with 3 scales along axis 0, expected INT8 as the input",
        ),
        (
            |f| f.operator(CONV).inputs[2] = 17,
            "operator 2 (CONV_2D) has tensor 17 `dense bias` as bias: it is constant INT32 [2], expected INT32 [3]",
        ),
        (
            |f| f.tensor(CONVOLVED).dtype = 0,
            "operator 2 (CONV_2D) has tensor 6 `convolved` as output: it is FLOAT32 [1, 6, 6, 3], expected INT8 as the input",
        ),
        (
            |f| f.operator(DEQUANTIZE).outputs[0] = 18,
            "operator 11 (DEQUANTIZE) has tensor 18 `logits` as output: it is INT8 [1, 2] with a scale, expected FLOAT32",
        ),
        (
            |f| f.operator(QUANTIZE).outputs[0] = 20,
            "operator 0 (QUANTIZE) has tensor 20 `y` as output: it is FLOAT32 [1, 2], expected [1, 4, 4, 2] as the input",
        ),
        (
            |f| {
                f.operator(ADD).inputs[1] = 0;
            },
            "operator 4 (ADD) has tensor 0 `x` as second input: it is FLOAT32 [1, 4, 4, 2], expected INT8 as the input",
        ),
        // Scales.
        (
            |f| {
                f.tensor(1).scales.clear();
                f.tensor(1).zero_points.clear();
            },
            "operator 0 (QUANTIZE) has tensor 1 `quantised` as output: it is INT8 [1, 4, 4, 2], expected with one scale",
        ),
        (
            |f| {
                f.tensor(CONVOLVED).scales = vec![1.0; 3];
                f.tensor(CONVOLVED).zero_points = vec![0; 3];
                f.tensor(CONVOLVED).axis = 3;
            },
            "operator 2 (CONV_2D) has tensor 6 `convolved` as output: it is INT8 [1, 6, 6, 3] with 3 scales along axis 3, expected with one scale",
        ),
        (
            |f| {
                f.tensor(WEIGHTS).scales.pop();
                f.tensor(WEIGHTS).zero_points.pop();
                f.tensor(WEIGHTS).axis = 3;
            },
            "operator 2 (CONV_2D) has tensor 4 `weights` as weights: it is constant INT8 [3, 1, 1, 2] with 2 scales along axis 3, expected with one scale, or one for each index of axis 0",
        ),
        (
            |f| f.tensor(7).axis = 1,
            "operator 3 (DEPTHWISE_CONV_2D) has tensor 7 `taps` as weights: it is constant INT8 [1, 3, 3, 3] with 3 scales along axis 1, expected with one scale, or one for each index of axis 3",
        ),
        // Of biases.
        (
            |f| {
                f.tensor(BIAS).scales = vec![0.25, 0.125, 1.0];
                f.tensor(BIAS).zero_points = vec![0, 0, 1];
            },
            "operator 2 (CONV_2D) has tensor 5 `bias` as bias: it is constant INT32 [3] with 3 scales along axis 0, expected with zero point 0",
        ),
        (
            |f| {
                // 0.0099 from what it is is near enough beside an output of 0.5, 0.011 is not.
                f.tensor(BIAS).scales = vec![0.2599, 0.136, 1.0];
                f.tensor(BIAS).zero_points = vec![0; 3];
            },
            "operator 2 (CONV_2D) has tensor 5 `bias` as bias: it is constant INT32 [3] with 3 scales along axis 0, expected a scale of 0.125, that of input times weights, for channel 1, which has 0.136",
        ),
        (
            |f| {
                f.tensor(BIAS).scales = vec![0.25];
                f.tensor(BIAS).zero_points = vec![0];
            },
            "operator 2 (CONV_2D) has tensor 5 `bias` as bias: it is constant INT32 [3] with a scale, expected a scale of 0.125, that of input times weights, for channel 1, which has 0.25",
        ),
        (
            |f| {
                f.tensor(17).shape = vec![1, 2, 1];
                f.tensor(17).scales = vec![0.25, 0.3];
                f.tensor(17).zero_points = vec![0; 2];
                f.tensor(17).axis = 1;
            },
            "operator 9 (FULLY_CONNECTED) has tensor 17 `dense bias` as bias: it is constant INT32 [1, 2, 1] with 2 scales along axis 1, expected a scale of 0.25, that of input times weights, for channel 1, which has 0.3",
        ),
        (
            |f| {
                let data = f.buffer(vec![0; 24]);
                f.tensor(BIAS).buffer = data;
                f.tensor(BIAS).shape = vec![2, 3];
                f.tensor(BIAS).scales = vec![0.25; 2];
                f.tensor(BIAS).zero_points = vec![0; 2];
                let data = f.buffer(vec![1; 12]);
                f.tensor(WEIGHTS).shape[0] = 6;
                f.tensor(WEIGHTS).buffer = data;
                f.tensor(WEIGHTS).scales.truncate(1);
                f.tensor(WEIGHTS).zero_points.truncate(1);
            },
            "operator 2 (CONV_2D) has tensor 5 `bias` as bias: it is constant INT32 [2, 3] with 2 scales along axis 0, expected with one scale, or 6",
        ),
        // Shapes.
        (
            |f| f.tensor(WEIGHTS).shape = vec![3, 1, 2, 1],
            "operator 2 (CONV_2D) has tensor 4 `weights` as weights: it is constant INT8 [3, 1, 2, 1] with 3 scales along axis 0, expected with 2 input channels",
        ),
        (
            |f| f.tensor(WEIGHTS).shape = vec![3, 2],
            "operator 2 (CONV_2D) has tensor 4 `weights` as weights: it is constant INT8 [3, 2] with 3 scales along axis 0, expected of 4 axes",
        ),
        (
            |f| f.tensor(CONVOLVED).shape[3] = 2,
            "operator 2 (CONV_2D) has tensor 6 `convolved` as output: it is INT8 [1, 6, 6, 2] with a scale, expected with 3 channels",
        ),
        (
            |f| f.tensor(7).shape = vec![3, 3, 1, 3],
            "operator 3 (DEPTHWISE_CONV_2D) has tensor 7 `taps` as weights: it is constant INT8 [3, 3, 1, 3] with 3 scales along axis 3, expected [1, h, w, a multiple of 3]",
        ),
        (
            |f| f.tensor(15).shape = vec![1, 4],
            "operator 8 (RESHAPE) has tensor 15 `reshaped` as output: it is INT8 [1, 4] with a scale, expected 3 elements as the input",
        ),
        (
            |f| f.tensor(13).shape = vec![3, 3],
            "operator 7 (SQUEEZE) has tensor 13 `squeezed` as output: it is INT8 [3, 3] with a scale, expected 3 elements as the input",
        ),
        (
            |f| f.tensor(18).shape = vec![2, 2],
            "operator 9 (FULLY_CONNECTED) has tensor 18 `logits` as output: it is INT8 [2, 2] with a scale, expected 1 rows of 2 elements",
        ),
        (
            |f| f.tensor(16).shape = vec![3, 2],
            "operator 9 (FULLY_CONNECTED) has tensor 15 `reshaped` as input: it is INT8 [1, 3] with a scale, expected rows of 2 elements",
        ),
    ]);
}
