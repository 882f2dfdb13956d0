//! `mobilenet run`

use std::fs;
use std::path::Path;

use mobilenet::dwsep::{Isa, Nhwc};
use mobilenet::weights::Seeded;
use mobilenet::{Engine, Model, Tensor};

use crate::{Files, error, run, stdout};

fn npy(descr: &str, fortran_order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}\n");
    let len = u16::try_from(dict.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", &len[..], dict.as_bytes(), data].concat()
}

/// The header's text and the elements of a file that the program wrote.
fn read_npy(path: impl AsRef<Path>) -> (String, Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\0");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(end % 64, 0);
    let data = bytes[end..]
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes(x.try_into().unwrap()));
    (
        String::from_utf8(bytes[10..end].to_vec())
            .unwrap()
            .trim_end()
            .to_owned(),
        data.collect(),
    )
}

fn input(shape: Nhwc) -> (Tensor, Vec<u8>) {
    let tensor = Seeded::input(3, shape).unwrap();
    let bytes: Vec<u8> = tensor.data().iter().flat_map(|x| x.to_le_bytes()).collect();
    let Nhwc { n, h, w, c } = shape;
    (
        tensor,
        npy("<f4", "False", &format!("({n}, {h}, {w}, {c})"), &bytes),
    )
}

#[test]
fn run_computes_what_the_library_computes() {
    let files = Files::new();
    let model = files.model(11);
    let shape = Nhwc::new(2, 33, 47, 3);
    let (tensor, bytes) = input(shape);
    let (x, y, layers) = (
        files.write("x.npy", bytes),
        files.path("y.npy"),
        files.path("new/layers"),
    );

    let engine = Engine::new(1, None).unwrap();
    let network = Model::load(Path::new(&model), &engine).unwrap();
    let mut session = network.session(shape, 1).unwrap();
    let mut outputs = Vec::new();
    let expected = session
        .run_with(&engine, tensor.view(), &mut |layer| {
            let Nhwc { n, h, w, c } = layer.output.shape();
            outputs.push((layer.name.to_owned(), [n, h, w, c], layer.real()));
        })
        .unwrap()
        .to_vec();

    for threads in ["1", "3"] {
        let arguments = [
            "run",
            "--input",
            &x,
            "--output",
            &y,
            "--model",
            &model,
            "--threads",
            threads,
            "--layers",
            &layers,
        ];
        assert_eq!(stdout(&run(arguments)), "");
        let (header, logits) = read_npy(&y);
        assert_eq!(
            header,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 11), }"
        );
        assert_eq!(logits, expected);
        assert_eq!(files.names("new/layers").len(), outputs.len());
        for (i, (name, [n, h, w, c], data)) in outputs.iter().enumerate() {
            let (header, found) = read_npy(format!("{layers}/{i:02}_{name}.npy"));
            assert!(
                header.contains(&format!("'shape': ({n}, {h}, {w}, {c})")),
                "{name}: {header}"
            );
            assert_eq!(found, *data, "{name}");
        }
    }
    // Every tier that this machine has; those that round alike give the same bits.
    for isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let arguments = [
            "run",
            "--input",
            &x,
            "--output",
            &y,
            "--model",
            &model,
            "--isa",
            isa.name(),
        ];
        assert_eq!(stdout(&run(arguments)), "");
        let logits = read_npy(&y).1;
        let largest = expected.iter().fold(0_f32, |most, x| most.max(x.abs()));
        assert!(
            logits
                .iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() <= 1e-4 * largest),
            "{isa}"
        );
    }
    assert_eq!(
        files.names("."),
        ["model.safetensors", "new", "x.npy", "y.npy"]
    );
}

