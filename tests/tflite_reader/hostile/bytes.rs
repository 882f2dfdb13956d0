//! Files in which bytes are missing, changed, or used more than once.

use mobilenet::weights::tflite::parse;

use crate::samples::every_operator;
use crate::{changed, refused};

#[test]
fn other_formats() {
    assert_eq!(
        refused(b""),
        "not a TensorFlow Lite file: it has 0 bytes, the identifier alone ends with byte 8"
    );
    assert_eq!(
        refused(b"\x89PNG\r\n\x1a\n...."),
        "not a TensorFlow Lite file: bytes 5 to 8 are \"\\r\\n\\x1a\\n\", expected \"TFL3\""
    );
    let bytes = changed(every_operator(), |_| ());
    assert_eq!(
        refused(&[&bytes[..4], b"TFL2", &bytes[8..]].concat()),
        "not a TensorFlow Lite file: bytes 5 to 8 are \"TFL2\", expected \"TFL3\""
    );
}

/// The builder writes from the end, so what is missing of a file that is cut was written first.
#[test]
fn cut_at_every_length() {
    let bytes = every_operator().bytes();
    for len in 0..bytes.len() {
        let error = refused(&bytes[..len]);
        if len >= 8 {
            assert!(
                error.contains(&format!("the file has {len}"))
                    || error.contains("out of the file")
                    || error.contains(&format!("its {len} bytes"))
                    || error.contains(&format!("which {len} bytes cannot hold")),
                "{len}: {error}"
            );
        }
    }
}

/// A length or an offset in the flatbuffer leads beyond its end: the way there, and the tensor whose data it is.
#[test]
fn vectors_beyond_the_end() {
    let data = [3_u8; 12];
    let mut file = every_operator();
    file.buffers[2].data = data.to_vec();
    let bytes = file.bytes();
    let at = bytes.windows(12).position(|window| window == data).unwrap();
    for len in [u32::MAX, i32::MAX as u32, bytes.len() as u32] {
        let mut bytes = bytes.clone();
        bytes[at - 4..at].copy_from_slice(&len.to_le_bytes());
        assert_eq!(
            refused(&bytes),
            format!(
                "buffers[2].data, the data of tensor 4 `weights`: bytes {at} to {} are needed, the file has {}",
                at + len as usize,
                bytes.len()
            )
        );
    }
    let name = bytes
        .windows(9)
        .position(|window| window == b"\x04\0\0\0bias\0")
        .unwrap();
    let mut bytes = bytes.clone();
    bytes[name + 3] = 0x7f;
    let error = refused(&bytes);
    assert!(
        error.starts_with("subgraphs[0].tensors[5].name: bytes "),
        "{error}"
    );
}

#[test]
fn text_that_is_not_utf8() {
    let mut bytes = every_operator().bytes();
    let name = bytes
        .windows(9)
        .position(|window| window == b"\x04\0\0\0bias\0")
        .unwrap();
    let name = name + 4;
    bytes[name] = 0xff;
    assert_eq!(
        refused(&bytes),
        format!(
            "subgraphs[0].tensors[5].name: the text of bytes {name} to {} is not UTF-8",
            name + 4
        )
    );
}

/// Every byte in turn: one bit after the other, and all of them. Nothing panics, and an error is one line.
#[test]
fn flipped_bits() {
    let archive = crate::file::zip("labels.txt", b"cat\ndog\n", false);
    let bytes = every_operator().labelled("labels.txt", &archive).bytes();
    let (mut accepted, mut rejected) = (0, 0);
    for position in 0..bytes.len() {
        for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[position] ^= mask;
            match parse("x.tflite", &bytes) {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'), "{error}");
                    rejected += 1;
                }
            }
        }
    }
    assert!(
        accepted > 0 && rejected > accepted / 4,
        "{accepted} accepted, {rejected} rejected"
    );
}

/// Tables that contain each other would be read for ever.
#[test]
fn a_table_within_itself() {
    // A vector of subgraphs, whose only element is the offset back to the root: its fields are no subgraph's.
    let mut bytes = Vec::new();
    for word in [20_u32, u32::from_le_bytes(*b"TFL3")] {
        bytes.extend(word.to_le_bytes());
    }
    // vtable at 8: 12 bytes; table of 12 bytes; version at 4; no codes; subgraphs at 8.
    for half in [12_u16, 12, 4, 0, 8, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for word in [12_u32, 3, 4, 1, 0_u32.wrapping_sub(16)] {
        bytes.extend(word.to_le_bytes());
    }
    let error = refused(&bytes);
    assert!(error.starts_with("subgraphs[0]"), "{error}");
}
