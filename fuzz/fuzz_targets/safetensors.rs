//! The reader of safetensors files, of f32 and of int8: no input makes it panic or take memory out of proportion, a refusal is one line,
//! and a network that it accepts can be run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mobilenet::weights::Safetensors;
use mobilenet::{Engine, Model, Result};
use mobilenet_fuzz::{ENGINES, refused, run_alike, within};

/// Bytes held while a network is built, for each byte of the file: the tensors' header as its parts, weights as they are converted, folded
/// and packed, in panels of which most columns may be empty.
const FACTOR: usize = 64;
const FIXED: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    let read = |engine: &Engine| -> Result<Model> {
        let file = Safetensors::from_bytes("x", bytes)?;
        Model::from_safetensors(&file, engine.kernels())
    };
    let mut models = Vec::new();
    for engine in ENGINES.iter() {
        match within(FACTOR * bytes.len() + FIXED, || read(engine)) {
            Ok(model) => models.push((engine, model)),
            Err(error) => return refused(&error),
        }
    }
    run_alike(&models);
});
