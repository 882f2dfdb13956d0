//! MobileNetV1, layer by layer, against what ONNX Runtime computes: every file of `tests/golden`, which `tools/make_golden.py`
//! writes and describes.

use std::path::{Path, PathBuf};

use mobilenet::dwsep::{Activation, F32, Nhwc};
use mobilenet::models::mobilenet_v1::{self, V1Config};
use mobilenet::weights::{Safetensors, Seeded, Weights};
use mobilenet::{Engine, Model, Tensor};

/// Largest difference of a logit, relative to the largest magnitude of all logits.
const LOGITS: f32 = 1e-4;

/// Largest difference of any layer's elements, relative to the largest magnitude of the layer. Both sides are f32 with their
/// own order of accumulation, and the script admits what lies this far from f64. Trained networks amplify rounding more: their
/// batch norms divide by the deviation of nearly constant channels.
const SEEDED: f32 = 1e-5;
const TRAINED: f32 = 1e-4;

struct Golden {
    name: String,
    file: Safetensors<'static>,
}

impl Golden {
    /// All cases with weights from a seed, or all with the default model on a photograph.
    fn all(seeded: bool) -> Vec<Self> {
        let mut cases: Vec<Self> = std::fs::read_dir(directory())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "safetensors")
            })
            .map(|path| Self {
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                file: Safetensors::read(&path).unwrap(),
            })
            .filter(|case| case.file.metadata("seed").is_some() == seeded)
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    fn text(&self, key: &str) -> &str {
        self.file
            .metadata(key)
            .unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> T {
        self.text(key)
            .parse()
            .unwrap_or_else(|_| panic!("{}: {key}", self.name))
    }

    fn config(&self) -> V1Config {
        V1Config {
            alpha: self.number("alpha"),
            classes: self.number("classes"),
            activation: match self.text("activation") {
                "relu6" => Activation::Relu6,
                "relu" => Activation::Relu,
                other => panic!("{}: {other}", self.name),
            },
            ..V1Config::default()
        }
    }

    fn input_shape(&self) -> Nhwc {
        Nhwc::new(
            self.number("batch"),
            self.number("height"),
            self.number("width"),
            3,
        )
    }

    /// Runs the network and compares every layer that was recorded. Returns the logits.
    fn check(&self, engine: &Engine, model: &Model, input: &Tensor, tolerance: f32) -> Vec<f32> {
        let mut session = model.session(input.shape(), engine.threads()).unwrap();
        let mut compared = Vec::new();
        let mut failures = Vec::new();
        let logits = session
            .run_with(engine, input.view(), &mut |layer| {
                let Ok(shape) = self.file.shape(layer.name) else {
                    return;
                };
                let recorded = self.file.values(layer.name).unwrap();
                let step: usize = self.number(&format!("step.{}", layer.name));
                let found = layer.real();
                // The whole layer's shape: [N, H, W, C], or [N, C] without height and width.
                let Nhwc { n, h, w, c } = layer.output.shape();
                let dims = self.text(&format!("shape.{}", layer.name));
                assert!(
                    dims == format!("{n},{h},{w},{c}")
                        || (dims == format!("{n},{c}") && h * w == 1),
                    "{}: {}: {dims}, {:?}",
                    self.name,
                    layer.name,
                    layer.output.shape()
                );
                let sample: Vec<f32> = found.iter().copied().step_by(step).collect();
                assert_eq!(
                    sample.len(),
                    recorded.len(),
                    "{}: {} {shape:?}",
                    self.name,
                    layer.name
                );

                let largest = recorded.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
                let difference = sample
                    .iter()
                    .zip(&recorded[..])
                    // Not `max`, which would lose a NaN.
                    .map(|(x, y)| (x - y).abs())
                    .fold(0.0, |max, d| if d <= max { max } else { d });
                let relative = difference / largest;
                let tolerance = if layer.name == "logits" {
                    LOGITS
                } else {
                    tolerance
                };
                println!("{}: {}: {relative:.1e}", self.name, layer.name);
                if relative.is_nan() || relative > tolerance {
                    failures.push(format!(
                        "{}: {relative:.1e} of {largest}, expected {tolerance:.0e}",
                        layer.name
                    ));
                }
                compared.push(layer.name.to_owned());
            })
            .unwrap()
            .to_vec();
        assert!(failures.is_empty(), "{}: {failures:#?}", self.name);
        compared.sort();
        let mut recorded = self.file.names();
        recorded.sort();
        assert_eq!(compared, recorded, "{}", self.name);
        logits
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The pixels of an `.npy` file of version 1 with a uint8 tensor of the shape `[1, 224, 224, 3]`.
fn pixels(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    let header = str::from_utf8(&file[10..start]).unwrap();
    for entry in [
        "'descr': '|u1'",
        "'fortran_order': False",
        "'shape': (1, 224, 224, 3)",
    ] {
        assert!(header.contains(entry), "{header}");
    }
    file[start..].to_vec()
}

#[test]
fn seeded_networks_equal_another_engines() {
    let engine = Engine::new(1, None).unwrap();
    let cases = Golden::all(true);
    assert!(
        cases.len() >= 7,
        "files are missing from {}",
        directory().display()
    );
    for case in cases {
        let (seed, config) = (case.number("seed"), case.config());
        let weights = Seeded::new(seed, &config).unwrap();
        let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
        assert_eq!(model.classes(), config.classes);
        let input = Seeded::input(seed, case.input_shape()).unwrap();
        case.check(&engine, &model, &input, SEEDED);
    }
}

#[test]
fn the_embedded_model_sees_in_photographs_what_another_engine_sees() {
    let engine = Engine::new(1, None).unwrap();
    let model = Model::embedded(&engine).unwrap();
    assert_eq!(model.name(), "mobilenet_v1_1.0");
    assert_eq!((model.classes(), model.default_resolution()), (1001, 224));
    let cases = Golden::all(false);
    assert!(
        cases.len() >= 3,
        "files are missing from {}",
        directory().display()
    );
    for case in cases {
        assert_eq!(case.config(), V1Config::default());
        let pixels = pixels(&directory().join(format!("{}.input.npy", case.name)));
        let input = pixels
            .into_iter()
            .map(|x| f32::from(x) / 127.5 - 1.0)
            .collect();
        let input = Tensor::new(case.input_shape(), input).unwrap();
        let logits = case.check(&engine, &model, &input, TRAINED);
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        assert_eq!(best, Some(case.number("top1")), "{}", case.name);
    }
}

#[test]
fn layers_have_the_names_of_the_checkpoint_and_say_what_they_do() {
    let engine = Engine::new(1, None).unwrap();
    let config = V1Config {
        alpha: 0.25,
        classes: 10,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    assert_eq!(model.name(), "mobilenet_v1_0.25");
    let layers: Vec<_> = model
        .layers()
        .iter()
        .map(|l| (l.name(), l.description()))
        .collect();
    assert_eq!(layers.len(), 16);
    let layer = |i: usize| (layers[i].0, layers[i].1.as_str());
    assert_eq!(
        layer(0),
        ("conv_stem", "convolution 3x3, stride 2, 3 to 8 channels")
    );
    assert_eq!(
        layer(12),
        (
            "separable_12",
            "depthwise 3x3, stride 2, 128 channels; pointwise to 256"
        )
    );
    assert_eq!(layer(14), ("pool", "global average pool"));
    assert_eq!(layer(15), ("logits", "dense, 256 to 10 channels"));
}

/// What layers say of themselves, against the summary, which is computed from the network's table and not from packed weights.
#[test]
fn layers_know_their_kernels_and_what_they_cost() {
    let engine = Engine::new(1, None).unwrap();
    let config = V1Config {
        alpha: 0.25,
        classes: 10,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    let summary = mobilenet_v1::summary(&config, 33, 47).unwrap();
    let (dw, pw) = (
        engine.kernels().depthwise::<F32>().name(),
        engine.kernels().pointwise::<F32>().name(),
    );
    for (layer, expected) in model.layers().iter().zip(&summary) {
        let batch = Nhwc {
            n: 2,
            ..expected.output
        };
        assert_eq!(
            layer.macs(expected.output),
            expected.macs,
            "{}",
            layer.name()
        );
        assert_eq!(layer.macs(batch), 2 * expected.macs, "{}", layer.name());
        let kernels: &[&str] = match layer.name() {
            "pool" => &[],
            "conv_stem" | "logits" => &[pw],
            _ => &[dw, pw],
        };
        assert_eq!(layer.kernels(), kernels, "{}", layer.name());
    }
    // The summary counts three parameters of batch norm a channel, of which folding leaves one.
    let layers = model.layers().iter().map(|layer| layer.weights() as u64);
    let params: u64 = summary.iter().map(|layer| layer.params).sum();
    let blocks = config.blocks().unwrap();
    let channels: usize = blocks.iter().map(|block| block.c_in + block.c_out).sum();
    let normalised = (config.stem_channels().unwrap() + channels) as u64;
    assert_eq!(layers.sum::<u64>(), params - 2 * normalised);
}

/// The same input again gives the same output: nothing of a run is left in the buffers that the next one reads.
#[test]
fn a_session_can_be_run_again() {
    let engine = Engine::new(1, None).unwrap();
    let config = V1Config {
        alpha: 0.25,
        classes: 10,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    let shape = Nhwc::new(1, 20, 30, 3);
    let (a, b) = (
        Seeded::input(1, shape).unwrap(),
        Seeded::input(2, shape).unwrap(),
    );
    let mut session = model.session(shape, 1).unwrap();
    drop(model);
    assert_eq!(session.input_shape(), shape);
    assert_eq!(session.output_shape(), Nhwc::new(1, 1, 1, 10));
    let first = session.run(&engine, a.view()).unwrap().to_vec();
    assert_ne!(session.run(&engine, b.view()).unwrap(), first);
    assert_eq!(session.run(&engine, a.view()).unwrap(), first);
}

/// The engine's threads are busy with the outer inference: the inner one must not wait for them.
#[test]
fn a_hook_may_run_another_session_on_the_same_engine() {
    let config = V1Config {
        alpha: 0.25,
        classes: 10,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let engine = Engine::new(3, None).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    let input = Seeded::input(1, Nhwc::new(1, 40, 40, 3)).unwrap();
    let session = || model.session(input.shape(), 3).unwrap();
    let (mut outer, mut inner) = (session(), session());
    let expected = outer.run(&engine, input.view()).unwrap().to_vec();
    let mut runs = 0;
    let found = outer
        .run_with(&engine, input.view(), &mut |_| {
            assert_eq!(inner.run(&engine, input.view()).unwrap(), expected);
            runs += 1;
        })
        .unwrap();
    assert_eq!(found, expected);
    assert!(runs > 10);
    // And the threads are there again.
    assert_eq!(outer.run(&engine, input.view()).unwrap(), expected);
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let engine = Engine::new(2, None).unwrap();
    let config = V1Config {
        alpha: 0.25,
        classes: 10,
        ..V1Config::default()
    };
    let weights = Seeded::new(1, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    let message = |shape, threads| model.session(shape, threads).unwrap_err().to_string();
    assert_eq!(
        message(Nhwc::new(1, 0, 32, 3), 1),
        "conv_stem: input: h is 0, expected at least 1"
    );
    assert_eq!(
        message(Nhwc::new(1, 32, 32, 4), 1),
        "conv_stem: input: c is 4, expected 3"
    );
    assert_eq!(
        message(Nhwc::new(1, usize::MAX, 32, 3), 1),
        "conv_stem: input: the size in bytes overflows the address space"
    );
    assert!(message(Nhwc::new(1, 32, 32, 3), 0).starts_with("0 threads, expected 1 to "));
    // Fits in the address space, but not in any memory.
    let error = message(Nhwc::new(1, 1 << 28, 1 << 28, 3), 1);
    assert!(error.ends_with("bytes of memory cannot be had"), "{error}");

    let mut session = model.session(Nhwc::new(1, 32, 32, 3), 1).unwrap();
    let input = Tensor::zeros(Nhwc::new(1, 32, 31, 3)).unwrap();
    assert_eq!(
        session.run(&engine, input.view()).unwrap_err().to_string(),
        "the input has shape [1, 32, 31, 3], the session is planned for [1, 32, 32, 3]"
    );
    let input = Tensor::zeros(session.input_shape()).unwrap();
    assert_eq!(
        session.run(&engine, input.view()).unwrap_err().to_string(),
        "2 threads, expected 1 to 1"
    );
}
