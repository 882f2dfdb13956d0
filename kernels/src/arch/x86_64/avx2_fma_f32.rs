//! f32 on AVX2 and FMA: 16 registers of 8 lanes.
//!
//! Pointwise 6 x 16: 12 accumulators, 2 vectors of the panel, 1 broadcast. Two FMAs a cycle of 4 to 5 cycles' latency need 8 to 10
//! chains; 4 x 24 and 3 x 32 spill.
//! Depthwise 2 x 4 at stride 1: 8 accumulators, 6 inputs, 1 tap. At stride 2 a patch of 2 x 4 would need 9 inputs beside them.

#[cfg(feature = "std")]
use crate::arch::peak_f32;
use crate::arch::{dw_f32, pw_f32};
use crate::simd::avx2_fma::Avx2;

pw_f32!(PW_6X16, "pw_f32_6x16__avx2_fma", Avx2Fma, avx2_fma, Avx2, 6 x 2);
dw_f32!(DW_8C, "dw3x3_f32_8c__avx2_fma", Avx2Fma, avx2_fma, Avx2, s1 2 x 4, s2 2 x 2);
#[cfg(feature = "std")]
peak_f32!(PEAK, Avx2Fma, avx2_fma, Avx2, 12);
