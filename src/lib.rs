//! MobileNet on the kernels of the crate [`dwsep`]: a thin, safe model layer.
//!
//! ```text
//! weights --Model::load--> Model --session(shape)--> Session --run(image)--> logits
//!                 (pack once)          (plan memory once)      (no allocation)
//! ```
//!
//! Tensors are in the order `[N, H, W, C]`; those of quantised networks are integers, and [`Session::run`] converts. An [`Engine`] chooses the kernels and owns the threads.

#![forbid(unsafe_code)]

mod buffer;
mod engine;
mod error;
mod fold;
pub mod layer;
pub mod layers;
mod model;
pub mod models;
pub mod quantise;
mod session;
mod softmax;
mod tensor;
mod value;
pub mod weights;

pub use dwsep;
pub use dwsep::Quantization;

pub use buffer::Buffer;
pub use engine::Engine;
pub use error::{Error, Result};
pub use fold::BatchNorm;
pub use model::{Model, NamedLayer};
pub use models::TfliteOptions;
pub use session::{LayerOutput, Session};
pub use softmax::softmax;
pub use tensor::Tensor;
pub use value::{AnyView, AnyViewMut, DType, Element, Format, Integer, ValueInfo};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
