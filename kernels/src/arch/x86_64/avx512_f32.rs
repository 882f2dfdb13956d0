//! f32 on AVX-512: 32 registers of 16 lanes.
//!
//! Pointwise 14 x 32: 28 accumulators, 2 vectors of the panel, 1 broadcast. Rows of MobileNet's sizes are multiples of 14 down to 14 x 14
//! pixels, so that no tile is lower than the others.
//! Depthwise 3 x 4 at stride 1: 12 accumulators, 6 inputs, 9 taps. 2 x 3 at stride 2: 6 accumulators, 7 inputs, 9 taps; 2 x 4 keeps
//! vectors on the stack and is not faster.

#[cfg(feature = "std")]
use crate::arch::peak_f32;
use crate::arch::{dw_f32, pw_f32};
use crate::simd::avx512::Avx512;

pw_f32!(PW_14X32, "pw_f32_14x32__avx512", Avx512, avx512, Avx512, 14 x 2);
dw_f32!(DW_16C, "dw3x3_f32_16c__avx512", Avx512, avx512, Avx512, s1 3 x 4, s2 2 x 3);
#[cfg(feature = "std")]
peak_f32!(PEAK, Avx512, avx512, Avx512, 24);
