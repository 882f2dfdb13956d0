//! Quantised kernels on AVX2: 16 registers of 16 words.
//!
//! Pointwise 4 x 16, two products in one multiplication: 8 accumulators, 4 vectors of the panel, 2 broadcasts, 2 sums. 2 x 32 takes as many
//! loads and was a tenth slower on Zen 4.
//! Pointwise 6 x 16, one product a word: 12 accumulators, 2 vectors of the panel, a broadcast pair, a product. Not the first choice;
//! it has no bound on sums.
//! Depthwise 2 x 2: 8 accumulators of eight sums, 4 pixels and their pairs.

use crate::arch::{dw_q8, pw_q8};
use crate::simd::q8_avx2::Avx2;
use crate::simd::q8_products::Products;

pw_q8!(PW_QS8_4X16 "pw_qs8_4x16__avx2_fma", PW_QU8_4X16 "pw_qu8_4x16__avx2_fma", Avx2Fma, avx2_fma, Products, 4 x 2, Products x 4);
pw_q8!(PW_QS8_6X16 "pw_qs8_6x16__avx2_fma", PW_QU8_6X16 "pw_qu8_6x16__avx2_fma", Avx2Fma, avx2_fma, Avx2, 6 x 2, Centred x 2);
dw_q8!(each DW_QS8_16C "dw3x3_qs8_16c__avx2_fma", DW_QU8_16C "dw3x3_qu8_16c__avx2_fma", Avx2Fma, avx2_fma, Avx2, s1 2 x 2, s2 1 x 3);
