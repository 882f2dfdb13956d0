//! The layers that networks are built of, one a file.

mod dense;
mod pool;
mod separable;
mod stem;

pub use dense::Dense;
pub use pool::GlobalAveragePool;
pub use separable::Separable;
pub use stem::Stem;
