//! What becomes of a file that has been read: a network, or an error that says which of its operators is not supported.

use mobilenet::dwsep::Nhwc;
use mobilenet::{DType, Engine, Error, Model, TfliteOptions};

use crate::changed;
use crate::file::{F32, File, Value};
use crate::samples::*;

fn network(bytes: &[u8]) -> Result<Model, Error> {
    let engine = Engine::new(1, None).unwrap();
    Model::from_tflite(
        "a/x.tflite",
        bytes,
        engine.kernels(),
        TfliteOptions::default(),
    )
}

fn refused(change: impl FnOnce(&mut File)) -> String {
    let error = network(&changed(every_operator(), change)).unwrap_err();
    error.to_string()
}

/// Layers are named in tables and messages, on a terminal.
#[test]
fn names_that_are_not_printable_are_escaped_and_cut() {
    let long = "x".repeat(5000);
    let bytes = changed(every_operator(), |f| {
        f.tensor(1).name = "a\nb\u{1b}[2J".to_owned();
        f.tensor(3).name = long;
    });
    let model = network(&bytes).unwrap();
    assert_eq!(model.layers()[0].name(), r"a\nb\u{1b}[2J");
    let cut = format!("{}...", "x".repeat(100));
    assert!(model.layers().iter().any(|layer| layer.name() == cut));
}

#[test]
fn every_operator_becomes_a_layer() {
    let engine = Engine::new(1, None).unwrap();
    let model = network(&every_operator().bytes()).unwrap();
    assert_eq!((model.name(), model.classes()), ("x", 2));
    assert_eq!(model.default_input(), Nhwc::new(1, 4, 4, 2));
    assert_eq!(model.input_format().dtype(), DType::F32);
    assert!(model.gives_probabilities());
    // SQUEEZE and RESHAPE move only sizes of 1.
    let names: Vec<_> = model.layers().iter().map(|layer| layer.name()).collect();
    assert_eq!(
        names,
        [
            "quantised",
            "padded",
            "convolved",
            "filtered",
            "sum",
            "pooled",
            "mean",
            "logits",
            "probabilities",
            "y"
        ]
    );
    let inputs: Vec<_> = model.layers().iter().map(|layer| layer.inputs()).collect();
    assert_eq!(inputs[..2], [&[0], &[1]]);
    assert_eq!(inputs[4], [4, 4]);
    // 1 x 1 and 3 channels of 3 x 3, a bias for each, and 2 x 3 with two more.
    let weights: Vec<_> = model.layers().iter().map(|layer| layer.weights()).collect();
    assert_eq!(weights, [0, 0, 9, 30, 0, 0, 0, 8, 0, 0]);
    let bytes: usize = model
        .layers()
        .iter()
        .map(|layer| layer.weight_bytes())
        .sum();
    assert_eq!(bytes, (6 + 27 + 6) + 4 * (3 + 3 + 2));

    let input = mobilenet::Tensor::zeros(model.default_input()).unwrap();
    let mut session = model.session(input.shape(), 1).unwrap();
    let output = session.run(&engine, input.view()).unwrap();
    // Probabilities are written down in halves.
    assert!(
        output.iter().all(|&p| p == 0.0 || p == 0.5 || p == 1.0),
        "{output:?}"
    );
}

#[test]
fn weights_of_16_bits_are_widened() {
    let engine = Engine::new(1, None).unwrap();
    let model = network(&float16().bytes()).unwrap();
    assert_eq!(model.layers().len(), 1);
    let input = mobilenet::Tensor::new(Nhwc::new(1, 2, 2, 2), vec![1.0; 8]).unwrap();
    let mut session = model.session(input.shape(), 1).unwrap();
    // The bits 1 and 2 as float16 are 2^-24 and 2^-23: not subnormal in 32 bits.
    let expected = 3.0 / (1 << 24) as f32;
    assert_eq!(session.run(&engine, input.view()).unwrap(), [expected; 4]);
}

