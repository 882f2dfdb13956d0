//! Small valid files to begin with.

use crate::file::{Buffer, Code, F16, F32, File, I8, I32, Operator, SubGraph, Tensor, Value};

/// Tensors of [`every_operator`] that tests name.
pub const INPUT: usize = 0;
pub const WEIGHTS: usize = 4;
pub const BIAS: usize = 5;
pub const CONVOLVED: usize = 6;
pub const OUTPUT: usize = 20;

/// Operators of [`every_operator`], by what they are.
pub const QUANTIZE: usize = 0;
pub const PAD: usize = 1;
pub const CONV: usize = 2;
pub const DEPTHWISE: usize = 3;
pub const ADD: usize = 4;
pub const POOL: usize = 5;
pub const MEAN: usize = 6;
pub const SQUEEZE: usize = 7;
pub const FULLY_CONNECTED: usize = 9;
pub const SOFTMAX: usize = 10;
pub const DEQUANTIZE: usize = 11;

pub fn floats(name: &str, shape: &[i32]) -> Tensor {
    Tensor {
        shape: shape.to_vec(),
        dtype: F32,
        name: name.to_owned(),
        ..Tensor::default()
    }
}

fn quantised(name: &str, shape: &[i32]) -> Tensor {
    Tensor {
        dtype: I8,
        scales: vec![0.5],
        zero_points: vec![-3],
        ..floats(name, shape)
    }
}

/// Constants of the numbers 1, 2, ...
fn constant(file: &mut File, tensor: Tensor, size: usize) -> Tensor {
    let len: i32 = tensor.shape.iter().product();
    let data = (1..=len).flat_map(|x| x.to_le_bytes()[..size].to_vec());
    let buffer = file.buffer(data.collect());
    Tensor { buffer, ..tensor }
}

pub fn integers(file: &mut File, name: &str, shape: &[i32], values: &[i32]) -> Tensor {
    let buffer = file.buffer(values.iter().flat_map(|x| x.to_le_bytes()).collect());
    Tensor {
        dtype: I32,
        buffer,
        ..floats(name, shape)
    }
}

pub fn empty() -> File {
    File {
        version: 3,
        codes: Vec::new(),
        subgraphs: vec![SubGraph::default()],
        buffers: vec![Buffer::default()],
        metadata: Vec::new(),
        tail: Vec::new(),
    }
}

/// Adds an operator and its code.
pub fn push(
    file: &mut File,
    code: i32,
    inputs: &[i32],
    output: i32,
    options: Option<(u8, Vec<(u16, Value)>)>,
) {
    file.codes.push(Code {
        deprecated: code as i8,
        code,
        custom: None,
    });
    let code = file.codes.len() as u32 - 1;
    file.subgraphs[0].operators.push(Operator {
        code,
        inputs: inputs.to_vec(),
        outputs: vec![output],
        options,
    });
}

