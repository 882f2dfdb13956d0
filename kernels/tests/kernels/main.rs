//! Every kernel of every table against the references, in trials with names:
//!
//! ```text
//! cargo test -p dwsep --all-features --test kernels                          all
//! cargo test -p dwsep --all-features --test kernels pw_f32_6x16__avx2_fma    one kernel, at all ops that run on it
//! cargo test -p dwsep --all-features --test kernels ::guard                  one kind of trial
//! ```
//!
//! A kernel whose instructions this CPU lacks is shown as ignored. `DWSEP_REQUIRE_ISA=avx2_fma` (a list with commas is allowed) makes that a
//! failure. `PROPTEST_CASES` and `DWSEP_TEST_CASES` set the number of random problems a kernel (the former wins). Where the latter is less than
//! 64, the other trials have fewer problems, too: for emulators. `DWSEP_FAIL_FAST=1` ends the program at the first failure, whose problem is
//! not shrunk: for cargo mutants, which asks no more than whether there is one.
//!
//! A failed trial prints the problem as a literal, which can be pasted into `regressions` below.

use std::process::ExitCode;

use dwsep::testing::{AnyKernel, Failure, Gaps, Memory, Op, Problem, Values, problems};
use dwsep::{Activation, Isa, Nhwc, Padding, Stride};
use libtest_mimic::{Arguments, Failed, Trial};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

#[path = "../common/mod.rs"]
mod common;
mod special_values;
mod worst_case;

use common::{few_cases, test_cases};
use special_values::nan;
use worst_case::worst_case;

type Outcome = Result<(), Failed>;

type Run = fn(AnyKernel) -> Outcome;

const TRIALS: [(&str, Run); 7] = [
    ("random", random),
    ("boundaries", boundaries),
    ("worst_case", worst_case),
    ("nan", nan),
    ("strides", strides),
    ("guard", guard),
    ("regressions", regressions),
];

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Relu,
    Activation::Relu6,
    Activation::HardSwish,
    Activation::Clamp { lo: -0.25, hi: 0.5 },
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var("DWSEP_REQUIRE_ISA").unwrap_or_default();
    let required = match parse(&required) {
        Ok(isas) => isas,
        Err(error) => {
            eprintln!("DWSEP_REQUIRE_ISA: {error}");
            return ExitCode::FAILURE;
        }
    };
    if fail_fast() {
        std::panic::set_hook(Box::new(|panic| leave(&panic.to_string())));
    }
    let mut trials = Vec::new();
    for &isa in &required {
        trials.push(Trial::test(format!("required::{isa}"), move || {
            required_isa(isa)
        }));
    }
    for kernel in AnyKernel::all() {
        let (isa, name) = (kernel.isa(), kernel.name());
        let ignored = !isa.is_available() && !required.contains(&isa);
        for (trial, run) in TRIALS {
            let has_any = match trial {
                "regressions" => once_broken().iter().any(|(_, p)| p.op == kernel.op()),
                // Integers have none.
                "nan" => matches!(kernel, AnyKernel::F32(_)),
                _ => true,
            };
            if !has_any {
                continue;
            }
            let trial = Trial::test(format!("{name}::{trial}"), move || first(run(kernel)));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn fail_fast() -> bool {
    std::env::var_os("DWSEP_FAIL_FAST").is_some_and(|value| value == "1")
}

/// Ends the program, whose other trials go on in threads of their own.
fn leave(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(101)
}

/// What a trial came to, if others are to follow it.
fn first(outcome: Outcome) -> Outcome {
    if let (true, Err(failed)) = (fail_fast(), &outcome) {
        leave(failed.message().unwrap_or("a trial has failed"));
    }
    outcome
}

fn parse(list: &str) -> dwsep::Result<Vec<Isa>> {
    let names = list.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::parse)
        .collect()
}

/// It can be run, and no table lacks it that it has anything for: f32 or, on tiers that bring nothing else, 8-bit integers.
fn required_isa(isa: Isa) -> Outcome {
    if !isa.is_available() {
        return Err(format!("{isa} is required, and this CPU or this build cannot run it").into());
    }
    let integers_only = matches!(
        isa,
        Isa::AvxVnni | Isa::Avx512Vnni | Isa::NeonDotprod | Isa::NeonI8mm
    );
    for dtype in ["f32", "qs8", "qu8"] {
        let rows = || AnyKernel::all().filter(|k| k.isa() == isa && k.dtype() == dtype);
        if rows().next().is_none() && (dtype == "f32") == integers_only {
            continue;
        }
        for op in Op::ALL {
            if !rows().any(|kernel| kernel.op() == op) {
                let error =
                    format!("{isa} is required, and {op:?} of {dtype} has no kernel for it");
                return Err(error.into());
            }
        }
    }
    Ok(())
}

fn failed(problem: &Problem, failure: &Failure) -> Failed {
    format!("{failure}\n{problem:?}").into()
}

fn check(kernel: AnyKernel, problem: Problem) -> Outcome {
    kernel.check(&problem).map_err(|f| failed(&problem, &f))
}

/// Of problems that are counted, those to check: all or, where few are asked for, every seventh. None of the loops that make them
/// has a length with that factor, so that all values of each dimension are met.
fn is_chosen(count: usize) -> Result<bool, String> {
    Ok(!few_cases()? || count.is_multiple_of(7))
}

/// Random problems of all kinds, shrunk.
fn random(kernel: AnyKernel) -> Outcome {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if fail_fast() {
        config.max_shrink_iters = 0;
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        // AArch64 may be an emulator.
        let usual = if cfg!(target_arch = "aarch64") {
            64
        } else {
            256
        };
        config.cases = test_cases()?.unwrap_or(usual);
    }
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&problems(kernel.op()), |problem| {
        let outcome = kernel.check(&problem);
        outcome.map_err(|f| TestCaseError::fail(f.to_string()))
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, problem) => format!("{reason}\n{problem:?}").into(),
        TestError::Abort(reason) => reason.message().into(),
    })
}

