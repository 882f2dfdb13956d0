//! The number formats that an op computes in. One driver serves all of them; what differs is here and in the kernels.

use core::fmt::Debug;

use bytemuck::Pod;

use crate::epilogue::{Activation, EpilogueF32};
use crate::kernel::args::{DwKernel, PwKernel};
use crate::pack;
use crate::{Result, registry};

#[cfg(feature = "qs8")]
mod q8;
#[cfg(feature = "qs8")]
pub use q8::{Bytes, Qs8, Qu8, Quantised};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::F32 {}
}

/// What kernels compute in. Schemes whose elements differ in sign alone have one between them, and so one body of each kernel. Sealed.
pub trait Domain: sealed::Sealed + Copy + Send + Sync + Debug + 'static {
    /// An element as kernels see it.
    type Elem: Pod + Debug;
    /// What the kernels do to an accumulator before the store.
    #[doc(hidden)]
    type Epilogue: Copy + Send + Sync + Debug;
}

/// A number format: types of activations, weights and biases, and the kernels for them. Sealed.
pub trait Scheme: sealed::Sealed + Sized + Copy + Send + Sync + Debug + 'static {
    /// What its kernels compute in: elements have the size of this one's.
    type Domain: Domain<Epilogue = Self::Epilogue>;
    /// An element of inputs, outputs and residuals.
    type Elem: Pod + Send + Sync + Debug;
    /// A weight as [`Filter`](crate::Filter) keeps it. Quantised ones are bytes, of either sign.
    type Weight: Pod + Debug;
    /// A bias as the caller has it.
    type Bias: Pod + Debug;
    /// What comes with a filter beside weights and biases.
    #[doc(hidden)]
    type FilterParams<'a>: Copy + Debug;
    /// What is left of these when the filter is packed.
    #[doc(hidden)]
    type Params: Copy + Send + Sync + Debug;
    /// How a pointwise kernel wants weights and rows laid out.
    #[doc(hidden)]
    type PwForm: Copy + Send + Sync + Debug;
    /// How a depthwise kernel wants weights laid out.
    #[doc(hidden)]
    type DwForm: Copy + Send + Sync + Debug;
    /// What the kernels do to an accumulator before the store.
    #[doc(hidden)]
    type Epilogue: Copy + Send + Sync + Debug;

    /// Whether a residual can be added in the store of a pointwise convolution. Quantised ones have other scales and take
    /// `quantised::Add` instead.
    const ADDS: bool;

    /// All pointwise kernels of this build, best first.
    fn pointwise_kernels() -> &'static [PwKernel<Self>];
    /// All depthwise kernels of this build, best first.
    fn depthwise_kernels() -> &'static [DwKernel<Self>];

    #[doc(hidden)]
    fn epilogue(activation: Activation, params: &Self::Params) -> Result<Self::Epilogue>;
    #[doc(hidden)]
    fn pack_gemm(
        source: &pack::GemmSource<'_, Self>,
        kernel: &PwKernel<Self>,
    ) -> Result<pack::Panels<Self>>;
    #[doc(hidden)]
    fn pack_depthwise(
        source: &pack::DepthwiseSource<'_, Self>,
        kernel: &DwKernel<Self>,
    ) -> Result<pack::Panels<Self>>;
    /// Bytes of a row of `k` elements in the form of its own that a kernel wants; see [`crate::kernel::prepared`].
    #[doc(hidden)]
    fn row_bytes(form: Self::PwForm, k: usize) -> usize;
    /// Whether a kernel that wants rows in a form of its own takes those of `k` elements where they lie, once each element is changed by
    /// these bits.
    #[doc(hidden)]
    fn met_in_place(form: Self::PwForm, epilogue: &Self::Epilogue, k: usize) -> Option<u8>;
    /// Whether a kernel takes whole windows ([`PwArgs::whole_windows`](crate::kernel::args::PwArgs)) where they lie, when it changes elements by
    /// these bits.
    #[doc(hidden)]
    fn windows_in_place(form: Self::PwForm, epilogue: &Self::Epilogue) -> Option<u8>;
    /// Whether a kernel is worth its preparation for sums of `depth` products.
    #[doc(hidden)]
    fn suits(form: Self::PwForm, depth: usize) -> bool;
    /// As the epilogue, but for outputs that are changed by these bits beside.
    #[doc(hidden)]
    fn flipped(epilogue: Self::Epilogue, flip: u8) -> Self::Epilogue;
    /// Whether a packed panel is one that the kernel computes in its second way.
    #[doc(hidden)]
    fn has_mark(kernel: &PwKernel<Self>, panel: &[u8]) -> bool;
}

/// Single precision throughout.
#[derive(Clone, Copy, Debug)]
pub struct F32;

impl Domain for F32 {
    type Elem = f32;
    type Epilogue = EpilogueF32;
}

impl Scheme for F32 {
    type Domain = F32;
    type Elem = f32;
    type Weight = f32;
    type Bias = f32;
    /// Whether subnormals become zeros.
    type FilterParams<'a> = bool;
    type Params = ();
    type PwForm = ();
    type DwForm = ();
    type Epilogue = EpilogueF32;

    const ADDS: bool = true;

    fn pointwise_kernels() -> &'static [PwKernel<F32>] {
        registry::PW_F32
    }

    fn depthwise_kernels() -> &'static [DwKernel<F32>] {
        registry::DW_F32
    }

    fn epilogue(activation: Activation, (): &()) -> Result<EpilogueF32> {
        activation.epilogue()
    }

    fn pack_gemm(
        source: &pack::GemmSource<'_, F32>,
        kernel: &PwKernel<F32>,
    ) -> Result<pack::Panels<F32>> {
        pack::gemm_f32(source, kernel.nr)
    }

    fn pack_depthwise(
        source: &pack::DepthwiseSource<'_, F32>,
        kernel: &DwKernel<F32>,
    ) -> Result<pack::Panels<F32>> {
        pack::depthwise_f32(source, kernel.ct)
    }

    fn row_bytes((): (), _k: usize) -> usize {
        0
    }

    fn met_in_place((): (), _epilogue: &EpilogueF32, _k: usize) -> Option<u8> {
        None
    }

    fn windows_in_place((): (), _epilogue: &EpilogueF32) -> Option<u8> {
        None
    }

    fn suits((): (), _depth: usize) -> bool {
        true
    }

    fn flipped(epilogue: EpilogueF32, _flip: u8) -> EpilogueF32 {
        epilogue
    }

    fn has_mark(_kernel: &PwKernel<F32>, _panel: &[u8]) -> bool {
        false
    }
}
