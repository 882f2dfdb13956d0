//! The same bits from any executor, any number of threads, any split of the rows, fused or not.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use dwsep::testing::{
    AnyKernel, Failure, Gaps, How, Kernel, Memory, Op, Operands, Problem, Tested, Values,
};
use dwsep::{
    Activation, DwKernel, Error, Executor, Nhwc, Padding, PwKernel, Rayon, Serial, Stride,
};

mod common;

/// All that this CPU runs or, where few cases are asked for, the best of each op and type: one driver serves them all.
fn available() -> impl Iterator<Item = AnyKernel> {
    let all = AnyKernel::all().filter(|kernel| kernel.isa().is_available());
    let all: Vec<_> = all.collect();
    let few = common::few_cases().expect("DWSEP_TEST_CASES");
    let same = |a: &AnyKernel, b: &AnyKernel| a.op() == b.op() && a.dtype() == b.dtype();
    let count = all.len();
    let if_chosen = move |i: usize| {
        let is_best = !all[..i].iter().any(|kernel| same(kernel, &all[i]));
        (!few || is_best).then_some(all[i])
    };
    (0..count).filter_map(if_chosen)
}

/// Whether threads have memory of their own: for what is between two ops, or for rows in the form that integers are multiplied in.
fn takes_workspace(kernel: AnyKernel) -> bool {
    match kernel.op() {
        Op::Separable => true,
        Op::Depthwise => false,
        Op::Pointwise | Op::Conv3x3 => !matches!(kernel, AnyKernel::F32(_)),
    }
}

/// Large enough to be cut into several parts: by rows, by output channels, and across images.
fn large(kernel: AnyKernel) -> Vec<Problem> {
    let op = kernel.op();
    let new = |n, h, w, c, c_out| Problem {
        values: Values::Wide,
        padding: Padding::symmetric(1),
        memory: Memory::GuardAfter,
        ..Problem::new(op, Nhwc::new(n, h, w, c), c_out)
    };
    let gaps = Gaps { n: 3, h: 2, w: 1 };
    match op {
        Op::Pointwise => vec![
            new(1, 24, 24, 32, 40),
            Problem {
                residual: true,
                activation: Activation::Relu6,
                ..new(1, 1, 3, 512, 500)
            },
            Problem {
                input_gaps: gaps,
                output_gaps: gaps,
                ..new(3, 13, 9, 40, 50)
            },
        ],
        Op::Depthwise => vec![
            new(2, 33, 31, 41, 41),
            Problem {
                stride: Stride::Two,
                output_gaps: gaps,
                ..new(1, 70, 65, 37, 37)
            },
        ],
        Op::Conv3x3 => vec![
            Problem {
                stride: Stride::Two,
                padding: Padding::same(65, 64, Stride::Two),
                ..new(1, 65, 64, 3, 33)
            },
            new(2, 23, 22, 3, 33),
        ],
        Op::Separable => vec![
            new(2, 17, 19, 24, 33),
            // Several strips an image.
            Problem {
                stride: Stride::Two,
                output_gaps: gaps,
                depthwise_activation: Activation::Relu6,
                ..new(1, 40, 80, 160, 9)
            },
            // Weights that do not stay in cache: by rows on two threads, the ops apart on more.
            new(1, 12, 11, 256, 260),
            // And apart for a batch.
            Problem {
                output_gaps: gaps,
                ..new(2, 3, 4, 256, 260)
            },
        ],
    }
}

fn serial(problem: &Problem, kernel: AnyKernel) -> Vec<u8> {
    let output = kernel.run_on(problem, How::On(&Serial));
    output.unwrap_or_else(|f| panic!("{}: {f}\n{problem:?}", kernel.name()))
}

/// Runs in each of the ways and compares with one thread.
fn same_bits<'a>(
    kernel: AnyKernel,
    problem: &Problem,
    hows: impl Iterator<Item = (String, How<'a>)>,
) {
    let expected = serial(problem, kernel);
    for (name, how) in hows {
        match kernel.run_on(problem, how) {
            Ok(found) => assert!(
                found == expected,
                "{}, {name}: other bits\n{problem:?}",
                kernel.name()
            ),
            Err(failure) => panic!("{}, {name}: {failure}\n{problem:?}", kernel.name()),
        }
    }
}

