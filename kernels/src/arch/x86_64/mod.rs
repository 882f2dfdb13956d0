//! Kernels for x86-64. Not in unit tests: see `registry.rs`.

#[cfg(not(any(test, dwsep_generic)))]
pub(crate) mod avx2_fma_f32;
#[cfg(all(feature = "qs8", not(any(test, dwsep_generic))))]
pub(crate) mod avx2_q8;
#[cfg(not(any(test, dwsep_generic)))]
pub(crate) mod avx512_f32;
#[cfg(feature = "qs8")]
pub(crate) mod cpuid;
#[cfg(all(feature = "qs8", not(any(test, dwsep_generic))))]
pub(crate) mod vnni_q8;
