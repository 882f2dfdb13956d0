//! The same bits as the Rust API, for every scheme, op and instruction set of this machine, for any split into rows, dense or not, on any
//! number of threads; and not a byte is written that is none of the rows asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use dwsep::{
    Activation, Conv3x3, Depthwise, F32, Filter, FilterQuantization, Isa, KernelSet, Nhwc,
    PackedConv3x3, PackedDepthwise, PackedPointwise, Padding, Pointwise, Qs8, Qu8, Quantization,
    Scheme, Separable, Serial, Stride, View, ViewMut,
};
use dwsep_capi::dwsep_activation_kind::DWSEP_ACTIVATION_CLAMP;
use dwsep_capi::dwsep_status::DWSEP_OK;
use dwsep_capi::*;

use crate::calls::{DENSE, Elem, Op, Weights, make, pack, random, tensor, tensor_mut};

const CLAMP: dwsep_activation = dwsep_activation {
    kind: DWSEP_ACTIVATION_CLAMP as i32,
    lo: -1.5,
    hi: 2.5,
};
const CLAMP_RUST: Activation = Activation::Clamp { lo: -1.5, hi: 2.5 };

/// Input channels, output channels, images, rows, columns. More rows than a strip has at once, and tails in every tile.
const C_IN: usize = 19;
const C_OUT: usize = 35;
const INPUT: Nhwc = Nhwc::new(3, 7, 9, C_IN);

/// A filter for the C API.
enum FilterC {
    F32(dwsep_filter_f32),
    Q8(dwsep_filter_q8),
}

/// A scheme with what both APIs take.
trait Tested: Scheme<Elem: Elem> {
    type Weights: Elem;
    type Biases: Elem;

    fn of_rust<'a>(data: &'a Data<Self>) -> Filter<'a, Self>;
    fn of_c(data: &Data<Self>) -> FilterC;
}

struct Data<S: Tested> {
    weights: Vec<S::Weights>,
    bias: Vec<S::Biases>,
    scales: Vec<f32>,
}

impl<S: Tested> Data<S> {
    fn new(weights: usize, channels: usize, seed: u32) -> Self {
        let of = |c: usize| 0.01 + 0.0003 * c as f32;
        Self {
            weights: random(weights, seed),
            bias: random(channels, seed + 1),
            scales: (0..channels).map(of).collect(),
        }
    }
}

impl Tested for F32 {
    type Weights = f32;
    type Biases = f32;

    fn of_rust<'a>(data: &'a Data<F32>) -> Filter<'a, F32> {
        Filter::new(&data.weights, Some(&data.bias))
    }

    fn of_c(data: &Data<F32>) -> FilterC {
        FilterC::F32(dwsep_filter_f32 {
            weights: data.weights.as_ptr(),
            weights_len: data.weights.len(),
            bias: data.bias.as_ptr(),
            bias_len: data.bias.len(),
            flags: 0,
            reserved: 0,
        })
    }
}

const INPUT_SCALE: f32 = 0.05;
const OUTPUT_SCALE: f32 = 0.04;

macro_rules! quantised {
    ($scheme:ident, $elem:ident, $weight_zero:literal) => {
        impl Tested for $scheme {
            type Weights = $elem;
            type Biases = i32;

            fn of_rust<'a>(data: &'a Data<Self>) -> Filter<'a, Self> {
                let quantization = FilterQuantization {
                    input: Quantization::new(INPUT_SCALE, 11),
                    output: Quantization::new(OUTPUT_SCALE, 7),
                    weight_scales: &data.scales,
                    weight_zero_point: $weight_zero,
                };
                Filter::$elem(&data.weights, Some(&data.bias), quantization)
            }

            fn of_c(data: &Data<Self>) -> FilterC {
                let q = |scale, zero_point| dwsep_quantization { scale, zero_point };
                FilterC::Q8(dwsep_filter_q8 {
                    r#type: <Self as Scheme>::Elem::TYPE as i32,
                    weights_type: <$elem as Elem>::TYPE as i32,
                    weights: data.weights.as_ptr().cast(),
                    weights_len: data.weights.len(),
                    bias: data.bias.as_ptr(),
                    bias_len: data.bias.len(),
                    weight_scales: data.scales.as_ptr(),
                    weight_scales_len: data.scales.len(),
                    weight_zero_point: $weight_zero,
                    reserved: 0,
                    input: q(INPUT_SCALE, 11),
                    output: q(OUTPUT_SCALE, 7),
                })
            }
        }
    };
}
quantised!(Qs8, i8, 0);
quantised!(Qu8, u8, 131);

