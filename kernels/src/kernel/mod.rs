//! Inner loops, written once over [`crate::simd::Vf32`], and what drivers and kernels share: argument structs, raw parts.

pub(crate) mod args;
pub(crate) mod depthwise_f32;
pub(crate) mod parts;
#[cfg(feature = "std")]
pub(crate) mod peak;
pub(crate) mod pointwise_f32;
pub(crate) mod raw;
pub(crate) mod team;
