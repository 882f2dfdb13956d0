//! The reader of TensorFlow Lite files: what it makes of valid files, and what it says of others.

mod corpus;
mod file;
mod hostile;
mod mobilenet_v1;
mod networks;
mod samples;
mod valid;

use mobilenet::weights::tflite::{Graph, parse};

use self::file::File;

/// What the reader makes of the file.
fn read(bytes: &[u8]) -> Graph<'_> {
    parse("x.tflite", bytes).unwrap()
}

/// What it says of a file that it refuses, without the file's name.
fn refused(bytes: &[u8]) -> String {
    let error = parse("x.tflite", bytes).unwrap_err().to_string();
    let rest = error.strip_prefix("x.tflite: ").expect("it names the file");
    assert!(!rest.contains('\n'), "{rest}");
    rest.to_owned()
}

/// A file with one thing changed.
fn changed(mut file: File, change: impl FnOnce(&mut File)) -> Vec<u8> {
    change(&mut file);
    file.bytes()
}
