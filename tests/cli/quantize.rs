//! `mobilenet quantize`

use std::fs;

use crate::{Files, error, errors, json, run, stdout};

/// Photographs small enough to be quick, and a network of a small width.
fn folder(files: &Files) -> String {
    for name in ["in/a.png", "in/b.png", "in/deep/c.png"] {
        files.picture(name);
    }
    files.path("in")
}

#[test]
fn quantize_writes_what_every_command_reads() {
    let files = Files::new();
    let (model, images, out) = (files.model(7), folder(&files), files.path("q.safetensors"));
    let arguments = [
        "quantize",
        "--model",
        &model,
        "--calibrate",
        &images,
        "--output",
        &out,
    ];
    let report = json(&run(arguments.into_iter().chain(["--json"])));
    assert_eq!(report["images"], 3);
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1 + 2 * 13 + 2);
    assert_eq!(layers[0]["name"], "conv_stem");
    assert_eq!(layers[1]["name"], "separable_1.depthwise");
    assert_eq!(layers[28]["name"], "logits");
    for layer in layers {
        let number = |key: &str| layer[key].as_f64().unwrap();
        assert!(
            number("lo") <= 0.0 && number("hi") >= 0.0 && number("scale") > 0.0,
            "{layer}"
        );
        let expected = (number("hi") - number("lo")) / 255.0;
        assert!(
            (number("scale") - expected).abs() <= 1e-6 * expected,
            "{layer}"
        );
        assert!((-128.0..=127.0).contains(&number("zero_point")), "{layer}");
        assert!(
            layer["snr_db"].is_null() || number("snr_db") > 10.0,
            "{layer}"
        );
    }

    // The same again is the same file, on any number of threads.
    let first = fs::read(&out).unwrap();
    stdout(&run(arguments.into_iter().chain(["--threads", "3"])));
    assert!(fs::read(&out).unwrap() == first);

    let picture = files.picture("a.png");
    let found = json(&run(["classify", &picture, "--model", &out, "--json"]));
    assert_eq!(found[0]["top"].as_array().unwrap().len(), 5);
    let bench = stdout(&run(["bench", "--model", &out, "--runs", "1", "--layers"]));
    assert!(
        bench.contains("_int8_32") && bench.contains("pw_qs8_"),
        "{bench}"
    );
}

#[test]
fn quantize_prints_a_table() {
    let files = Files::new();
    let (model, images, out) = (files.model(3), folder(&files), files.path("q.safetensors"));
    let text = stdout(&run([
        "quantize",
        "--model",
        &model,
        "--calibrate",
        &images,
        "--output",
        &out,
        "--percentile",
        "99.9",
    ]));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["layer", "from", "to", "scale", "zero", "point", "SNR"]
    );
    assert!(
        lines[1].starts_with("conv_stem ") && lines[1].ends_with(" dB"),
        "{text}"
    );
    assert!(
        lines[31].starts_with("the likeliest class is that of f32 for "),
        "{text}"
    );
    assert!(lines[32].starts_with(&out), "{text}");
}

#[test]
fn quantize_goes_on_without_images_that_cannot_be_read() {
    let files = Files::new();
    let (model, images, out) = (files.model(3), folder(&files), files.path("q.safetensors"));
    let broken = files.write("in/z.png", "no picture");
    let output = run([
        "quantize",
        "--model",
        &model,
        "--calibrate",
        &images,
        "--output",
        &out,
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        errors(&output),
        [format!("{broken}: not an image of a known format")]
    );
    assert!(fs::metadata(&out).is_ok());
}

#[test]
fn quantize_refuses_what_makes_no_network_and_writes_nothing() {
    let files = Files::new();
    let (model, out) = (files.model(3), files.path("q.safetensors"));
    let (images, broken) = (folder(&files), files.write("z.png", "no picture"));
    let quantize = |model: &str, images: &str, percentile: &str| {
        let output = run([
            "quantize",
            "--model",
            model,
            "--calibrate",
            images,
            "--output",
            &out,
            "--percentile",
            percentile,
        ]);
        assert!(fs::metadata(&out).is_err());
        errors(&output).pop().unwrap()
    };
    assert_eq!(
        quantize(&model, &broken, "100"),
        "--calibrate: no image could be read, expected at least one"
    );
    for percentile in ["0", "-1", "100.5", "nan"] {
        let line = quantize(&model, &images, percentile);
        assert!(
            line.starts_with("--percentile ")
                && line.ends_with("expected a number above 0, and at most 100"),
            "{line}"
        );
    }
    let tflite = quantize("tests/golden/tflite/v1_f32.tflite", &images, "100");
    assert_eq!(
        tflite,
        "tests/golden/tflite/v1_f32.tflite: an input of FLOAT32 [1, 25, 31, 3], expected an input of FLOAT32 [1, S, S, 3], as in a MobileNetV1 in float32"
    );
    // Quantised already.
    let int8 = quantize(
        "models/mobilenet_v1_1.0_224_int8.safetensors",
        &images,
        "100",
    );
    assert!(
        int8.ends_with("is of type I8, expected F32, F16 or BF16"),
        "{int8}"
    );
}

/// The default network in int8 sees what it sees in f32.
#[test]
fn the_embedded_int8_network_names_what_is_on_photographs() {
    let photos = [
        "tests/photos/chelsea.png",
        "tests/photos/coffee.png",
        "tests/photos/rocket.jpg",
    ];
    let classify = |dtype| {
        let arguments = ["classify", "--json", "--dtype", dtype]
            .into_iter()
            .chain(photos);
        let report = json(&run(arguments));
        let images = report.as_array().unwrap().iter();
        images
            .map(|image| image["top"][0]["index"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let int8 = classify("int8");
    assert_eq!(int8[..2], [286, 968]);
    assert_eq!(int8, classify("f32"));
    let output = run(["classify", "--dtype", "int8", "--model", "x", photos[0]]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn files_that_are_not_quantised_right_are_named() {
    let files = Files::new();
    let whole = fs::read("models/mobilenet_v1_1.0_224_int8.safetensors").unwrap();
    let picture = files.picture("a.png");
    let classify = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole
            .windows(from.len())
            .position(|x| x == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let path = files.path("q.safetensors");
        fs::write(&path, bytes).unwrap();
        error(&run(["classify", &picture, "--model", &path])).replace(&path, "Q")
    };
    assert_eq!(
        classify("\"quantization\":\"int8\"", "\"quantization\":\"int4\""),
        "Q: the metadata has quantization = \"int4\", expected int8"
    );
    assert_eq!(
        classify("\"pool.output.scale\"", "\"pool.output.scald\""),
        "Q: there is no tensor `pool.output.scale`"
    );
}
