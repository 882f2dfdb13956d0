//! 8-bit integers on NEON.
//!
//! Pointwise 2 x 8 without dot products: 16 accumulators of partial sums, 2 vectors of A and 8 of the panel, of 16 k each. 8 x 8 with them: as
//! for f32, where a step is four k.
//! Depthwise 2 x 2, or 1 x 3 at stride 2: 8 or 6 accumulators of half a vector of channels, 9 taps, the pixels, and what the epilogue needs. A
//! larger patch does not fit. Dot products do not help it, so that all tiers have the same functions.

use crate::arch::{dw_q8, pw_q8};
use crate::isa::Isa;
use crate::kernel::args::{DwKernel, PwKernel};
use crate::scheme::{Qs8, Qu8};
use crate::simd::q8_neon::{Bytes, Dot, Words};

pw_q8!(PW_QS8_2X8 "pw_qs8_2x8__neon", PW_QU8_2X8 "pw_qu8_2x8__neon", Neon, neon, Bytes<false>, 2 x 1, SignedPairs x 16);
pw_q8!(PW_QS8_DOT "pw_qs8_8x8__neon_dotprod", PW_QU8_DOT "pw_qu8_8x8__neon_dotprod", NeonDotprod, neon_dotprod, Dot, 8 x 2, Signed x 4);
dw_q8!(each DW_QS8_8C "dw3x3_qs8_8c__neon", DW_QU8_8C "dw3x3_qu8_8c__neon", Neon, neon, Words, s1 2 x 2, s2 1 x 3);

/// Rows of other tiers that have the functions of one above.
macro_rules! also {
    ($($row:ident: $kernel:ident<$scheme:ident> = $of:ident, $isa:ident, $name:literal;)+) => {$(
        pub(crate) const $row: $kernel<$scheme> = $kernel {
            name: $name,
            isa: Isa::$isa,
            ..$of
        };
    )+};
}

also! {
    PW_QS8_2X8_IN_ORDER: PwKernel<Qs8> = PW_QS8_2X8, NeonInOrder, "pw_qs8_2x8__neon_in_order";
    PW_QU8_2X8_IN_ORDER: PwKernel<Qu8> = PW_QU8_2X8, NeonInOrder, "pw_qu8_2x8__neon_in_order";
    DW_QS8_IN_ORDER: DwKernel<Qs8> = DW_QS8_8C, NeonInOrder, "dw3x3_qs8_8c__neon_in_order";
    DW_QU8_IN_ORDER: DwKernel<Qu8> = DW_QU8_8C, NeonInOrder, "dw3x3_qu8_8c__neon_in_order";
    DW_QS8_DOT: DwKernel<Qs8> = DW_QS8_8C, NeonDotprod, "dw3x3_qs8_8c__neon_dotprod";
    DW_QU8_DOT: DwKernel<Qu8> = DW_QU8_8C, NeonDotprod, "dw3x3_qu8_8c__neon_dotprod";
}
