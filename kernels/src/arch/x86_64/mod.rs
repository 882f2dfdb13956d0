//! Kernels for x86-64.

pub(crate) mod avx2_fma_f32;
#[cfg(feature = "qs8")]
pub(crate) mod avx2_q8;
pub(crate) mod avx512_f32;
#[cfg(feature = "qs8")]
pub(crate) mod cpuid;
#[cfg(feature = "qs8")]
pub(crate) mod vnni_q8;
