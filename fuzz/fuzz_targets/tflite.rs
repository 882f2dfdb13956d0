//! The reader of TensorFlow Lite files: no input makes it panic or take memory out of proportion, a refusal is one line, what it accepts
//! keeps the promises of the types it returns, and a network that is built of that can be run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mobilenet::weights::tflite::{Graph, Type, parse};
use mobilenet::{Model, TfliteOptions};
use mobilenet_fuzz::{ENGINES, refused, run_alike, within};

/// Bytes held while a file is read and its network built, for each byte of the file: constants may be shared, are converted and packed,
/// in panels of which most columns may be empty.
const FACTOR: usize = 256;
const FIXED: usize = 64 << 10;
/// Labels are packed, of up to 1 MB, and few bytes each.
const LABELS: usize = 40 << 20;
const METADATA: &[u8] = b"TFLITE_METADATA";

fuzz_target!(|bytes: &[u8]| {
    let labelled = bytes.windows(METADATA.len()).any(|x| x == METADATA);
    let fixed = if labelled { LABELS } else { FIXED };
    let limit = FACTOR * bytes.len() + fixed;
    let graph = within(limit, || match parse("x", bytes) {
        Ok(graph) => Some(graph),
        Err(error) => {
            assert!(error.to_string().starts_with("x: "), "{error}");
            refused(&error);
            None
        }
    });
    match graph {
        Some(graph) => check(&graph),
        None => return,
    }
    let [native, scalar] = &*ENGINES;
    let mut models = Vec::new();
    for (engine, fuse) in [(native, true), (native, false), (scalar, true)] {
        let options = TfliteOptions { fuse };
        let build = || Model::from_tflite("x", bytes, engine.kernels(), options);
        match within(limit, build) {
            Ok(model) => models.push((engine, model)),
            Err(error) => return refused(&error),
        }
    }
    run_alike(&models);
});

fn check(graph: &Graph<'_>) {
    assert!(!graph.inputs.is_empty() && !graph.outputs.is_empty());
    for tensor in &graph.tensors {
        let bytes = tensor
            .shape
            .iter()
            .fold(tensor.dtype.size(), |bytes, &size| {
                assert!(size > 0);
                bytes.checked_mul(size).unwrap()
            });
        assert!(tensor.data.is_none_or(|data| data.len() == bytes));
        if let Some(quantization) = &tensor.quantization {
            let scales = quantization.scales.len();
            assert!(scales == 1 || scales == tensor.shape[quantization.axis]);
            assert_eq!(scales, quantization.zero_points.len());
            assert!(
                quantization
                    .scales
                    .iter()
                    .all(|scale| scale.is_finite() && *scale > 0.0)
            );
            let range = match tensor.dtype {
                Type::I8 => -128..=127,
                Type::U8 => 0..=255,
                _ => i32::MIN..=i32::MAX,
            };
            assert!(
                quantization
                    .zero_points
                    .iter()
                    .all(|zero| range.contains(zero))
            );
        }
    }
    // What has a value, in the order of the operators.
    let mut known: Vec<bool> = (graph.tensors.iter())
        .map(|tensor| tensor.data.is_some())
        .collect();
    let give = |known: &mut Vec<bool>, tensor: usize| {
        assert!(
            !std::mem::replace(&mut known[tensor], true),
            "tensor {tensor} has two values"
        );
    };
    for &input in &graph.inputs {
        give(&mut known, input);
    }
    for operator in &graph.operators {
        for &input in operator.inputs.iter().flatten() {
            assert!(
                known[input],
                "operator {} reads tensor {input}",
                operator.index
            );
        }
        for &output in &operator.outputs {
            give(&mut known, output);
        }
    }
    for &output in &graph.outputs {
        assert!(known[output] && graph.tensors[output].data.is_none());
    }
}
