//! Quantised kernels on VNNI: `vpdpbusd` multiplies four bytes a sum and adds them, `vpdpwssd` two words.
//!
//! `avx512_vnni`: 32 registers. Pointwise 12 x 32 on 512 bits: 24 accumulators, 2 vectors of the panel, a broadcast step. Depthwise
//! 2 x 4 on 256 bits: 16 accumulators of eight sums.
//! `avx_vnni`: the same instructions for CPUs without AVX-512, on 16 registers of 256 bits, and the tiles of AVX2.

use crate::arch::{dw_q8, pw_q8};
use crate::simd::q8_vnni::{AvxVnni, Vnni256, Vnni512};

pw_q8!(PW_QS8_12X32 "pw_qs8_12x32__avx512_vnni", PW_QU8_12X32 "pw_qu8_12x32__avx512_vnni", Avx512Vnni, avx512_vnni, Vnni512, 12 x 2, Unsigned x 4);
dw_q8!(each DW_QS8_512 "dw3x3_qs8_16c__avx512_vnni", DW_QU8_512 "dw3x3_qu8_16c__avx512_vnni", Avx512Vnni, avx512_vnni, Vnni256, s1 2 x 4, s2 2 x 3);

pw_q8!(PW_QS8_6X16 "pw_qs8_6x16__avx_vnni", PW_QU8_6X16 "pw_qu8_6x16__avx_vnni", AvxVnni, avx_vnni, AvxVnni, 6 x 2, Unsigned x 4);
dw_q8!(each DW_QS8_VEX "dw3x3_qs8_16c__avx_vnni", DW_QU8_VEX "dw3x3_qu8_16c__avx_vnni", AvxVnni, avx_vnni, AvxVnni, s1 2 x 2, s2 1 x 3);
