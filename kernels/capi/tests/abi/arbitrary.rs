//! Arbitrary arguments over real buffers whose lengths lie about nothing: no crash, no byte outside, and what is accepted is right as far as
//! it can be seen (a workspace of the length asked for is enough, a refusal writes nothing).

use std::cell::Cell;
use std::ptr;

use dwsep_capi::dwsep_status::{self, *};
use dwsep_capi::*;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::calls::{Elem, Op, Weights, make, pack, random};

/// A size: mostly one that fits, sometimes one that nothing fits.
fn size() -> impl Strategy<Value = usize> {
    static HUGE: [usize; 6] = [
        usize::MAX,
        usize::MAX / 2,
        usize::MAX / 8,
        1 << 31,
        (1 << 61) + 1,
        1 << 32,
    ];
    prop_oneof![
        60 => 1_usize..9,
        1 => Just(0),
        1 => select(&HUGE[..]),
    ]
}

/// A number of an enum: mostly one from `least` on, seldom one that is none.
fn number(least: i32, most: i32) -> impl Strategy<Value = i32> {
    prop_oneof![40 => least..=most, 2 => 0..=9, 1 => any::<i32>()]
}

/// From 1/100 to 10. Not a range of floats: proptest 1.12 panics when it draws the very end of some of these.
fn positive() -> impl Strategy<Value = f32> {
    (1_u16..=1000).prop_map(|hundredths| f32::from(hundredths) / 100.0)
}

fn float() -> impl Strategy<Value = f32> {
    prop_oneof![60 => positive(), 1 => any::<f32>(), 1 => select(&[0.0, f32::NAN, f32::INFINITY, -1.0][..])]
}

fn quantization() -> impl Strategy<Value = dwsep_quantization> {
    let zero_point = prop_oneof![40 => 0..8, 2 => -128..0, 1 => any::<i32>()];
    (float(), zero_point).prop_map(|(scale, zero_point)| dwsep_quantization { scale, zero_point })
}

fn shape() -> impl Strategy<Value = dwsep_shape> {
    (size(), size(), size(), size()).prop_map(|(n, h, w, c)| dwsep_shape { n, h, w, c })
}

fn strides() -> impl Strategy<Value = dwsep_strides> {
    let some = || prop_oneof![40 => Just(0), 20 => 40_usize..90, 2 => 0_usize..40, 1 => size()];
    prop_oneof![
        1 => Just(dwsep_strides::default()),
        // Of rows and images, which are larger than those of pixels.
        1 => (600_usize..700, 300_usize..400, 9_usize..20).prop_map(|(n, h, w)| dwsep_strides { n: n * 5, h, w }),
        1 => (some(), some(), some()).prop_map(|(n, h, w)| dwsep_strides { n, h, w }),
    ]
}

fn window() -> impl Strategy<Value = dwsep_window> {
    let pad = || prop_oneof![20 => 0_usize..4, 1 => size()];
    (
        prop_oneof![9 => 1_usize..3, 1 => size()],
        pad(),
        pad(),
        pad(),
        pad(),
    )
        .prop_map(|(stride, top, bottom, left, right)| dwsep_window {
            stride,
            top,
            bottom,
            left,
            right,
        })
}

fn activation() -> impl Strategy<Value = dwsep_activation> {
    (number(0, 3), positive(), float()).prop_map(|(kind, lo, hi)| dwsep_activation {
        kind,
        lo: -lo,
        hi,
    })
}

#[derive(Clone, Debug)]
struct Call {
    isa: i32,
    /// Which weights, and which op, which need not fit.
    what: [usize; 3],
    quantised: bool,
    types: [i32; 2],
    channels: [usize; 2],
    /// Added to the right lengths of weights, bias and scales.
    wrong: [usize; 3],
    quantizations: [dwsep_quantization; 3],
    shape: dwsep_shape,
    window: dwsep_window,
    activation: dwsep_activation,
    run: Run,
}

