//! NaN, infinities, zeros of either sign and subnormals; and padding, which multiplies none of them.

use dwsep::testing::{How, Kernel, Operands, same};

use super::*;

/// NaN and the like: as the reference has it, and where they must and must not come out.
pub fn nan(any: AnyKernel) -> Outcome {
    let AnyKernel::F32(kernel) = any else {
        return Err("integers have no NaN".into());
    };
    for activation in ACTIVATIONS {
        for seed in 0..8 {
            let middling = middling(any);
            let problem = Problem {
                values: Values::Special,
                activation,
                depthwise_activation: ACTIVATIONS[seed as usize % 5],
                residual: middling.op == Op::Pointwise && seed % 2 == 1,
                stride: [Stride::One, Stride::Two][seed as usize / 2 % 2],
                seed,
                ..middling
            };
            check(any, problem)?;
        }
        nan_propagates(kernel, activation)?;
    }
    subnormals_stay(kernel)?;
    padding_contributes_nothing(kernel)
}

fn outputs(kernel: Kernel, problem: &Problem, operands: &Operands) -> Result<Vec<f32>, Failed> {
    let serial = How::On(&dwsep::Serial);
    let found = problem.run_on(kernel, operands, serial);
    found.map_err(|f| failed(problem, &f))
}

/// One NaN in one operand: all outputs that it belongs to are NaN, and no other.
fn nan_propagates(kernel: Kernel, activation: Activation) -> Outcome {
    let (c, c_out) = (5, if kernel.op() == Op::Depthwise { 5 } else { 7 });
    // Every pixel of a 3 x 3 input is under the window of the one output.
    let shape = match kernel.op() {
        Op::Pointwise => Nhwc::new(1, 2, 2, c),
        _ => Nhwc::new(1, 3, 3, c),
    };
    let problem = Problem {
        activation,
        depthwise_activation: activation,
        residual: kernel.op() == Op::Pointwise,
        ..Problem::new(kernel.op(), shape, c_out)
    };
    let clean: Operands = problem.operands();
    let test = |what: &str, operands: &Operands, is_nan: &dyn Fn(usize) -> bool| {
        let found = outputs(kernel, &problem, operands)?;
        match (0..found.len()).find(|&i| found[i].is_nan() != is_nan(i)) {
            None => Ok(()),
            Some(i) => {
                let x = found[i];
                Err(Failed::from(format!(
                    "NaN in {what}: output {i} is {x}\n{problem:?}"
                )))
            }
        }
    };
    test("nothing", &clean, &|_| false)?;
    for i in 0..clean.input.len() {
        let mut operands = clean.clone();
        operands.input[i] = f32::NAN;
        test("the input", &operands, &|o| match kernel.op() {
            Op::Pointwise => o / c_out == i / c,
            Op::Depthwise => o == i % c,
            Op::Conv3x3 | Op::Separable => true,
        })?;
    }
    for i in 0..clean.weights.len() {
        let mut operands = clean.clone();
        operands.weights[i] = f32::NAN;
        test("the weights", &operands, &|o| match kernel.op() {
            Op::Depthwise => o == i % c,
            _ => o % c_out == i / problem.terms(),
        })?;
    }
    for i in 0..c_out {
        let mut operands = clean.clone();
        operands.bias.as_mut().expect("asked for")[i] = f32::NAN;
        test("the bias", &operands, &|o| o % c_out == i)?;
    }
    for i in 0..clean.residual.as_ref().map_or(0, Vec::len) {
        let mut operands = clean.clone();
        operands.residual.as_mut().expect("asked for")[i] = f32::NAN;
        test("the residual", &operands, &|o| o == i)?;
    }
    for i in 0..clean.depthwise_weights.len() {
        let mut operands = clean.clone();
        operands.depthwise_weights[i] = f32::NAN;
        test("the depthwise weights", &operands, &|_| true)?;
    }
    Ok(())
}

/// Subnormals are neither flushed when read nor when stored.
fn subnormals_stay(kernel: Kernel) -> Outcome {
    let shape = Nhwc::new(1, 3, 3, 5);
    let problem = Problem::new(kernel.op(), shape, 5);
    let mut operands: Operands = problem.operands();
    let smallest = f32::from_bits(1);
    operands.input.fill(smallest);
    operands.weights.fill(1.0);
    operands.depthwise_weights.fill(1.0);
    for bias in [&mut operands.bias, &mut operands.depthwise_bias]
        .into_iter()
        .flatten()
    {
        bias.fill(smallest);
    }
    let terms = match kernel.op() {
        Op::Pointwise => 1 + 5,
        Op::Depthwise => 1 + 9,
        Op::Conv3x3 => 1 + 9 * 5,
        Op::Separable => 1 + 5 * (1 + 9),
    };
    let found = outputs(kernel, &problem, &operands)?;
    match found.iter().find(|x| x.to_bits() != terms) {
        None => Ok(()),
        Some(x) => Err(format!("{x:e} is not {terms} times the smallest subnormal").into()),
    }
}

/// Around an input of ones with weights of one an output is the number of its taps. A tap that is not finite shows where it falls onto the
/// input, and nowhere else.
fn padding_contributes_nothing(kernel: Kernel) -> Outcome {
    if kernel.op() == Op::Pointwise {
        return Ok(());
    }
    let c = 2 * kernel.channel_tile().min(4) + 1;
    for (stride, i) in [Stride::One, Stride::Two]
        .into_iter()
        .flat_map(|stride| [0, 31, 66, 156, 312, 468, 561, 624].map(|i| (stride, i)))
    {
        let problem = Problem {
            stride,
            padding: padding(i),
            bias: false,
            ..Problem::new(kernel.op(), Nhwc::new(1, 3, 4, c), c)
        }
        .fit();
        let (shape, p, s) = (problem.output(), problem.padding, stride.get());
        let falls_onto = |o: usize, tap: usize| {
            let (y, x) = (o / c / shape.w * s + tap / 3, o / c % shape.w * s + tap % 3);
            (p.top..p.top + 3).contains(&y) && (p.left..p.left + 4).contains(&x)
        };
        for (tap, bad) in (0..10).flat_map(|tap| [f32::NAN, f32::INFINITY].map(|bad| (tap, bad))) {
            let mut operands: Operands = problem.operands();
            operands.input.fill(1.0);
            operands.weights.fill(1.0);
            operands.depthwise_weights.fill(1.0);
            // Tap 9: none is bad.
            let window = match kernel.op() {
                Op::Separable => &mut operands.depthwise_weights,
                _ => &mut operands.weights,
            };
            for (i, weight) in window.iter_mut().enumerate() {
                let this = if kernel.op() == Op::Conv3x3 {
                    i / c % 9
                } else {
                    i / c
                };
                if this == tap {
                    *weight = bad;
                }
            }
            let each = if kernel.op() == Op::Depthwise { 1 } else { c };
            for (o, &x) in outputs(kernel, &problem, &operands)?.iter().enumerate() {
                let taps = (0..9).filter(|&tap| falls_onto(o, tap)).count();
                let expected = if tap < 9 && falls_onto(o, tap) {
                    bad
                } else {
                    (taps * each) as f32
                };
                if !same(x, expected) {
                    return Err(format!(
                        "output {o} is {x}, expected {expected} with tap {tap} {bad}\n{problem:?}"
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}
