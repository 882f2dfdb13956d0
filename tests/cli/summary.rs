//! `mobilenet summary`

use crate::{Files, error, json, run, run_line, stdout};

/// The published figures, for 1001 classes.
#[test]
fn summary_counts_as_published() {
    for (alpha, resolution, macs, params) in [
        ("1.0", "224", 568.7, 4.24),
        ("1", "192", 418.1, 4.24),
        ("0.75", "160", 166.4, 2.59),
        ("0.5", "128", 49.2, 1.34),
        ("0.25", "128", 13.6, 0.47),
    ] {
        let arguments = ["summary", "--alpha", alpha, "--resolution", resolution];
        let report = json(&run(arguments.into_iter().chain(["--json"])));
        let total = &report["total"];
        let millions = |key: &str| total[key].as_f64().unwrap() / 1e6;
        assert!((millions("macs") - macs).abs() < 0.05, "{total}");
        assert!((millions("params") - params).abs() < 0.005, "{total}");
        for key in ["params", "macs", "standard_params", "standard_macs"] {
            let sum: u64 = report["layers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x[key].as_u64().unwrap())
                .sum();
            assert_eq!(total[key], sum);
        }
        let text = stdout(&run(arguments));
        let first = text.lines().next().unwrap();
        assert!(
            first.ends_with(&format!("{macs} M multiply-adds, {params} M parameters")),
            "{first}"
        );
    }
}

#[test]
fn summary_has_a_row_a_layer() {
    let text = stdout(&run_line("summary"));
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    // 9 * 512 + 512 * 512 weights, batch norm; 14 * 14 times 9 * 512 + 512 * 512; 1/512 + 1/9.
    let expected = "separable_7 [1, 14, 14, 512] 269,824 52,283,392 462,422,016 0.113";
    assert_eq!(row("separable_7").join(" "), expected);
    assert_eq!(
        row("total").join(" "),
        "total 4,243,945 568,741,376 4,867,294,208 0.117"
    );

    let report = json(&run_line(
        "summary --json --classes 10 --resolution 96 --alpha 0.3",
    ));
    assert_eq!(report["alpha"], 0.3);
    assert_eq!(report["resolution"], 96);
    assert_eq!(report["classes"], 10);
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(
        layers.last().unwrap()["output"],
        serde_json::json!([1, 1, 1, 10])
    );
}

/// A file's network has the multiply-adds of its definition, whatever its type; its parameters have a bias where batch norm has three.
#[test]
fn summary_counts_a_file_s_network() {
    let files = Files::new();
    let float = files.model(7);
    let published = json(&run_line("summary --json --alpha 1 --resolution 224"));
    for (arguments, dtype) in [
        (["summary", "--dtype", "int8"], "i8"),
        (["summary", "--dtype", "f32"], "f32"),
    ] {
        let report = json(&run(arguments.into_iter().chain(["--json"])));
        assert_eq!(
            report["input"]["shape"],
            serde_json::json!([1, 224, 224, 3])
        );
        assert_eq!(report["input"]["type"], dtype);
        assert_eq!(report["total"]["macs"], published["total"]["macs"]);
        // Channels of 27 convolutions with batch norm: two parameters less for each.
        let channels: u64 = 32
            + (64 + 32)
            + (128 + 64)
            + 2 * 128
            + (256 + 128)
            + 2 * 256
            + (512 + 256)
            + 5 * 2 * 512
            + (1024 + 512)
            + 2 * 1024;
        let params = published["total"]["params"].as_u64().unwrap();
        assert_eq!(report["total"]["params"], params - 2 * channels);
        let rows = report["layers"].as_array().unwrap();
        assert_eq!(rows.len(), published["layers"].as_array().unwrap().len());
        for (row, published) in rows.iter().zip(published["layers"].as_array().unwrap()) {
            assert_eq!(row["name"], published["name"]);
            assert_eq!(row["shape"], published["output"]);
            assert_eq!(row["macs"], published["macs"]);
            assert_eq!(row["type"], dtype);
        }
    }

    let text = stdout(&run(["summary", "--dtype", "int8"]));
    assert!(
        text.starts_with(
            "mobilenet_v1_1.0_int8, input [1, 224, 224, 3] of i8: 568.7 M multiply-adds, 4.22 M parameters\n"
        ),
        "{text}"
    );
    let line = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // 9 * 512 + 512 * 512 weights and two biases a channel.
    let expected = "separable_7 [1, 14, 14, 512] i8 267,776 52,283,392";
    assert_eq!(line(&text, "separable_7"), expected);

    let small = stdout(&run(["summary", "--model", &float, "--resolution", "64"]));
    let expected = "conv_stem [1, 32, 32, 8] f32 224 221,184";
    assert_eq!(line(&small, "conv_stem"), expected);
}

#[test]
fn summary_counts_a_graph() {
    let text = stdout(&run([
        "summary",
        "--model",
        "tests/golden/tflite/v1_int8_f32_io.tflite",
    ]));
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("v1_int8_f32_io, input [1, "), "{first}");
    assert!(first.contains(" of f32: "), "{first}");
    let types: Vec<_> = (text.lines().skip(3))
        .filter_map(|line| line.split_once("] ")?.1.split_whitespace().next())
        .collect();
    assert_eq!(types.first(), Some(&"i8"), "{text}");
    assert_eq!(types.last(), Some(&"f32"), "{text}");

    let line = error(&run(["summary", "--model", "no/such/file.tflite"]));
    assert!(line.starts_with("no/such/file.tflite: "), "{line}");
    for arguments in [
        "summary --dtype int8 --alpha 0.5",
        "summary --model x --classes 10",
    ] {
        assert_eq!(run_line(arguments).status.code(), Some(2), "{arguments}");
    }
}

#[test]
fn summary_refuses_what_cannot_be() {
    for alpha in ["0", "-1", "nan", "inf"] {
        let line = error(&run(["summary", "--alpha", alpha]));
        assert!(
            line.contains("expected a positive, finite number"),
            "{line}"
        );
    }
    for arguments in [
        "summary --alpha 1e300",
        "summary --alpha 1e9",
        "summary --resolution 9999999999999",
    ] {
        error(&run_line(arguments));
    }
}
