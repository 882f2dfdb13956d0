//! Arbitrary arguments over real buffers whose lengths lie about nothing: no crash, no byte outside. What is refused writes nothing. What is
//! accepted writes all of its rows and nothing else, the same again, row by row, and on every tier that promises the same bits.
//!
//! A call is made of bytes, which proptest draws (`refused_or_right.rs`) and the target `capi` of `fuzz/` mutates: that one includes this
//! file.

use std::ptr;

use dwsep_capi::dwsep_status::{self, *};
use dwsep_capi::dwsep_type::DWSEP_F32;
use dwsep_capi::*;

use crate::calls::{Elem, Op, Weights, last_message, make, pack, random};

/// As many bytes as most calls take.
pub const BYTES: usize = 128;

/// Numbers out of bytes. Missing bytes count as 0, and 0 stands for what is simplest: any bytes are enough, and shrink.
///
/// A number comes of one byte; the highest, one in 32, stand for what most calls refuse.
pub struct Source<'a>(pub &'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// Of `least` to `most`.
    fn within(&mut self, least: usize, most: usize) -> usize {
        least + usize::from(self.byte()) % (most - least + 1)
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes([0; 8].map(|_: u8| self.byte()))
    }

    /// A size: mostly one that fits, sometimes one that nothing fits.
    pub fn size(&mut self) -> usize {
        const HUGE: [usize; 6] = [
            usize::MAX,
            usize::MAX / 2,
            usize::MAX / 8,
            1 << 31,
            (1 << 61) + 1,
            1 << 32,
        ];
        match self.byte() {
            byte @ ..=247 => 1 + usize::from(byte % 8),
            248 => 0,
            255 => self.word() as usize,
            byte => HUGE[usize::from(byte - 249)],
        }
    }

    /// A number of an enum: mostly one of `least` to `most`, seldom another, or one that is none.
    pub fn number(&mut self, least: u8, most: u8) -> i32 {
        match self.byte() {
            byte @ ..=247 => i32::from(least + byte % (most - least + 1)),
            byte @ 248..=253 => i32::from(byte % 10),
            _ => self.word() as i32,
        }
    }

    /// From 1/100 to about 10.
    fn positive(&mut self) -> f32 {
        f32::from(1 + 4 * u16::from(self.byte())) / 100.0
    }

    fn float(&mut self) -> f32 {
        match self.byte() {
            ..=247 => self.positive(),
            248 | 249 => 0.0,
            250 => f32::NAN,
            251 => f32::INFINITY,
            252 => -1.0,
            _ => f32::from_bits(self.word() as u32),
        }
    }

    /// 0 most of the time, or 1 to `most`.
    fn few(&mut self, most: usize) -> usize {
        match self.byte() {
            ..=239 => 0,
            _ => self.within(1, most),
        }
    }

    fn quantization(&mut self) -> dwsep_quantization {
        let zero_point = match self.byte() {
            byte @ ..=241 => i32::from(byte % 8),
            242..=252 => -1 - i32::from(self.byte() % 128),
            _ => self.word() as i32,
        };
        dwsep_quantization {
            scale: self.float(),
            zero_point,
        }
    }

    pub fn shape(&mut self) -> dwsep_shape {
        let [n, h, w, c] = [0; 4].map(|_| self.size());
        dwsep_shape { n, h, w, c }
    }

    pub fn strides(&mut self) -> dwsep_strides {
        let some = |source: &mut Self| match source.byte() {
            ..=159 => 0,
            byte @ ..=239 => 40 + usize::from(byte % 50),
            byte @ ..=249 => usize::from(byte % 40),
            _ => source.size(),
        };
        match self.byte() {
            ..=85 => dwsep_strides::default(),
            // Of rows and images, which are larger than those of pixels.
            86..=171 => dwsep_strides {
                n: 5 * self.within(600, 699),
                h: self.within(300, 399),
                w: self.within(9, 19),
            },
            _ => dwsep_strides {
                n: some(self),
                h: some(self),
                w: some(self),
            },
        }
    }

    pub fn window(&mut self) -> dwsep_window {
        let stride = match self.byte() {
            byte @ ..=239 => 1 + usize::from(byte % 2),
            _ => self.size(),
        };
        let [top, bottom, left, right] = [0; 4].map(|_| match self.byte() {
            byte @ ..=247 => usize::from(byte % 4),
            _ => self.size(),
        });
        dwsep_window {
            stride,
            top,
            bottom,
            left,
            right,
        }
    }

    fn run(&mut self) -> Run {
        Run {
            rows: [0; 2].map(|_| match self.byte() {
                byte @ ..=247 => usize::from(byte % 3),
                _ => self.size(),
            }),
            strides: [0; 3].map(|_| self.strides()),
            tensor_types: [0; 3].map(|_| match self.byte() {
                ..=243 => None,
                _ => Some(self.number(1, 3)),
            }),
            hidden: [0; 3].map(|_| self.few(8)),
            has_second: self.byte() % 2 == 1,
            missing_workspace: self.few(8),
            reserved: match self.byte() {
                ..=247 => 0,
                _ => self.word() as u32,
            },
            offset: self.few(3),
            null: self.few(4),
            shared: self.few(4),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Call {
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
    /// Which pointer is null: 1 input, 2 output, 3 workspace, 4 op.
    null: usize,
    /// What lies where the output does: 1 input, 2 second, 3 workspace; 4: the workspace, where the input does.
    shared: usize,
}

impl Call {
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut source = Source(bytes);
        let s = &mut source;
        let isa = s.number(0, 1);
        let what = [s.within(0, 2), s.within(0, 8), s.within(0, 7)];
        let quantised = s.byte() % 2 == 1;
        let shape = s.shape();
        let types = [0; 2].map(|_| s.number(2, 3));
        let c_out = s.size();
        Self {
            isa,
            what,
            quantised,
            types,
            // Those of the input, most of the time.
            channels: [if s.byte() < 240 { shape.c } else { s.size() }, c_out],
            wrong: [0; 3].map(|_| s.few(8)),
            quantizations: [0; 3].map(|_| s.quantization()),
            shape,
            window: s.window(),
            activation: dwsep_activation {
                kind: s.number(0, 4),
                lo: -s.positive(),
                hi: s.float(),
            },
            run: s.run(),
        }
    }
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

/// What a call says, and all bytes of the output's buffer.
#[derive(PartialEq)]
struct Ran {
    status: dwsep_status,
    output: Vec<u8>,
}

/// Calls once for each of `parts`, first row and number of rows, up to the first that is refused, into a buffer of bytes `fill`.
fn execute(call: &Call, op: &Op, parts: &[[usize; 2]], fill: u8) -> Ran {
    let (from, to) = op.shapes();
    let run = &call.run;
    let fills = [0.5, 0.5, f32::from_ne_bytes([fill; 4])];
    let [mut input, second, mut output] = [(from, 0), (to, 1), (to, 2)]
        .map(|(shape, i)| Buffer::new(shape, run.strides[i], run.hidden[i], fills[i]));
    let right = element_type(call);
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
    let (mut from, mut other) = (describe(0, &input), describe(1, &second));
    // As long as whatever is said to lie there.
    let longest = output.bytes.len().max(from.len + 4).max(other.len + 4);
    output.bytes.resize(longest, fills[2]);
    let shared = output.bytes.as_mut_ptr();
    let data = shared.wrapping_byte_add(run.offset);
    match run.shared {
        1 => from.data = data.cast_const().cast(),
        2 => other.data = data.cast_const().cast(),
        _ => {}
    }
    let target = dwsep_tensor_mut {
        data: data.cast(),
        len: output.len,
        strides: run.strides[2],
        r#type: run.tensor_types[2].unwrap_or(right),
        reserved: run.reserved,
    };
    let needed = op.workspace_len();
    // An op may be of any size; what it is run with is not.
    let len = needed.saturating_sub(run.missing_workspace).min(1 << 22);
    let mut workspace = vec![0xC3_u8; len + 8];
    let (place, len) = match run.shared {
        3 => (shared.cast(), len.min(size_of::<f32>() * longest)),
        4 => {
            let bytes = size_of_val(&input.bytes[..]);
            (input.bytes.as_mut_ptr().cast(), len.min(bytes))
        }
        _ => (workspace.as_mut_ptr().cast(), len),
    };
    let from = if run.null == 1 {
        ptr::null()
    } else {
        &raw const from
    };
    let target = if run.null == 2 {
        ptr::null()
    } else {
        &raw const target
    };
    let place = if run.null == 3 {
        ptr::null_mut()
    } else {
        place
    };
    let op = if run.null == 4 { ptr::null_mut() } else { op.0 };
    let other = if run.has_second {
        &raw const other
    } else {
        ptr::null()
    };
    let mut status = DWSEP_OK;
    for &[first, rows] in parts {
        // SAFETY: the buffers hold as many elements of any type as the tensors say. What shares memory or is null is refused.
        status = unsafe { dwsep_op_run(op, first, rows, from, other, target, place, len) };
        if status != DWSEP_OK {
            break;
        }
        // A workspace that was short was one too many.
        assert!(len >= needed, "{len} bytes, needed are {needed}");
    }
    assert!(workspace[len..].iter().all(|&x| x == 0xC3));
    Ran {
        status,
        output: output.bytes.iter().flat_map(|x| x.to_ne_bytes()).collect(),
    }
}

/// The op's own type is not asked for: the right one is guessed.
fn element_type(call: &Call) -> i32 {
    match call.what[2] {
        5 | 6 => call.types[0],
        4 | 7 => DWSEP_F32 as i32,
        _ if call.quantised => call.types[0],
        _ => DWSEP_F32 as i32,
    }
}

/// Makes an op and runs it.
fn attempt(call: &Call) -> Ran {
    const FILLS: [u8; 2] = [0x5A, 0xA5];
    let refused = |status| Ran {
        status,
        output: Vec::new(),
    };
    let op = match op(call) {
        Ok(op) => op,
        Err(status) => return refused(status),
    };
    let [first, rows] = call.run.rows;
    let [ran, again] = FILLS.map(|fill| execute(call, &op, &[[first, rows]], fill));
    assert_eq!(ran.status, again.status);
    if ran.status != DWSEP_OK {
        for (fill, ran) in FILLS.into_iter().zip([&ran, &again]) {
            let untouched = ran.output.iter().all(|&x| x == fill);
            assert!(untouched, "{:?}, and something was written", ran.status);
        }
        return refused(ran.status);
    }
    // The two fills have no byte in common: what is the same in both has been written.
    let mut written = 0;
    for (&x, &y) in ran.output.iter().zip(&again.output) {
        if x == y {
            written += 1;
        } else {
            assert_eq!([x, y], FILLS, "not the same again");
        }
    }
    let (_, to) = op.shapes();
    let size = if element_type(call) == DWSEP_F32 as i32 {
        size_of::<f32>()
    } else {
        1
    };
    assert_eq!(written, rows * to.w * to.c * size, "{rows} rows of {to:?}");
    let parts: Vec<_> = (first..first + rows).map(|row| [row, 1]).collect();
    let apart = execute(call, &op, &parts, FILLS[0]);
    assert!(apart == ran, "row by row it is something else");
    ran
}

/// The instruction set that kernels are of, if `isa` is a number of one that this CPU has.
fn resolved(isa: i32) -> Option<i32> {
    let mut resolved = 0;
    // SAFETY: room for what is asked.
    let status = unsafe { dwsep_isa_resolve(isa, &mut resolved) };
    (status == DWSEP_OK).then_some(resolved)
}

/// Puts the call that bytes stand for on every tier, and gives what is said of it.
pub fn check(bytes: &[u8]) -> dwsep_status {
    let call = Call::from_bytes(bytes);
    let ran = attempt(&call);
    assert_ne!(ran.status, DWSEP_INTERNAL, "{}", last_message());
    let Some(own) = resolved(call.isa) else {
        return ran.status;
    };
    let integers = element_type(&call) != DWSEP_F32 as i32;
    let fused = |isa: i32| isa > dwsep_isa::DWSEP_ISA_PORTABLE as i32;
    for isa in (1..).take_while(|&isa| !dwsep_isa_name(isa).is_null()) {
        if let Some(other) = resolved(isa)
            && other != own
        {
            let there = attempt(&Call {
                isa,
                ..call.clone()
            });
            assert_eq!(there.status, ran.status, "on {own} and {other}: {call:#?}");
            if integers || fused(own) == fused(other) {
                assert!(there == ran, "{own} and {other} are not alike: {call:#?}");
            }
        }
    }
    ran.status
}
