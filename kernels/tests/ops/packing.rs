//! Weights that are not what they are said to be, and kernels that they are not packed for.

use dwsep::testing::{AnyKernel, Kernel, Op, Tested};
use dwsep::{
    Activation, Error, F32, Filter, Nhwc, PackedConv3x3, PackedDepthwise, PackedPointwise,
    Pointwise, Serial, View, ViewMut,
};

use crate::quantised::quantization;
use crate::{MAX, kernels, mismatch, overflow, zero, zeros};

/// Weights `[c_out, taps, c_in]`.
fn packing_of(taps: usize, pack: impl Fn(usize, usize, Filter<'_, F32>) -> dwsep::Result<()>) {
    let data = zeros();
    let pack = |c_in, c_out, weights, bias| pack(c_in, c_out, Filter::new(weights, bias));
    for (c_in, c_out, dim) in [(0, 3, "c_in"), (3, 0, "c_out")] {
        assert_eq!(
            pack(c_in, c_out, &data[..0], None),
            Err(zero("weights", dim))
        );
    }
    let len = 6 * taps;
    for found in [0, len - 1, len + 1] {
        let error = mismatch("weights", "length", len, found);
        assert_eq!(pack(2, 3, &data[..found], None), Err(error));
        let error = mismatch("bias", "length", 3, found);
        let bias = Some(&data[..found]);
        assert_eq!(pack(2, 3, &data[..len], bias), Err(error));
    }
    for (c_in, c_out) in [(MAX / taps, 2), (1 << 40, 1 << 40)] {
        assert_eq!(pack(c_in, c_out, &data, None), Err(overflow("weights")));
    }
    assert_eq!(pack(2, 3, &data[..len], Some(&data[..3])), Ok(()));
}

#[test]
fn packing_pointwise() {
    let kernel = kernels().pointwise();
    packing_of(1, |c_in, c_out, filter| {
        PackedPointwise::pack(kernel, c_in, c_out, filter).map(|_| ())
    });
}

#[test]
fn packing_conv3x3() {
    let kernel = kernels().pointwise();
    packing_of(9, |c_in, c_out, filter| {
        PackedConv3x3::pack(kernel, c_in, c_out, filter).map(|_| ())
    });
}

#[test]
fn packing_depthwise() {
    let kernel = kernels().depthwise();
    let weights = zeros();
    let pack =
        |c, weights, bias| PackedDepthwise::pack(kernel, c, Filter::new(weights, bias)).map(|_| ());
    assert_eq!(pack(0, &weights[..0], None), Err(zero("weights", "c")));
    for found in [0, 17, 19] {
        let error = mismatch("weights", "length", 18, found);
        assert_eq!(pack(2, &weights[..found], None), Err(error));
        let error = mismatch("bias", "length", 2, found);
        let bias = Some(&weights[..found]);
        assert_eq!(pack(2, &weights[..18], bias), Err(error));
    }
    assert_eq!(pack(MAX / 4, &weights, None), Err(overflow("weights")));
    assert_eq!(pack(2, &weights[..18], Some(&weights[..2])), Ok(()));
}

#[test]
fn flushed_subnormals() {
    let small = f32::MIN_POSITIVE / 4.0;
    let (weights, bias) = ([small, -small, 1.0], [small]);
    let run = |filter| {
        let packed = PackedPointwise::pack(kernels().pointwise(), 3, 1, filter).expect("valid");
        let shape = Nhwc::new(1, 1, 1, 3);
        let op = Pointwise::new(&packed, shape, Activation::None).expect("valid");
        let mut output = [0.5];
        op.run(
            &Serial,
            View::new(&[2.0, 1.0, 0.0], shape).expect("valid"),
            ViewMut::new(&mut output, op.output_shape()).expect("valid"),
            &mut [],
        )
        .expect("valid");
        output[0]
    };
    let filter = Filter::new(&weights, Some(&bias));
    assert_eq!(run(filter), 2.0 * small);
    assert_eq!(run(filter.flush_subnormals()), 0.0);
}

/// Nothing to refuse where the CPU has all of them; an A53 lacks some.
#[test]
fn a_kernel_that_this_cpu_lacks_is_refused() {
    fn refused<S: Tested>(
        kernel: Kernel<S>,
        one: Filter<'_, S>,
        nine: Filter<'_, S>,
    ) -> Option<Error> {
        match kernel {
            Kernel::Pointwise(kernel) => PackedPointwise::pack(kernel, 1, 1, one).err(),
            Kernel::Depthwise(kernel) => PackedDepthwise::pack(kernel, 1, nine).err(),
            Kernel::Conv3x3(kernel) => PackedConv3x3::pack(kernel, 1, 1, nine).err(),
            Kernel::Separable(..) => unreachable!("of two kernels, each of which is packed for"),
        }
    }
    let floats = [1, 9].map(|len| Filter::new(&[1.0; 9][..len], None));
    let bytes = &[1; 9];
    let lacking = AnyKernel::all().filter(|kernel| !kernel.isa().is_available());
    for kernel in lacking.filter(|kernel| kernel.op() != Op::Separable) {
        let refused = match kernel {
            AnyKernel::F32(kernel) => refused(kernel, floats[0], floats[1]),
            AnyKernel::Qs8(kernel) => {
                let [one, nine] =
                    [1, 9].map(|len| Filter::i8(&bytes[..len], None, quantization(&[1.0])));
                refused(kernel, one, nine)
            }
            AnyKernel::Qu8(kernel) => {
                let [one, nine] =
                    [1, 9].map(|len| Filter::i8(&bytes[..len], None, quantization(&[1.0])));
                refused(kernel, one, nine)
            }
        };
        let isa = kernel.isa();
        assert_eq!(
            refused,
            Some(Error::IsaUnavailable { isa }),
            "{}",
            kernel.name()
        );
    }
}
