//! Quantised vectors in plain Rust, which the compiler makes vectors of where it can.

use super::q8::{Pixels, Sums, taken};
use crate::quantization::EpilogueQ8;

/// `N` sums or pixels.
#[derive(Clone, Copy)]
pub(crate) struct Ints<const N: usize>([i32; N]);

/// [`EpilogueQ8::apply`] lane by lane.
///
/// # Safety
/// `scales` is readable and `to` writable for `N` elements.
#[inline(always)]
unsafe fn store<const N: usize>(x: [i32; N], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
    for (i, x) in x.into_iter().enumerate() {
        // SAFETY: below N.
        unsafe { to.add(i).write(e.apply(x, scales.add(i).read())) }
    }
}

// SAFETY: no features needed; pointers are used for as many elements as the trait says.
unsafe impl<const N: usize> Sums for Ints<N> {
    const LANES: usize = N;

    type Marked = Self;
    type Row = [i16; 2];
    type Columns = [[i16; 2]; N];

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for N sums.
        Self(unsafe { p.cast::<[i32; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    unsafe fn add(mut self, x: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(x.0) {
            *a = a.wrapping_add(b);
        }
        self
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> [i16; 2] {
        // SAFETY: readable for a step.
        unsafe { p.cast::<[i16; 2]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> [[i16; 2]; N] {
        // SAFETY: readable for a step of N columns.
        unsafe { p.cast::<[[i16; 2]; N]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn dot(mut self, [a, b]: [i16; 2], columns: [[i16; 2]; N]) -> Self {
        for (acc, [x, y]) in self.0.iter_mut().zip(columns) {
            // Each product is less than 2^17.
            let two = i32::from(a) * i32::from(x) + i32::from(b) * i32::from(y);
            *acc = acc.wrapping_add(two);
        }
        self
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { store(self.0, scales, e, to) }
    }
}

// SAFETY: as above.
unsafe impl<const N: usize> Pixels for Ints<N> {
    const LANES: usize = N;
    const PAIRS: bool = false;
    const SLOT: fn(usize) -> usize = |channel| channel;

    type Acc = [i32; N];
    type Pair = ();

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; N])
    }

    #[inline(always)]
    unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        e: &EpilogueQ8,
    ) -> Self {
        let mut x = [0; N];
        for (i, x) in x.iter_mut().enumerate() {
            // SAFETY: readable for N elements.
            let byte = unsafe { p.add(i).read() };
            *x = i32::from((byte ^ e.input_flip) as i8) - taken::<false, CENTRED>(e);
        }
        Self(x)
    }

    #[inline(always)]
    unsafe fn sums(p: *const i32) -> [i32; N] {
        // SAFETY: readable for N sums.
        unsafe { p.cast::<[i32; N]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn pair(_: Self, _: Self) {}

    #[inline(always)]
    unsafe fn dot_pair(acc: [i32; N], (): (), _: *const i16) -> [i32; N] {
        acc
    }

    #[inline(always)]
    unsafe fn mul_add(self, mut acc: [i32; N], w: *const i16) -> [i32; N] {
        for (i, (acc, x)) in acc.iter_mut().zip(self.0).enumerate() {
            // SAFETY: readable for N weights.
            *acc = acc.wrapping_add(x * i32::from(unsafe { w.add(i).read_unaligned() }));
        }
        acc
    }

    #[inline(always)]
    unsafe fn store(acc: [i32; N], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { store(acc, scales, e, to) }
    }
}
