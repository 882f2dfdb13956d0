//! The number formats that an op computes in. One driver serves all of them; what differs is here and in the kernels.

use bytemuck::Pod;

use crate::epilogue::{Activation, EpilogueF32};
use crate::kernel::args::{DwKernel, PwKernel};
use crate::registry;
use crate::{Result, pack};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::F32 {}
}

/// A number format: types of activations, weights and biases, and the kernels for them. Sealed.
pub trait Scheme: sealed::Sealed + Sized + Copy + Send + Sync + 'static {
    /// An element of inputs, outputs and residuals.
    type Elem: Pod + Send + Sync;
    /// A weight as the caller has it.
    type Weight: Pod;
    /// A bias as the caller has it.
    type Bias: Pod;
    /// What the kernels do to an accumulator before the store.
    #[doc(hidden)]
    type Epilogue: Copy + Send + Sync + core::fmt::Debug;

    /// All pointwise kernels of this build, best first.
    fn pointwise_kernels() -> &'static [PwKernel<Self>];
    /// All depthwise kernels of this build, best first.
    fn depthwise_kernels() -> &'static [DwKernel<Self>];

    #[doc(hidden)]
    fn epilogue(activation: Activation) -> Result<Self::Epilogue>;
    #[doc(hidden)]
    fn pack_gemm(source: &pack::GemmSource<'_, Self>, nr: usize) -> Result<pack::Panels>;
    #[doc(hidden)]
    fn pack_depthwise(source: &pack::DepthwiseSource<'_, Self>, ct: usize) -> Result<pack::Panels>;
}

/// Single precision throughout.
#[derive(Clone, Copy, Debug)]
pub struct F32;

impl Scheme for F32 {
    type Elem = f32;
    type Weight = f32;
    type Bias = f32;
    type Epilogue = EpilogueF32;

    fn pointwise_kernels() -> &'static [PwKernel<F32>] {
        registry::PW_F32
    }

    fn depthwise_kernels() -> &'static [DwKernel<F32>] {
        registry::DW_F32
    }

    fn epilogue(activation: Activation) -> Result<EpilogueF32> {
        activation.epilogue()
    }

    fn pack_gemm(source: &pack::GemmSource<'_, F32>, nr: usize) -> Result<pack::Panels> {
        pack::gemm_f32(source, nr)
    }

    fn pack_depthwise(source: &pack::DepthwiseSource<'_, F32>, ct: usize) -> Result<pack::Panels> {
        pack::depthwise_f32(source, ct)
    }
}