#[derive(Clone, Debug)]
struct Run {
    rows: [usize; 2],
    strides: [dwsep_strides; 3],
    tensor_types: [Option<i32>; 3],
    /// Elements of the tensors' buffers that the call is not told of.
    hidden: [usize; 3],
    has_second: bool,
    missing_workspace: usize,
    reserved: u32,
    offset: usize,
}

fn run() -> impl Strategy<Value = Run> {
    let rare =
        |strategy: BoxedStrategy<i32>| prop_oneof![15 => Just(None), 1 => strategy.prop_map(Some)];
    let types = [0, 1, 2].map(|_| rare(number(1, 3).boxed()));
    let few = || prop_oneof![15 => Just(0_usize), 1 => 1_usize..9];
    (
        [
            prop_oneof![30 => 0_usize..3, 1 => size()].boxed(),
            prop_oneof![30 => 0_usize..3, 1 => size()].boxed(),
        ],
        [strides().boxed(), strides().boxed(), strides().boxed()],
        types,
        [few(), few(), few()],
        any::<bool>(),
        few(),
        prop_oneof![20 => Just(0_u32), 1 => any::<u32>()],
        prop_oneof![9 => Just(0_usize), 1 => 1_usize..4],
    )
        .prop_map(
            |(
                rows,
                strides,
                tensor_types,
                hidden,
                has_second,
                missing_workspace,
                reserved,
                offset,
            )| Run {
                rows,
                strides,
                tensor_types,
                hidden,
                has_second,
                missing_workspace,
                reserved,
                offset,
            },
        )
}

fn call() -> impl Strategy<Value = Call> {
    let few = || prop_oneof![15 => Just(0_usize), 1 => 1_usize..9];
    (
        number(0, 1),
        [0_usize..3, 0..9, 0..8],
        any::<bool>(),
        [number(2, 3).boxed(), number(2, 3).boxed()],
        [size().boxed(), size().boxed()],
        [few(), few(), few()],
        [
            quantization().boxed(),
            quantization().boxed(),
            quantization().boxed(),
        ],
        shape(),
        window(),
        (activation(), run()),
    )
        .prop_map(
            |(
                isa,
                what,
                quantised,
                types,
                mut channels,
                wrong,
                quantizations,
                shape,
                window,
                (activation, run),
            )| {
                // Those of the input, most of the time.
                if !channels[1].is_multiple_of(8) {
                    channels[0] = shape.c;
                }
                Call {
                    isa,
                    what,
                    quantised,
                    types,
                    channels,
                    wrong,
                    quantizations,
                    shape,
                    window,
                    activation,
                    run,
                }
            },
        )
}

/// Elements of a buffer for what is said; of what is too large, a few.
fn affordable(len: Option<usize>) -> usize {
    len.filter(|&len| len < 1 << 16).unwrap_or(50)
}