/// Sizes around a tile of `t`: one less, exactly, one more, twice and one, and a prime beyond.
fn around(t: usize) -> Vec<usize> {
    let prime = |x: &usize| {
        (2..*x)
            .take_while(|d| d * d <= *x)
            .all(|d| !x.is_multiple_of(d))
    };
    let beyond = (2 * t + 2..).find(prime).expect("there is always one");
    let mut sizes = vec![t - 1, t, t + 1, 2 * t + 1, beyond];
    sizes.retain(|&size| size > 0);
    sizes.dedup();
    sizes
}

/// The same pixels as a row, a column, a batch of single pixels, or a batch of images.
fn shapes(m: usize, c: usize) -> [Nhwc; 4] {
    let n = if m.is_multiple_of(2) { 2 } else { 1 };
    [
        Nhwc::new(1, 1, m, c),
        Nhwc::new(1, m, 1, c),
        Nhwc::new(m, 1, 1, c),
        Nhwc::new(n, m / n, 1, c),
    ]
}

/// Sides of 0 to 4, another combination for each `i`.
fn padding(i: usize) -> Padding {
    Padding {
        top: i % 5,
        bottom: i / 5 % 5,
        left: i / 25 % 5,
        right: i / 125 % 5,
    }
}

/// What varies while the sizes do: `i` counts problems.
fn vary(i: usize, problem: Problem) -> Problem {
    let residual = problem.op == Op::Pointwise && i % 3 == 1;
    Problem {
        activation: ACTIVATIONS[i % 5],
        depthwise_activation: ACTIVATIONS[i / 5 % 5],
        residual,
        seed: i as u64,
        ..problem
    }
}

