//! The corpus that the fuzzer begins with, `fuzz/corpus/safetensors`. It is made here, and committed.
//!
//! With MOBILENET_WRITE_CORPUS in the environment it is written anew; without, it is compared.

use std::path::Path;

use crate::file::{File, NARROWEST, join};

fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let mut bf16 = File::of(NARROWEST).with_bf16("classifier.weight");
    bf16.metadata = r#"{"activation":"relu","image_size":"32"}"#;
    let int8 = File::int8(NARROWEST);
    let mut scale = int8.clone();
    scale.tensor("input.scale").3.fill(0);
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    vec![
        ("f32", File::of(NARROWEST).bytes()),
        ("bf16", bf16.bytes()),
        ("int8", int8.bytes()),
        ("broken_cut", int8.bytes()[..5000].to_vec()),
        ("broken_scale", scale.bytes()),
        ("broken_small", join(header, &[0; 8])),
    ]
}

#[test]
fn the_corpus_is_the_committed_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/safetensors");
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
        let valid = crate::file::model(bytes).is_ok();
        assert_eq!(valid, !name.starts_with("broken_"), "{name}");
    }
}
