//! NHWC convolution kernels for MobileNet-like networks.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

#[macro_use]
mod isa;
mod arch;
mod conv3x3;
mod depthwise;
mod dispatch;
mod elementwise;
mod epilogue;
mod error;
mod executor;
mod geometry;
mod kernel;
mod memory;
mod pack;
mod pointwise;
mod registry;
mod scheme;
mod selfcheck;
mod separable;
mod shape;
mod simd;
#[cfg(feature = "testing")]
pub mod testing;
mod view;

pub use conv3x3::{Conv3x3, PackedConv3x3};
pub use depthwise::{Depthwise, PackedDepthwise};
pub use dispatch::KernelSet;
pub use elementwise::{global_average_pool, softmax};
pub use epilogue::Activation;
pub use error::{Error, Result};
#[cfg(feature = "rayon")]
pub use executor::Rayon;
pub use executor::{Executor, Serial};
pub use isa::Isa;
pub use kernel::args::{DwKernel, PwKernel};
pub use pack::Filter;
pub use pointwise::{PackedPointwise, Pointwise};
pub use scheme::{F32, Scheme};
pub use selfcheck::{KernelInfo, SelfCheckError, kernels};
pub use separable::Separable;
pub use shape::{Nhwc, Padding, Stride};
pub use view::{Strides, View, ViewMut};

/// The ops by their definitions: naive loops, one for kernels that fuse multiply and add (`*_fma`) and one for those that do not.
pub mod reference {
    pub use crate::conv3x3::reference as conv3x3;
    pub use crate::depthwise::reference as depthwise;
    pub use crate::pointwise::reference as pointwise;
}