#[test]
fn one_to_four_threads() {
    let pools = [1, 2, 3, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads")
    });
    let executors = pools.each_ref().map(Rayon);
    for kernel in available() {
        for problem in large(kernel) {
            let hows = executors.iter().map(|executor| {
                let name = format!("{} threads", executor.threads());
                (name, How::On(executor as &dyn Executor))
            });
            same_bits(kernel, &problem, hows);
        }
    }
}

/// Every row alone, and every way of cutting into two and into three.
#[test]
fn every_row_split() {
    for kernel in available() {
        let (op, c) = (kernel.op(), 5);
        for (n, h, stride) in [
            (1, 9, Stride::One),
            (2, 5, Stride::One),
            (3, 6, Stride::Two),
        ] {
            let [none, images, all] =
                [(0, 0), (2, 0), (2, 2)].map(|(n, gap)| Gaps { n, h: gap, w: gap });
            // Images apart that become one matrix of pixels, of which a range of rows may have two.
            for (input_gaps, output_gaps) in [(none, none), (all, all), (images, none)] {
                let problem = Problem {
                    stride,
                    values: Values::Wide,
                    padding: Padding::same(h, 7, stride),
                    residual: op == Op::Pointwise,
                    input_gaps,
                    output_gaps,
                    ..Problem::new(op, Nhwc::new(n, h, 7, c), 11)
                };
                let rows = problem.output().n * problem.output().h;
                let mut splits = vec![(1..rows).collect::<Vec<_>>()];
                splits.extend((1..rows).map(|cut| vec![cut]));
                splits.extend((1..rows).flat_map(|a| (a + 1..rows).map(move |b| vec![a, b])));
                let hows = splits
                    .iter()
                    .map(|cuts| (format!("cut at {cuts:?}"), How::Rows(cuts)));
                same_bits(kernel, &problem, hows);
            }
        }
    }
}

#[test]
fn row_splits_of_large_outputs() {
    for kernel in available() {
        for problem in large(kernel) {
            let rows = problem.output().n * problem.output().h;
            let splits = [1, 2, 3, 7].map(|step| (step..rows).step_by(step).collect::<Vec<_>>());
            let hows = splits
                .iter()
                .map(|cuts| (format!("cut at {cuts:?}"), How::Rows(cuts)));
            same_bits(kernel, &problem, hows);
        }
    }
}

/// The fused op against its two halves, one after the other.
#[test]
fn fused_or_not() {
    for kernel in available() {
        match kernel {
            AnyKernel::F32(Kernel::Separable(dw, pw)) => fused_is_apart(kernel, dw, pw),
            AnyKernel::Qs8(Kernel::Separable(dw, pw)) => fused_is_apart(kernel, dw, pw),
            AnyKernel::Qu8(Kernel::Separable(dw, pw)) => fused_is_apart(kernel, dw, pw),
            _ => {}
        }
    }
}

fn fused_is_apart<S: Tested>(
    kernel: AnyKernel,
    dw: &'static DwKernel<S>,
    pw: &'static PwKernel<S>,
) {
    for fused in large(kernel) {
        for activation in [Activation::None, Activation::Relu6, Activation::HardSwish] {
            let fused = Problem {
                activation,
                depthwise_activation: activation,
                ..fused
            };
            let operands: Operands<S> = fused.operands();
            let [depthwise, pointwise] = fused.halves();
            let serial = How::On(&Serial);
            let first = operands.depthwise_half();
            let between = depthwise.run_on(Kernel::Depthwise(dw), &first, serial);
            let second = Operands {
                input: between.expect("depthwise"),
                ..operands.clone()
            };
            let apart = pointwise.run_on(Kernel::Pointwise(pw), &second, serial);
            let together = fused.run_on(Kernel::Separable(dw, pw), &operands, serial);
            let [apart, together] = [apart, together].map(|found| found.expect("runs"));
            assert!(
                bytemuck::cast_slice::<_, u8>(&apart) == bytemuck::cast_slice::<_, u8>(&together),
                "{}\n{fused:?}",
                kernel.name()
            );
        }
    }
}

/// Says one thing and does another.
#[derive(Debug)]
struct Hostile {
    says: usize,
    calls: usize,
    at_once: bool,
}

impl Executor for Hostile {
    fn threads(&self) -> usize {
        self.says
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        if self.at_once {
            let start = Barrier::new(self.calls);
            std::thread::scope(|scope| {
                for _ in 0..self.calls {
                    scope.spawn(|| {
                        start.wait();
                        work();
                    });
                }
            });
        } else {
            (0..self.calls).for_each(|_| work());
        }
    }
}

