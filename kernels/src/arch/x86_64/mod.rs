//! Kernels for x86-64.

pub(crate) mod avx2_fma_f32;
