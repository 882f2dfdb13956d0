//! The corpus that the fuzzer begins with, `fuzz/corpus/tflite`: valid files, and some that are not. It is made here, and committed.
//!
//! With MOBILENET_WRITE_CORPUS in the environment it is written anew; without, it is compared.

use std::path::Path;

use crate::file::{File, Value, zip};
use crate::samples::{CONV, chain, every_operator, float16};

fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |change: fn(&mut File)| {
        let mut file = every_operator();
        change(&mut file);
        file.bytes()
    };
    let labelled = |deflated| {
        let archive = zip("labels.txt", b"cat\ndog\n", deflated);
        float16().labelled("labels.txt", &archive).bytes()
    };
    let cut = |at: usize| every_operator().bytes()[..at].to_vec();
    vec![
        ("every_operator", every_operator().bytes()),
        ("float16", float16().bytes()),
        ("chain", chain(20).bytes()),
        ("labels_stored", labelled(false)),
        ("labels_deflated", labelled(true)),
        (
            "uint8",
            changed(|f| {
                for tensor in &mut f.subgraphs[0].tensors {
                    if tensor.dtype == crate::file::I8 {
                        tensor.dtype = crate::file::U8;
                        tensor.zero_points.fill(128);
                    }
                }
            }),
        ),
        (
            "behind_the_flatbuffer",
            changed(|f| {
                f.buffers[2].data.clear();
                f.buffers[2].size = 6;
                f.buffers[2].offset = 100;
            }),
        ),
        ("broken_cut", cut(1000)),
        (
            "broken_two_subgraphs",
            changed(|f| f.subgraphs.push(f.subgraphs[0].clone())),
        ),
        ("broken_cycle", changed(|f| f.operator(CONV).inputs[0] = 6)),
        (
            "broken_scale",
            changed(|f| f.tensor(1).scales[0] = f32::NAN),
        ),
        (
            "broken_shape",
            changed(|f| f.tensor(0).shape = vec![i32::MAX; 4]),
        ),
        (
            "broken_custom",
            changed(|f| {
                f.codes[CONV].code = 32;
                f.codes[CONV].custom = Some("Custom".to_owned());
            }),
        ),
        (
            "broken_option",
            changed(|f| f.option(CONV, 1, Value::I32(-1))),
        ),
    ]
}

#[test]
fn the_corpus_is_the_committed_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/tflite");
    let write = std::env::var_os("MOBILENET_WRITE_CORPUS").is_some();
    for (name, bytes) in corpus() {
        let path = folder.join(name);
        if write {
            std::fs::write(&path, &bytes).unwrap();
        }
        let committed = std::fs::read(&path).unwrap();
        assert!(
            committed == bytes,
            "{name} is not what MOBILENET_WRITE_CORPUS=1 writes"
        );
        let valid = mobilenet::weights::tflite::parse(name, &bytes).is_ok();
        assert_eq!(valid, !name.starts_with("broken_"), "{name}");
        // Sums of numbers without axes are no network.
        let engine = mobilenet::Engine::new(1, None).unwrap();
        let options = mobilenet::TfliteOptions::default();
        let model = mobilenet::Model::from_tflite(name, &bytes, engine.kernels(), options);
        assert_eq!(model.is_ok(), valid && name != "chain", "{name}: {model:?}");
    }
}