fn number(isa: Isa) -> i32 {
    let name = isa.name();
    let mut number = 0;
    // SAFETY: a name of that length, and room for a number.
    let status = unsafe { dwsep_isa_from_name(name.as_ptr().cast(), name.len(), &mut number) };
    assert_eq!(status, DWSEP_OK);
    number
}

fn of_c<S: Tested>(what: &str, isa: Isa, data: &Data<S>) -> Weights {
    let (isa, filter) = (number(isa), S::of_c(data));
    let packed = pack(|out| {
        // SAFETY: the filter's arrays are as long as it says.
        unsafe {
            match (what, &filter) {
                ("depthwise", FilterC::F32(filter)) => {
                    dwsep_weights_create_depthwise_f32(isa, C_IN, filter, out)
                }
                ("depthwise", FilterC::Q8(filter)) => {
                    dwsep_weights_create_depthwise_q8(isa, C_IN, filter, out)
                }
                ("pointwise", FilterC::F32(filter)) => {
                    dwsep_weights_create_pointwise_f32(isa, C_IN, C_OUT, filter, out)
                }
                ("pointwise", FilterC::Q8(filter)) => {
                    dwsep_weights_create_pointwise_q8(isa, C_IN, C_OUT, filter, out)
                }
                (_, FilterC::F32(filter)) => {
                    dwsep_weights_create_conv3x3_f32(isa, C_IN, C_OUT, filter, out)
                }
                (_, FilterC::Q8(filter)) => {
                    dwsep_weights_create_conv3x3_q8(isa, C_IN, C_OUT, filter, out)
                }
            }
        }
    });
    packed.expect("weights")
}

/// Strides with gaps everywhere, and the elements of such a tensor.
fn gaps(shape: Nhwc) -> (dwsep_strides, usize) {
    let w = shape.c + 3;
    let h = w * shape.w + 5;
    let n = h * shape.h + 7;
    (dwsep_strides { n, h, w }, n * shape.n)
}

/// A dense tensor with gaps, which hold `fill`.
fn spread<T: Elem>(dense: &[T], shape: Nhwc, fill: T) -> Vec<T> {
    let (strides, len) = gaps(shape);
    let mut spread = vec![fill; len];
    for (pixel, values) in dense.chunks_exact(shape.c).enumerate() {
        let (x, row) = (pixel % shape.w, pixel / shape.w);
        let at = row / shape.h * strides.n + row % shape.h * strides.h + x * strides.w;
        spread[at..at + shape.c].copy_from_slice(values);
    }
    spread
}

/// The op gives `expected`, of `output`, whole or in parts, dense or not, and writes nothing else.
fn expect<T: Elem>(what: &str, op: &Op, input: &[T], second: Option<&[T]>, expected: &[T]) {
    let (from, to) = op.shapes();
    let [from, to] = [from, to].map(|s| Nhwc::new(s.n, s.h, s.w, s.c));
    let (rows, fill) = (to.n * to.h, T::of(0x0055_5500));
    let whole = || std::iter::once(0..rows).collect::<Vec<_>>();
    let one_by_one = || (0..rows).rev().map(|row| row..row + 1).collect();
    let in_pairs = || {
        let starts = (0..rows).step_by(2);
        starts.map(|row| row..rows.min(row + 2)).collect()
    };
    for (split, parts) in [
        ("whole", whole()),
        ("one by one, backwards", one_by_one()),
        ("in pairs", in_pairs()),
        ("nothing", vec![0..0, rows..rows]),
        ("the end", std::iter::once(rows - 1..rows).collect()),
    ] {
        for dense in [true, false] {
            let strides = |shape| if dense { DENSE } else { gaps(shape).0 };
            let place = |values: &[T], shape, fill| match dense {
                true => values.to_vec(),
                false => spread(values, shape, fill),
            };
            // Only the rows asked for.
            let row = to.w * to.c;
            let mut wanted = vec![fill; expected.len()];
            for part in &parts {
                let part = part.start * row..part.end * row;
                wanted[part.clone()].copy_from_slice(&expected[part]);
            }
            let wanted = place(&wanted, to, fill);
            let mut output = vec![fill; wanted.len()];
            let input = place(input, from, T::of(0xFFFF_FFFF));
            let second = second.map(|second| place(second, to, T::of(0xFFFF_FFFF)));
            let second = second.as_ref().map(|second| tensor(second, strides(to)));
            let target = tensor_mut(&mut output, strides(to));
            for part in parts.iter().cloned() {
                let status = op.run(
                    (part.start, part.len()),
                    &tensor(&input, strides(from)),
                    second.as_ref(),
                    &target,
                );
                assert_eq!(status, DWSEP_OK, "{what}, {split}");
            }
            assert!(output == wanted, "{what}, {split}, dense: {dense}");
        }
    }
}

