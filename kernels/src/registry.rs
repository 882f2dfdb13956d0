//! THE TABLES: every kernel that there is, best first. Dispatch, tests, benches and fuzz targets iterate over them; nothing else
//! knows which kernels exist. A new kernel is a body in `arch/` and a line here.

use crate::arch::generic;
use crate::kernel::args::{DwKernel, PwKernel};
#[cfg(feature = "std")]
use crate::kernel::peak::PeakKernel;
use crate::scheme::F32;

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::arch::aarch64::neon_f32;
#[cfg(target_arch = "x86_64")]
use crate::arch::x86_64::{avx2_fma_f32, avx512_f32};

#[cfg(feature = "qs8")]
mod q8;
#[cfg(feature = "qs8")]
pub(crate) use q8::*;

/// Pointwise, f32. The dense 3x3 convolution runs on these too.
pub(crate) static PW_F32: &[PwKernel<F32>] = &[
    #[cfg(target_arch = "x86_64")]
    avx512_f32::PW_14X32,
    #[cfg(target_arch = "x86_64")]
    avx2_fma_f32::PW_6X16,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::PW_8X8,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::PW_8X8_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::PW_PORTABLE,
    generic::PW_SCALAR,
    #[cfg(feature = "testing")]
    generic::PW_ODD,
];

/// Depthwise 3x3, f32.
pub(crate) static DW_F32: &[DwKernel<F32>] = &[
    #[cfg(target_arch = "x86_64")]
    avx512_f32::DW_16C,
    #[cfg(target_arch = "x86_64")]
    avx2_fma_f32::DW_8C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::DW_4C,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::DW_4C_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::DW_PORTABLE,
    generic::DW_SCALAR,
    #[cfg(feature = "testing")]
    generic::DW_ODD,
];

/// The arithmetic alone, one row an ISA.
#[cfg(feature = "std")]
pub(crate) static PEAK_F32: &[PeakKernel] = &[
    #[cfg(target_arch = "x86_64")]
    avx512_f32::PEAK,
    #[cfg(target_arch = "x86_64")]
    avx2_fma_f32::PEAK,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::PEAK,
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    neon_f32::PEAK_IN_ORDER,
    #[cfg(feature = "portable")]
    generic::PEAK_PORTABLE,
    generic::PEAK_SCALAR,
];
