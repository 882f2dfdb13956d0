//! Quantised vectors on the crate `wide`: SSE2's `pmaddwd`, wasm's `i32x4.dot_i16x8_s`, or arrays.

use bytemuck::cast;
use wide::{f32x4, f32x8, i16x8, i32x4, i32x8};

use super::q8::{Pixels, Sums, taken};
use crate::quantization::EpilogueQ8;

/// In a sum with it there is no room for fractions; see [`crate::quantization::round_ties_even`].
const NO_FRACTIONS: f32 = 12_582_912.0;

/// Four sums.
#[derive(Clone, Copy)]
pub(crate) struct Wide(i32x4);

// SAFETY: no features needed; pointers are used for as many elements as the trait says.
unsafe impl Sums for Wide {
    const LANES: usize = 4;

    type Marked = Self;
    type Row = i16x8;
    type Columns = i16x8;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for 4 sums.
        Self(i32x4::new(unsafe { p.cast::<[i32; 4]>().read_unaligned() }))
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        Self(i32x4::splat(x))
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        Self(self.0 + x.0)
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> i16x8 {
        // SAFETY: readable for a step.
        cast(i32x4::splat(unsafe { p.cast::<i32>().read_unaligned() }))
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> i16x8 {
        // SAFETY: readable for a step of 4 columns.
        i16x8::new(unsafe { p.cast::<[i16; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn dot(self, row: i16x8, columns: i16x8) -> Self {
        Self(self.0 + row.dot(columns))
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 4 scales.
        let scales = f32x4::new(unsafe { scales.cast::<[f32; 4]>().read_unaligned() });
        let x = (f32x4::from_i32x4(self.0) * scales)
            .fast_max(f32x4::splat(e.lo))
            .fast_min(f32x4::splat(e.hi));
        let x = (x + f32x4::splat(NO_FRACTIONS)) - f32x4::splat(NO_FRACTIONS);
        let y = x.fast_trunc_int() + i32x4::splat(e.zero_point);
        for (i, y) in y.to_array().into_iter().enumerate() {
            // SAFETY: writable for 4 bytes.
            unsafe { to.add(i).write(y as u8 ^ e.flip) }
        }
    }
}

/// Eight pixels.
#[derive(Clone, Copy)]
pub(crate) struct WidePixels(i16x8);

// SAFETY: as above.
unsafe impl Pixels for WidePixels {
    const LANES: usize = 8;
    const PAIRS: bool = false;
    const SLOT: fn(usize) -> usize = |channel| channel;

    type Acc = i32x8;
    type Pair = ();

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(i16x8::splat(0))
    }

    #[inline(always)]
    unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        e: &EpilogueQ8,
    ) -> Self {
        // SAFETY: readable for 8 elements.
        let bytes = unsafe { p.cast::<[u8; 8]>().read() };
        let words = bytes.map(|byte| i16::from((byte ^ e.input_flip) as i8));
        let taken = taken::<false, CENTRED>(e);
        Self(i16x8::new(words) - i16x8::splat(taken as i16))
    }

    #[inline(always)]
    unsafe fn sums(p: *const i32) -> i32x8 {
        // SAFETY: readable for 8 sums.
        i32x8::new(unsafe { p.cast::<[i32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn pair(_: Self, _: Self) {}

    #[inline(always)]
    unsafe fn dot_pair(acc: i32x8, (): (), _: *const i16) -> i32x8 {
        acc
    }

    #[inline(always)]
    unsafe fn mul_add(self, acc: i32x8, w: *const i16) -> i32x8 {
        // SAFETY: readable for 8 weights.
        let w = i16x8::new(unsafe { w.cast::<[i16; 8]>().read_unaligned() });
        acc + self.0.widening_mul(w)
    }

    #[inline(always)]
    unsafe fn store(acc: i32x8, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 8 scales.
        let scales = f32x8::new(unsafe { scales.cast::<[f32; 8]>().read_unaligned() });
        let x = (f32x8::from_i32x8(acc) * scales)
            .fast_max(f32x8::splat(e.lo))
            .fast_min(f32x8::splat(e.hi));
        let x = (x + f32x8::splat(NO_FRACTIONS)) - f32x8::splat(NO_FRACTIONS);
        let y = x.fast_trunc_int() + i32x8::splat(e.zero_point);
        for (i, y) in y.to_array().into_iter().enumerate() {
            // SAFETY: writable for 8 bytes.
            unsafe { to.add(i).write(y as u8 ^ e.flip) }
        }
    }
}
