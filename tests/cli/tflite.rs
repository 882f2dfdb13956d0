//! TensorFlow Lite files as `--model`, with every command that takes one.

use std::fs;

use mobilenet::dwsep::Nhwc;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model};

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
