//! Which kernels run: what the CPU has, what a program asks for, and what `DWSEP_ISA` allows. The environment is that of a process, so each
//! case is a child process: this very program, told to run [`child`] alone.
//!
//! Where the program does not run by itself, `DWSEP_TEST_RUNNER` holds what to put in front of it, as in
//! `DWSEP_TEST_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"`. Cargo's variable for the same purpose, if set, does as well.

use std::process::Command;

use dwsep::{F32, Isa, KernelInfo, KernelSet, Qs8, Qu8, Scheme, kernels};

const RUNNERS: [&str; 2] = [
    "DWSEP_TEST_RUNNER",
    if cfg!(target_arch = "aarch64") {
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER"
    } else {
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"
    },
];

/// Prints what the parent wants to know. By itself it is not a test.
#[test]
#[ignore = "run by the tests of this file, each in an environment of its own"]
fn child() {
    let describe = |set: dwsep::Result<KernelSet>| match set {
        Ok(set) => format!(
            "{} {} {} {}",
            set.isa(),
            names::<F32>(set),
            names::<Qs8>(set),
            names::<Qu8>(set)
        ),
        Err(error) => format!("{error:?} | {error}"),
    };
    println!("\n> native: {}", describe(KernelSet::native()));
    for &isa in Isa::ALL {
        println!("> up_to {isa}: {}", describe(KernelSet::up_to(isa)));
    }
}

fn names<S: Scheme>(set: KernelSet) -> String {
    let (pw, dw) = (set.pointwise::<S>(), set.depthwise::<S>());
    format!("{} {}", pw.name(), dw.name())
}

