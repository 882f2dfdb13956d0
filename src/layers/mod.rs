//! The layers that networks are built of, one a file.

mod conv3x3;
mod depthwise;
mod pointwise;
mod pool;
mod separable;

pub use conv3x3::Conv3x3;
pub use depthwise::Depthwise;
pub use pointwise::{Dense, Pointwise};
pub use pool::GlobalAveragePool;
pub use separable::Separable;