/// Every dimension around its tile, together with every other.
fn boundaries(kernel: AnyKernel) -> Outcome {
    let (op, (mr, nr), ct) = (kernel.op(), kernel.tile(), kernel.channel_tile());
    let mut count = 0;
    let mut next = |problem: Problem| {
        count += 1;
        if is_chosen(count)? {
            check(kernel, vary(count, problem).fit())?;
        }
        Ok(())
    };
    match op {
        Op::Pointwise => {
            let mut i = 0;
            for m in around(mr).into_iter().chain([1, 2]) {
                for c_out in around(nr).into_iter().chain([1]) {
                    for k in (1..=9).chain([13, 17]) {
                        i += 1;
                        next(Problem::new(op, shapes(m, k)[i % 4], c_out))?;
                    }
                }
            }
            // A single pixel meets several panels at a time.
            for panels in 1..=13 {
                for c_out in [panels * nr - 1, panels * nr, panels * nr + 1] {
                    next(Problem::new(op, Nhwc::new(1, 1, 1, 5), c_out))?;
                }
            }
            // Weights larger than a cache: the other order of loops.
            next(Problem::new(op, Nhwc::new(1, 1, 2 * mr + 1, 521), 131))
        }
        Op::Depthwise => {
            // Outputs: patches are of at most 3 x 4, borders run by four.
            let sizes = [1, 2, 3, 4, 5, 7, 9, 11];
            // Half a vector of channels: two pixels in one.
            for c in around(ct).into_iter().chain([1, ct.div_ceil(2)]) {
                for (h, w) in sizes.into_iter().flat_map(|h| sizes.map(|w| (h, w))) {
                    for stride in [Stride::One, Stride::Two] {
                        // An input without padding that has h x w outputs; then padding on top.
                        let (ih, iw) = ((h - 1) * stride.get() + 3, (w - 1) * stride.get() + 3);
                        let padding = padding((h * 97 + w * 13 + c) % 625);
                        let problem = Problem {
                            stride,
                            padding,
                            ..Problem::new(op, Nhwc::new(1, ih, iw, c), c)
                        };
                        next(problem)?;
                    }
                }
            }
            paddings(op, ct + 1, ct + 1, &mut next)
        }
        Op::Conv3x3 => {
            for w in around(mr) {
                for (c_out, c) in around(nr)
                    .into_iter()
                    .flat_map(|c_out| [1, 3, 4, 5].map(|c| (c_out, c)))
                {
                    for (stride, tall) in [(Stride::One, false), (Stride::Two, true)] {
                        let long = (w - 1) * stride.get() + 3;
                        let (h, w) = if tall { (long, 3) } else { (3, long) };
                        let problem = Problem {
                            stride,
                            padding: padding((w * 97 + c_out * 13 + c) % 625),
                            ..Problem::new(op, Nhwc::new(1, h, w, c), c_out)
                        };
                        next(problem)?;
                    }
                }
            }
            paddings(op, 2, 3, &mut next)
        }
        Op::Separable => {
            for c in around(ct) {
                for c_out in around(nr) {
                    for (w, stride) in [(mr - 1, Stride::One), (mr + 1, Stride::Two)] {
                        let problem = Problem {
                            stride,
                            padding: padding((w * 97 + c_out * 13 + c) % 625),
                            ..Problem::new(op, Nhwc::new(2, 4, w.max(1), c), c_out)
                        };
                        next(problem)?;
                    }
                }
            }
            // More rows than a strip holds, of two images.
            let problem = Problem::new(op, Nhwc::new(2, 13, 98, 96), 3);
            next(problem)?;
            paddings(op, 2, 3, &mut next)
        }
    }
}

/// Every padding of 0 to 4 on each side, around inputs down to a single pixel.
fn paddings(op: Op, c: usize, c_out: usize, next: &mut impl FnMut(Problem) -> Outcome) -> Outcome {
    for i in 0..625 {
        let (h, w) = [(1, 1), (1, 4), (5, 1), (2, 3), (4, 5)][i % 5];
        let stride = [Stride::One, Stride::Two][i / 5 % 2];
        for (h, w, stride) in [(h, w, stride), (3, 3, Stride::One), (3, 3, Stride::Two)] {
            let problem = Problem {
                stride,
                padding: padding(i),
                ..Problem::new(op, Nhwc::new(1, h, w, c), c_out)
            };
            next(problem)?;
        }
    }
    Ok(())
}

/// A problem of middling size, with a border, an interior and tails.
fn middling(kernel: AnyKernel) -> Problem {
    let ((mr, nr), ct) = (kernel.tile(), kernel.channel_tile());
    let (op, c) = (kernel.op(), if ct > 1 { 2 * ct + 1 } else { 7 });
    let problem = match op {
        Op::Pointwise => Problem::new(op, Nhwc::new(2, 2, mr + 1, 3 * c), 2 * nr + 1),
        Op::Depthwise => Problem::new(op, Nhwc::new(2, 7, 8, c), c),
        Op::Conv3x3 => Problem::new(op, Nhwc::new(1, 6, mr + 3, 3), nr + 1),
        Op::Separable => Problem::new(op, Nhwc::new(2, 5, 6, c), nr + 1),
    };
    Problem {
        padding: Padding::symmetric(1),
        ..problem
    }
}

