//! Inner loops, written once over [`crate::simd::Vf32`], and what drivers and kernels share: argument structs, raw parts.

pub(crate) mod args;
pub(crate) mod depthwise_f32;
#[cfg(feature = "qs8")]
pub(crate) mod depthwise_q8;
pub(crate) mod parts;
#[cfg(feature = "std")]
pub(crate) mod peak;
pub(crate) mod pointwise_f32;
#[cfg(feature = "qs8")]
pub(crate) mod pointwise_q8;
#[cfg(feature = "qs8")]
pub(crate) mod prepare_q8;
pub(crate) mod prepared;
pub(crate) mod raw;
pub(crate) mod stripes;
pub(crate) mod team;
pub(crate) mod tiles;
