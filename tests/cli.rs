//! The program `mobilenet` from outside: every subcommand, and every error as one line on stderr with its exit code.
//!
//! Most tests run a tiny network with weights from a seed; the embedded one is run once, on two photographs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mobilenet::dwsep::{self, Isa, Nhwc};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::{Seeded, Weights};
use mobilenet::{Engine, Model, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tempfile::TempDir;

/// The program. Where the tests were cross-compiled it needs the emulator that runs them, too.
fn mobilenet() -> Command {
    let program = env!("CARGO_BIN_EXE_mobilenet");
    let runner = match std::env::var("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER") {
        Ok(runner) if cfg!(target_arch = "aarch64") => runner,
        _ => return Command::new(program),
    };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().expect("the runner is not empty"));
    command.args(words).arg(program);
    command
}

fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    mobilenet()
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// `run` with the words of `line`.
fn run_line(line: &str) -> Output {
    run(line.split_whitespace())
}

/// stdout of a run in which all went well.
fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {stderr}", output.status);
    assert_eq!(stderr, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// The one line of stderr of a run that failed and printed nothing.
fn error(output: &Output) -> String {
    assert_eq!(output.stdout, b"");
    let lines = errors(output);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

/// The lines of stderr of a run that failed, without the "error: " that each has.
fn errors(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    stderr
        .lines()
        .map(|line| line.strip_prefix("error: ").unwrap().to_owned())
        .collect()
}

/// A folder with files for a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = PathBuf::from(self.path(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The weights of a narrow network for 32x32 pixels, from a seed.
    fn model(&self, classes: usize) -> String {
        let config = V1Config {
            alpha: 0.1,
            classes,
            ..V1Config::default()
        };
        let weights = Seeded::new(7, &config).unwrap();
        let tensors: Vec<_> = weights
            .names()
            .into_iter()
            .map(|name| {
                let values = weights.values(&name).unwrap();
                let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
                let shape = weights.shape(&name).unwrap().to_vec();
                (name, shape, bytes)
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let metadata = HashMap::from([("image_size".to_owned(), "32".to_owned())]);
        self.write(
            "model.safetensors",
            safetensors::serialize(views, Some(metadata.into_iter().collect())).unwrap(),
        )
    }

    /// A picture of 40 x 30 pixels.
    fn picture(&self, name: &str) -> String {
        let path = self.write(name, "");
        let pixel = |x: u32, y: u32| image::Rgb([6 * x as u8, 8 * y as u8, 100]);
        image::RgbImage::from_fn(40, 30, pixel).save(&path).unwrap();
        path
    }
}

fn npy(descr: &str, fortran_order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}\n");
    let len = u16::try_from(dict.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", &len[..], dict.as_bytes(), data].concat()
}

/// The header's text and the elements of a file that the program wrote.
fn read_npy(path: impl AsRef<Path>) -> (String, Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\0");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(end % 64, 0);
    let data = bytes[end..]
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes(x.try_into().unwrap()));
    (
        String::from_utf8(bytes[10..end].to_vec())
            .unwrap()
            .trim_end()
            .to_owned(),
        data.collect(),
    )
}

fn input(shape: Nhwc) -> (Tensor, Vec<u8>) {
    let tensor = Seeded::input(3, shape).unwrap();
    let bytes: Vec<u8> = tensor.data().iter().flat_map(|x| x.to_le_bytes()).collect();
    let Nhwc { n, h, w, c } = shape;
    (
        tensor,
        npy("<f4", "False", &format!("({n}, {h}, {w}, {c})"), &bytes),
    )
}

// ------------------------------------------------------------------------------------------------------------- classify

#[test]
fn classify_names_what_is_on_photographs() {
    let photos = ["tests/photos/chelsea.png", "tests/photos/coffee.png"];
    let report = json(&run(["classify", "--json", "--top", "3"]
        .into_iter()
        .chain(photos)));
    let images = report.as_array().unwrap();
    assert_eq!(images.len(), 2);
    for (found, (image, index, label, probability)) in images.iter().zip([
        (photos[0], 286, "Egyptian cat", 0.87),
        (photos[1], 968, "espresso", 0.99),
    ]) {
        assert_eq!(found["image"], image);
        assert_eq!(found["top"].as_array().unwrap().len(), 3);
        assert_eq!(found["top"][0]["index"], index);
        assert_eq!(found["top"][0]["label"], label);
        assert!(
            (found["top"][0]["probability"].as_f64().unwrap() - probability).abs() < 0.01,
            "{found}"
        );
        assert!(found["ms"].as_f64().unwrap() > 0.0);
        assert_eq!(found.as_object().unwrap().len(), 3);
    }
}

#[test]
fn classify_prints_a_table() {
    let files = Files::new();
    let (model, picture) = (files.model(7), files.picture("a.png"));
    let text = stdout(&run([
        "classify", &picture, "--model", &model, "--top", "4",
    ]));
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with(&picture) && lines[0].ends_with(" ms)"),
        "{text}"
    );
    assert_eq!(lines[1], "probability  index  label");
    assert_eq!(lines.len(), 1 + 1 + 4 + 1);
    let percent = |line: &str| {
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    assert!(
        lines[2..6].is_sorted_by(|a, b| percent(a) >= percent(b)),
        "{text}"
    );
    assert!(
        lines[2..6].iter().all(|line| line.contains("  class ")),
        "{text}"
    );

    // More than there are: all of them, and they add up to 1.
    let report = json(&run([
        "classify", &picture, "--model", &model, "--top", "99", "--json",
    ]));
    let top = report[0]["top"].as_array().unwrap();
    assert_eq!(top.len(), 7);
    let sum: f64 = top
        .iter()
        .map(|class| class["probability"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

#[test]
fn classify_takes_labels() {
    let files = Files::new();
    let (model, picture) = (files.model(3), files.picture("a.png"));
    let labels = files.write("labels.txt", "ant\nbee\ncat\n");
    let arguments = [
        "classify", &picture, "--model", &model, "--labels", &labels, "--json",
    ];
    for class in json(&run(arguments))[0]["top"].as_array().unwrap() {
        let index = usize::try_from(class["index"].as_u64().unwrap()).unwrap();
        assert_eq!(class["label"], ["ant", "bee", "cat"][index]);
    }
    files.write("labels.txt", "ant\nbee\n");
    assert_eq!(
        error(&run(arguments)),
        format!("{labels}: 2 lines, expected 3, one for each class of the model")
    );
    let missing = files.path("missing.txt");
    let line = error(&run([
        "classify", &picture, "--model", &model, "--labels", &missing,
    ]));
    assert!(
        line.starts_with(&format!("{missing}: cannot be read: ")),
        "{line}"
    );
}

/// Without a background the same names begin one line later.
#[test]
fn classify_knows_models_without_background() {
    let files = Files::new();
    let (model, picture) = (files.model(1000), files.picture("a.png"));
    let names = fs::read_to_string("models/imagenet_labels.txt").unwrap();
    let names: Vec<_> = names.lines().collect();
    let report = json(&run(["classify", &picture, "--model", &model, "--json"]));
    for class in report[0]["top"].as_array().unwrap() {
        assert_eq!(
            class["label"],
            names[usize::try_from(class["index"].as_u64().unwrap()).unwrap() + 1]
        );
    }
}

#[test]
fn classify_searches_folders_and_survives_broken_images() {
    let files = Files::new();
    let model = files.model(5);
    let good = [
        files.picture("in/b.png"),
        files.picture("in/deep/er/c.JPG"),
        files.picture("in/z.bmp"),
    ];
    let broken = files.write("in/a.png", "not a picture");
    let empty = files.write("in/deep/empty.jpg", "");
    files.write("in/notes.txt", "not even called like one");
    fs::create_dir(files.path("none")).unwrap();
    let (folder, none, missing) = (
        files.path("in"),
        files.path("none"),
        files.path("missing.png"),
    );

    let output = run([
        "classify", "--json", "--model", &model, &missing, &folder, &none, &good[0],
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let images: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x["image"].as_str().unwrap())
        .collect();
    assert_eq!(images, [&good[0], &good[1], &good[2], &good[0]]);
    let lines = errors(&output);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with(&format!("{missing}: ")), "{lines:?}");
    assert_eq!(
        lines[1],
        format!("{broken}: not an image of a known format")
    );
    assert_eq!(lines[2], format!("{empty}: the file is empty"));
    assert_eq!(lines[3], format!("{none}: no images in this folder"));
}

#[test]
fn a_name_with_a_line_break_is_still_one_line() {
    let files = Files::new();
    let model = files.model(5);
    let line = errors(&run(["classify", "--model", &model, "no\nsuch\nfile"])).join("|");
    assert!(line.starts_with("no such file: "), "{line}");
}

// ------------------------------------------------------------------------------------------------------------------ run

#[test]
fn run_computes_what_the_library_computes() {
    let files = Files::new();
    let model = files.model(11);
    let shape = Nhwc::new(2, 33, 47, 3);
    let (tensor, bytes) = input(shape);
    let (x, y, layers) = (
        files.write("x.npy", bytes),
        files.path("y.npy"),
        files.path("new/layers"),
    );

    let engine = Engine::new(1, None).unwrap();
    let network = Model::load(Path::new(&model), &engine).unwrap();
    let mut session = network.session(shape, 1).unwrap();
    let mut outputs = Vec::new();
    let expected = session
        .run_with(&engine, tensor.view(), &mut |layer| {
            let Nhwc { n, h, w, c } = layer.output.shape();
            let pixels = (0..n * h * w)
                .flat_map(|i| layer.output.pixel(i / (h * w), i / w % h, i % w).unwrap());
            outputs.push((
                layer.name.to_owned(),
                [n, h, w, c],
                pixels.copied().collect::<Vec<_>>(),
            ));
        })
        .unwrap()
        .to_vec();

    for threads in ["1", "3"] {
        let arguments = [
            "run",
            "--input",
            &x,
            "--output",
            &y,
            "--model",
            &model,
            "--threads",
            threads,
            "--layers",
            &layers,
        ];
        assert_eq!(stdout(&run(arguments)), "");
        let (header, logits) = read_npy(&y);
        assert_eq!(
            header,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 11), }"
        );
        assert_eq!(logits, expected);
        assert_eq!(files.names("new/layers").len(), outputs.len());
        for (i, (name, [n, h, w, c], data)) in outputs.iter().enumerate() {
            let (header, found) = read_npy(format!("{layers}/{i:02}_{name}.npy"));
            assert!(
                header.contains(&format!("'shape': ({n}, {h}, {w}, {c})")),
                "{name}: {header}"
            );
            assert_eq!(found, *data, "{name}");
        }
    }
    // Every tier that this machine has; those that round alike give the same bits.
    for isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let arguments = [
            "run",
            "--input",
            &x,
            "--output",
            &y,
            "--model",
            &model,
            "--isa",
            isa.name(),
        ];
        assert_eq!(stdout(&run(arguments)), "");
        let logits = read_npy(&y).1;
        let largest = expected.iter().fold(0_f32, |most, x| most.max(x.abs()));
        assert!(
            logits
                .iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() <= 1e-4 * largest),
            "{isa}"
        );
    }
    assert_eq!(
        files.names("."),
        ["model.safetensors", "new", "x.npy", "y.npy"]
    );
}

#[test]
fn run_refuses_other_tensors_and_writes_nothing() {
    let files = Files::new();
    let model = files.model(5);
    let y = files.write("y.npy", "what was there before");
    let pixels = [0; 4 * 2 * 2 * 3];
    for (bytes, expected) in [
        (b"no tensor at all".to_vec(), "not a .npy file"),
        (Vec::new(), "not a .npy file"),
        (
            npy("<f8", "False", "(1, 2, 2, 3)", &pixels),
            "the type is '<f8', expected '<f4' (little-endian f32)",
        ),
        (
            npy(">f4", "False", "(1, 2, 2, 3)", &pixels),
            "the type is '>f4', expected '<f4' (little-endian f32)",
        ),
        (
            npy("<f4", "True", "(1, 2, 2, 3)", &pixels),
            "the order is Fortran, expected C",
        ),
        (
            npy("<f4", "False", "(2, 2, 3)", &pixels),
            "the shape is [2, 2, 3], expected [N, H, W, 3]",
        ),
        (
            npy("<f4", "False", "(1, 2, 6, 1)", &pixels),
            "the shape is [1, 2, 6, 1], expected [N, H, W, 3]",
        ),
        (
            npy("<f4", "False", "(1, 2, 3, 3)", &pixels),
            "48 bytes of data, expected 72 for shape (1, 2, 3, 3)",
        ),
        (
            npy("<f4", "False", "(1, 1, 2, 3)", &pixels),
            "more data than the 24 bytes of shape (1, 1, 2, 3)",
        ),
        (
            npy("<f4", "False", "(1, 0, 2, 3)", &[]),
            "tensor: h is 0, expected at least 1",
        ),
        (
            npy("<f4", "False", "(4294967296, 4294967296, 4, 3)", &pixels),
            "the size in bytes of shape (4294967296, 4294967296, 4, 3) overflows the address space",
        ),
        (
            npy("<f4", "False", "(1, 1099511627776, 2, 3)", &pixels),
            "48 bytes of data, expected 26388279066624 for shape (1, 1099511627776, 2, 3)",
        ),
    ] {
        let x = files.write("x.npy", bytes);
        let line = error(&run([
            "run", "--input", &x, "--output", &y, "--model", &model,
        ]));
        assert_eq!(line, format!("{x}: {expected}"));
        assert_eq!(fs::read_to_string(&y).unwrap(), "what was there before");
        assert_eq!(files.names("."), ["model.safetensors", "x.npy", "y.npy"]);
    }
}

#[test]
fn run_names_files_that_cannot_be_read_or_written() {
    let files = Files::new();
    let model = files.model(5);
    let (x, y) = (
        files.write("x.npy", input(Nhwc::new(1, 32, 32, 3)).1),
        files.path("y.npy"),
    );
    let missing = files.path("missing");
    let line = error(&run([
        "run", "--input", &missing, "--output", &y, "--model", &model,
    ]));
    assert!(line.starts_with(&format!("{missing}: ")), "{line}");
    let line = error(&run([
        "run", "--input", &x, "--output", &y, "--model", &missing,
    ]));
    assert!(line.starts_with(&format!("{missing}: ")), "{line}");
    let nowhere = files.path("missing/y.npy");
    let line = error(&run([
        "run", "--input", &x, "--output", &nowhere, "--model", &model,
    ]));
    assert!(
        line.starts_with(&format!("{nowhere}: cannot be written: ")),
        "{line}"
    );
    // A file where the folder for the layers should be.
    let line = error(&run([
        "run", "--input", &x, "--output", &y, "--model", &model, "--layers", &x,
    ]));
    assert!(
        line.starts_with(&format!("{x}: the folder cannot be made: ")),
        "{line}"
    );
    assert_eq!(files.names("."), ["model.safetensors", "x.npy"]);
}

#[test]
fn broken_weights_are_named() {
    let files = Files::new();
    let whole = fs::read(files.model(5)).unwrap();
    let (x, y) = (
        files.write("x.npy", input(Nhwc::new(1, 32, 32, 3)).1),
        files.path("y.npy"),
    );
    let header_bomb = [&(1_u64 << 60).to_le_bytes()[..], b"{}"].concat();
    for bytes in [
        &b""[..],
        b"short",
        &header_bomb,
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
    ] {
        let model = files.write("broken.safetensors", bytes);
        let line = error(&run([
            "run", "--input", &x, "--output", &y, "--model", &model,
        ]));
        assert!(line.starts_with(&format!("{model}: ")), "{line}");
    }
    assert!(!Path::new(&y).exists());
}

// -------------------------------------------------------------------------------------------------------------- summary

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

// -------------------------------------------------------------------------------------------------------------- kernels

#[test]
fn kernels_are_all_there_and_right() {
    let report = json(&run_line("kernels --json"));
    let rows = report.as_array().unwrap();
    // The program and this test are built with the same features.
    let expected: Vec<_> = dwsep::kernels().map(|kernel| kernel.name()).collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, expected);
    for op in ["pointwise", "depthwise"] {
        let chosen = rows
            .iter()
            .filter(|row| row["op"] == op && row["chosen"] == true);
        assert_eq!(chosen.count(), 1, "{op}");
    }
    for row in rows {
        let self_check = if row["available"] == true {
            "passed"
        } else {
            "skipped"
        };
        assert_eq!(row["self_check"], self_check, "{row}");
        assert_eq!(row["error"], Value::Null);
        assert_eq!(row["dtype"], "f32");
    }
    let text = stdout(&run_line("kernels"));
    assert!(expected.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn kernels_follow_the_environment() {
    let output = mobilenet()
        .args(["kernels", "--json"])
        .env("DWSEP_ISA", "scalar")
        .output()
        .unwrap();
    for row in json(&output).as_array().unwrap() {
        if row["chosen"] == true {
            assert_eq!(row["isa"], "scalar");
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- shared

#[test]
fn unknown_and_missing_instruction_sets_are_named() {
    let foreign = if cfg!(target_arch = "aarch64") {
        "avx2_fma"
    } else {
        "neon"
    };
    let files = Files::new();
    let (model, picture) = (files.model(5), files.picture("a.png"));
    let arguments = ["classify", &picture, "--model", &model];
    let environment = |isa: &str| {
        mobilenet()
            .args(arguments)
            .env("DWSEP_ISA", isa)
            .output()
            .unwrap()
    };
    let flag = |isa: &str| run(arguments.into_iter().chain(["--isa", isa]));
    for (line, place) in [
        (error(&environment("avx9")), "DWSEP_ISA"),
        (error(&flag("avx9")), "--isa"),
    ] {
        let known = "expected one of scalar, portable, avx2_fma, neon";
        assert_eq!(
            line,
            format!("{place}: unknown instruction set \"avx9\", {known}")
        );
    }
    for (line, place) in [
        (error(&environment(foreign)), "DWSEP_ISA"),
        (error(&flag(foreign)), "--isa"),
    ] {
        assert!(line.starts_with(&format!("{place}: {foreign}: ")), "{line}");
        assert!(line.contains("scalar"), "{line}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        "",
        "classify",
        "divine tests/photos/chelsea.png",
        "classify a.png --threads 0",
        "classify a.png --threads many",
        "classify a.png --top 0",
        "classify a.png --no-such-flag",
        "run --input x.npy",
        "summary --alpha wide",
        "summary --classes 0",
        "summary --resolution 0",
    ] {
        let output = run_line(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert_eq!(output.stdout, b"", "{arguments}");
        assert!(!output.stderr.is_empty(), "{arguments}");
    }
}

#[test]
fn help_and_version_are_there() {
    for arguments in [
        "--help",
        "classify --help",
        "run --help",
        "summary --help",
        "kernels --help",
    ] {
        assert!(
            stdout(&run_line(arguments)).contains("Usage: mobilenet"),
            "{arguments}"
        );
    }
    assert_eq!(
        stdout(&run_line("--version")),
        concat!("mobilenet ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_is_full_is_an_error_and_one_that_is_closed_is_none() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = mobilenet()
        .arg("summary")
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let line = error(&output);
    assert!(line.starts_with("stdout: "), "{line}");

    let mut child = mobilenet()
        .arg("summary")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
