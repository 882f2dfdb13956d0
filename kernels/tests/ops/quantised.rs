//! What quantised ops refuse beside what all ops do: scales, zero points, sums that leave i32, residuals, activations that are no clamp;
//! and workspaces, which they take where f32 takes none.

use dwsep::testing::{AnyKernel, AnyOp, Failure, How, Kernel, Op, Problem, Tested};
use dwsep::{Executor, FilterQuantization, Qs8, Qu8, Quantised, Quantization};

use super::*;

const UNIT: Quantization = Quantization::new(1.0, 0);

pub(crate) fn quantization(weight_scales: &[f32]) -> FilterQuantization<'_> {
    FilterQuantization {
        input: UNIT,
        output: UNIT,
        weight_scales,
        weight_zero_point: 0,
    }
}

/// Packs three channels of two weights for each op (of nine times as many for 3x3 windows), and sees that all say the same.
fn pack<S: Quantised>(
    quantization: FilterQuantization<'_>,
    weight: i8,
    bias: Option<&[i32]>,
) -> dwsep::Result<()> {
    fn outcome<T>(packed: dwsep::Result<T>) -> dwsep::Result<()> {
        packed.map(|_| ())
    }
    let (pw, dw) = (kernels().pointwise::<S>(), kernels().depthwise::<S>());
    let weights = [weight; 54];
    let of = |len: usize| Filter::i8(&weights[..len], bias, quantization);
    let found = outcome(PackedPointwise::pack(pw, 2, 3, of(6)));
    let others = [
        outcome(PackedConv3x3::pack(pw, 2, 3, of(54))),
        outcome(PackedDepthwise::pack(dw, 3, of(27))),
    ];
    for other in others {
        // A NaN does not equal itself.
        assert_eq!(format!("{other:?}"), format!("{found:?}"));
    }
    found
}

#[test]
fn scales_that_are_no_scale() {
    let invalid = |operand, channel, found| {
        Err(Error::InvalidScale {
            operand,
            channel,
            found,
        })
    };
    for scale in [0.0, -0.0, -1.0, 1e-40, f32::INFINITY] {
        let q = Quantization::new(scale, 0);
        let packed = pack::<Qs8>(
            FilterQuantization {
                input: q,
                ..quantization(&[1.0])
            },
            1,
            None,
        );
        assert_eq!(packed, invalid("input", 0, scale));
        let packed = pack::<Qu8>(
            FilterQuantization {
                output: q,
                ..quantization(&[1.0])
            },
            1,
            None,
        );
        assert_eq!(packed, invalid("output", 0, scale));
        for channel in 0..3 {
            let mut scales = [1.0; 3];
            scales[channel] = scale;
            let packed = pack::<Qs8>(quantization(&scales), 1, None);
            assert_eq!(packed, invalid("weights", channel, scale));
        }
    }
    let packed = pack::<Qs8>(quantization(&[f32::NAN]), 1, None);
    assert!(
        matches!(packed, Err(Error::InvalidScale { operand: "weights", channel: 0, found }) if found.is_nan()),
        "{packed:?}"
    );
}

/// Each of them is a scale, and what takes an accumulator to the output is none.
#[test]
fn scales_whose_product_is_no_scale() {
    for (input, weights, output, found) in [
        (1e-30, 1e-30, 1.0, 0.0),
        (1e30, 1e30, 1.0, f32::INFINITY),
        (1.0, 1e30, 1e-30, f32::INFINITY),
    ] {
        let scales = [output / input, weights, 1.0];
        let of = FilterQuantization {
            input: Quantization::new(input, 0),
            output: Quantization::new(output, 0),
            ..quantization(&scales)
        };
        let error = Error::InvalidScale {
            operand: "weights to output",
            channel: 1,
            found,
        };
        assert_eq!(pack::<Qs8>(of, 1, None), Err(error));
    }
}

#[test]
fn numbers_of_scales() {
    for found in [0, 2, 4] {
        let scales = vec![1.0; found];
        assert_eq!(
            pack::<Qu8>(quantization(&scales), 1, None),
            Err(mismatch("weights", "number of scales", 3, found))
        );
    }
    for right in [1, 3] {
        let scales = vec![1.0; right];
        assert_eq!(pack::<Qs8>(quantization(&scales), 1, None), Ok(()));
    }
}

