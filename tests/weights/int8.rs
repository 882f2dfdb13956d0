//! Files of int8 that are not what `mobilenet quantize` writes: an error that names the tensor.

use crate::file::{File, NARROWEST, model};
use crate::{STEM, logits};

const DEPTHWISE: &str = "mobilenet_v1.layer.0.convolution.weight";
const POINTWISE: &str = "mobilenet_v1.layer.1.convolution.weight";
const DENSE: &str = "classifier.weight";

#[test]
fn what_attacks_are_made_of_is_a_network() {
    let model = File::int8(NARROWEST).model().unwrap();
    assert_eq!(model.name(), "mobilenet_v1_0.01_int8");
    let logits = logits(&model);
    assert!(
        logits.iter().all(|x| x.is_finite()) && logits[0] != logits[1],
        "{logits:?}"
    );
}

type Attack = fn(&mut File);

/// What is done to a file, and what is said of it behind its name.
#[rustfmt::skip]
const ATTACKS: &[(Attack, &str)] = &[
    // Of values.
    (|f| f.put("input.scale", 0, 0.0_f32), "tensor `input.scale` has 0.0 at index 0, expected a positive, finite and normal number"),
    (|f| f.put("input.scale", 0, -1.0_f32), "tensor `input.scale` has -1.0 at index 0, expected a positive, finite and normal number"),
    (|f| f.put("input.scale", 0, 1e-40_f32), "tensor `input.scale` has 1e-40 at index 0, expected a positive, finite and normal number"),
    (|f| f.put("separable_1.depthwise.output.scale", 0, f32::NAN), "tensor `separable_1.depthwise.output.scale` has NaN at index 0, expected a positive, finite and normal number"),
    (|f| f.put("pool.output.scale", 0, f32::INFINITY), "tensor `pool.output.scale` has inf at index 0, expected a positive, finite and normal number"),
    (|f| f.put("input.zero_point", 0, 128), "tensor `input.zero_point` has 128 at index 0, expected one of -128 to 127"),
    (|f| f.put("separable_13.output.zero_point", 0, -129), "tensor `separable_13.output.zero_point` has -129 at index 0, expected one of -128 to 127"),
    (|f| f.put("logits.output.zero_point", 0, i32::MIN), "tensor `logits.output.zero_point` has -2147483648 at index 0, expected one of -128 to 127"),
    // Of weights.
    (|f| f.put("mobilenet_v1.layer.0.convolution.weight.scale", 2, 0.0_f32), "tensor `mobilenet_v1.layer.0.convolution.weight.scale` has 0.0 at index 2, expected a positive, finite and normal number"),
    (|f| f.put("mobilenet_v1.layer.1.convolution.weight.scale", 7, f32::NAN), "tensor `mobilenet_v1.layer.1.convolution.weight.scale` has NaN at index 7, expected a positive, finite and normal number"),
    (|f| f.put("classifier.weight.scale", 1, f32::NEG_INFINITY), "tensor `classifier.weight.scale` has -inf at index 1, expected a positive, finite and normal number"),
    (|f| { f.put("classifier.weight.scale", 1, f32::MAX); f.put("logits.output.scale", 0, 1e-3_f32) }, "tensor `classifier.weight.scale` has 3.4028235e38 at index 1, expected one that takes sums to the scale of the output"),
    (|f| { f.put("classifier.weight.scale", 0, f32::MIN_POSITIVE) }, "tensor `classifier.weight.scale` has 1.1754944e-38 at index 0, expected one that takes sums to the scale of the output"),
    (|f| f.put("classifier.weight.bias", 2, i32::MIN), "tensor `classifier.weight.bias` has -2147483648 at index 2, expected one with which all sums are within i32"),
    (|f| f.put("mobilenet_v1.layer.0.convolution.weight.bias", 0, i32::MAX), "tensor `mobilenet_v1.layer.0.convolution.weight.bias` has 2147483647 at index 0, expected one with which all sums are within i32"),
    // Of shapes.
    (|f| f.cut("input.scale", 0), "tensor `input.scale` has shape [0], expected [1]"),
    (|f| f.cut("mobilenet_v1.layer.1.convolution.weight.scale", 1), "tensor `mobilenet_v1.layer.1.convolution.weight.scale` has shape [1], expected [8]"),
    (|f| f.cut("classifier.weight.scale", 2), "tensor `classifier.weight.scale` has shape [2], expected [3]"),
    (|f| f.cut("classifier.weight.bias", 2), "tensor `classifier.weight.bias` has shape [2], expected [3]"),
    (|f| f.tensor("input.zero_point").2 = vec![1, 1], "tensor `input.zero_point` has shape [1, 1], expected [1]"),
    // Of types.
    (|f| f.tensor("input.scale").1 = "I32", "tensor `input.scale` is of type I32, expected F32, F16 or BF16"),
    (|f| f.tensor("input.zero_point").1 = "F32", "tensor `input.zero_point` is of type F32, expected I32"),
    (|f| f.tensor("classifier.weight").1 = "U8", "tensor `classifier.weight` is of type U8, expected I8"),
    (|f| f.tensor("classifier.weight.bias").1 = "U32", "tensor `classifier.weight.bias` is of type U32, expected I32"),
    // Of what is there.
    (|f| f.remove("input.scale"), "there is no tensor `input.scale`"),
    (|f| f.remove("input.zero_point"), "there is no tensor `input.zero_point`"),
    (|f| f.remove("pool.output.scale"), "there is no tensor `pool.output.scale`"),
    (|f| f.remove("separable_7.depthwise.output.zero_point"), "there is no tensor `separable_7.depthwise.output.zero_point`"),
    (|f| f.remove("classifier.weight.scale"), "there is no tensor `classifier.weight.scale`"),
    (|f| f.remove("classifier.weight.bias"), "there is no tensor `classifier.weight.bias`"),
    // Of what is said of it.
    (|f| f.metadata = r#"{"quantization":"int4"}"#, r#"the metadata has quantization = "int4", expected int8"#),
    (|f| f.metadata = r#"{"quantization":""}"#, r#"the metadata has quantization = "", expected int8"#),
    (|f| f.metadata = "{}", "tensor `mobilenet_v1.conv_stem.convolution.weight` is of type I8, expected F32, F16 or BF16"),
];

#[test]
fn attacks_are_refused_by_the_name_of_the_tensor() {
    for (attack, expected) in ATTACKS {
        let mut file = File::int8(NARROWEST);
        attack(&mut file);
        assert_eq!(file.error(), format!("x.safetensors: {expected}"));
    }
}

/// All tensors that the network needs, one by one.
#[test]
fn a_tensor_that_is_missing_is_named() {
    for (name, ..) in File::int8(NARROWEST).tensors {
        let mut file = File::int8(NARROWEST);
        file.remove(&name);
        assert_eq!(
            file.error(),
            format!("x.safetensors: there is no tensor `{name}`")
        );
    }
}

#[test]
fn extreme_weights_are_no_overflow() {
    let mut file = File::int8(NARROWEST);
    for name in [STEM, DEPTHWISE, POINTWISE, DENSE] {
        file.tensor(name).3.fill(0x80);
        let bias = format!("{name}.bias");
        for (i, bias) in file.tensor(&bias).3.chunks_mut(4).enumerate() {
            let extreme = if i % 2 == 0 { i32::MAX } else { i32::MIN };
            bias.copy_from_slice(&(extreme / 2).to_le_bytes());
        }
    }
    assert!(logits(&file.model().unwrap()).iter().all(|x| x.is_finite()));
}

#[test]
fn a_file_of_int8_that_is_cut_off_anywhere_is_refused() {
    let whole = File::int8(NARROWEST).bytes();
    for len in 0..whole.len() {
        let error = model(whole[..len].to_vec()).unwrap_err().to_string();
        assert!(
            error.starts_with("x.safetensors: ") && !error.contains('\n'),
            "{len}: {error}"
        );
    }
}
