//! Plain Rust: an array of `N` lanes. Multiplies and adds separately (a fused multiply-add without hardware is a library call).
//! What the compiler makes of the loops is its own affair: lanes are independent, so the bits do not depend on it.

use super::Vf32;
use crate::epilogue;

#[derive(Clone, Copy)]
pub(crate) struct Array<const N: usize>([f32; N]);

impl<const N: usize> Array<N> {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (x, y) in self.0.iter_mut().zip(other.0) {
            *x = f(*x, y);
        }
        self
    }
}

// SAFETY: no features needed; pointers are used for as many elements as the trait says.
unsafe impl<const N: usize> Vf32 for Array<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: readable for N elements; arrays of f32 need no more alignment than f32.
        Self(unsafe { p.cast::<[f32; N]>().read() })
    }

    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> Self {
        let mut x = [0.0; N];
        for (i, x) in x.iter_mut().enumerate().take(n) {
            // SAFETY: readable for n elements.
            *x = unsafe { p.add(i).read() };
        }
        Self(x)
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: writable for N elements.
        unsafe { p.cast::<[f32; N]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize) {
        for (i, x) in self.0.into_iter().enumerate().take(n) {
            // SAFETY: writable for n elements.
            unsafe { p.add(i).write(x) }
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        self.zip(x, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        self.zip(x, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| a * b), |sum, product| sum + product)
    }

    #[inline(always)]
    unsafe fn mul_add_lane<const LANE: i32>(self, a: Self, b: Self) -> Self {
        self.zip(b, |sum, b| sum + a.0[LANE as usize] * b)
    }

    #[inline(always)]
    unsafe fn clamp(mut self, lo: Self, hi: Self) -> Self {
        for ((x, lo), hi) in self.0.iter_mut().zip(lo.0).zip(hi.0) {
            *x = epilogue::clamp(*x, lo, hi);
        }
        self
    }
}
