//! One layer, a number of times, on one kernel: for simulators and profilers, which want a program that does nothing else.
//!
//! ```text
//! layer pw_f32_8x8__neon PIXELS C_IN C_OUT RUNS
//! layer dw3x3_f32_4c__neon SIZE CHANNELS STRIDE RUNS         SIZE x SIZE, "same" padding
//! ```

use dwsep::{
    Activation, Depthwise, F32, Filter, Nhwc, PackedDepthwise, PackedPointwise, Padding, Pointwise,
    Scheme, Serial, Stride, View, ViewMut,
};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, numbers @ ..] = &arguments[..] else {
        return Err("layer KERNEL A B C RUNS; the numbers are explained in the source".into());
    };
    let numbers: Vec<usize> = numbers
        .iter()
        .map(|n| n.parse())
        .collect::<Result<_, _>>()?;
    let [a, b, c, runs] = numbers[..] else {
        return Err("expected four numbers".into());
    };
    let pointwise = F32::pointwise_kernels()
        .iter()
        .find(|kernel| kernel.name() == name);
    let depthwise = F32::depthwise_kernels()
        .iter()
        .find(|kernel| kernel.name() == name);
    match (pointwise, depthwise) {
        (Some(kernel), _) => {
            let (weights, bias) = (filled(b * c), filled(c));
            let packed = PackedPointwise::pack(kernel, b, c, Filter::new(&weights, Some(&bias)))?;
            let op = Pointwise::new(&packed, Nhwc::new(1, a, 1, b), Activation::Relu6)?;
            run(
                op.input_shape(),
                op.output_shape(),
                runs,
                |input, output| op.run(&Serial, input, output, &mut []),
            )
        }
        (_, Some(kernel)) => {
            let stride = match c {
                1 => Stride::One,
                2 => Stride::Two,
                _ => return Err("the stride is 1 or 2".into()),
            };
            let (weights, bias) = (filled(9 * b), filled(b));
            let packed = PackedDepthwise::pack(kernel, b, Filter::new(&weights, Some(&bias)))?;
            let padding = Padding::same(a, a, stride);
            let op = Depthwise::new(
                &packed,
                Nhwc::new(1, a, a, b),
                stride,
                padding,
                Activation::Relu6,
            )?;
            run(
                op.input_shape(),
                op.output_shape(),
                runs,
                |input, output| op.run(&Serial, input, output, &mut []),
            )
        }
        _ => Err(format!("no kernel is called {name}").into()),
    }
}

fn run(
    input: Nhwc,
    output: Nhwc,
    runs: usize,
    mut layer: impl FnMut(View<'_, f32>, ViewMut<'_, f32>) -> dwsep::Result<()>,
) -> Result<(), Error> {
    let from = filled(input.n * input.h * input.w * input.c);
    let mut to = vec![0.0; output.n * output.h * output.w * output.c];
    for _ in 0..runs {
        layer(View::new(&from, input)?, ViewMut::new(&mut to, output)?)?;
    }
    // Seen, so that it has to be computed.
    println!("{}", to.iter().sum::<f32>());
    Ok(())
}

/// Small numbers of both signs.
fn filled(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 13) as f32 / 16.0 - 0.375).collect()
}
