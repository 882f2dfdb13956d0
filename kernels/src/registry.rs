//! THE TABLES: every kernel that there is, best first. Dispatch, tests, benches and fuzz targets iterate over them; nothing else
//! knows which kernels exist. A new kernel is a body in `arch/` and a line here.

use crate::arch::generic;
use crate::kernel::args::{DwKernel, PwKernel};
#[cfg(feature = "std")]
use crate::kernel::peak::PeakKernel;
use crate::scheme::F32;

#[cfg(all(
    target_arch = "aarch64",
    target_feature = "neon",
    not(any(test, dwsep_generic))
))]
use crate::arch::aarch64::neon_f32;
#[cfg(all(target_arch = "x86_64", not(any(test, dwsep_generic))))]
use crate::arch::x86_64::{avx2_fma_f32, avx512_f32};

/// A table of the rows for x86-64, for AArch64 and for any target, and of those with tiles of odd sizes, for tests. The tests inside this crate, which
/// are of what does not depend on a CPU, are built with the scalar kernels alone: compiling kernels takes longer than all else. Those that
/// ThreadSanitizer looks at (`--cfg dwsep_generic`) have none of a CPU's own.
macro_rules! table {
    (
        $(#[$doc:meta])* $name:ident: $kernel:ty;
        x86_64: $($x86_64:path),+;
        aarch64: $($aarch64:path),+;
        any: $portable:path, $scalar:path;
        $(testing: $odd:path;)?
    ) => {
        $(#[$doc])*
        pub(crate) static $name: &[$kernel] = &[
            $(#[cfg(all(target_arch = "x86_64", not(any(test, dwsep_generic))))] $x86_64,)+
            $(#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(any(test, dwsep_generic))))] $aarch64,)+
            #[cfg(all(feature = "portable", not(test)))]
            $portable,
            $scalar,
            $(#[cfg(feature = "testing")] $odd,)?
        ];
    };
}

#[cfg(feature = "qs8")]
mod q8;
#[cfg(feature = "qs8")]
pub(crate) use q8::*;

table! {
    /// Pointwise, f32. The dense 3x3 convolution runs on these too.
    PW_F32: PwKernel<F32>;
    x86_64: avx512_f32::PW_14X32, avx2_fma_f32::PW_6X16;
    aarch64: neon_f32::PW_8X8, neon_f32::PW_8X8_IN_ORDER;
    any: generic::PW_PORTABLE, generic::PW_SCALAR;
    testing: generic::PW_ODD;
}

table! {
    /// Depthwise 3x3, f32.
    DW_F32: DwKernel<F32>;
    x86_64: avx512_f32::DW_16C, avx2_fma_f32::DW_8C;
    aarch64: neon_f32::DW_4C, neon_f32::DW_4C_IN_ORDER;
    any: generic::DW_PORTABLE, generic::DW_SCALAR;
    testing: generic::DW_ODD;
}

#[cfg(feature = "std")]
table! {
    /// The arithmetic alone, one row an ISA.
    PEAK_F32: PeakKernel;
    x86_64: avx512_f32::PEAK, avx2_fma_f32::PEAK;
    aarch64: neon_f32::PEAK, neon_f32::PEAK_IN_ORDER;
    any: generic::PEAK_PORTABLE, generic::PEAK_SCALAR;
}
