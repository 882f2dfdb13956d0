//! Kernels for AArch64.

#[cfg(feature = "qs8")]
pub(crate) mod byte_loop;
pub(crate) mod dw_patch;
#[cfg(feature = "qs8")]
pub(crate) mod i8mm_q8;
pub(crate) mod neon_f32;
#[cfg(feature = "qs8")]
pub(crate) mod neon_q8;
pub(crate) mod pw_loops;