#[test]
fn zero_points_that_no_element_has() {
    fn elements<S: Quantised>() {
        for zero_point in [i32::MIN, S::LEAST - 1, S::MOST + 1, i32::MAX] {
            let q = Quantization::new(1.0, zero_point);
            let error = |operand| {
                Err(Error::ZeroPoint {
                    operand,
                    least: S::LEAST,
                    most: S::MOST,
                    found: zero_point,
                })
            };
            let input = FilterQuantization {
                input: q,
                ..quantization(&[1.0])
            };
            assert_eq!(pack::<S>(input, 1, None), error("input"));
            let output = FilterQuantization {
                output: q,
                ..quantization(&[1.0])
            };
            assert_eq!(pack::<S>(output, 1, None), error("output"));
        }
        for zero_point in [S::LEAST, S::MOST] {
            let q = Quantization::new(1.0, zero_point);
            let both = FilterQuantization {
                input: q,
                output: q,
                ..quantization(&[1.0])
            };
            assert_eq!(pack::<S>(both, 1, None), Ok(()));
        }
    }
    elements::<Qs8>();
    elements::<Qu8>();
    // Weights have a type of their own.
    let weights = [0_u8; 6];
    let signed: &[i8] = bytemuck::cast_slice(&weights);
    for (zero_point, as_signed, as_unsigned) in [
        (-129, false, false),
        (-128, true, false),
        (-1, true, false),
        (0, true, true),
        (127, true, true),
        (128, false, true),
        (255, false, true),
        (256, false, false),
    ] {
        let of = FilterQuantization {
            weight_zero_point: zero_point,
            ..quantization(&[1.0])
        };
        let kernel = kernels().pointwise::<Qs8>();
        for (filter, right, least, most) in [
            (Filter::i8(signed, None, of), as_signed, -128, 127),
            (Filter::u8(&weights, None, of), as_unsigned, 0, 255),
        ] {
            let found = PackedPointwise::pack(kernel, 2, 3, filter).map(|_| ());
            let error = Error::ZeroPoint {
                operand: "weights",
                least,
                most,
                found: zero_point,
            };
            assert_eq!(found, if right { Ok(()) } else { Err(error) });
        }
    }
}

/// Two weights of 127 take a sum by 127 * 127 each above the bias, and by 127 * 128 below it.
#[test]
fn sums_that_leave_i32() {
    let pack = |channel: usize, bias: i32| {
        let mut biases = [0; 3];
        biases[channel] = bias;
        let weights = [127; 6];
        let filter = Filter::<Qs8>::i8(&weights, Some(&biases), quantization(&[1.0]));
        PackedPointwise::pack(kernels().pointwise(), 2, 3, filter).map(|_| ())
    };
    for channel in 0..3 {
        for bias in [i32::MAX - 2 * 127 * 127, i32::MIN + 2 * 127 * 128] {
            assert_eq!(pack(channel, bias), Ok(()));
            let error = Error::AccumulatorOverflow { channel };
            assert_eq!(pack(channel, bias + bias.signum()), Err(error));
        }
    }
    for bias in [i32::MAX, i32::MIN] {
        let error = Error::AccumulatorOverflow { channel: 1 };
        let bias = [0, bias, bias];
        assert_eq!(
            self::pack::<Qs8>(quantization(&[1.0]), 1, Some(&bias)),
            Err(error.clone())
        );
        assert_eq!(
            self::pack::<Qu8>(
                FilterQuantization {
                    input: Quantization::new(1.0, 7),
                    ..quantization(&[1.0])
                },
                -1,
                Some(&bias)
            ),
            Err(error)
        );
        // Nothing is added to them.
        assert_eq!(
            self::pack::<Qs8>(quantization(&[1.0]), 0, Some(&bias)),
            Ok(())
        );
    }
}

/// Elements and weights both count from their zero points. The first of two channels has no sum but zero.
#[test]
fn sums_that_leave_i32_by_zero_points() {
    for (weight, zw, za) in [(200, 50, 0), (3, 250, 100), (0, 255, -70), (255, 0, 126)] {
        let of = FilterQuantization {
            input: Quantization::new(1.0, za),
            weight_zero_point: zw,
            ..quantization(&[1.0])
        };
        let w = i32::from(weight) - zw;
        let ends = [-128, 127].map(|element| (element - za) * w);
        let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let check = |taps: i32, pack: &dyn Fn(&[i32]) -> dwsep::Result<()>| {
            for (bias, beyond) in [(i32::MAX - taps * high, 1), (i32::MIN - taps * low, -1)] {
                assert_eq!(pack(&[0, bias]), Ok(()));
                let error = Error::AccumulatorOverflow { channel: 1 };
                assert_eq!(pack(&[0, bias + beyond]), Err(error));
            }
        };
        let zero = zw as u8;
        check(2, &|bias| {
            let weights = [zero, zero, weight, weight];
            let filter = Filter::<Qs8>::u8(&weights, Some(bias), of);
            PackedPointwise::pack(kernels().pointwise(), 2, 2, filter).map(|_| ())
        });
        check(9, &|bias| {
            let weights = [[zero, weight]; 9].concat();
            let filter = Filter::<Qs8>::u8(&weights, Some(bias), of);
            PackedDepthwise::pack(kernels().depthwise(), 2, filter).map(|_| ())
        });
    }
}

