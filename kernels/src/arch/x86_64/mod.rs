//! Kernels for x86-64.

pub(crate) mod avx2_fma_f32;
pub(crate) mod avx2_q8;
pub(crate) mod cpuid;
pub(crate) mod vnni_q8;
