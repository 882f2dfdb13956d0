//! The committed header is the one that cbindgen makes of the source, and the library exports what it declares and nothing else.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

fn committed() -> PathBuf {
    Path::new(CRATE).join("include/dwsep.h")
}

fn made() -> String {
    let config = cbindgen::Config::from_root_or_default(CRATE);
    let bindings = cbindgen::Builder::new()
        .with_crate(CRATE)
        .with_config(config)
        .generate()
        .expect("bindings of this crate");
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("a text");
    // What is said to Rust programmers alone.
    text.replace(" *\n * # Safety\n * As the header says.\n", "")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let made = made();
    if std::env::var_os("DWSEP_WRITE_HEADER").is_some() {
        std::fs::write(committed(), &made).expect("the header can be written");
    }
    let found = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        found == made,
        "include/dwsep.h is not what cbindgen makes; write it by DWSEP_WRITE_HEADER=1 cargo test -p dwsep-capi --test header\n{}",
        first_difference(&found, &made)
    );
}

fn first_difference(found: &str, expected: &str) -> String {
    let mut lines = found.lines().zip(expected.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((i, (a, b))) => format!("line {}:\n- {a}\n+ {b}", i + 1),
        None => "one is longer".into(),
    }
}