fn convolutions<S: Tested>(isa: Isa, stride: Stride) {
    let kernels = KernelSet::up_to(isa).unwrap();
    let dw_data = Data::<S>::new(9 * C_IN, C_IN, 1);
    let pw_data = Data::<S>::new(C_IN * C_OUT, C_OUT, 3);
    let conv_data = Data::<S>::new(9 * C_IN * C_OUT, C_OUT, 5);
    let dw = PackedDepthwise::pack(kernels.depthwise(), C_IN, S::of_rust(&dw_data)).unwrap();
    let pw = PackedPointwise::pack(kernels.pointwise(), C_IN, C_OUT, S::of_rust(&pw_data)).unwrap();
    let conv =
        PackedConv3x3::pack(kernels.pointwise(), C_IN, C_OUT, S::of_rust(&conv_data)).unwrap();
    let [dw_c, pw_c, conv_c] = [
        of_c("depthwise", isa, &dw_data),
        of_c("pointwise", isa, &pw_data),
        of_c("conv3x3", isa, &conv_data),
    ];

    let padding = Padding::same(INPUT.h, INPUT.w, stride);
    let mut window = dwsep_window::default();
    // SAFETY: room for a window.
    let status = unsafe { dwsep_window_same(INPUT.h, INPUT.w, stride.get(), &mut window) };
    assert_eq!(status, DWSEP_OK);
    let shape = dwsep_shape {
        n: INPUT.n,
        h: INPUT.h,
        w: INPUT.w,
        c: INPUT.c,
    };
    let input = random::<S::Elem>(INPUT.len("input").unwrap(), 7);

    // An op of either API, and what the Rust one computes.
    macro_rules! compare {
        ($what:literal, $rust:expr, |$out:ident| $c:expr) => {{
            let rust = $rust.unwrap();
            let mut expected = vec![S::Elem::of(0); rust.output_shape().len("output").unwrap()];
            let to = ViewMut::new(&mut expected, rust.output_shape()).unwrap();
            let mut workspace = vec![0; rust.workspace_len(1)];
            let from = View::new(&input, INPUT).unwrap();
            rust.run(&Serial, from, to, &mut workspace).unwrap();
            // SAFETY: handles, and structs of this function.
            let op = make(|$out| unsafe { $c }).expect("an op");
            expect($what, &op, &input, None, &expected);
            (rust, op)
        }};
    }
    compare!(
        "depthwise",
        Depthwise::new(&dw, INPUT, stride, padding, CLAMP_RUST),
        |out| dwsep_op_create_depthwise(dw_c.0, &shape, &window, &CLAMP, out)
    );
    compare!(
        "conv3x3",
        Conv3x3::new(&conv, INPUT, stride, padding, CLAMP_RUST),
        |out| dwsep_op_create_conv3x3(conv_c.0, &shape, &window, &CLAMP, out)
    );
    compare!(
        "separable",
        Separable::new(&dw, &pw, INPUT, stride, padding, CLAMP_RUST, CLAMP_RUST),
        |out| dwsep_op_create_separable(dw_c.0, pw_c.0, &shape, &window, &CLAMP, &CLAMP, out)
    );
    let (rust, op) = compare!("pointwise", Pointwise::new(&pw, INPUT, CLAMP_RUST), |out| {
        dwsep_op_create_pointwise(pw_c.0, &shape, &CLAMP, out)
    });
    if S::ADDS {
        let residual = random::<S::Elem>(rust.output_shape().len("output").unwrap(), 9);
        let mut expected = vec![S::Elem::of(0); residual.len()];
        let view = |data, shape| View::new(data, shape).unwrap();
        rust.run_add(
            &Serial,
            view(&input, INPUT),
            view(&residual, rust.output_shape()),
            ViewMut::new(&mut expected, rust.output_shape()).unwrap(),
            &mut vec![0; rust.workspace_len(1)],
        )
        .unwrap();
        expect("residual", &op, &input, Some(&residual), &expected);
    }
}

#[test]
fn convolutions_of_every_scheme_on_every_instruction_set() {
    for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
        for stride in [Stride::One, Stride::Two] {
            convolutions::<F32>(isa, stride);
            convolutions::<Qs8>(isa, stride);
            convolutions::<Qu8>(isa, stride);
        }
    }
}

