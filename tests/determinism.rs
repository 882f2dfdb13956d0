//! The bits of the logits depend on the weights and the input alone: not on threads, and on the instruction set only in whether
//! it fuses multiply and add.

use mobilenet::dwsep::{Isa, Nhwc};
use mobilenet::models::mobilenet_v1::V1Config;
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model, Tensor};

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
    values
        .iter()
        .flat_map(|&x| {
            if x == 0.0 {
                [0; 4]
            } else {
                x.to_bits().to_le_bytes()
            }
        })
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
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