/// Each operator once: a network of int8 with floats at both ends.
pub fn every_operator() -> File {
    use Value::{Bool, I8 as Byte, I32 as Int, I32s};
    let mut file = empty();
    let f = &mut file;
    let paddings = [0, 0, 1, 1, 1, 1, 0, 0];
    let per_channel = |tensor: Tensor, axis| Tensor {
        scales: vec![0.5, 0.25, 2.0],
        zero_points: vec![0; 3],
        axis,
        ..tensor
    };
    let tensors = vec![
        floats("x", &[1, 4, 4, 2]),
        quantised("quantised", &[1, 4, 4, 2]),
        integers(f, "paddings", &[4, 2], &paddings),
        quantised("padded", &[1, 6, 6, 2]),
        per_channel(constant(f, quantised("weights", &[3, 1, 1, 2]), 1), 0),
        integers(f, "bias", &[3], &[100, -100, 0]),
        quantised("convolved", &[1, 6, 6, 3]),
        per_channel(constant(f, quantised("taps", &[1, 3, 3, 3]), 1), 3),
        quantised("filtered", &[1, 4, 4, 3]),
        quantised("sum", &[1, 4, 4, 3]),
        quantised("pooled", &[1, 2, 2, 3]),
        integers(f, "axes", &[2], &[1, -2]),
        quantised("mean", &[1, 1, 1, 3]),
        quantised("squeezed", &[1, 3]),
        integers(f, "shape", &[2], &[1, 3]),
        quantised("reshaped", &[1, 3]),
        constant(f, quantised("dense", &[2, 3]), 1),
        integers(f, "dense bias", &[2], &[7, -7]),
        quantised("logits", &[1, 2]),
        quantised("probabilities", &[1, 2]),
        floats("y", &[1, 2]),
    ];
    f.subgraphs[0].tensors = tensors;
    f.subgraphs[0].inputs = vec![0];
    f.subgraphs[0].outputs = vec![20];
    push(f, 114, &[0], 1, None);
    push(f, 34, &[1, 2], 3, None);
    let conv = vec![(0, Byte(0)), (1, Int(1)), (2, Int(1)), (3, Byte(3))];
    push(f, 3, &[3, 4, 5], 6, Some((1, conv)));
    let depthwise = vec![
        (0, Byte(1)),
        (1, Int(1)),
        (2, Int(1)),
        (3, Int(1)),
        (4, Byte(1)),
    ];
    push(f, 4, &[6, 7, -1], 8, Some((2, depthwise)));
    push(f, 0, &[8, 8], 9, Some((11, vec![(0, Byte(0))])));
    let pool = vec![
        (0, Byte(1)),
        (1, Int(2)),
        (2, Int(2)),
        (3, Int(2)),
        (4, Int(2)),
    ];
    push(f, 1, &[9], 10, Some((5, pool)));
    push(f, 40, &[10, 11], 12, Some((27, vec![(0, Bool(true))])));
    push(f, 43, &[12], 13, Some((30, vec![(0, I32s(vec![2, -3]))])));
    push(f, 22, &[13, 14], 15, None);
    push(f, 9, &[15, 16, 17], 18, Some((8, vec![(0, Byte(0))])));
    push(f, 25, &[18], 19, Some((9, vec![(0, Value::F32(1.0))])));
    push(f, 6, &[19], 20, None);
    file
}

/// One convolution of floats whose weights are stored in 16 bits, as converters write it.
pub fn float16() -> File {
    let mut file = empty();
    let f = &mut file;
    let half = Tensor {
        dtype: F16,
        ..floats("half", &[1, 1, 1, 2])
    };
    let tensors = vec![
        floats("x", &[1, 2, 2, 2]),
        constant(f, half, 2),
        floats("weights", &[1, 1, 1, 2]),
        floats("y", &[1, 2, 2, 1]),
    ];
    f.subgraphs[0].tensors = tensors;
    f.subgraphs[0].inputs = vec![0];
    f.subgraphs[0].outputs = vec![3];
    push(f, 6, &[1], 2, None);
    let conv = vec![(1, Value::I32(1)), (2, Value::I32(1))];
    push(f, 3, &[0, 2], 3, Some((1, conv)));
    file
}

/// A chain of `len` tensors, each the sum of the one before with itself.
pub fn chain(len: i32) -> File {
    let mut file = empty();
    let f = &mut file;
    f.subgraphs[0].tensors = vec![floats("", &[]); len as usize];
    f.subgraphs[0].inputs = vec![0];
    f.subgraphs[0].outputs = vec![len - 1];
    for output in 1..len {
        push(f, 0, &[output - 1, output - 1], output, None);
    }
    file
}

/// A depthwise convolution of stride 2 behind a PAD of so many rows and columns on each side.
pub fn padded(by: i32) -> File {
    let mut file = empty();
    let f = &mut file;
    let side = 4 + 2 * by;
    let (output, taps) = ((side - 3) / 2 + 1, (1..=18).map(|x| x as f32));
    let taps = f.buffer(taps.flat_map(f32::to_le_bytes).collect());
    f.subgraphs[0].tensors = vec![
        floats("x", &[1, 4, 4, 2]),
        integers(f, "paddings", &[4, 2], &[0, 0, by, by, by, by, 0, 0]),
        floats("padded", &[1, side, side, 2]),
        Tensor {
            buffer: taps,
            ..floats("taps", &[1, 3, 3, 2])
        },
        floats("y", &[1, output, output, 2]),
    ];
    f.subgraphs[0].inputs = vec![0];
    f.subgraphs[0].outputs = vec![4];
    push(f, 34, &[0, 1], 2, None);
    let depthwise = vec![
        (0, Value::I8(1)),
        (1, Value::I32(2)),
        (2, Value::I32(2)),
        (3, Value::I32(1)),
    ];
    push(f, 4, &[2, 3], 4, Some((2, depthwise)));
    file
}
