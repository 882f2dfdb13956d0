//! What the crate adds to a program: a separable layer in f32 and, with the feature `qs8`, every kernel that there is. The command and
//! the figures are in `dwsep::guide::features`.

use dwsep::{
    Activation, F32, Filter, KernelSet, Nhwc, PackedDepthwise, PackedPointwise, Padding, Result,
    Separable, Serial, Stride, View, ViewMut,
};

fn main() -> Result<()> {
    let kernels = KernelSet::native()?;
    let dw = PackedDepthwise::<F32>::pack(kernels.depthwise(), 8, Filter::new(&[0.1; 72], None))?;
    let pw =
        PackedPointwise::<F32>::pack(kernels.pointwise(), 8, 16, Filter::new(&[0.2; 128], None))?;
    let shape = Nhwc::new(1, 10, 10, 8);
    let op = Separable::new(
        &dw,
        &pw,
        shape,
        Stride::One,
        Padding::symmetric(1),
        Activation::Relu6,
        Activation::Relu6,
    )?;
    let (input, mut output) = (vec![1.0; 800], vec![0.0; 1600]);
    let mut workspace = vec![0; op.workspace_len(1)];
    op.run(
        &Serial,
        View::new(&input, shape)?,
        ViewMut::new(&mut output, op.output_shape())?,
        &mut workspace,
    )?;
    println!("{}", output[0]);
    #[cfg(feature = "qs8")]
    for kernel in dwsep::kernels() {
        println!("{} {:?}", kernel.name(), kernel.self_check());
    }
    Ok(())
}
