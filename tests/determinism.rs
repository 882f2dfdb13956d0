//! The bits of the logits depend on the weights and the input alone: not on threads, and on the instruction set only in whether
//! it fuses multiply and add, and that for f32 alone.

use mobilenet::dwsep::{Isa, Nhwc, View};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::Seeded;
use mobilenet::{AnyView, DType, Engine, Model, Tensor, TfliteOptions};

/// FNV-1a over the little-endian bits of the logits of [`network`], -0.0 taken as 0.0. Recorded on x86-64 with AVX2 and FMA;
/// NEON has to give the same, and so has any machine to come.
const FUSED: u64 = 0x36ed_d7dc_d98f_f534;
/// The same without fused multiply-add.
const UNFUSED: u64 = 0x5d48_6102_2acb_bc8e;

/// A small network with everything in it: odd sizes, both strides, layers of fewer pixels than a tile has rows.
fn network(engine: &Engine) -> (Model, Tensor) {
    let config = V1Config {
        alpha: 0.25,
        classes: 1001,
        ..V1Config::default()
    };
    let weights = Seeded::new(11, &config).unwrap();
    let model = Model::mobilenet_v1(&config, &weights, engine.kernels()).unwrap();
    (model, Seeded::input(11, Nhwc::new(1, 35, 32, 3)).unwrap())
}

fn checksum(values: &[f32]) -> u64 {
    fnv1a(values.iter().flat_map(|&x| {
        if x == 0.0 {
            [0; 4]
        } else {
            x.to_bits().to_le_bytes()
        }
    }))
}

fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    (bytes.into_iter()).fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[test]
fn the_logits_are_the_recorded_ones_on_every_instruction_set() {
    for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let engine = Engine::new(1, Some(isa)).unwrap();
        let (model, input) = network(&engine);
        let mut session = model.session(input.shape(), 1).unwrap();
        let found = checksum(session.run(&engine, input.view()).unwrap());
        // Not `isa`: DWSEP_ISA may have lowered it.
        let isa = engine.kernels().isa();
        let expected = if isa.fuses() { FUSED } else { UNFUSED };
        assert_eq!(
            found, expected,
            "{isa}: {found:#018x}, expected {expected:#018x}"
        );
    }
}

#[test]
fn threads_do_not_change_a_bit_of_any_layer() {
    let serial = Engine::new(1, None).unwrap();
    let (model, input) = network(&serial);
    // Two images, the second another: threads may split the batch.
    let shape = Nhwc {
        n: 2,
        ..input.shape()
    };
    let mut images = input.into_data();
    images.extend(images.clone().into_iter().rev());
    let input = Tensor::new(shape, images).unwrap();

    let run = |engine: &Engine, planned: usize| {
        let mut layers = Vec::new();
        let mut session = model.session(shape, planned).unwrap();
        session
            .run_with(engine, input.view(), &mut |layer| {
                let bits: Vec<u32> = layer.real().iter().map(|x| x.to_bits()).collect();
                layers.push((layer.name.to_owned(), bits));
            })
            .unwrap();
        layers
    };
    let expected = run(&serial, 1);
    for threads in 2..=4 {
        let engine = Engine::new(threads, None).unwrap();
        for planned in [threads, 4] {
            for (found, expected) in run(&engine, planned).iter().zip(&expected) {
                assert!(
                    found == expected,
                    "{}: {threads} threads, planned {planned}",
                    found.0
                );
            }
        }
    }
    // Fewer threads than planned.
    assert!(run(&serial, 4) == expected);
}

/// A network of integers, the size of its inputs, and the FNV-1a of what all its layers give, recorded with the kernels `scalar` on one
/// thread.
struct Integers {
    name: &'static str,
    load: fn(&Engine) -> Model,
    input: Option<(usize, usize)>,
    recorded: u64,
}

const INTEGERS: [Integers; 3] = [
    // An odd size, so that the last row and column of a layer are not like the others.
    Integers {
        name: "the embedded network",
        load: |engine| Model::embedded_int8(engine).unwrap(),
        input: Some((67, 64)),
        recorded: 0xce4e_2e44_4ebc_a634,
    },
    Integers {
        name: "MobileNetV2 in int8",
        load: |engine| tflite(include_bytes!("golden/tflite/v2_int8.tflite"), engine),
        input: None,
        recorded: 0xf74c_5a35_a6da_a700,
    },
    Integers {
        name: "MobileNetV2 in uint8, per tensor",
        load: |engine| tflite(include_bytes!("golden/tflite/old_v2_uint8.tflite"), engine),
        input: None,
        recorded: 0x91b2_c984_a04d_e6a1,
    },
];

fn tflite(bytes: &[u8], engine: &Engine) -> Model {
    Model::from_tflite("x", bytes, engine.kernels(), TfliteOptions::default()).unwrap()
}

/// The checksum of all layers, the last included, and which kernels gave it.
fn integers(network: &Integers, isa: Option<Isa>, threads: usize) -> (u64, Isa) {
    let engine = Engine::new(threads, isa).unwrap();
    let model = (network.load)(&engine);
    let mut shape = model.default_input();
    if let Some((h, w)) = network.input {
        shape = Nhwc { h, w, ..shape };
    }
    let pixels = Seeded::input(5, shape).unwrap().into_data();
    let bytes: Vec<u8> = (pixels.iter())
        .map(|x| ((x + 1.0) * 127.5).round() as u8)
        .collect();
    let signed: Vec<i8> = bytes.iter().map(|x| (x ^ 0x80) as i8).collect();
    let input = match model.input_format().dtype() {
        DType::F32 => AnyView::F32(View::new(&pixels, shape).unwrap()),
        DType::I8 => AnyView::I8(View::new(&signed, shape).unwrap()),
        DType::U8 => AnyView::U8(View::new(&bytes, shape).unwrap()),
    };
    let mut layers = Vec::new();
    let mut session = model.session(shape, threads).unwrap();
    session
        .run_any_with(&engine, input, &mut |layer| match layer.output {
            AnyView::F32(_) => panic!("{} is in f32", layer.name),
            any => {
                let signed = any.elements::<i8>().unwrap_or_default();
                layers.extend(signed.into_iter().map(|x| x as u8));
                layers.extend(any.elements::<u8>().unwrap_or_default());
            }
        })
        .unwrap();
    (fnv1a(layers), engine.kernels().isa())
}

#[test]
fn integers_are_the_recorded_ones_on_every_instruction_set_and_any_number_of_threads() {
    for network in &INTEGERS {
        let isas = Isa::ALL.iter().copied().map(Some).chain([None]);
        for isa in isas.filter(|isa| isa.is_none_or(Isa::is_available)) {
            for threads in 1..=3 {
                let (found, isa) = integers(network, isa, threads);
                assert_eq!(
                    found, network.recorded,
                    "{}, {isa}, {threads} threads: {found:#018x}, expected {:#018x}",
                    network.name, network.recorded
                );
            }
        }
    }
}
