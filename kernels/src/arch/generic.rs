//! Kernels that run anywhere: plain Rust, the crate `wide`, and (for tests) tiles of odd sizes, which exercise the drivers on
//! any machine.

#[cfg(feature = "std")]
use super::peak_f32;
use super::{dw_f32, pw_f32};
use crate::simd::scalar::Array;

// Four lanes: what the compiler makes vectors of on every target that has them.
pw_f32!(PW_SCALAR, "pw_f32_4x8__scalar", Scalar, baseline, Array<4>, 4 x 2);
dw_f32!(DW_SCALAR, "dw3x3_f32_4c__scalar", Scalar, baseline, Array<4>, s1 1 x 4, s2 1 x 2);

#[cfg(feature = "testing")]
pw_f32!(PW_ODD, "pw_f32_3x5__scalar", Scalar, baseline, Array<5>, 3 x 1);
#[cfg(feature = "testing")]
dw_f32!(DW_ODD, "dw3x3_f32_3c__scalar", Scalar, baseline, Array<3>, s1 3 x 2, s2 2 x 3);

// Eight of SSE2's sixteen registers for the tile, two for the panel, one for the broadcast.
#[cfg(feature = "portable")]
pw_f32!(PW_PORTABLE, "pw_f32_4x8__portable", Portable, baseline, crate::simd::portable::Wide, 4 x 2);
#[cfg(feature = "portable")]
dw_f32!(DW_PORTABLE, "dw3x3_f32_4c__portable", Portable, baseline, crate::simd::portable::Wide, s1 2 x 3, s2 1 x 3);

/// Chains of four lanes that this target has registers for.
#[cfg(feature = "std")]
const CHAINS: usize = if cfg!(target_arch = "x86_64") {
    14
} else if cfg!(target_arch = "aarch64") {
    24
} else {
    8
};
#[cfg(feature = "std")]
peak_f32!(PEAK_SCALAR, Scalar, baseline, Array<4>, CHAINS);
#[cfg(all(feature = "std", feature = "portable"))]
peak_f32!(
    PEAK_PORTABLE,
    Portable,
    baseline,
    crate::simd::portable::Wide,
    CHAINS
);
