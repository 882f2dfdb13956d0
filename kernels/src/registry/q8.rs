//! The tables of 8-bit integers.

use crate::arch::generic;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::{Qs8, Qu8};

#[cfg(all(
    target_arch = "aarch64",
    target_feature = "neon",
    not(any(test, dwsep_generic))
))]
use crate::arch::aarch64::{i8mm_q8, neon_q8};
#[cfg(all(target_arch = "x86_64", not(any(test, dwsep_generic))))]
use crate::arch::x86_64::{avx2_q8, vnni_q8};

table! {
    /// Pointwise, i8. The dense 3x3 convolution runs on these too.
    PW_QS8: PwKernel<Qs8>;
    x86_64: vnni_q8::PW_QS8_12X32, vnni_q8::PW_QS8_6X16, avx2_q8::PW_QS8_4X16, avx2_q8::PW_QS8_6X16;
    aarch64: i8mm_q8::PW_QS8_I8MM, neon_q8::PW_QS8_DOT, neon_q8::PW_QS8_2X8, neon_q8::PW_QS8_2X8_IN_ORDER;
    any: generic::PW_QS8_PORTABLE, generic::PW_QS8_SCALAR;
    testing: generic::PW_QS8_ODD;
}

table! {
    /// Pointwise, u8.
    PW_QU8: PwKernel<Qu8>;
    x86_64: vnni_q8::PW_QU8_12X32, vnni_q8::PW_QU8_6X16, avx2_q8::PW_QU8_4X16, avx2_q8::PW_QU8_6X16;
    aarch64: i8mm_q8::PW_QU8_I8MM, neon_q8::PW_QU8_DOT, neon_q8::PW_QU8_2X8, neon_q8::PW_QU8_2X8_IN_ORDER;
    any: generic::PW_QU8_PORTABLE, generic::PW_QU8_SCALAR;
    testing: generic::PW_QU8_ODD;
}

table! {
    /// Depthwise 3x3, i8.
    DW_QS8: DwKernel<Qs8>;
    x86_64: vnni_q8::DW_QS8_512, vnni_q8::DW_QS8_VEX, avx2_q8::DW_QS8_16C;
    aarch64: i8mm_q8::DW_QS8_I8MM, neon_q8::DW_QS8_DOT, neon_q8::DW_QS8_8C, neon_q8::DW_QS8_IN_ORDER;
    any: generic::DW_QS8_PORTABLE, generic::DW_QS8_SCALAR;
    testing: generic::DW_QS8_ODD;
}

table! {
    /// Depthwise 3x3, u8.
    DW_QU8: DwKernel<Qu8>;
    x86_64: vnni_q8::DW_QU8_512, vnni_q8::DW_QU8_VEX, avx2_q8::DW_QU8_16C;
    aarch64: i8mm_q8::DW_QU8_I8MM, neon_q8::DW_QU8_DOT, neon_q8::DW_QU8_8C, neon_q8::DW_QU8_IN_ORDER;
    any: generic::DW_QU8_PORTABLE, generic::DW_QU8_SCALAR;
    testing: generic::DW_QU8_ODD;
}