fn weights(call: &Call, what: usize) -> Result<Weights, dwsep_status> {
    let [c_in, c_out] = call.channels;
    let channels = if what == 0 { c_in } else { c_out };
    let taps = [9, 1, 9][what];
    let depth = if what == 0 {
        Some(taps)
    } else {
        c_in.checked_mul(taps)
    };
    let len = affordable(depth.and_then(|depth| depth.checked_mul(channels))) + call.wrong[0];
    let bias_len = affordable(Some(channels)) + call.wrong[1];
    let (floats, bytes) = (random::<f32>(len, 1), random::<i8>(len, 1));
    let (bias, bias_q8) = (random::<f32>(bias_len, 2), random::<i32>(bias_len, 2));
    let scales = vec![call.quantizations[2].scale; affordable(Some(channels)) + call.wrong[2]];
    if !call.quantised {
        let filter = dwsep_filter_f32 {
            weights: floats.as_ptr(),
            weights_len: len,
            bias: bias.as_ptr(),
            bias_len,
            flags: call.run.reserved & 3,
            reserved: 0,
        };
        // SAFETY: the arrays are as long as it says.
        return pack(|out| unsafe {
            match what {
                0 => dwsep_weights_create_depthwise_f32(call.isa, c_in, &filter, out),
                1 => dwsep_weights_create_pointwise_f32(call.isa, c_in, c_out, &filter, out),
                _ => dwsep_weights_create_conv3x3_f32(call.isa, c_in, c_out, &filter, out),
            }
        });
    }
    let filter = dwsep_filter_q8 {
        // Not F32 most of the time.
        r#type: call.types[0],
        weights_type: call.types[1],
        weights: bytes.as_ptr().cast(),
        weights_len: len,
        bias: bias_q8.as_ptr(),
        bias_len,
        weight_scales: scales.as_ptr(),
        weight_scales_len: scales.len(),
        weight_zero_point: call.quantizations[2].zero_point,
        reserved: 0,
        input: call.quantizations[0],
        output: call.quantizations[1],
    };
    // SAFETY: as above; elements of both 8-bit types are a byte. Those of a float are four, and then the type is refused.
    pack(|out| unsafe {
        match what {
            0 => dwsep_weights_create_depthwise_q8(call.isa, c_in, &filter, out),
            1 => dwsep_weights_create_pointwise_q8(call.isa, c_in, c_out, &filter, out),
            _ => dwsep_weights_create_conv3x3_q8(call.isa, c_in, c_out, &filter, out),
        }
    })
}

fn op(call: &Call) -> Result<Op, dwsep_status> {
    let Call {
        shape,
        window,
        activation,
        quantizations: [a, b, c],
        ..
    } = call;
    let handle = |what| weights(call, what);
    let null = ptr::null();
    // Weights of one kind for an op of another, now and then.
    let kind = call.what[2];
    let of = |right: usize| {
        if call.what[0] == call.what[1] {
            call.what[0]
        } else {
            right
        }
    };
    // SAFETY: handles and structs of this function.
    unsafe {
        match kind {
            0 => handle(of(0)).and_then(|w| {
                make(|out| dwsep_op_create_depthwise(w.0, shape, window, activation, out))
            }),
            1 => handle(of(1))
                .and_then(|w| make(|out| dwsep_op_create_pointwise(w.0, shape, activation, out))),
            2 => handle(of(2))
                .and_then(|w| make(|out| dwsep_op_create_conv3x3(w.0, shape, window, null, out))),
            3 => {
                let (first, second) = (handle(of(0))?, handle(of(1))?);
                make(|out| {
                    dwsep_op_create_separable(
                        first.0, second.0, shape, window, activation, null, out,
                    )
                })
            }
            4 => make(|out| dwsep_op_create_average_pool_f32(shape, out)),
            5 => make(|out| dwsep_op_create_average_pool_q8(call.types[0], shape, a, b, out)),
            6 => make(|out| dwsep_op_create_add_q8(call.types[0], shape, a, b, c, activation, out)),
            _ => make(|out| dwsep_op_create_softmax_f32(shape, out)),
        }
    }
}

/// A buffer for a tensor of whatever type, and where it starts in it.
struct Buffer {
    bytes: Vec<f32>,
    /// Elements that the call is told of.
    len: usize,
}

impl Buffer {
    fn new(shape: dwsep_shape, strides: dwsep_strides, hidden: usize, fill: f32) -> Self {
        let mut len = 0;
        // SAFETY: structs of this function.
        let status = unsafe { dwsep_strides_extent(&shape, &strides, &mut len) };
        let len = affordable((status == DWSEP_OK).then_some(len));
        Self {
            // Large enough for floats, whatever the type; and a little more, for offsets.
            bytes: vec![fill; len + 4],
            len: len.saturating_sub(hidden),
        }
    }
}

