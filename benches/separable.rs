//! Separable blocks of MobileNetV1 on one core: fused, and its two halves one after the other with a whole tensor between them.
//! The column `ratio` is the time of the halves over that of the fused block.

use anyhow::Result;
use mobilenet::dwsep::{
    Activation, Depthwise, Filter, KernelSet, PackedDepthwise, PackedPointwise, Padding, Pointwise,
    Separable, Serial, Stride,
};

mod shapes;
mod suite;

use shapes::{Layer, Network, Op};
use suite::{Buffer, Case, Suite, numbers};

fn main() -> Result<()> {
    let mut suite = Suite::new()?;
    let networks = Network::selected(&Network::DEFAULT[..1])?;
    let layers = shapes::distinct(&networks, |op| matches!(op, Op::Separable(_)))?;
    let tiers = suite.tiers()?;
    let title = "H x W x C, stride, output channels; alone, warm, one core";
    let mut group = suite.group("separable", title);
    for layer in &layers {
        let Op::Separable(stride) = layer.op else {
            continue;
        };
        for kernels in &tiers {
            let case = |variant| Case {
                label: layer.label(),
                variant: format!("{variant}_{}", kernels.isa()),
                isa: kernels.isa(),
                threads: 1,
                macs: layer.macs(),
                bytes: layer.bytes(),
            };
            group.bench(case("fused"), || fused(layer, stride, kernels));
            group.bench(case("apart"), || apart(layer, stride, kernels));
        }
    }
    group.finish();
    suite.finish()
}

fn packed(layer: &Layer, kernels: &KernelSet) -> (PackedDepthwise, PackedPointwise) {
    let (c_in, c_out) = (layer.input.c, layer.output.c);
    let (weights, bias) = (numbers(9 * c_in, 1), numbers(c_in, 2));
    let filter = Filter::new(&weights, Some(&bias));
    let depthwise = PackedDepthwise::pack(kernels.depthwise(), c_in, filter).expect("weights");
    let (weights, bias) = (numbers(c_in * c_out, 3), numbers(c_out, 4));
    let filter = Filter::new(&weights, Some(&bias));
    let pointwise =
        PackedPointwise::pack(kernels.pointwise(), c_in, c_out, filter).expect("weights");
    (depthwise, pointwise)
}

fn fused(layer: &Layer, stride: Stride, kernels: &KernelSet) -> impl FnMut() + use<> {
    let (depthwise, pointwise) = packed(layer, kernels);
    let padding = Padding::same(layer.input.h, layer.input.w, stride);
    let relu6 = Activation::Relu6;
    let op = Separable::new(
        &depthwise,
        &pointwise,
        layer.input,
        stride,
        padding,
        relu6,
        relu6,
    )
    .expect("shape");
    let (input, mut output) = (Buffer::random(layer.input, 5), Buffer::zeros(layer.output));
    let mut workspace = vec![0; op.workspace_len(1)];
    move || {
        op.run(&Serial, input.view(), output.view_mut(), &mut workspace)
            .expect("run")
    }
}

fn apart(layer: &Layer, stride: Stride, kernels: &KernelSet) -> impl FnMut() + use<> {
    let (depthwise, pointwise) = packed(layer, kernels);
    let padding = Padding::same(layer.input.h, layer.input.w, stride);
    let relu6 = Activation::Relu6;
    let first = Depthwise::new(&depthwise, layer.input, stride, padding, relu6).expect("shape");
    let second = Pointwise::new(&pointwise, first.output_shape(), relu6).expect("shape");
    let (input, mut output) = (Buffer::random(layer.input, 5), Buffer::zeros(layer.output));
    let mut between = Buffer::zeros(first.output_shape());
    move || {
        first
            .run(&Serial, input.view(), between.view_mut(), &mut [])
            .expect("run");
        second
            .run(&Serial, between.view(), output.view_mut(), &mut [])
            .expect("run");
    }
}