#[test]
fn residuals_and_hard_swish() {
    let weights = [1; 54];
    let filter = |len: usize| Filter::<Qs8>::i8(&weights[..len], None, quantization(&[1.0]));
    let pw = PackedPointwise::pack(kernels().pointwise(), 2, 3, filter(6)).expect("valid");
    let dw = PackedDepthwise::pack(kernels().depthwise(), 2, filter(18)).expect("valid");
    let conv = PackedConv3x3::pack(kernels().pointwise(), 2, 3, filter(54)).expect("valid");
    let shape = Nhwc::new(1, 3, 3, 2);
    let (one, none, swish) = (Stride::One, Padding::NONE, Activation::HardSwish);
    let error = Some(Error::Unsupported {
        operand: "activation",
        found: "HardSwish",
        expected: "a clamp, where outputs are quantised",
    });
    let relu = Activation::Relu;
    let separable = |first, second| Separable::new(&dw, &pw, shape, one, none, first, second);
    assert_eq!(Pointwise::new(&pw, shape, swish).err(), error);
    assert_eq!(Depthwise::new(&dw, shape, one, none, swish).err(), error);
    assert_eq!(Conv3x3::new(&conv, shape, one, none, swish).err(), error);
    assert_eq!(separable(swish, relu).err(), error);
    assert_eq!(separable(relu, swish).err(), error);
    assert!(separable(relu, relu).is_ok());

    let op = Pointwise::new(&pw, shape, relu).expect("valid");
    let (input, residual) = ([1; 18], [1; 27]);
    let input = View::new(&input, shape).expect("valid");
    let residual = View::new(&residual, op.output_shape()).expect("valid");
    let mut workspace = vec![0; op.workspace_len(1)];
    let error = Err(Error::Unsupported {
        operand: "residual",
        found: "a tensor",
        expected: "none: quantised tensors are added by an op of their own",
    });
    let mut data = [55; 27];
    let output = ViewMut::new(&mut data, op.output_shape()).expect("valid");
    let found = op.run_add(&Serial, input, residual, output, &mut workspace);
    assert_eq!(found, error);
    let output = ViewMut::new(&mut data, op.output_shape()).expect("valid");
    let found = op.run_rows(0..3, input, Some(residual), output, &mut workspace);
    assert_eq!(found, error);
    assert_eq!(data, [55; 27]);
}

/// A fused block equals its halves where these are of different ISAs, and so of kernels that want what is between in different forms.
#[test]
fn halves_of_different_tiers() {
    fn check<S: Quantised>(zero_point: i32) {
        // Whole steps of any kernel, and none.
        for c in [32, 20, 7] {
            let shape = Nhwc::new(1, 5, 6, c);
            let q = |zero_point| Quantization::new(0.5, zero_point);
            let quantization = FilterQuantization {
                input: q(zero_point),
                output: q(zero_point + 3),
                weight_scales: &[0.03],
                weight_zero_point: 0,
            };
            let behind = FilterQuantization {
                input: q(zero_point + 3),
                ..quantization
            };
            let weights: Vec<i8> = (0..9 * c * c).map(|i| (i * 37 % 255) as i8).collect();
            let data: Vec<S::Elem> = (0..30 * c).map(|i| S::elem((i * 91) as i32)).collect();
            let input = View::new(&data, shape).expect("valid");
            let mut found: Vec<Vec<i32>> = Vec::new();
            for tiers in available()
                .into_iter()
                .flat_map(|a| available().into_iter().map(move |b| (a, b)))
            {
                let [first, second] =
                    [tiers.0, tiers.1].map(|isa| KernelSet::up_to(isa).expect("available"));
                let dw = Filter::<S>::i8(&weights[..9 * c], None, quantization);
                let dw = PackedDepthwise::pack(first.depthwise(), c, dw).expect("valid");
                let pw = Filter::<S>::i8(&weights[..c * c], None, behind);
                let pw = PackedPointwise::pack(second.pointwise(), c, c, pw).expect("valid");
                let (relu, none) = (Activation::Relu, Activation::None);
                let padding = Padding::same(5, 6, Stride::One);
                let op = Separable::new(&dw, &pw, shape, Stride::One, padding, relu, none)
                    .expect("valid");
                let mut output = vec![S::elem(0); 30 * c];
                let mut workspace = vec![0; op.workspace_len(1)];
                let view = ViewMut::new(&mut output, op.output_shape()).expect("valid");
                op.run(&Serial, input, view, &mut workspace).expect("valid");
                found.push(output.into_iter().map(S::int).collect());
            }
            assert!(
                found[0].iter().any(|&x| x != found[0][0]),
                "one number everywhere"
            );
            for other in &found {
                assert_eq!(other, &found[0]);
            }
        }
    }
    check::<Qs8>(-5);
    check::<Qu8>(120);
}