#[test]
fn executors_that_call_too_often_or_never() {
    let executors = [
        (0, 9, true),
        (1, 0, false),
        (2, 0, false),
        (2, 1, false),
        (2, 9, false),
        (3, 9, true),
        (64, 9, true),
    ];
    let executors = executors.map(|(says, calls, at_once)| Hostile {
        says,
        calls,
        at_once,
    });
    for kernel in available() {
        for problem in large(kernel) {
            let hows = executors
                .iter()
                .map(|e| (format!("{e:?}"), How::On(e as &dyn Executor)));
            same_bits(kernel, &problem, hows);
        }
    }
}

/// Nine calls at once of an executor that says two: seven of them have no workspace, and must not take any. Large enough that the
/// first two are still at work when the others come.
#[test]
fn calls_beyond_the_workspace_take_none() {
    let executor = Hostile {
        says: 2,
        calls: 9,
        at_once: true,
    };
    for kernel in available().filter(|&kernel| takes_workspace(kernel)) {
        let c = if kernel.op() == Op::Conv3x3 { 7 } else { 64 };
        let problem = Problem {
            padding: Padding::symmetric(1),
            memory: Memory::GuardAfter,
            ..Problem::new(kernel.op(), Nhwc::new(1, 64, 64, c), 63)
        };
        let hows = (0..3).map(|time| (format!("time {time}"), How::On(&executor as &dyn Executor)));
        same_bits(kernel, &problem, hows);
    }
}

/// As many threads as a number can say: an op without a workspace computes, one with a workspace asks for more than there is.
#[test]
fn an_executor_of_endless_threads() {
    let endless = Hostile {
        says: usize::MAX,
        calls: 2,
        at_once: true,
    };
    for kernel in available() {
        let problem = large(kernel)[0];
        if takes_workspace(kernel) {
            match kernel {
                AnyKernel::F32(inner) => asks_for_more(inner, &problem, &endless),
                AnyKernel::Qs8(inner) => asks_for_more(inner, &problem, &endless),
                AnyKernel::Qu8(inner) => asks_for_more(inner, &problem, &endless),
            }
        } else {
            let how = How::On(&endless);
            same_bits(kernel, &problem, [("endless".to_string(), how)].into_iter());
        }
    }
}

/// Without workspace there is an error, and nothing is written.
fn asks_for_more<S: Tested>(kernel: Kernel<S>, problem: &Problem, endless: &Hostile) {
    let operands = problem.operands::<S>();
    let op = problem.any_op(kernel, &operands).expect("valid");
    let mut output: Vec<S::Elem> = {
        let len = op.output_shape().len("output").expect("valid");
        vec![bytemuck::Zeroable::zeroed(); len]
    };
    let error = op.run(
        endless,
        dwsep::View::new(&operands.input, problem.input).expect("valid"),
        None,
        dwsep::ViewMut::new(&mut output, problem.output()).expect("valid"),
        &mut [0; 1 << 16],
    );
    assert!(
        matches!(error, Err(Error::WorkspaceTooSmall { .. })),
        "{}: {error:?}",
        kernel.name()
    );
    assert!(
        bytemuck::cast_slice::<_, u8>(&output)
            .iter()
            .all(|&x| x == 0)
    );
}

/// Another number of threads each time it is asked.
struct Fickle {
    asked: AtomicUsize,
}

impl Executor for Fickle {
    fn threads(&self) -> usize {
        [2, 7, 1, 0, 3, usize::MAX][self.asked.fetch_add(1, Ordering::Relaxed) % 6]
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(work);
            }
        });
    }
}

/// Either the right bits or an error; never a byte beside the workspace, which is against a guard page.
#[test]
fn an_executor_that_cannot_make_up_its_mind() {
    for kernel in available() {
        let problem = large(kernel)[0];
        let expected = serial(&problem, kernel);
        let mut computed = 0;
        for start in [0, 1, 2, 3, 4] {
            let asked = AtomicUsize::new(start);
            match kernel.run_on(&problem, How::On(&Fickle { asked })) {
                Ok(found) => {
                    computed += 1;
                    assert!(found == expected, "{}, {start}", kernel.name());
                }
                Err(Failure::Refused(Error::WorkspaceTooSmall { .. })) => {
                    assert!(takes_workspace(kernel), "{}", kernel.name());
                }
                Err(failure) => panic!("{}, {start}: {failure}", kernel.name()),
            }
        }
        assert!(computed > 0, "{}", kernel.name());
    }
}
