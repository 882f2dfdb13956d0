//! The layers that networks are built of, one a file.

mod add;
mod conv3x3;
mod convert;
mod depthwise;
mod pad;
mod pointwise;
mod pool;
mod reshape;
mod separable;
mod softmax;

pub use add::Add;
pub use conv3x3::Conv3x3;
pub use convert::Convert;
pub use depthwise::Depthwise;
pub use pad::Pad;
pub use pointwise::{Dense, Pointwise};
pub use pool::{AveragePool, GlobalAveragePool, PoolWindow};
pub use reshape::Flatten;
pub use separable::Separable;
pub use softmax::Softmax;
