//! 8-bit integers.

use super::sealed::Sealed;
use super::{Domain, Scheme};
use crate::epilogue::Activation;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::pack::{self, FormQ8, Word};
use crate::quantization::{EpilogueQ8, ParamsQ8};
use crate::{Result, registry};

impl Sealed for Bytes {}
impl Sealed for Qs8 {}
impl Sealed for Qu8 {}

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
