//! The kernels of `dwsep` in an engine of others: [tract](https://github.com/sonos/tract).
//!
//! [`with_dwsep`] takes a model as tract reads it and gives it back with its convolutions computed by an operator of ours, [`DwsepOp`].
//! tract still plans, allocates and runs, and computes the rest. It is written to be copied from:
//!
//! | module | shows |
//! |---|---|
//! | [`layer`] | how weights, padding and clamps of another engine become those of `dwsep`: **pack** and **op** |
//! | [`op`] | how an op of `dwsep` becomes an operator of another engine, with its workspace: **run** |
//! | [`rewrite`] | how a graph in NCHW gets to use operators in NHWC without a transpose between them |
//! | [`agreement`] | by how much the outputs of two engines may differ |
#![forbid(unsafe_code)]

pub mod agreement;
pub mod layer;
pub mod op;
pub mod rewrite;

pub use agreement::Agreement;
pub use op::DwsepOp;
pub use rewrite::{Report, with_dwsep};
