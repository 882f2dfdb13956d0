//! The guide: what an engine's author has to know beyond single functions. Documentation only.
//!
//! - [`layouts`]: how tensors and weights lie in memory, and which bytes are touched.
//! - [`numerics`]: which bits come out, a contract.
//! - [`threads`]: how work is divided among threads that are yours.
//! - [`dispatch`]: which kernels run, and how to say otherwise.
//! - [`features`]: what each feature brings and costs.
//! - [`adding_a_kernel`]: for those who change this crate.

#[doc = include_str!("layouts.md")]
pub mod layouts {}

#[doc = include_str!("numerics.md")]
pub mod numerics {}

#[doc = include_str!("threads.md")]
pub mod threads {}

#[doc = include_str!("dispatch.md")]
pub mod dispatch {}

#[doc = include_str!("features.md")]
pub mod features {}

#[doc = include_str!("adding_a_kernel.md")]
pub mod adding_a_kernel {}