#[test]
fn run_refuses_other_tensors_and_writes_nothing() {
    let files = Files::new();
    let model = files.model(5);
    let y = files.write("y.npy", "what was there before");
    let pixels = [0; 4 * 2 * 2 * 3];
    for (bytes, expected) in [
        (b"no tensor at all".to_vec(), "not a .npy file"),
        (Vec::new(), "not a .npy file"),
        (
            npy("<f8", "False", "(1, 2, 2, 3)", &pixels),
            "the type is '<f8', expected '<f4' (little-endian f32)",
        ),
        (
            npy(">f4", "False", "(1, 2, 2, 3)", &pixels),
            "the type is '>f4', expected '<f4' (little-endian f32)",
        ),
        (
            npy("<f4", "True", "(1, 2, 2, 3)", &pixels),
            "the order is Fortran, expected C",
        ),
        (
            npy("<f4", "False", "(2, 2, 3)", &pixels),
            "the shape is [2, 2, 3], expected [N, H, W, 3]",
        ),
        (
            npy("<f4", "False", "(1, 2, 6, 1)", &pixels),
            "the shape is [1, 2, 6, 1], expected [N, H, W, 3]",
        ),
        (
            npy("<f4", "False", "(1, 2, 3, 3)", &pixels),
            "48 bytes of data, expected 72 for shape (1, 2, 3, 3)",
        ),
        (
            npy("<f4", "False", "(1, 1, 2, 3)", &pixels),
            "more data than the 24 bytes of shape (1, 1, 2, 3)",
        ),
        (
            npy("<f4", "False", "(1, 0, 2, 3)", &[]),
            "tensor: h is 0, expected at least 1",
        ),
        (
            npy("<f4", "False", "(4294967296, 4294967296, 4, 3)", &pixels),
            "the size in bytes of shape (4294967296, 4294967296, 4, 3) overflows the address space",
        ),
        (
            npy("<f4", "False", "(1, 1099511627776, 2, 3)", &pixels),
            "48 bytes of data, expected 26388279066624 for shape (1, 1099511627776, 2, 3)",
        ),
    ] {
        let x = files.write("x.npy", bytes);
        let line = error(&run([
            "run", "--input", &x, "--output", &y, "--model", &model,
        ]));
        assert_eq!(line, format!("{x}: {expected}"));
        assert_eq!(fs::read_to_string(&y).unwrap(), "what was there before");
        assert_eq!(files.names("."), ["model.safetensors", "x.npy", "y.npy"]);
    }
}

#[test]
fn run_names_files_that_cannot_be_read_or_written() {
    let files = Files::new();
    let model = files.model(5);
    let (x, y) = (
        files.write("x.npy", input(Nhwc::new(1, 32, 32, 3)).1),
        files.path("y.npy"),
    );
    let missing = files.path("missing");
    let line = error(&run([
        "run", "--input", &missing, "--output", &y, "--model", &model,
    ]));
    assert!(line.starts_with(&format!("{missing}: ")), "{line}");
    let line = error(&run([
        "run", "--input", &x, "--output", &y, "--model", &missing,
    ]));
    assert!(line.starts_with(&format!("{missing}: ")), "{line}");
    let nowhere = files.path("missing/y.npy");
    let line = error(&run([
        "run", "--input", &x, "--output", &nowhere, "--model", &model,
    ]));
    assert!(
        line.starts_with(&format!("{nowhere}: cannot be written: ")),
        "{line}"
    );
    // A file where the folder for the layers should be.
    let line = error(&run([
        "run", "--input", &x, "--output", &y, "--model", &model, "--layers", &x,
    ]));
    assert!(
        line.starts_with(&format!("{x}: the folder cannot be made: ")),
        "{line}"
    );
    assert_eq!(files.names("."), ["model.safetensors", "x.npy"]);
}

#[test]
fn broken_weights_are_named() {
    let files = Files::new();
    let whole = fs::read(files.model(5)).unwrap();
    let (x, y) = (
        files.write("x.npy", input(Nhwc::new(1, 32, 32, 3)).1),
        files.path("y.npy"),
    );
    let header_bomb = [&(1_u64 << 60).to_le_bytes()[..], b"{}"].concat();
    for bytes in [
        &b""[..],
        b"short",
        &header_bomb,
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
    ] {
        let model = files.write("broken.safetensors", bytes);
        let line = error(&run([
            "run", "--input", &x, "--output", &y, "--model", &model,
        ]));
        assert!(line.starts_with(&format!("{model}: ")), "{line}");
    }
    assert!(!Path::new(&y).exists());
}
