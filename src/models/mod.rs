//! The networks: a table of layers each, and the names of their weights.

pub mod mobilenet_v1;
mod summary;
pub(crate) mod tflite;

pub use summary::LayerSummary;
pub use tflite::{TfliteOptions, TfliteWeights};
