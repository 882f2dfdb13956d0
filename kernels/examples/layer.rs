//! One layer, a number of times, on one kernel: for simulators and profilers, which want a program that does nothing else.
//!
//! ```text
//! layer pw_f32_8x8__neon PIXELS C_IN C_OUT RUNS
//! layer dw3x3_qs8_8c__neon SIZE CHANNELS STRIDE RUNS         SIZE x SIZE, "same" padding
//! ```

use dwsep::{
    Activation, Depthwise, F32, Filter, FilterQuantization, Nhwc, PackedDepthwise, PackedPointwise,
    Padding, Pointwise, Qs8, Quantization, Scheme, Serial, Stride, View, ViewMut,
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
    let &[a, b, c, runs] = &numbers[..] else {
        return Err("expected four numbers".into());
    };
    if layer::<F32>(name, [a, b, c], runs)? || layer::<Qs8>(name, [a, b, c], runs)? {
        return Ok(());
    }
    Err(format!("no kernel of f32 or qs8 is called {name}").into())
}

/// A scheme with data to feed it: small numbers of both signs.
trait Data: Scheme {
    fn element(i: usize) -> Self::Elem;
    fn weight(i: usize) -> Self::Weight;
    fn bias(i: usize) -> Self::Bias;
    fn filter<'a>(weights: &'a [Self::Weight], bias: &'a [Self::Bias]) -> Filter<'a, Self>;
    fn value(x: Self::Elem) -> f32;
}

impl Data for F32 {
    fn element(i: usize) -> f32 {
        (i % 13) as f32 / 16.0 - 0.375
    }

    fn weight(i: usize) -> f32 {
        F32::element(i)
    }

    fn bias(i: usize) -> f32 {
        F32::element(i)
    }

    fn filter<'a>(weights: &'a [f32], bias: &'a [f32]) -> Filter<'a, F32> {
        Filter::new(weights, Some(bias))
    }

    fn value(x: f32) -> f32 {
        x
    }
}

impl Data for Qs8 {
    fn element(i: usize) -> i8 {
        (i % 13) as i8 - 6
    }

    fn weight(i: usize) -> u8 {
        128 + (i % 13) as u8 - 6
    }

    fn bias(i: usize) -> i32 {
        (i % 13) as i32 - 6
    }

    /// Weights without a zero point, as most converters make them.
    fn filter<'a>(weights: &'a [u8], bias: &'a [i32]) -> Filter<'a, Qs8> {
        let quantization = FilterQuantization {
            input: Quantization::new(0.05, -3),
            output: Quantization::new(0.05, -128),
            weight_scales: &[0.01],
            weight_zero_point: 128,
        };
        Filter::u8(weights, Some(bias), quantization)
    }

    fn value(x: i8) -> f32 {
        f32::from(x)
    }
}

/// Runs the layer if there is such a kernel.
fn layer<S: Data>(name: &str, [a, b, c]: [usize; 3], runs: usize) -> Result<bool, Error> {
    let pointwise = S::pointwise_kernels().iter().find(|k| k.name() == name);
    let depthwise = S::depthwise_kernels().iter().find(|k| k.name() == name);
    if let Some(kernel) = pointwise {
        let (weights, bias) = (filled(b * c, S::weight), filled(c, S::bias));
        let packed = PackedPointwise::pack(kernel, b, c, S::filter(&weights, &bias))?;
        let op = Pointwise::new(&packed, Nhwc::new(1, a, 1, b), Activation::Relu6)?;
        let mut workspace = vec![0; op.workspace_len(1)];
        run::<S>(
            op.input_shape(),
            op.output_shape(),
            runs,
            |input, output| op.run(&Serial, input, output, &mut workspace),
        )?;
    } else if let Some(kernel) = depthwise {
        let stride = match c {
            1 => Stride::One,
            2 => Stride::Two,
            _ => return Err("the stride is 1 or 2".into()),
        };
        let (weights, bias) = (filled(9 * b, S::weight), filled(b, S::bias));
        let packed = PackedDepthwise::pack(kernel, b, S::filter(&weights, &bias))?;
        let op = Depthwise::new(
            &packed,
            Nhwc::new(1, a, a, b),
            stride,
            Padding::same(a, a, stride),
            Activation::Relu6,
        )?;
        run::<S>(
            op.input_shape(),
            op.output_shape(),
            runs,
            |input, output| op.run(&Serial, input, output, &mut []),
        )?;
    }
    Ok(pointwise.is_some() || depthwise.is_some())
}

fn run<S: Data>(
    input: Nhwc,
    output: Nhwc,
    runs: usize,
    mut layer: impl FnMut(View<'_, S::Elem>, ViewMut<'_, S::Elem>) -> dwsep::Result<()>,
) -> Result<(), Error> {
    let from = filled(input.n * input.h * input.w * input.c, S::element);
    let mut to = filled(output.n * output.h * output.w * output.c, S::element);
    for _ in 0..runs {
        layer(View::new(&from, input)?, ViewMut::new(&mut to, output)?)?;
    }
    // Seen, so that it has to be computed.
    println!("{}", to.iter().map(|&x| S::value(x)).sum::<f32>());
    Ok(())
}

fn filled<T>(len: usize, element: impl Fn(usize) -> T) -> Vec<T> {
    (0..len).map(element).collect()
}
