//! Depthwise 3x3 convolutions of MobileNetV1, each alone on one core with its operands warm in the caches.

use anyhow::Result;
use mobilenet::dwsep::{
    Activation, Depthwise, DwKernel, F32, Filter, PackedDepthwise, Padding, Serial,
};

mod shapes;
mod suite;

use shapes::{Layer, Network, Op};
use suite::{Buffer, Case, Suite, numbers};

fn main() -> Result<()> {
    let mut suite = Suite::new()?;
    let networks = Network::selected(&Network::DEFAULT[..1])?;
    let layers = shapes::distinct(&networks, |op| matches!(op, Op::Depthwise(_)))?;
    let kernels = suite.depthwise_kernels();
    let mut group = suite.group("depthwise", "3x3, H x W x C, stride; alone, warm, one core");
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
            group.bench(case, || depthwise(layer, kernel));
        }
    }
    group.finish();
    suite.finish()
}

fn depthwise(layer: &Layer, kernel: &'static DwKernel<F32>) -> impl FnMut() + use<> {
    let Op::Depthwise(stride) = layer.op else {
        unreachable!("the group holds depthwise layers")
    };
    let c = layer.input.c;
    let (weights, bias) = (numbers(9 * c, 1), numbers(c, 2));
    let filter = Filter::new(&weights, Some(&bias));
    let packed = PackedDepthwise::pack(kernel, c, filter).expect("weights");
    let padding = Padding::same(layer.input.h, layer.input.w, stride);
    let op =
        Depthwise::new(&packed, layer.input, stride, padding, Activation::Relu6).expect("shape");
    let (input, mut output) = (Buffer::random(layer.input, 3), Buffer::zeros(layer.output));
    move || {
        op.run(&Serial, input.view(), output.view_mut(), &mut [])
            .expect("run")
    }
}