fn available() -> Vec<Isa> {
    Isa::ALL
        .iter()
        .copied()
        .filter(|isa| isa.is_available())
        .collect()
}

/// A mean and a sum check what they are made of.
#[test]
fn ops_without_a_kernel() {
    use dwsep::quantised::Add;
    let add = |a, b, output| Add::<Qs8>::new(a, b, output, Activation::None).err();
    let bad = Quantization::new(f32::NAN, 0);
    assert!(matches!(
        add(bad, UNIT, UNIT),
        Some(Error::InvalidScale { operand: "a", .. })
    ));
    assert!(matches!(
        add(UNIT, bad, UNIT),
        Some(Error::InvalidScale { operand: "b", .. })
    ));
    assert!(matches!(
        add(UNIT, UNIT, bad),
        Some(Error::InvalidScale {
            operand: "output",
            ..
        })
    ));
    let bad = Quantization::new(1.0, -129);
    assert!(matches!(
        add(UNIT, bad, UNIT),
        Some(Error::ZeroPoint { operand: "b", .. })
    ));
    let far = Quantization::new(1000.0, 0);
    assert!(matches!(
        add(UNIT, far, UNIT),
        Some(Error::Unsupported { operand: "b", .. })
    ));
    let swish = Add::<Qu8>::new(UNIT, UNIT, UNIT, Activation::HardSwish).err();
    assert!(matches!(
        swish,
        Some(Error::Unsupported {
            operand: "activation",
            ..
        })
    ));
}

/// Threads that are one.
struct Says(usize);

impl Executor for Says {
    fn threads(&self) -> usize {
        self.0
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        work();
    }
}

/// An op takes the workspace that it says, and not a byte less.
#[test]
fn workspaces_are_as_long_as_said() {
    fn exact<S: Tested>(kernel: Kernel<S>, problem: &Problem) {
        let operands = problem.operands::<S>();
        let op: AnyOp<S> = problem.any_op(kernel, &operands).expect("valid");
        for threads in 1..=4 {
            let len = op.workspace_len(threads);
            assert_eq!(len == 0, kernel.op() == Op::Depthwise, "{}", kernel.name());
            let mut workspace = vec![0; len];
            let mut output = operands.input.clone();
            output.resize(
                op.output_shape().len("output").expect("valid"),
                operands.input[0],
            );
            let before: Vec<u8> = bytemuck::cast_slice(&output).to_vec();
            let mut run = |workspace: &mut [u8]| {
                let input = View::new(&operands.input, problem.input).expect("valid");
                let output = ViewMut::new(&mut output, op.output_shape()).expect("valid");
                op.run(&Says(threads), input, None, output, workspace)
            };
            if let Some(short) = len.checked_sub(1) {
                let error = Error::WorkspaceTooSmall {
                    needed: len,
                    found: short,
                };
                assert_eq!(
                    run(&mut workspace[..short]),
                    Err(error),
                    "{}",
                    kernel.name()
                );
                assert!(run(&mut []).is_err());
            }
            assert_eq!(run(&mut workspace), Ok(()), "{}", kernel.name());
            assert!(bytemuck::cast_slice::<_, u8>(&output) != before);
            let how = How::On(&Says(threads));
            let found: Result<_, Failure> = problem.run_on(kernel, &operands, how);
            assert_eq!(found.map(|_| ()), Ok(()));
        }
    }
    for kernel in AnyKernel::all().filter(|kernel| kernel.isa().is_available()) {
        let shape = Nhwc::new(2, 9, 14, 21);
        let problem = Problem::new(kernel.op(), shape, 33);
        match kernel {
            // Of f32 only the separable op takes any.
            AnyKernel::F32(_) => {}
            AnyKernel::Qs8(kernel) => exact(kernel, &problem),
            AnyKernel::Qu8(kernel) => exact(kernel, &problem),
        }
    }
}
