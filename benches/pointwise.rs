//! Pointwise convolutions of MobileNetV1, each alone on one core with its operands warm in the caches; and what else runs on the
//! pointwise kernels: the dense 3x3 stem and the classifier.

use anyhow::Result;
use mobilenet::dwsep::{
    Activation, Conv3x3, F32, Filter, PackedConv3x3, PackedPointwise, Padding, Pointwise, PwKernel,
    Serial,
};

mod shapes;
mod suite;

use shapes::{Layer, Network, Op};
use suite::{Buffer, Case, Suite, numbers};

fn main() -> Result<()> {
    let mut suite = Suite::new()?;
    let networks = Network::selected(&Network::DEFAULT[..1])?;
    let kernels = suite.pointwise_kernels();
    for (name, shape, op) in [
        (
            "pointwise",
            "rows x K x N",
            (|op| op == Op::Pointwise) as fn(Op) -> bool,
        ),
        (
            "stem",
            "dense 3x3, H x W x C, stride, output channels",
            |op| matches!(op, Op::Conv3x3(_)),
        ),
        ("classifier", "rows x K x N", |op| op == Op::Dense),
    ] {
        let layers = shapes::distinct(&networks, op)?;
        let mut group = suite.group(name, &format!("{shape}; alone, warm, one core"));
        for layer in &layers {
            for &kernel in &kernels {
                let case = Case {
                    label: layer.label(),
                    variant: kernel.name().to_owned(),
                    isa: kernel.isa(),
                    threads: 1,
                    macs: layer.macs(),
                    bytes: layer.bytes(),
                };
                match layer.op {
                    Op::Conv3x3(_) => group.bench(case, || stem(layer, kernel)),
                    _ => group.bench(case, || pointwise(layer, kernel)),
                };
            }
        }
        group.finish();
    }
    suite.finish()
}

fn pointwise(layer: &Layer, kernel: &'static PwKernel<F32>) -> impl FnMut() + use<> {
    let (c_in, c_out) = (layer.input.c, layer.output.c);
    let (weights, bias) = (numbers(c_in * c_out, 1), numbers(c_out, 2));
    let filter = Filter::new(&weights, Some(&bias));
    let activation = match layer.op {
        Op::Dense => Activation::None,
        _ => Activation::Relu6,
    };
    let packed = PackedPointwise::pack(kernel, c_in, c_out, filter).expect("weights");
    let op = Pointwise::new(&packed, layer.input, activation).expect("shape");
    let (input, mut output) = (Buffer::random(layer.input, 3), Buffer::zeros(layer.output));
    move || {
        op.run(&Serial, input.view(), output.view_mut(), &mut [])
            .expect("run")
    }
}

fn stem(layer: &Layer, kernel: &'static PwKernel<F32>) -> impl FnMut() + use<> {
    let Op::Conv3x3(stride) = layer.op else {
        unreachable!("the group holds dense 3x3 layers")
    };
    let (c_in, c_out) = (layer.input.c, layer.output.c);
    let (weights, bias) = (numbers(9 * c_in * c_out, 1), numbers(c_out, 2));
    let filter = Filter::new(&weights, Some(&bias));
    let packed = PackedConv3x3::pack(kernel, c_in, c_out, filter).expect("weights");
    let padding = Padding::same(layer.input.h, layer.input.w, stride);
    let op = Conv3x3::new(&packed, layer.input, stride, padding, Activation::Relu6).expect("shape");
    let (input, mut output) = (Buffer::random(layer.input, 3), Buffer::zeros(layer.output));
    move || {
        op.run(&Serial, input.view(), output.view_mut(), &mut [])
            .expect("run")
    }
}
