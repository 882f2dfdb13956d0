//! The examples, compiled by the system's compilers against the static and the shared library, with and without sanitizers, and run; what they
//! print is compared. And the header by itself, in several languages.
//!
//! Where a compiler (or its sanitizers) is missing, trials are shown as ignored. `DWSEP_REQUIRE_CC=1` makes that a failure. Tests that run
//! under an emulator take the cross compiler that Cargo links with, and no sanitizer.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use dwsep::Isa;
use libtest_mimic::{Arguments, Failed, Trial};

/// Checksums that examples/separable.c prints where multiply and add are fused, and where they are not.
const FUSED: &str = "checksum 3024a3fa310eaeff";
const UNFUSED: &str = "checksum c1b6c689398603c9";

/// Checks that examples/raii.cpp makes.
const CHECKS: usize = 15;

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
const SANITIZERS: &str = "-fsanitize=address,undefined";

/// With a library of that name, sanitized or not.
type Test = fn(&str, bool) -> Result<(), Failed>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Cxx,
}

/// Linker and runner as Cargo has them where the tests are for another machine.
fn cross(what: &str) -> Option<String> {
    let target = if cfg!(target_arch = "aarch64") {
        "AARCH64"
    } else {
        "X86_64"
    };
    std::env::var(format!("CARGO_TARGET_{target}_UNKNOWN_LINUX_GNU_{what}")).ok()
}

fn compiler(language: Language) -> String {
    match (language, cross("LINKER")) {
        (Language::C, Some(linker)) => linker,
        (Language::Cxx, Some(linker)) => linker.replace("gcc", "g++"),
        (Language::C, None) => "cc".into(),
        (Language::Cxx, None) => "c++".into(),
    }
}

fn program(path: &Path) -> Command {
    let runner = cross("RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        None => Command::new(path),
        Some(runner) => {
            let mut command = Command::new(runner);
            command.args(words).arg(path);
            command
        }
    }
}

/// What it prints.
fn run(command: &mut Command) -> Result<String, Failed> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        Ok(stdout)
    } else {
        let stderr = String::from_utf8_lossy(&stderr);
        Err(format!("{command:?}: {status}\n{stdout}{stderr}").into())
    }
}

fn compile(language: Language, standard: &str) -> Command {
    let mut command = Command::new(compiler(language));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    command
        .arg(format!("-std={standard}"))
        .args(WARNINGS)
        .args(["-O1", "-g"])
        .arg("-I")
        .arg(root.join("include"));
    command
}

/// Whether there is a compiler that knows these options.
fn is_there(language: Language, options: &[&str]) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join(match language {
        Language::C => "probe.c",
        Language::Cxx => "probe.cpp",
    });
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("a file");
    let mut command = Command::new(compiler(language));
    command
        .args(options)
        .arg(&source)
        .arg("-o")
        .arg(folder.path().join("probe"));
    run(&mut command).is_ok()
}

/// The library that Cargo has built beside this program.
fn library(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this program");
    this.parent().expect("its folder").join(name)
}

/// An example, compiled into `folder`.
fn example(
    folder: &Path,
    language: Language,
    library_name: &str,
    sanitize: bool,
) -> Result<PathBuf, Failed> {
    let (source, standard) = match language {
        Language::C => ("separable.c", "c11"),
        Language::Cxx => ("raii.cpp", "c++17"),
    };
    let library = library(library_name);
    if !library.exists() {
        return Err(format!("{} was not built", library.display()).into());
    }
    let path = folder.join("example");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = compile(language, standard);
    if sanitize {
        command.args([SANITIZERS, "-fno-sanitize-recover=all"]);
    }
    command
        .arg(root.join("examples").join(source))
        .arg("-o")
        .arg(&path)
        .arg(&library)
        .args(["-lpthread", "-ldl", "-lm"]);
    run(&mut command)?;
    Ok(path)
}

fn expect(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) {
        return Ok(());
    }
    Err(format!("expected {part:?} in\n{text}").into())
}

/// The C example, up to every instruction set, on several numbers of threads.
fn separable(library: &str, sanitize: bool) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = example(folder.path(), Language::C, library, sanitize)?;
    for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let expected = if isa.fuses() { FUSED } else { UNFUSED };
        for threads in ["1", "3", "17"] {
            let mut command = program(&path);
            // A cap would lower what is asked for.
            command.args([threads, isa.name()]).env_remove("DWSEP_ISA");
            let said = run(&mut command)?;
            expect(&said, &format!("up to {isa}\n"))?;
            expect(&said, "equal bits")?;
            expect(&said, expected)?;
        }
    }
    // As it is told by the environment; and what it does with a name that is none.
    expect(&run(&mut program(&path))?, "equal bits")?;
    match run(program(&path).args(["1", "avx9"])) {
        Ok(said) => Err(format!("avx9 is accepted:\n{said}").into()),
        Err(said) => expect(
            said.message().unwrap_or_default(),
            "unknown instruction set (unknown instruction set \"avx9\"",
        ),
    }
}

/// The C++ example.
fn raii(library: &str, sanitize: bool) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = example(folder.path(), Language::Cxx, library, sanitize)?;
    let said = run(&mut program(&path))?;
    let checks = said.lines().filter(|line| line.starts_with("ok ")).count();
    if checks != CHECKS || said.contains("FAILED") {
        return Err(format!("{checks} checks of {CHECKS} hold:\n{said}").into());
    }
    Ok(())
}

/// The header compiles alone, twice in a file.
fn header(language: Language, standard: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join(match language {
        Language::C => "header.c",
        Language::Cxx => "header.cpp",
    });
    let text = "#include \"dwsep.h\"\n#include \"dwsep.h\"\nint main(void) { return dwsep_abi_version() != DWSEP_ABI_VERSION; }\n";
    std::fs::write(&source, text)?;
    let mut command = compile(language, standard);
    command.args(["-Wundef", "-fsyntax-only"]).arg(&source);
    run(&mut command).map(|_| ())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A cross compiler for C is there, or Cargo could not link; one for C++ need not be.
    let required = std::env::var_os("DWSEP_REQUIRE_CC").is_some() && cross("LINKER").is_none();
    let emulated = cross("RUNNER").is_some();
    let mut trials = Vec::new();
    for language in [Language::C, Language::Cxx] {
        let (name, test, standards): (_, Test, _) = match language {
            Language::C => ("separable", separable, ["c99", "c11"]),
            Language::Cxx => ("raii", raii, ["c++11", "c++17"]),
        };
        let there = is_there(language, &[]);
        for standard in standards {
            let trial = Trial::test(format!("header::{standard}"), move || {
                header(language, standard)
            });
            trials.push(trial.with_ignored_flag(!there && !required));
        }
        for (how, sanitize) in [("plain", false), ("sanitized", true)] {
            let there = there && (!sanitize || !emulated && is_there(language, &[SANITIZERS]));
            for (library, file) in [
                ("static", "libdwsep_capi.a"),
                ("shared", "libdwsep_capi.so"),
            ] {
                let trial = Trial::test(format!("{name}::{library}::{how}"), move || {
                    test(file, sanitize)
                });
                trials.push(trial.with_ignored_flag(!there && !required));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
