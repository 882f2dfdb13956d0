//! A network, a number of times, on one thread: for cache simulators.
//!
//! ```text
//! network v1_1.0_224 session|fused|apart RUNS
//! ```
//!
//! `session` is how the program runs it. `fused` and `apart` chain the same layers over dense tensors, the separable ones fused or
//! as their two halves with a whole tensor between them. Prints the least bytes that a run can read: weights and input once.

use anyhow::{Context, Result, bail};
use mobilenet::Engine;
use mobilenet::dwsep::{
    Activation, Conv3x3, Depthwise, Filter, KernelSet, Nhwc, PackedConv3x3, PackedDepthwise,
    PackedPointwise, Padding, Pointwise, Separable, Serial, Stride, View, ViewMut,
    global_average_pool,
};

#[path = "../shapes.rs"]
mod shapes;

use shapes::{Layer, Network, Op};

/// Reads an input and writes an output, with a workspace.
type Step = Box<dyn Fn(View<'_, f32>, ViewMut<'_, f32>, &mut [u8])>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, how, runs] = &arguments[..] else {
        bail!("network NAME session|fused|apart RUNS");
    };
    let (network, runs) = (Network::parse(name)?, runs.parse().context("RUNS")?);
    let layers = network.layers()?;
    let elements = |shape: Nhwc| shape.n * shape.h * shape.w * shape.c;
    let weights = |l: &Layer| l.bytes() - 4 * (elements(l.input) + elements(l.output)) as u64;
    let image = filled(elements(network.input()));
    println!(
        "least {}",
        layers.iter().map(weights).sum::<u64>() + 4 * image.len() as u64
    );
    match how.as_str() {
        "session" => {
            let engine = Engine::new(1, None)?;
            let mut session = network
                .model(engine.kernels())?
                .session(network.input(), 1)?;
            for _ in 0..runs {
                session.run(&engine, View::new(&image, network.input())?)?;
            }
        }
        "fused" | "apart" => chain(&layers, &image, how == "fused", runs)?,
        _ => bail!("session, fused or apart, not {how}"),
    }
    Ok(())
}

/// The layers over two buffers that change roles, and a third for what is between the halves of a block.
fn chain(layers: &[Layer], image: &[f32], fused: bool, runs: usize) -> Result<()> {
    let kernels = KernelSet::native()?;
    let mut steps = Vec::new();
    for layer in layers {
        match layer.halves().filter(|_| !fused) {
            Some(halves) => {
                for half in halves {
                    steps.push((half.input, half.output, step(&half, &kernels)?));
                }
            }
            None => {
                if layer.op == Op::Dense {
                    let shape = steps.last().map_or(layer.input, |&(_, output, _)| output);
                    let pool: Step = Box::new(|input, output, _| {
                        global_average_pool(input, output).expect("pool");
                    });
                    steps.push((shape, layer.input, pool));
                }
                steps.push((layer.input, layer.output, step(layer, &kernels)?));
            }
        }
    }
    let elements = |shape: Nhwc| shape.n * shape.h * shape.w * shape.c;
    let most = steps
        .iter()
        .map(|(_, output, _)| elements(*output))
        .max()
        .unwrap_or(0);
    let (mut from, mut to) = (vec![0.0; most], vec![0.0; most]);
    let mut workspace = vec![0; 1 << 22];
    for _ in 0..runs {
        for (i, (input, output, step)) in steps.iter().enumerate() {
            let source = if i == 0 { image } else { &from };
            step(
                View::new(source, *input)?,
                ViewMut::new(&mut to, *output)?,
                &mut workspace,
            );
            std::mem::swap(&mut from, &mut to);
        }
    }
    Ok(())
}

fn step(layer: &Layer, kernels: &KernelSet) -> Result<Step> {
    let (shape, c_in, c_out) = (layer.input, layer.input.c, layer.output.c);
    let padding = |stride: Stride| Padding::same(shape.h, shape.w, stride);
    let relu6 = Activation::Relu6;
    let bias = filled(c_in.max(c_out));
    let depthwise = || {
        let weights = filled(9 * c_in);
        PackedDepthwise::pack(
            kernels.depthwise(),
            c_in,
            Filter::new(&weights, Some(&bias[..c_in])),
        )
    };
    let pointwise = || {
        let weights = filled(c_in * c_out);
        let filter = Filter::new(&weights, Some(&bias[..c_out]));
        PackedPointwise::pack(kernels.pointwise(), c_in, c_out, filter)
    };
    Ok(match layer.op {
        Op::Conv3x3(stride) => {
            let weights = filled(9 * c_in * c_out);
            let filter = Filter::new(&weights, Some(&bias[..c_out]));
            let packed = PackedConv3x3::pack(kernels.pointwise(), c_in, c_out, filter)?;
            let op = Conv3x3::new(&packed, shape, stride, padding(stride), relu6)?;
            Box::new(move |input, output, space| {
                op.run(&Serial, input, output, space).expect("run")
            })
        }
        Op::Depthwise(stride) => {
            let op = Depthwise::new(&depthwise()?, shape, stride, padding(stride), relu6)?;
            Box::new(move |input, output, space| {
                op.run(&Serial, input, output, space).expect("run")
            })
        }
        Op::Pointwise | Op::Dense => {
            let op = Pointwise::new(&pointwise()?, shape, relu6)?;
            Box::new(move |input, output, space| {
                op.run(&Serial, input, output, space).expect("run")
            })
        }
        Op::Separable(stride) => {
            let (first, second) = (depthwise()?, pointwise()?);
            let op = Separable::new(
                &first,
                &second,
                shape,
                stride,
                padding(stride),
                relu6,
                relu6,
            )?;
            Box::new(move |input, output, space| {
                op.run(&Serial, input, output, space).expect("run")
            })
        }
    })
}

/// Small numbers of both signs.
fn filled(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 13) as f32 / 16.0 - 0.375).collect()
}
