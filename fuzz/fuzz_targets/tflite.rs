//! The reader of TensorFlow Lite files: no input makes it panic or take memory out of proportion (the limits are in tools/fuzz.sh), a
//! refusal is one line, and what it accepts keeps the promises of the types it returns.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mobilenet::weights::tflite::{Graph, Type, parse};

fuzz_target!(|bytes: &[u8]| match parse("x", bytes) {
    Ok(graph) => check(&graph),
    Err(error) => {
        let message = error.to_string();
        assert!(
            message.starts_with("x: ") && !message.contains('\n'),
            "{message}"
        );
        assert!(message.len() < 2000, "{message}");
    }
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
    let mut give = |known: &mut Vec<bool>, tensor: usize| {
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
