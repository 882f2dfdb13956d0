//! f32 on NEON: 32 registers of 4 lanes.
//!
//! Pointwise 8 x 8: 16 accumulators, 8 vectors of A (four k steps of a row each, multiplied by lane), 2 of the panel.
//! Depthwise 2 x 4 at either stride: 8 accumulators, 6 or 9 inputs, 1 tap.

#[cfg(feature = "std")]
use crate::arch::peak_f32;
use crate::arch::{dw_f32, pw_f32};
use crate::simd::neon::Neon;

pw_f32!(PW_8X8, "pw_f32_8x8__neon", Neon, neon, Neon, 8 x 2);
dw_f32!(DW_4C, "dw3x3_f32_4c__neon", Neon, neon, Neon, s1 2 x 4, s2 2 x 4);
#[cfg(feature = "std")]
peak_f32!(PEAK, Neon, neon, Neon, 24);
