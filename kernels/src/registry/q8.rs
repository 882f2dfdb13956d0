//! The tables of 8-bit integers.

use crate::arch::generic;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::{Qs8, Qu8};

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::arch::aarch64::{i8mm_q8, neon_q8};
#[cfg(target_arch = "x86_64")]
use crate::arch::x86_64::{avx2_q8, vnni_q8};

/// Pointwise, i8. The dense 3x3 convolution runs on these too.
pub(crate) static PW_QS8: &[PwKernel<Qs8>] = &[
    #[cfg(target_arch = "x86_64")]
    vnni_q8::PW_QS8_12X32,
    #[cfg(target_arch = "x86_64")]
    vnni_q8::PW_QS8_6X16,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::PW_QS8_4X16,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::PW_QS8_6X16,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    i8mm_q8::PW_QS8_I8MM,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QS8_DOT,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QS8_2X8,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QS8_2X8_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::PW_QS8_PORTABLE,
    generic::PW_QS8_SCALAR,
    #[cfg(feature = "testing")]
    generic::PW_QS8_ODD,
];

/// Pointwise, u8.
pub(crate) static PW_QU8: &[PwKernel<Qu8>] = &[
    #[cfg(target_arch = "x86_64")]
    vnni_q8::PW_QU8_12X32,
    #[cfg(target_arch = "x86_64")]
    vnni_q8::PW_QU8_6X16,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::PW_QU8_4X16,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::PW_QU8_6X16,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    i8mm_q8::PW_QU8_I8MM,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QU8_DOT,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QU8_2X8,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::PW_QU8_2X8_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::PW_QU8_PORTABLE,
    generic::PW_QU8_SCALAR,
    #[cfg(feature = "testing")]
    generic::PW_QU8_ODD,
];

/// Depthwise 3x3, i8.
pub(crate) static DW_QS8: &[DwKernel<Qs8>] = &[
    #[cfg(target_arch = "x86_64")]
    vnni_q8::DW_QS8_512,
    #[cfg(target_arch = "x86_64")]
    vnni_q8::DW_QS8_VEX,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::DW_QS8_16C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    i8mm_q8::DW_QS8_I8MM,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QS8_DOT,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QS8_8C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QS8_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::DW_QS8_PORTABLE,
    generic::DW_QS8_SCALAR,
    #[cfg(feature = "testing")]
    generic::DW_QS8_ODD,
];

/// Depthwise 3x3, u8.
pub(crate) static DW_QU8: &[DwKernel<Qu8>] = &[
    #[cfg(target_arch = "x86_64")]
    vnni_q8::DW_QU8_512,
    #[cfg(target_arch = "x86_64")]
    vnni_q8::DW_QU8_VEX,
    #[cfg(target_arch = "x86_64")]
    avx2_q8::DW_QU8_16C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    i8mm_q8::DW_QU8_I8MM,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QU8_DOT,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QU8_8C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_q8::DW_QU8_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::DW_QU8_PORTABLE,
    generic::DW_QU8_SCALAR,
    #[cfg(feature = "testing")]
    generic::DW_QU8_ODD,
];
