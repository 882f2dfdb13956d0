//! Operands that make the largest errors, and the largest sums.

use dwsep::testing::{How, Kernel, gamma};
use dwsep::{Error, Quantised};

use super::*;

/// The worst that operands can do to each.
pub fn worst_case(kernel: AnyKernel) -> Outcome {
    match kernel {
        AnyKernel::F32(kernel) => of_floats(kernel),
        AnyKernel::Qs8(inner) => of_integers(kernel, inner),
        AnyKernel::Qu8(inner) => of_integers(kernel, inner),
    }
}

/// The largest errors there can be: still the reference's bits, and within what theory allows of the exact result.
fn of_floats(kernel: Kernel) -> Outcome {
    let any = AnyKernel::F32(kernel);
    let fused = kernel.isa().fuses();
    for values in [
        Values::Uniform,
        Values::Wide,
        Values::Largest,
        Values::Cancelling,
        Values::Ties,
    ] {
        for (i, activation) in ACTIVATIONS.into_iter().enumerate() {
            let middling = middling(any);
            let problem = Problem {
                values,
                activation,
                residual: middling.op == Op::Pointwise && i % 2 == 1,
                seed: i as u64,
                ..middling
            };
            check(any, problem)?;
            let found = problem.run(kernel).map_err(|f| failed(&problem, &f))?;
            let (exact, other) = (problem.exact(fused), problem.exact(!fused));
            let swapped = problem.expected(!fused);
            for (i, &x) in found.iter().enumerate() {
                let (bound, difference) = (exact[i], f64::from(x) - f64::from(swapped[i]));
                if !bound.admits(x) {
                    return Err(
                        format!("output {i} is {x:e}, not within {bound:?}\n{problem:?}").into(),
                    );
                }
                let most = bound.error + other[i].error;
                if bound.size < f64::from(f32::MAX) && difference.abs() > most {
                    return Err(format!(
                        "output {i} is {x:e}, and {:e} with the other way of summing: \
                         {difference:e} apart, at most {most:e}\n{problem:?}",
                        swapped[i]
                    )
                    .into());
                }
            }
        }
    }
    ties(kernel)
}

/// With [`Values::Ties`] a fused sum rounds up in each step and an unfused one in none, so that they end `k` units in the last place apart:
/// the two tiers differ indeed, a kernel is of the one that its ISA says, and the bound on the difference cannot be halved.
fn ties(kernel: Kernel) -> Outcome {
    let (Op::Pointwise, k) = (kernel.op(), 64) else {
        return Ok(());
    };
    let problem = Problem {
        values: Values::Ties,
        ..Problem::new(Op::Pointwise, Nhwc::new(1, 1, 3, k), 3)
    };
    let found = problem.run(kernel).map_err(|f| failed(&problem, &f))?;
    let expected = if kernel.isa().fuses() {
        1.0 + k as f32 * f32::EPSILON
    } else {
        1.0
    };
    if found.iter().any(|&x| x != expected) {
        return Err(format!("{found:?} is not {expected}").into());
    }
    let bound = gamma(2 * k + 1) * (1.0 + k as f64 * f64::from(f32::EPSILON) / 2.0);
    let apart = k as f64 * f64::from(f32::EPSILON);
    if (0.9 * bound..=bound).contains(&apart) {
        Ok(())
    } else {
        Err(format!("{apart:e} is not about {bound:e}").into())
    }
}

/// Every kind of operand, the largest in all their combinations, and sums as long as i32 holds.
fn of_integers<S: Quantised>(any: AnyKernel, kernel: Kernel<S>) -> Outcome {
    for values in Values::ALL {
        for (i, activation) in ACTIVATIONS.into_iter().enumerate() {
            let problem = Problem {
                values,
                activation,
                depthwise_activation: ACTIVATIONS[(i + 1) % 5],
                seed: i as u64,
                ..middling(any)
            };
            check(any, problem)?;
        }
    }
    let ((mr, nr), op) = (any.tile(), any.op());
    for seed in (0..64).step_by(if few_cases()? { 32 } else { 1 }) {
        let largest = |problem| Problem {
            values: Values::Largest,
            seed,
            ..problem
        };
        check(any, largest(middling(any)))?;
        // An emulator takes its time.
        let often = !cfg!(target_arch = "aarch64") || seed % 8 == 0;
        if op == Op::Conv3x3 && often {
            // K = 4095
            let shape = Nhwc::new(1, 3, 4, 455);
            check(any, largest(Problem::new(op, shape, 3)))?;
        }
        if op == Op::Pointwise && often {
            let m = [1, 2, mr + 1][seed as usize % 3];
            for k in [4095, 4096, 4097] {
                let shape = Nhwc::new(1, 1, m, k);
                let c_out = if seed % 16 == 0 { nr + 1 } else { 3 };
                check(any, largest(Problem::new(op, shape, c_out)))?;
            }
            longest(
                any,
                kernel,
                largest(Problem::new(op, Nhwc::new(1, 1, 2, 1), 2)),
            )?;
        }
    }
    if op == Op::Pointwise {
        powers_of_two(any, kernel)?;
    }
    Ok(())
}

