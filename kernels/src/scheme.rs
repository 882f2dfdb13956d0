//! The number formats that an op computes in. One driver serves all of them; what differs is here and in the kernels.

use core::fmt::Debug;

use bytemuck::Pod;

use crate::epilogue::{Activation, EpilogueF32};
use crate::kernel::args::{DwKernel, PwKernel};
use crate::pack::{self, FormQ8, Word};
use crate::quantization::{EpilogueQ8, ParamsQ8};
use crate::{Result, registry};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::F32 {}
    impl Sealed for super::Qs8 {}
    impl Sealed for super::Qu8 {}
    impl Sealed for super::Bytes {}
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
    /// [`Add`](crate::quantised::Add) instead.
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

/// 8-bit integers of either sign. Kernels compute with i8: unsigned ones become these, and results become unsigned, by their highest bit.
#[derive(Clone, Copy, Debug)]
pub struct Bytes;

impl Domain for Bytes {
    type Elem = u8;
    type Epilogue = EpilogueQ8;
}

/// 8-bit integers: see [`crate::quantised`]. Sealed; [`Qs8`] and [`Qu8`].
pub trait Quantised:
    for<'a> Scheme<
        Domain = Bytes,
        Weight = u8,
        Bias = i32,
        FilterParams<'a> = pack::FilterQ8<'a>,
        Params = ParamsQ8,
        PwForm = FormQ8,
        DwForm = pack::DwFormQ8,
        Epilogue = EpilogueQ8,
    >
{
    /// The least integer of an element.
    const LEAST: i32;
    /// The greatest integer of an element.
    const MOST: i32;
    /// What changes an element's bits to those of the i8 that is 128 less, where elements have no sign.
    #[doc(hidden)]
    const FLIP: u8 = if Self::LEAST == 0 { 0x80 } else { 0 };
    /// What is to be added to an element to make it an i8.
    #[doc(hidden)]
    const TO_I8: i32 = -128 - Self::LEAST;

    /// The element of an integer from [`LEAST`](Self::LEAST) to [`MOST`](Self::MOST); of others the low eight bits.
    fn elem(q: i32) -> Self::Elem;
    /// The integer of an element.
    fn int(x: Self::Elem) -> i32;
}

/// A quantised scheme; what differs is the type of its elements.
macro_rules! quantised {
    ($(#[$doc:meta])* $name:ident, $elem:ty, $pw:ident, $dw:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Scheme for $name {
            type Domain = Bytes;
            type Elem = $elem;
            type Weight = u8;
            type Bias = i32;
            type FilterParams<'a> = pack::FilterQ8<'a>;
            type Params = ParamsQ8;
            type PwForm = FormQ8;
            type DwForm = pack::DwFormQ8;
            type Epilogue = EpilogueQ8;

            const ADDS: bool = false;

            fn pointwise_kernels() -> &'static [PwKernel<Self>] {
                registry::$pw
            }

            fn depthwise_kernels() -> &'static [DwKernel<Self>] {
                registry::$dw
            }

            fn epilogue(activation: Activation, params: &ParamsQ8) -> Result<EpilogueQ8> {
                EpilogueQ8::new::<Self>(activation, params)
            }

            fn pack_gemm(
                source: &pack::GemmSource<'_, Self>,
                kernel: &PwKernel<Self>,
            ) -> Result<pack::Panels<Self>> {
                pack::gemm_q8(source, kernel)
            }

            fn pack_depthwise(
                source: &pack::DepthwiseSource<'_, Self>,
                kernel: &DwKernel<Self>,
            ) -> Result<pack::Panels<Self>> {
                pack::depthwise_q8(source, kernel)
            }

            fn row_bytes(form: FormQ8, k: usize) -> usize {
                form.row_bytes(k)
            }

            fn met_in_place(form: FormQ8, epilogue: &EpilogueQ8, k: usize) -> Option<u8> {
                // Weights with a zero point take a constant of each row.
                let plain = epilogue.weight_zero_point == 0 && k.is_multiple_of(form.kr);
                (form.in_place && plain).then(|| form.flip(epilogue))
            }

            fn windows_in_place(form: FormQ8, epilogue: &EpilogueQ8) -> Option<u8> {
                let plain = epilogue.weight_zero_point == 0;
                (form.windows && plain).then(|| form.flip(epilogue))
            }

            fn suits(form: FormQ8, depth: usize) -> bool {
                form.word != Word::Products || depth >= pack::PRODUCTS_DEPTH
            }

            fn flipped(epilogue: EpilogueQ8, flip: u8) -> EpilogueQ8 {
                EpilogueQ8 { flip: epilogue.flip ^ flip, ..epilogue }
            }

            fn has_mark(kernel: &PwKernel<Self>, panel: &[u8]) -> bool {
                pack::has_mark(kernel.form, kernel.nr, panel)
            }
        }

        impl Quantised for $name {
            const LEAST: i32 = <$elem>::MIN as i32;
            const MOST: i32 = <$elem>::MAX as i32;

            #[inline(always)]
            fn elem(q: i32) -> $elem {
                q as $elem
            }

            #[inline(always)]
            fn int(x: $elem) -> i32 {
                i32::from(x)
            }
        }
    };
}

quantised! {
    /// Activations i8 with any zero point.
    Qs8, i8, PW_QS8, DW_QS8
}
quantised! {
    /// Activations u8 with any zero point.
    Qu8, u8, PW_QU8, DW_QU8
}