fn execute(call: &Call, op: &Op) -> Result<dwsep_status, TestCaseError> {
    let (from, to) = op.shapes();
    let run = &call.run;
    let [mut input, second, mut output] = [(from, 0), (to, 1), (to, 2)]
        .map(|(shape, i)| Buffer::new(shape, run.strides[i], run.hidden[i], 0.5));
    // The op's own type is not asked for: the right one is guessed.
    let right = match call.what[2] {
        4 | 7 => 1,
        5 | 6 => call.types[0],
        _ if call.quantised => call.types[0],
        _ => 1,
    };
    let describe = |i: usize, buffer: &Buffer| dwsep_tensor {
        data: buffer.bytes.as_ptr().wrapping_byte_add(run.offset).cast(),
        len: buffer.len,
        strides: run.strides[i],
        r#type: run.tensor_types[i].unwrap_or(right),
        reserved: run.reserved,
    };
    for (i, x) in input.bytes.iter_mut().enumerate() {
        *x = f32::of((i as u32).wrapping_mul(2_654_435_761));
    }
    let (from, other) = (describe(0, &input), describe(1, &second));
    let before = output.bytes.clone();
    let target = dwsep_tensor_mut {
        data: output
            .bytes
            .as_mut_ptr()
            .wrapping_byte_add(run.offset)
            .cast(),
        len: output.len,
        strides: run.strides[2],
        r#type: run.tensor_types[2].unwrap_or(right),
        reserved: run.reserved,
    };
    let needed = op.workspace_len();
    // An op may be of any size; what it is run with is not.
    let len = needed.saturating_sub(run.missing_workspace).min(1 << 22);
    let mut workspace = vec![0xC3_u8; len + 8];
    let other = if run.has_second {
        &raw const other
    } else {
        ptr::null()
    };
    // SAFETY: the buffers hold as many elements of any type as the tensors say.
    let status = unsafe {
        dwsep_op_run(
            op.0,
            run.rows[0],
            run.rows[1],
            &from,
            other,
            &target,
            workspace.as_mut_ptr().cast(),
            len,
        )
    };
    prop_assert!(workspace[len..].iter().all(|&x| x == 0xC3));
    if status != DWSEP_OK {
        let same = before
            .iter()
            .zip(&output.bytes)
            .all(|(a, b)| a.to_bits() == b.to_bits());
        prop_assert!(same, "{status:?}, and something was written");
    } else {
        // A workspace that was short was one too many.
        prop_assert!(len >= needed);
        let end = before.len() - 4;
        prop_assert_eq!(&before[end + 1..], &output.bytes[end + 1..]);
    }
    Ok(status)
}

#[test]
fn arguments_are_refused_or_right() {
    let config = ProptestConfig {
        cases: 6000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cases = config.cases;
    let (done, refused) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&call(), |call| {
        let status = match op(&call) {
            Ok(op) => execute(&call, &op)?,
            Err(status) => status,
        };
        prop_assert_ne!(status, DWSEP_INTERNAL);
        let count = if status == DWSEP_OK { &done } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // Where hardly anything is accepted, or hardly anything refused, nothing is tested.
    for count in [done, refused] {
        assert!(count.get() > cases / 10, "{count:?} of {cases}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sizes_are_refused_or_right(shape in shape(), strides in strides(), r#type in number(1, 3), window in window()) {
        let mut len = 0;
        // SAFETY: structs of this function.
        let status = unsafe { dwsep_strides_extent(&shape, &strides, &mut len) };
        prop_assert_ne!(status, DWSEP_INTERNAL);
        prop_assert_eq!(status == DWSEP_OK, len > 0);
        let mut spread = dwsep_strides::default();
        // SAFETY: as above.
        let status = unsafe { dwsep_strides_spread(r#type, &shape, &mut spread) };
        prop_assert_ne!(status, DWSEP_INTERNAL);
        if status == DWSEP_OK {
            // SAFETY: as above.
            prop_assert_eq!(unsafe { dwsep_strides_extent(&shape, &spread, &mut len) }, DWSEP_OK);
        }
        let mut same = window;
        // SAFETY: as above.
        let status = unsafe { dwsep_window_same(shape.h, shape.w, window.stride, &mut same) };
        prop_assert_eq!(status == DWSEP_OK, (1..=2).contains(&window.stride));
    }
}
