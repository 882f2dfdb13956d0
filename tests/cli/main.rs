//! The program `mobilenet` from outside: every subcommand, and every error as one line on stderr with its exit code.
//!
//! Most tests run a tiny network with weights from a seed; the embedded one is run once, on two photographs.

mod bench;
mod classify;
#[allow(dead_code, reason = "other tests make more of it")]
#[path = "../tflite_reader/file.rs"]
mod file;
mod kernels;
mod quantize;
mod run;
mod summary;
mod tflite;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::{Seeded, Weights};
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
        let known = "expected one of scalar, portable, avx2_fma, avx_vnni, avx512, avx512_vnni, neon_in_order, neon, neon_dotprod, neon_i8mm";
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
        "bench --help",
        "quantize --help",
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
