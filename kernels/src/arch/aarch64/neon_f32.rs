//! f32 on NEON: 32 registers of 4 lanes.
//!
//! Pointwise 8 x 8: 16 accumulators, 8 vectors of A (k steps of a row each, multiplied by lane), 2 or 4 of the panel; `pw_loops.rs` has
//! the loops over k.
//! Depthwise 2 x 4 at either stride: 8 accumulators, 6 or 9 inputs, 9 taps; `dw_patch.rs`.
//!
//! `neon_in_order` computes the same with the loads of the pointwise loop cut into halves and placed among the FMAs, for cores that
//! cannot do that by themselves. Depthwise is one function for both.

#[cfg(feature = "std")]
use crate::arch::peak_f32;
use crate::arch::{dw_f32, pw_f32};
use crate::isa::Isa;
use crate::kernel::args::DwKernel;
use crate::scheme::F32;
use crate::simd::neon::Neon;

pw_f32!(PW_8X8, "pw_f32_8x8__neon", Neon, neon, Neon<false>, 8 x 2);
pw_f32!(PW_8X8_IN_ORDER, "pw_f32_8x8__neon_in_order", NeonInOrder, neon, Neon<true>, 8 x 2);
dw_f32!(DW_4C, "dw3x3_f32_4c__neon", Neon, neon, Neon<false>, s1 2 x 4, s2 2 x 4);

pub(crate) const DW_4C_IN_ORDER: DwKernel<F32> = DwKernel {
    name: "dw3x3_f32_4c__neon_in_order",
    isa: Isa::NeonInOrder,
    ..DW_4C
};

#[cfg(feature = "std")]
peak_f32!(PEAK, Neon, neon, Neon<false>, 24);
#[cfg(feature = "std")]
pub(crate) const PEAK_IN_ORDER: crate::kernel::peak::PeakKernel = crate::kernel::peak::PeakKernel {
    isa: Isa::NeonInOrder,
    ..PEAK
};
