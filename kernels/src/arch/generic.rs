//! Kernels that run anywhere: plain Rust, the crate `wide`, and (for tests) tiles of odd sizes, which exercise the drivers on
//! any machine.

#[cfg(feature = "std")]
use super::peak_f32;
use super::{dw_f32, pw_f32};
#[cfg(feature = "qs8")]
use super::{dw_q8, pw_q8};
#[cfg(feature = "qs8")]
use crate::simd::q8_scalar::Ints;
use crate::simd::scalar::Array;

// Four lanes: what the compiler makes vectors of on every target that has them.
pw_f32!(PW_SCALAR, "pw_f32_4x8__scalar", Scalar, baseline, Array<4>, 4 x 2);
dw_f32!(DW_SCALAR, "dw3x3_f32_4c__scalar", Scalar, baseline, Array<4>, s1 1 x 4, s2 1 x 2);

#[cfg(feature = "testing")]
pw_f32!(PW_ODD, "pw_f32_3x5__scalar", Scalar, baseline, Array<5>, 3 x 1);
#[cfg(feature = "testing")]
dw_f32!(DW_ODD, "dw3x3_f32_3c__scalar", Scalar, baseline, Array<3>, s1 3 x 2, s2 2 x 3);

// Eight of SSE2's sixteen registers for the tile, two for the panel, one for the broadcast.
#[cfg(all(feature = "portable", not(test)))]
pw_f32!(PW_PORTABLE, "pw_f32_4x8__portable", Portable, baseline, crate::simd::portable::Wide, 4 x 2);
#[cfg(all(feature = "portable", not(test)))]
dw_f32!(DW_PORTABLE, "dw3x3_f32_4c__portable", Portable, baseline, crate::simd::portable::Wide, s1 2 x 3, s2 1 x 3);

#[cfg(feature = "qs8")]
pw_q8!(PW_QS8_SCALAR "pw_qs8_4x8__scalar", PW_QU8_SCALAR "pw_qu8_4x8__scalar", Scalar, baseline, Ints<4>, 4 x 2, Centred x 2);
#[cfg(feature = "qs8")]
dw_q8!(both DW_QS8_SCALAR "dw3x3_qs8_4c__scalar", DW_QU8_SCALAR "dw3x3_qu8_4c__scalar", Scalar, baseline, Ints<4>, s1 1 x 4, s2 1 x 2);
#[cfg(all(feature = "qs8", feature = "portable", not(test)))]
pw_q8!(PW_QS8_PORTABLE "pw_qs8_4x8__portable", PW_QU8_PORTABLE "pw_qu8_4x8__portable", Portable, baseline, crate::simd::q8_portable::Wide, 4 x 2, Centred x 2);
#[cfg(all(feature = "qs8", feature = "portable", not(test)))]
dw_q8!(both DW_QS8_PORTABLE "dw3x3_qs8_8c__portable", DW_QU8_PORTABLE "dw3x3_qu8_8c__portable", Portable, baseline, crate::simd::q8_portable::WidePixels, s1 1 x 3, s2 1 x 2);
#[cfg(feature = "testing")]
pw_q8!(PW_QS8_ODD "pw_qs8_3x5__scalar", PW_QU8_ODD "pw_qu8_3x5__scalar", Scalar, baseline, Ints<5>, 3 x 1, Centred x 2);
#[cfg(feature = "testing")]
dw_q8!(both DW_QS8_ODD "dw3x3_qs8_3c__scalar", DW_QU8_ODD "dw3x3_qu8_3c__scalar", Scalar, baseline, Ints<3>, s1 2 x 2, s2 2 x 3);

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
#[cfg(all(feature = "std", feature = "portable", not(test)))]
peak_f32!(
    PEAK_PORTABLE,
    Portable,
    baseline,
    crate::simd::portable::Wide,
    CHAINS
);