#[test]
fn pools_sums_and_softmax() {
    let shape = dwsep_shape {
        n: INPUT.n,
        h: INPUT.h,
        w: INPUT.w,
        c: INPUT.c,
    };
    let len = INPUT.len("input").unwrap();
    let averaged = Nhwc::new(INPUT.n, 1, 1, INPUT.c);
    let input = random::<f32>(len, 1);
    let view = View::new(&input, INPUT).unwrap();

    let mut expected = vec![0.0; INPUT.n * INPUT.c];
    dwsep::global_average_pool(view, ViewMut::new(&mut expected, averaged).unwrap()).unwrap();
    // SAFETY: here and below: structs of this function.
    let op = make(|out| unsafe { dwsep_op_create_average_pool_f32(&shape, out) }).unwrap();
    expect("pool", &op, &input, None, &expected);

    let mut expected = vec![0.0; len];
    dwsep::softmax(view, ViewMut::new(&mut expected, INPUT).unwrap()).unwrap();
    // SAFETY: as above.
    let op = make(|out| unsafe { dwsep_op_create_softmax_f32(&shape, out) }).unwrap();
    expect("softmax", &op, &input, None, &expected);

    fn quantised<S: dwsep::Quantised<Elem: Elem>>(shape: dwsep_shape, averaged: Nhwc) {
        let of = |q: dwsep_quantization| Quantization::new(q.scale, q.zero_point);
        let [a, b, to] = [(0.5, 3), (0.25, 9), (0.75, 1)]
            .map(|(scale, zero_point)| dwsep_quantization { scale, zero_point });
        let len = INPUT.len("input").unwrap();
        let (input, second) = (random::<S::Elem>(len, 1), random::<S::Elem>(len, 2));
        let view = |data| View::new(data, INPUT).unwrap();
        let raw = S::Elem::TYPE as i32;

        let mut expected = vec![S::Elem::of(0); INPUT.n * INPUT.c];
        let target = ViewMut::new(&mut expected, averaged).unwrap();
        dwsep::quantised::global_average_pool::<S>(view(&input), of(a), target, of(to)).unwrap();
        // SAFETY: as above.
        let op = make(|out| unsafe { dwsep_op_create_average_pool_q8(raw, &shape, &a, &to, out) });
        expect("pool", &op.unwrap(), &input, None, &expected);

        let mut expected = vec![S::Elem::of(0); len];
        let target = ViewMut::new(&mut expected, INPUT).unwrap();
        let add = dwsep::quantised::Add::<S>::new(of(a), of(b), of(to), Activation::Relu).unwrap();
        add.run(view(&input), view(&second), target).unwrap();
        let relu = dwsep_activation {
            kind: dwsep_activation_kind::DWSEP_ACTIVATION_RELU as i32,
            lo: f32::NAN,
            hi: f32::NAN,
        };
        // SAFETY: as above.
        let op =
            make(|out| unsafe { dwsep_op_create_add_q8(raw, &shape, &a, &b, &to, &relu, out) });
        expect("sum", &op.unwrap(), &input, Some(&second), &expected);
    }
    quantised::<Qs8>(shape, averaged);
    quantised::<Qu8>(shape, averaged);
}

/// A pointer that threads share; each writes rows of its own.
struct Shared(dwsep_tensor, dwsep_tensor_mut);
// SAFETY: the header says so: rows that are different.
unsafe impl Sync for Shared {}

#[test]
fn threads_share_handles_and_one_output() {
    let dw = of_c(
        "depthwise",
        Isa::Scalar,
        &Data::<F32>::new(9 * C_IN, C_IN, 1),
    );
    let pw_data = Data::<F32>::new(C_IN * C_OUT, C_OUT, 3);
    let pw = of_c("pointwise", Isa::Scalar, &pw_data);
    let shape = dwsep_shape {
        n: 3,
        h: 40,
        w: 9,
        c: C_IN,
    };
    let window = dwsep_window {
        stride: 1,
        top: 1,
        bottom: 1,
        left: 1,
        right: 1,
    };
    let null = std::ptr::null();
    // SAFETY: handles, and structs of this function; NULL is no activation.
    let op = make(|out| unsafe {
        dwsep_op_create_separable(dw.0, pw.0, &shape, &window, null, null, out)
    });
    let op = op.unwrap();
    // The op keeps what it needs.
    drop((dw, pw));

    let input = random::<f32>(3 * 40 * 9 * C_IN, 5);
    let mut expected = vec![0.0; 3 * 40 * 9 * C_OUT];
    let from = tensor(&input, DENSE);
    let status = op.run((0, 120), &from, None, &tensor_mut(&mut expected, DENSE));
    assert_eq!(status, DWSEP_OK);
    for chunk in [1, 7] {
        let mut output = vec![f32::NAN; expected.len()];
        let shared = Shared(from, tensor_mut(&mut output, DENSE));
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let shared = &shared;
                    loop {
                        let row = next.fetch_add(chunk, Ordering::Relaxed);
                        if row >= 120 {
                            break;
                        }
                        let rows = chunk.min(120 - row);
                        let status = op.run((row, rows), &shared.0, None, &shared.1);
                        assert_eq!(status, DWSEP_OK);
                    }
                });
            }
        });
        assert!(output == expected, "{chunk}");
    }
}
