//! TensorFlow Lite files as `--model`, with every command that takes one.

use std::fs;

use mobilenet::dwsep::Nhwc;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model};

use crate::file::{Buffer, Code, F32, File, I32, Operator, SubGraph, Tensor, Value as Field, zip};
use crate::{Files, error, json, run, stdout};

const INT8: &str = "tests/golden/tflite/v1_int8.tflite";
const OLD: &str = "tests/golden/tflite/old_v1_uint8.tflite";

/// Quantised networks take and give real numbers.
#[test]
fn run_computes_what_the_library_computes() {
    let files = Files::new();
    let engine = Engine::new(1, None).unwrap();
    for path in [INT8, OLD, "tests/golden/tflite/v1_f16.tflite"] {
        let model = Model::load(path.as_ref(), &engine).unwrap();
        let shape = model.default_input();
        let input = Seeded::input(5, shape).unwrap();
        let mut session = model.session(shape, 1).unwrap();
        let expected = session.run(&engine, input.view()).unwrap();

        let (x, y) = (files.path("x.npy"), files.path("y.npy"));
        fs::write(&x, npy(shape, input.data())).unwrap();
        let layers = files.path("layers");
        stdout(&run([
            "run", "--model", path, "--input", &x, "--output", &y, "--layers", &layers,
        ]));
        let written = fs::read(&y).unwrap();
        let data: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert!(written.ends_with(&data), "{path}");
        assert_eq!(fs::read_dir(&layers).unwrap().count(), model.layers().len());
        fs::remove_dir_all(&layers).unwrap();
    }
}

/// A NumPy file of version 1.
fn npy(shape: Nhwc, data: &[f32]) -> Vec<u8> {
    let Nhwc { n, h, w, c } = shape;
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {h}, {w}, {c}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data.iter().flat_map(|x| x.to_le_bytes()));
    file
}

/// A softmax that is part of the network is not applied again: a second one would make all classes nearly alike.
#[test]
fn classify_prints_the_network_s_own_probabilities() {
    let files = Files::new();
    let picture = files.picture("a.png");
    for name in ["v1_int8_per_tensor", "v1_int8_u8_io"] {
        let path = &format!("tests/golden/tflite/{name}.tflite");
        let engine = Engine::new(1, None).unwrap();
        let model = Model::load(path.as_ref(), &engine).unwrap();
        assert!(model.gives_probabilities());
        let report = json(&run([
            "classify", &picture, "--model", path, "--json", "--top", "99",
        ]));
        let top = report[0]["top"].as_array().unwrap();
        assert_eq!(top.len(), model.classes());
        for class in top {
            // Multiples of 1/256 are what the output's integers stand for.
            let p = class["probability"].as_f64().unwrap() * 256.0;
            assert!((p - p.round()).abs() < 1e-6, "{path}: {class}");
        }
    }
}

/// Those in the file's metadata, if there is one for each class, unless others are given.
#[test]
fn classify_prints_the_labels_in_the_file() {
    let files = Files::new();
    let picture = files.picture("a.png");
    let classify = |text: &[u8], more: &[&str]| {
        let archive = zip("labels.txt", text, true);
        let bytes = two_classes().labelled("labels.txt", &archive).bytes();
        let path = files.write("labelled.tflite", bytes);
        let arguments = ["classify", "--json", "--model", &path, &picture];
        let report = json(&run(arguments.iter().chain(more)));
        let mut labels: Vec<_> = (report[0]["top"].as_array().unwrap().iter())
            .map(|class| {
                (
                    class["index"].as_u64().unwrap(),
                    class["label"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        labels.sort();
        labels
            .into_iter()
            .map(|(_, label)| label)
            .collect::<Vec<_>>()
    };
    assert_eq!(classify(b"ant\nbee\n", &[]), ["ant", "bee"]);
    assert_eq!(classify(b"ant\nbee\ncat\n", &[]), ["class 0", "class 1"]);
    let given = files.write("given.txt", "cow\ndog\n");
    let given = ["--labels", &given];
    assert_eq!(classify(b"ant\nbee\n", &given), ["cow", "dog"]);
}

/// A network of f32 for squares of 3 channels: a convolution with two outputs, and their means.
fn two_classes() -> File {
    let tensor = |name: &str, shape: &[i32], dtype, buffer| Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        dtype,
        buffer,
        ..Tensor::default()
    };
    let weights = (0..2 * 3).flat_map(|i: i16| f32::from(i - 2).to_le_bytes());
    let axes = [1, 2].into_iter().flat_map(i32::to_le_bytes);
    let buffers = [Vec::new(), weights.collect(), axes.collect()];
    let conv = vec![(1, Field::I32(1)), (2, Field::I32(1))];
    let operator = |code, inputs: &[i32], output, options| Operator {
        code,
        inputs: inputs.to_vec(),
        outputs: vec![output],
        options: Some(options),
    };
    File {
        version: 3,
        codes: [3, 40]
            .map(|code| Code {
                code,
                ..Code::default()
            })
            .into(),
        subgraphs: vec![SubGraph {
            tensors: vec![
                tensor("x", &[1, 8, 8, 3], F32, 0),
                tensor("weights", &[2, 1, 1, 3], F32, 1),
                tensor("convolved", &[1, 8, 8, 2], F32, 0),
                tensor("axes", &[2], I32, 2),
                tensor("y", &[1, 2], F32, 0),
            ],
            inputs: vec![0],
            outputs: vec![4],
            operators: vec![
                operator(0, &[0, 1], 2, (1, conv)),
                operator(1, &[2, 3], 4, (27, Vec::new())),
            ],
        }],
        buffers: buffers
            .map(|data| Buffer {
                data,
                ..Buffer::default()
            })
            .into(),
        metadata: Vec::new(),
        tail: Vec::new(),
    }
}

#[test]
fn classify_takes_squares() {
    let files = Files::new();
    let picture = files.picture("a.png");
    let line = error(&run(["classify", &picture, "--model", INT8]));
    assert_eq!(
        line,
        "v1_int8: the network takes 40 x 32 x 3, expected squares of 3 channels"
    );
}

#[test]
fn bench_times_integers() {
    let report = stdout(&run(["bench", "--model", OLD, "--runs", "2", "--layers"]));
    assert!(report.starts_with("old_v1_uint8_"), "{report}");
    assert!(
        report.contains("pw_qu8_") && report.contains("dw3x3_qu8_"),
        "{report}"
    );
}

#[test]
fn broken_files_are_named() {
    let files = Files::new();
    let whole = fs::read(INT8).unwrap();
    let path = files.path("cut.tflite");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let picture = files.picture("a.png");
    let line = error(&run(["classify", &picture, "--model", &path]));
    assert!(line.starts_with(&format!("{path}: ")), "{line}");

    // So short, or of so other a kind, that only its name says what it should be.
    for (contents, problem) in [
        (
            &whole[..7],
            "it has 7 bytes, the identifier alone ends with byte 8",
        ),
        (
            &b"<!DOCTYPE html>"[..],
            "bytes 5 to 8 are \"CTYP\", expected \"TFL3\"",
        ),
    ] {
        let path = files.write("other.TFLite", contents);
        let line = error(&run(["classify", &picture, "--model", &path]));
        assert_eq!(
            line,
            format!("{path}: not a TensorFlow Lite file: {problem}")
        );
    }
}