/// A part of the convolution, or a layer of its own, also where outputs at the border see nothing but padding.
#[test]
fn a_pad_in_front_of_a_window_may_be_of_any_width() {
    let engine = Engine::new(1, None).unwrap();
    for by in [0, 1, 2, 3, 4, 7] {
        let outputs = [true, false].map(|fuse| {
            let (bytes, options) = (padded(by).bytes(), TfliteOptions { fuse });
            let model = Model::from_tflite("x", &bytes, engine.kernels(), options).unwrap();
            assert_eq!(model.layers().len(), if fuse { 1 } else { 2 });
            let input = (1..=32).map(|x| x as f32).collect();
            let input = mobilenet::Tensor::new(model.default_input(), input).unwrap();
            let mut session = model.session(input.shape(), 1).unwrap();
            session.run(&engine, input.view()).unwrap().to_vec()
        });
        assert_eq!(outputs[0], outputs[1], "{by}");
        assert_eq!(outputs[0][0] == 0.0, by > 2, "{by}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    type Case = (fn(&mut File), &'static str);
    let cases: &[Case] = &[
        (
            |f| f.option(CONV, 1, Value::I32(2)),
            "operator 2 (CONV_2D) has window and stride = a window of 1 x 1 with stride 1 x 2, expected a window of 1 x 1 with stride 1, or \
             of 3 x 3 with stride 1 or 2",
        ),
        (
            |f| f.option(DEPTHWISE, 2, Value::I32(3)),
            "operator 3 (DEPTHWISE_CONV_2D) has window and stride = a window of 3 x 3 with stride 3 x 1, expected a window of 3 x 3 with \
             stride 1 or 2",
        ),
        (
            |f| f.option(CONV, 4, Value::I32(2)),
            "operator 2 (CONV_2D) has dilation = 1 x 2, expected 1 x 1",
        ),
        (
            |f| f.subgraphs[0].outputs.push(9),
            "the graph has 2 outputs, expected 1",
        ),
        (
            |f| f.tensor(WEIGHTS).zero_points = vec![0, 1, 0],
            "operator 2 (CONV_2D) has tensor 4 `weights` as weights: it is constant INT8 [3, 1, 1, 2] with 3 scales, expected one zero point \
             for all channels",
        ),
        (
            |f| f.tensor(CONVOLVED).shape = vec![1, 6, 5, 3],
            "operator 2 (CONV_2D) has tensor 6 `convolved` as output: it is INT8 [1, 6, 5, 3] with scale 0.5 and zero point -3, expected i8 \
             with scale 0.5 and zero point -3 [1, 6, 6, 3]",
        ),
        (
            |f| f.tensor(3).scales = vec![0.25],
            "operator 1 (PAD) has tensor 3 `padded` as output: it is INT8 [1, 6, 6, 2] with scale 0.25 and zero point -3, expected the scale \
             and the zero point of the input",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(refused(change), format!("a/x.tflite: {expected}"));
    }
}

/// What the kernels refuse names the layer.
#[test]
fn scales_with_which_nothing_can_be_computed_are_refused() {
    let message = refused(|f| f.tensor(INPUT + 6).scales = vec![1e-38]);
    assert!(message.starts_with("convolved: "), "{message}");
}

#[test]
fn operators_without_a_use_are_left_out() {
    let mut file = float16();
    // Not even supported: nothing reads what it writes.
    file.subgraphs[0].tensors.push(crate::file::Tensor {
        shape: vec![1, 2, 2, 2],
        dtype: F32,
        name: "unused".to_owned(),
        ..Default::default()
    });
    let unused = file.subgraphs[0].tensors.len() as i32 - 1;
    let mut operator = file.operator(1).clone();
    operator.inputs = vec![0, 2];
    operator.outputs = vec![unused];
    file.tensor(unused as usize).shape = vec![1, 2, 2, 1];
    file.subgraphs[0].operators.push(operator);
    let model = network(&file.bytes()).unwrap();
    assert_eq!(model.layers().len(), 1);
}

/// Thousands of layers are planned one by one, and two buffers are enough.
#[test]
fn long_chains_take_two_buffers() {
    let mut file = chain(2000);
    for tensor in &mut file.subgraphs[0].tensors {
        tensor.shape = vec![1, 4, 4, 64];
    }
    let model = network(&file.bytes()).unwrap();
    assert_eq!(model.layers().len(), 1999);
    let session = model.session(model.default_input(), 1).unwrap();
    assert_eq!(session.memory(), 2 * 4 * 4 * 4 * 64);
}
