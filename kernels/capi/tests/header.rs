//! The committed header is the one that cbindgen makes of the source, the library exports what it declares and nothing else, structs lie
//! in memory as they always have, and pointers are followed in one file.

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

/// What programs were compiled with. A line may be added, and none changed.
#[cfg(target_pointer_width = "64")]
#[test]
fn structs_are_what_they_were() {
    use dwsep_capi::*;
    use std::mem::offset_of;

    macro_rules! layout {
        ($($struct:ident $size:literal { $($field:ident $offset:literal),+ })+) => {$(
            assert_eq!(size_of::<$struct>(), $size, stringify!($struct));
            $(assert_eq!(offset_of!($struct, $field), $offset, stringify!($struct.$field));)+
        )+};
    }
    layout! {
        dwsep_activation 12 { kind 0, lo 4, hi 8 }
        dwsep_shape 32 { n 0, h 8, w 16, c 24 }
        dwsep_strides 24 { n 0, h 8, w 16 }
        dwsep_tensor 48 { data 0, len 8, strides 16, r#type 40, reserved 44 }
        dwsep_tensor_mut 48 { data 0, len 8, strides 16, r#type 40, reserved 44 }
        dwsep_window 40 { stride 0, top 8, bottom 16, left 24, right 32 }
        dwsep_quantization 8 { scale 0, zero_point 4 }
        dwsep_filter_f32 40 { weights 0, weights_len 8, bias 16, bias_len 24, flags 32, reserved 36 }
        dwsep_filter_q8 80 {
            r#type 0, weights_type 4, weights 8, weights_len 16, bias 24, bias_len 32, weight_scales 40, weight_scales_len 48,
            weight_zero_point 56, reserved 60, input 64, output 72
        }
    }
}

#[test]
fn pointers_are_followed_in_one_file() {
    let source = Path::new(CRATE).join("src");
    let mut promises = 0;
    for entry in std::fs::read_dir(source).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.ends_with("boundary.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        for line in text.lines().map(str::trim) {
            let is_promise = line == "let caller = unsafe { Caller::promises() };";
            promises += usize::from(is_promise);
            let is_entry = line == "#[unsafe(no_mangle)]" || line.starts_with("pub unsafe extern");
            let is_comment = line.starts_with("//");
            let found = line.contains("unsafe") && !is_promise && !is_entry && !is_comment;
            assert!(!found, "{}: {line}", path.display());
        }
    }
    assert!(promises > 20, "{promises}");
}
