//! The committed header is the one that cbindgen makes of the source, and the library exports what it declares and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use object::Object;

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

/// Names of functions that the header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let code = header.lines().filter(|line| !line.starts_with([' ', '/']));
    code.filter_map(|line| {
        let before = &line[..line.find('(')?];
        let name = &before[before.rfind(|c| !is_name(c))? + 1..];
        name.starts_with("dwsep_").then(|| name.to_owned())
    })
    .collect()
}

/// The shared library that Cargo has built beside this program.
#[cfg(unix)]
#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let this = std::env::current_exe().expect("this program");
    let name = format!("libdwsep_capi{}", std::env::consts::DLL_SUFFIX);
    let path = this.parent().expect("its folder").join(name);
    let data = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = object::File::parse(&*data).expect("a library");
    let exports = file.exports().expect("a table of symbols");
    let exported: BTreeSet<String> = exports
        .iter()
        .map(|export| String::from_utf8_lossy(export.name()).into_owned())
        // Mach-O has one in front of every name of C.
        .map(|name| {
            name.strip_prefix("_dwsep")
                .map_or(name.clone(), |rest| format!("dwsep{rest}"))
        })
        .collect();
    let header = std::fs::read_to_string(committed()).expect("the header");
    let declared = declared(&header);
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(exported, declared);
}