/// Sums around every power of two that i32 holds, a column for each: where a kernel changes its way of computing (on AVX2 at 2^23), or an
/// intermediate result would leave its type.
fn powers_of_two<S: Quantised>(any: AnyKernel, kernel: Kernel<S>) -> Outcome {
    let around = |power: i64| [-power - 1, -power, 1 - power, power - 1, power, power + 1];
    let sums: Vec<i64> = (4..31).flat_map(|power| around(1 << power)).collect();
    let (mr, nr) = any.tile();
    // The largest numbers make sums that no other input exceeds, so that a sum is at the limit that packing knows of.
    let few = few_cases()?;
    let kinds = [(Values::Uniform, 4), (Values::Largest, 32)];
    let kinds = kinds
        .into_iter()
        .flat_map(|(values, seeds)| (0..seeds).map(move |seed| (values, seed)))
        .step_by(if few { 4 } else { 1 });
    for (values, seed) in kinds {
        let k = [3, 4, 17, 64][(seed + seed / 4) % 4];
        // All of them side by side, so that every panel has a large one; then each in a panel of its own.
        for (c_out, each) in [(sums.len(), 1), (sums.len() * nr, nr)] {
            if few && each > 1 && seed % 16 != 0 {
                continue;
            }
            let problem = Problem {
                values,
                seed: seed as u64,
                ..Problem::new(Op::Pointwise, Nhwc::new(1, 1, mr + 1, k), c_out)
            };
            let sum_of = |channel: usize| sums[channel / each];
            let mut operands = problem.operands::<S>();
            let integers = &mut operands.quantization;
            let za = integers.input.zero_point;
            // For the first pixel; the others are as near as numbers and weights let them.
            let biases = (0..c_out).map(|channel| {
                let weights = operands.weights[channel * k..].iter();
                let weights = weights.map(|&byte| integers.weight(byte));
                let products = weights.zip(&operands.input[..k]).map(|(w, &a)| {
                    i64::from(w - integers.weight_zero_point) * i64::from(S::int(a) - za)
                });
                (sum_of(channel) - products.sum::<i64>()) as i32
            });
            operands.bias = Some(biases.collect());
            // 64 steps of the output to the first pixel's sum.
            let unit = integers.input.scale / integers.output.scale;
            let scales = (0..c_out).map(|channel| 64.0 / sum_of(channel).abs() as f32 / unit);
            integers.weight_scales = scales.collect();
            let found = problem.check_on(kernel, &operands, How::On(&dwsep::Serial));
            found.map_err(|f| failed(&problem, &f))?;
        }
    }
    Ok(())
}

/// The longest sum that i32 holds is right, and a longer one is refused.
fn longest<S: Quantised>(any: AnyKernel, kernel: Kernel<S>, short: Problem) -> Outcome {
    let operands = short.operands::<S>();
    let integers = &operands.quantization;
    let weight = integers.weight(operands.weights[0]) - integers.weight_zero_point;
    let ends = [S::LEAST, S::MOST].map(|a| (a - integers.input.zero_point).abs());
    let k = (i32::MAX / (ends[0].max(ends[1]) * weight.abs())) as usize;
    let of = |c: usize, bias| Problem {
        input: Nhwc { c, ..short.input },
        bias,
        ..short
    };
    for c in [k, k - 1] {
        check(any, of(c, true))?;
    }
    check(any, of(k, false))?;

    let refused = |problem: &Problem, operands: &_, channel| match problem.any_op(kernel, operands)
    {
        Err(Error::AccumulatorOverflow { channel: found }) if found == channel => Ok(()),
        other => Err(Failed::from(format!(
            "expected an overflow of channel {channel}, found {:?}\n{problem:?}",
            other.map(|_| "an op")
        ))),
    };
    let problem = of(k + 1, false);
    refused(&problem, &problem.operands(), 0)?;
    // Of the shorter one with a bias up to the limit, beyond that limit by one.
    let problem = of(k, true);
    let mut operands = problem.operands::<S>();
    let bias = operands.bias.as_mut().expect("asked for");
    let at_end = S::int(operands.input[0]) - operands.quantization.input.zero_point;
    let sum = k as i64 * i64::from(at_end) * i64::from(weight);
    bias[1] = if sum < 0 {
        i32::MIN - sum as i32
    } else {
        i32::MAX - sum as i32
    };
    problem
        .any_op(kernel, &operands)
        .map_err(|error| format!("{error}\n{problem:?}"))?;
    let bias = operands.bias.as_mut().expect("asked for");
    bias[1] += sum.signum() as i32;
    refused(&problem, &operands, 1)
}