/// What the child says with `DWSEP_ISA` set so, or unset: native's line, then that of `up_to` for each of `Isa::ALL`.
fn ask(dwsep_isa: Option<&str>) -> Vec<String> {
    let program = std::env::current_exe().expect("this program");
    let runner = RUNNERS.iter().find_map(|name| std::env::var(name).ok());
    let mut words = runner.as_deref().unwrap_or("").split_whitespace();
    let mut command = match words.next() {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args([
            "child",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env_remove("DWSEP_ISA");
    if let Some(name) = dwsep_isa {
        command.env("DWSEP_ISA", name);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!(
            "{command:?}: {error}; set {} if it needs a runner",
            RUNNERS[0]
        ),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("> ")?.split_once(": "))
        .map(|(_, answer)| answer.to_string())
        .collect();
    assert_eq!(lines.len(), 1 + Isa::ALL.len(), "{said}");
    lines
}

fn is_unavailable(answer: &str, isa: Isa) -> bool {
    answer.starts_with(&format!("IsaUnavailable {{ isa: {isa:?} }} | {isa}: "))
}

/// The best of those ISAs up to `isa` that this CPU has which bring a kernel of `dtype`: some are for integers or for floats alone.
fn tier(isa: Isa, dtype: &str) -> Isa {
    let of_integers = [
        Isa::AvxVnni,
        Isa::Avx512Vnni,
        Isa::NeonDotprod,
        Isa::NeonI8mm,
    ];
    let brings = |tier: Isa| match dtype {
        "f32" => !of_integers.contains(&tier),
        _ => tier != Isa::Avx512,
    };
    let mut tiers = Isa::ALL.iter().rev().copied();
    tiers
        .find(|&tier| tier <= isa && brings(tier) && tier.is_available())
        .expect("scalar brings all kernels")
}

/// The answer names `isa` and kernels of it, which are not those for tests.
fn is_of(answer: &str, isa: Isa) -> bool {
    let words: Vec<_> = answer.split(' ').collect();
    let kernels = ["f32", "qs8", "qu8"].into_iter().flat_map(|dtype| {
        let tier = tier(isa, dtype);
        let end = format!("__{tier}");
        // Below a cap, machines whose cores are all in order have this instead of `neon`, which computes the same.
        let or_end = if tier == Isa::Neon && isa != tier {
            format!("__{}", Isa::NeonInOrder)
        } else {
            end.clone()
        };
        ["pw", "dw3x3"].map(|op| (format!("{op}_{dtype}_"), [end.clone(), or_end.clone()]))
    });
    words[0] == isa.name()
        && words.len() == 7
        && words[1..].iter().zip(kernels).all(|(name, (start, ends))| {
            name.starts_with(&start) && ends.iter().any(|end| name.ends_with(end))
        })
        && !answer.contains("_3x5__")
        && !answer.contains("_3c__")
}

#[test]
fn without_a_cap_the_best_is_native() {
    let answers = ask(None);
    assert!(is_of(&answers[0], Isa::best()), "{answers:?}");
    for (answer, &isa) in answers[1..].iter().zip(Isa::ALL) {
        if isa.is_available() {
            assert!(is_of(answer, isa), "{isa}: {answer}");
        } else {
            assert!(is_unavailable(answer, isa), "{isa}: {answer}");
        }
    }
}

/// Every ISA as a cap: it lowers what is above, and leaves what is below.
#[test]
fn a_cap_only_lowers() {
    for &cap in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        let answers = ask(Some(cap.name()));
        assert!(is_of(&answers[0], cap), "{cap}: {answers:?}");
        for (answer, &isa) in answers[1..].iter().zip(Isa::ALL) {
            if isa.is_available() {
                assert!(is_of(answer, isa.min(cap)), "{isa} under {cap}: {answer}");
            } else {
                // A cap does not make it right to ask for what there is not.
                assert!(is_unavailable(answer, isa), "{isa} under {cap}: {answer}");
            }
        }
    }
}

#[test]
fn a_cap_that_this_cpu_lacks_is_an_error() {
    let lacking: Vec<_> = Isa::ALL.iter().filter(|isa| !isa.is_available()).collect();
    assert!(!lacking.is_empty(), "no CPU has both AVX2 and NEON");
    for &isa in lacking {
        let answers = ask(Some(isa.name()));
        assert!(is_unavailable(&answers[0], isa), "{isa}: {answers:?}");
        // Whatever the program asks for.
        for (answer, &asked) in answers[1..].iter().zip(Isa::ALL) {
            let blamed = is_unavailable(answer, isa) || is_unavailable(answer, asked);
            assert!(blamed, "{asked} under {isa}: {answer}");
        }
        // It says what there is instead.
        let available = answers[0].rsplit_once(": ").expect("a message").1;
        assert!(available.contains(Isa::best().name()), "{available}");
        assert!(available.contains("scalar"), "{available}");
    }
}

#[test]
fn an_unknown_cap_is_an_error() {
    for name in ["avx9", "", "AVX2_FMA", " scalar", "scalar,neon"] {
        for answer in ask(Some(name)) {
            let error = format!("UnknownIsa {{ name: {name:?} }} | ");
            assert!(answer.starts_with(&error), "{name:?}: {answer}");
            for isa in Isa::ALL {
                assert!(answer.contains(isa.name()), "{name:?}: {answer}");
            }
        }
    }
}

/// In this process, whatever its environment: kernels can be run only where they are available.
#[test]
fn tables_hold_what_their_names_say() {
    let names = dwsep::kernels().map(|kernel| {
        assert!(kernel.name().ends_with(&format!("__{}", kernel.isa())));
        kernel.name()
    });
    let mut names: Vec<_> = names.collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two kernels of one name");
}

/// Whatever the depth, a kernel of the set; and for floats always the same.
#[test]
fn the_depth_chooses_among_the_kernels_of_a_set() {
    fn of<S: Scheme>(set: &KernelSet, depth: usize) -> (&'static str, Isa) {
        let kernel = set.pointwise_for::<S>(depth);
        (kernel.name(), kernel.isa())
    }
    for set in Isa::ALL.iter().flat_map(|&isa| KernelSet::up_to(isa)) {
        for depth in [0, 1, 27, 63, 64, 1000, usize::MAX] {
            assert_eq!(of::<F32>(&set, depth).0, set.pointwise::<F32>().name());
            assert_eq!(of::<Qs8>(&set, depth).1, set.pointwise::<Qs8>().isa());
            assert_eq!(of::<Qu8>(&set, depth).1, set.pointwise::<Qu8>().isa());
        }
        if set.isa() == Isa::Avx2Fma {
            assert_eq!(of::<Qs8>(&set, 27).0, "pw_qs8_6x16__avx2_fma");
            assert_eq!(of::<Qs8>(&set, 512).0, "pw_qs8_4x16__avx2_fma");
        }
    }
}

#[test]
fn every_kernel_is_listed_once() {
    let mut names: Vec<_> = kernels().map(|kernel| kernel.name()).collect();
    let len = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), len);
    for dtype in ["f32", "qs8", "qu8"] {
        for op in ["pointwise", "depthwise"] {
            let scalar = |kernel: &KernelInfo| {
                (kernel.op(), kernel.dtype(), kernel.isa()) == (op, dtype, Isa::Scalar)
            };
            assert!(kernels().any(|kernel| scalar(&kernel)), "{op} {dtype}");
        }
    }
}

#[test]
fn every_available_kernel_passes_its_self_check() {
    for kernel in kernels().filter(KernelInfo::is_available) {
        assert_eq!(kernel.self_check(), Ok(()), "{}", kernel.name());
    }
}
