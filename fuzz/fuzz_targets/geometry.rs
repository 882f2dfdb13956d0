//! Sizes, strides and paddings of any magnitude, against the same arithmetic in 128 bits; and which taps fall onto the input.

#![no_main]

use std::sync::LazyLock;

use dwsep::{
    Activation, Depthwise, F32, Filter, KernelSet, Nhwc, PackedDepthwise, Padding, Serial, Stride,
    Strides, View, ViewMut,
};
use libfuzzer_sys::fuzz_target;

const CHANNELS: usize = 3;
const WINDOW: u128 = 3;

/// Tap `k` is 2^k, so that an output over ones is the set of taps that fall onto the input.
static TAPS: LazyLock<PackedDepthwise<F32>> = LazyLock::new(|| {
    let kernels = KernelSet::native().unwrap();
    let weights: [f32; 9 * CHANNELS] = std::array::from_fn(|i| (1 << (i / CHANNELS)) as f32);
    let filter = Filter::new(&weights, None);
    PackedDepthwise::pack(kernels.depthwise(), CHANNELS, filter).unwrap()
});

/// Numbers out of bytes: small ones of one byte, others of any magnitude.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> usize {
        let Some((&kind, rest)) = self.0.split_first() else {
            return 1;
        };
        self.0 = rest;
        if kind < 192 {
            return usize::from(kind % 16);
        }
        let (bytes, rest) = rest.split_at(rest.len().min(8));
        self.0 = rest;
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        (u64::from_le_bytes(whole) >> (kind % 64)) as usize
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers(bytes);
    let mut next = || numbers.next();
    let shape = Nhwc::new(next(), next(), next(), CHANNELS);
    let stride = [Stride::One, Stride::Two][next() % 2];
    let padding = Padding {
        top: next(),
        bottom: next(),
        left: next(),
        right: next(),
    };
    let strides = Strides {
        n: next(),
        h: next(),
        w: next(),
    };
    assert_eq!(shape.len("x").ok(), len(shape), "{shape}");
    assert_eq!(
        strides.extent(shape).ok(),
        extent(shape, strides),
        "{shape} {strides:?}"
    );
    let op = Depthwise::new(&TAPS, shape, stride, padding, Activation::None);
    let expected = len(shape).and_then(|_| output(shape, stride, padding));
    let found = op.as_ref().ok().map(Depthwise::output_shape);
    assert_eq!(found, expected, "{shape} {stride:?} {padding:?}");
    if let Ok(op) = op {
        look(&op, stride, padding);
    }
});

/// Elements, where eight bytes each are less than half of the address space.
fn len(shape: Nhwc) -> Option<usize> {
    let dims = [shape.n, shape.h, shape.w, shape.c].map(|d| d as u128);
    let product = (dims.iter()).try_fold(8, |product: u128, &d| product.checked_mul(d))?;
    (product > 0 && product <= isize::MAX as u128).then_some((product / 8) as usize)
}

/// From the first element to behind the last; nothing where elements overlap.
fn extent(shape: Nhwc, strides: Strides) -> Option<usize> {
    len(shape)?;
    let mut extent = shape.c as u128;
    for (size, stride) in [
        (shape.w, strides.w),
        (shape.h, strides.h),
        (shape.n, strides.n),
    ] {
        if size > 1 {
            if (stride as u128) < extent {
                return None;
            }
            // The product is below 2^128; what came before is too small to carry it beyond.
            extent += stride as u128 * (size as u128 - 1);
            if extent > usize::MAX as u128 {
                return None;
            }
        }
    }
    Some(extent as usize)
}

fn output(shape: Nhwc, stride: Stride, padding: Padding) -> Option<Nhwc> {
    let side = |size: usize, before: usize, after: usize| {
        let padded = size as u128 + before as u128 + after as u128;
        (padded >= WINDOW && padded <= isize::MAX as u128)
            .then(|| ((padded - WINDOW) / stride.get() as u128 + 1) as usize)
    };
    let h = side(shape.h, padding.top, padding.bottom)?;
    let w = side(shape.w, padding.left, padding.right)?;
    let output = Nhwc { h, w, ..shape };
    len(output).map(|_| output)
}

/// Runs a small one, and compares the taps of every output.
fn look(op: &Depthwise<F32>, stride: Stride, padding: Padding) {
    let (from, to) = (op.input_shape(), op.output_shape());
    let small = |shape: Nhwc| len(shape).filter(|&len| len <= 1 << 14);
    let (Some(inputs), Some(outputs)) = (small(from), small(to)) else {
        return;
    };
    let (ones, mut sets) = (vec![1.0; inputs], vec![f32::NAN; outputs]);
    let input = View::new(&ones, from).unwrap();
    let output = ViewMut::new(&mut sets, to).unwrap();
    op.run(&Serial, input, output, &mut []).unwrap();
    // Whether tap `k` of output `o` is within the input, along one side.
    let falls = |o: usize, k: usize, size: usize, before: usize| {
        let at = (o * stride.get() + k) as i128 - before as i128;
        at >= 0 && at < size as i128
    };
    for (i, &found) in sets.iter().enumerate() {
        let pixel = i / to.c;
        let (y, x) = (pixel / to.w % to.h, pixel % to.w);
        let expected: u32 = (0..9)
            .filter(|k| {
                falls(y, k / 3, from.h, padding.top) && falls(x, k % 3, from.w, padding.left)
            })
            .map(|k| 1 << k)
            .sum();
        assert_eq!(found, expected as f32, "row {y}, column {x}");
    }
}
