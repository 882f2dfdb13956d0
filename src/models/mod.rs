//! The networks: a table of layers each, and the names of their weights.

pub mod mobilenet_v1;
mod summary;

pub use summary::LayerSummary;
