//! Weight files that are damaged, incomplete or of another network: an error that names the file, the tensor and both numbers.

use std::path::Path;

use mobilenet::dwsep::{Activation, Nhwc};
use mobilenet::models::mobilenet_v1::{V1Config, tensor_shapes};
use mobilenet::weights::{Safetensors, Seeded, Weights};
use mobilenet::{Engine, Error, Model};

mod corpus;
mod file;
mod hostile;
mod int8;

use file::{ALPHA, File, join, seeded};

const STEM: &str = "mobilenet_v1.conv_stem.convolution.weight";

/// The error for these bytes as a file.
fn refused(bytes: Vec<u8>) -> String {
    Safetensors::from_bytes("x.safetensors", bytes)
        .unwrap_err()
        .to_string()
}

fn logits(model: &Model) -> Vec<f32> {
    let engine = Engine::new(1, None).unwrap();
    let shape = Nhwc::new(1, 32, 32, 3);
    let input = Seeded::input(1, shape).unwrap();
    model
        .session(shape, 1)
        .unwrap()
        .run(&engine, input.view())
        .unwrap()
        .to_vec()
}

#[test]
fn a_file_is_the_network_that_its_shapes_and_metadata_say() {
    let (config, weights) = seeded(ALPHA);
    let engine = Engine::new(1, None).unwrap();
    let expected = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    let mut file = File::v1();
    let model = file.model().unwrap();
    assert_eq!((model.name(), model.classes()), ("mobilenet_v1_0.05", 3));
    assert_eq!(model.default_resolution(), 224);
    assert_eq!(logits(&model), logits(&expected));

    file.metadata = r#"{"activation":"relu","image_size":"160"}"#;
    let model = file.model().unwrap();
    assert_eq!(model.default_resolution(), 160);
    let relu = V1Config {
        activation: Activation::Relu,
        ..config
    };
    let expected = Model::mobilenet_v1(&relu, &weights, engine.kernels()).unwrap();
    assert_eq!(logits(&model), logits(&expected));

    file.metadata = r#"{"activation":"swish"}"#;
    assert_eq!(
        file.error(),
        r#"x.safetensors: the metadata has activation = "swish", expected relu6 or relu"#
    );
    file.metadata = r#"{"image_size":"-1"}"#;
    assert_eq!(
        file.error(),
        r#"x.safetensors: the metadata has image_size = "-1", expected a positive number of pixels"#
    );
}

#[test]
fn half_precision_is_converted() {
    // 1, -2, the largest f16, the smallest subnormal f16, infinity; and a bf16 of each sign.
    let header = r#"{"h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},
        "b":{"dtype":"BF16","shape":[1,2],"data_offsets":[10,14]}}"#;
    let halves = [0x3C00_u16, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x3F80, 0xC049];
    let data: Vec<u8> = halves.iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = Safetensors::from_bytes("x", join(header, &data)).unwrap();
    assert_eq!(
        file.values("h").unwrap()[..],
        [1.0, -2.0, 65504.0, 2.0_f32.powi(-24), f32::INFINITY]
    );
    assert_eq!(file.values("b").unwrap()[..], [1.0, -3.140625]);
    assert_eq!(file.shape("b").unwrap(), [1, 2]);

    let model = File::v1().with_bf16("classifier.weight").model().unwrap();
    let (half, full) = (logits(&model), logits(&File::v1().model().unwrap()));
    for (half, full) in half.iter().zip(&full) {
        assert!(half != full && (half - full).abs() < 0.1, "{half} {full}");
    }
}

#[test]
fn nan_weights_are_allowed_and_propagate() {
    let mut file = File::v1();
    file.tensor("classifier.bias").3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let found = logits(&file.model().unwrap());
    assert!(found[0].is_nan() && found[1].is_finite() && found[2].is_finite());

    let mut file = File::v1();
    file.tensor(STEM).3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(logits(&file.model().unwrap()).iter().all(|x| x.is_nan()));
}

#[test]
fn tensors_that_are_missing_or_of_another_shape_or_type_are_named() {
    for (name, _) in tensor_shapes(&seeded(ALPHA).0).unwrap() {
        let mut file = File::v1();
        file.remove(&name);
        assert_eq!(
            file.error(),
            format!("x.safetensors: there is no tensor `{name}`")
        );

        let mut file = File::v1();
        let shape = file.tensor(&name).2.clone();
        file.tensor(&name).2 = [&[1, 1, 1], &shape[..]].concat();
        let error = file.error();
        assert!(error.starts_with(&format!(
            "x.safetensors: tensor `{name}` has shape [1, 1, 1, "
        )));
        assert!(error.contains(", expected ["), "{error}");

        let mut file = File::v1();
        file.tensor(&name).1 = "I32";
        assert_eq!(
            file.error(),
            format!("x.safetensors: tensor `{name}` is of type I32, expected F32, F16 or BF16")
        );
    }

    let mut file = File::v1();
    file.tensor(STEM).2 = vec![3, 3, 3, 8];
    assert_eq!(
        file.error(),
        format!("x.safetensors: tensor `{STEM}` has shape [3, 3, 3, 8], expected [8, 3, 3, 3]")
    );
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let whole = File::v1().bytes();
    let header = File::v1().header().len();
    assert_eq!(
        refused(Vec::new()),
        "x.safetensors: not a safetensors file: it has 0 bytes, the length of the header alone takes 8"
    );
    assert_eq!(
        refused(whole[..100].to_vec()),
        format!(
            "x.safetensors: the header is said to have {header} bytes, but only 92 bytes follow"
        )
    );
    let data = whole.len() - 8 - header;
    assert_eq!(
        refused(whole[..whole.len() - 1].to_vec()),
        format!(
            "x.safetensors: there are {} bytes of data, expected {data}",
            data - 1
        )
    );
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(
        refused(longer),
        format!(
            "x.safetensors: there are {} bytes of data, expected {data}",
            data + 1
        )
    );
    for len in (0..whole.len()).step_by(997) {
        refused(whole[..len].to_vec());
    }
}

/// Not by numbers that their bytes happen to be.
#[test]
fn other_formats_are_told_by_what_they_are() {
    assert_eq!(
        refused(b"\x1c\0\0\0TFL3 and so on".to_vec()),
        "x.safetensors: a TensorFlow Lite file, expected weights in a safetensors file"
    );
    assert_eq!(
        refused(b"\x89PNG\r\n\x1a\n....".to_vec()),
        "x.safetensors: not a safetensors file: it begins with \"\\x89PNG\\r\\n\\x1a\\n\", expected the length of a header of at most \
         100000000 bytes"
    );
}

#[test]
fn files_that_are_not_there_are_named() {
    let engine = Engine::new(1, None).unwrap();
    let path = Path::new("no/such/file.safetensors");
    let error = Model::load(path, &engine).unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(
        error.to_string().starts_with("no/such/file.safetensors: "),
        "{error}"
    );
    assert!(matches!(
        Model::load(Path::new("."), &engine),
        Err(Error::Read { .. })
    ));
}