/// Views with gaps: of which nothing is written, and nothing gets into the result.
fn strides(kernel: AnyKernel) -> Outcome {
    let middling = middling(kernel);
    let (c, half) = (middling.input.c, kernel.channel_tile().div_ceil(2).max(1));
    let some = [(0, 0, 0), (0, 0, 3), (0, 5, 0), (7, 0, 0), (7, 5, 3)];
    let gaps = some.map(|(n, h, w)| Gaps { n, h, w });
    let shapes = [
        middling.input,
        Nhwc::new(2, 1, 5, c),
        Nhwc::new(3, 4, 1, c),
        Nhwc::new(3, 1, 1, c),
        Nhwc::new(1, 1, 1, c),
        Nhwc::new(1, 4, 7, half),
    ];
    let mut count = 0;
    for input in shapes {
        for (i, (input_gaps, output_gaps)) in gaps
            .into_iter()
            .flat_map(|i| gaps.map(|o| (i, o)))
            .enumerate()
        {
            for stride in [Stride::One, Stride::Two] {
                count += 1;
                if !is_chosen(count)? {
                    continue;
                }
                let problem = Problem {
                    input,
                    c_out: if kernel.op() == Op::Depthwise {
                        input.c
                    } else {
                        middling.c_out
                    },
                    stride,
                    input_gaps,
                    output_gaps,
                    residual_gaps: gaps[i * 2 % 5],
                    ..middling
                };
                check(kernel, vary(i, problem))?;
                let wild = Problem {
                    wild_strides: true,
                    padding: padding(i * 101 % 625),
                    ..problem
                };
                check(kernel, vary(i, wild).fit())?;
            }
        }
    }
    Ok(())
}

/// Operands against pages without access, on either side.
fn guard(kernel: AnyKernel) -> Outcome {
    let ((mr, nr), ct) = (kernel.tile(), kernel.channel_tile());
    let op = kernel.op();
    let channels = match op {
        Op::Pointwise => vec![1, 3, 4, 5, 8, 9],
        Op::Conv3x3 => vec![1, 2, 3, 4],
        Op::Depthwise | Op::Separable => (1..=2 * ct + 1).collect(),
    };
    let pixels = match op {
        Op::Pointwise => vec![(1, 1), (1, mr), (mr + 1, 1), (2, mr - 1)],
        _ => vec![(1, 1), (3, 3), (4, 7), (6, 5)],
    };
    let c_outs = match op {
        Op::Depthwise => vec![1],
        Op::Separable => vec![nr - 1, nr + 1],
        Op::Pointwise | Op::Conv3x3 => (1..=nr + 1).collect(),
    };
    let mut i = 0;
    for c in channels {
        for (at, &c_out) in c_outs.iter().enumerate() {
            // Two of the four, others next time.
            for (h, w) in [pixels[(c + at) % 4], pixels[(c + at + 1) % 4]] {
                for memory in [Memory::GuardBefore, Memory::GuardAfter] {
                    i += 1;
                    if !is_chosen(i)? {
                        continue;
                    }
                    let gap = Gaps {
                        w: usize::from(i % 3 == 1),
                        ..Gaps::default()
                    };
                    let problem = Problem {
                        memory,
                        padding: if op == Op::Pointwise || i % 2 == 0 {
                            Padding::NONE
                        } else {
                            Padding::symmetric(1)
                        },
                        stride: [Stride::One, Stride::Two][i / 2 % 2],
                        input_gaps: gap,
                        residual_gaps: gap,
                        output_gaps: gap,
                        ..Problem::new(op, Nhwc::new(1 + i % 2, h, w, c), c_out)
                    };
                    check(kernel, vary(i, problem).fit())?;
                }
            }
        }
    }
    Ok(())
}

/// Problems that once failed, by what broke.
fn regressions(kernel: AnyKernel) -> Outcome {
    for (name, problem) in once_broken() {
        if problem.op == kernel.op() {
            check(kernel, problem).map_err(|f| format!("{name}: {}", f.message().unwrap_or("")))?;
        }
    }
    Ok(())
}

fn once_broken() -> Vec<(&'static str, Problem)> {
    let mut problems = Vec::new();
    // A stride that is never taken was multiplied all the same, and the product overflowed.
    for op in [Op::Depthwise, Op::Conv3x3, Op::Separable] {
        for input in [Nhwc::new(1, 1, 4, 3), Nhwc::new(1, 4, 1, 3)] {
            for padding in [Padding::symmetric(1), Padding::symmetric(6)] {
                let problem = Problem {
                    stride: Stride::Two,
                    padding,
                    wild_strides: true,
                    ..Problem::new(op, input, 3)
                };
                problems.push(("stride_never_taken_overflows", problem));
            }
        }
    }
    problems
}
