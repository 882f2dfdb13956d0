//! Quantised vectors of VNNI: what AVX2 takes a multiplication and an addition for is one instruction, and it takes bytes.

use core::arch::x86_64::*;

use super::q8::{Pixels, Sums};
use super::q8_avx2::{self, Avx2, pixels_partial};
use crate::quantization::EpilogueQ8;

/// Sixteen sums.
#[derive(Clone, Copy)]
pub(crate) struct Vnni512(__m512i);

impl Vnni512 {
    /// # Safety
    /// AVX-512; `scales` is readable for 16.
    #[inline(always)]
    unsafe fn bytes(self, scales: *const f32, e: &EpilogueQ8) -> __m128i {
        // SAFETY: the caller's promise.
        unsafe {
            let x = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), _mm512_loadu_ps(scales));
            let x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(e.lo)), _mm512_set1_ps(e.hi));
            // The low byte is the element: adding its highest bit is changing it.
            let zero_point = _mm512_set1_epi32(e.zero_point + i32::from(e.flip));
            let x = _mm512_add_epi32(_mm512_cvtps_epi32(x), zero_point);
            _mm512_cvtepi32_epi8(x)
        }
    }
}

// SAFETY: used inside functions with AVX512F, BW, VL and VNNI only; pointers are used for as many elements as the trait says.
unsafe impl Sums for Vnni512 {
    const LANES: usize = 16;
    const NARROW: bool = true;
    const WINDOWS: bool = true;

    type Marked = Self;
    type Row = __m512i;
    type Columns = __m512i;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for 16 sums.
        Self(unsafe { _mm512_loadu_si512(p.cast()) })
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm512_set1_epi32(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm512_add_epi32(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> __m512i {
        // SAFETY: readable for a step.
        unsafe { _mm512_set1_epi32(p.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn changed(row: __m512i, bits: u8) -> __m512i {
        // SAFETY: the features.
        unsafe { _mm512_xor_si512(row, _mm512_set1_epi8(bits as i8)) }
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> __m512i {
        // SAFETY: readable for a step of 16 columns.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, row: __m512i, columns: __m512i) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm512_dpbusd_epi32(self.0, row, columns) })
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 16 scales, writable for 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), self.bytes(scales, e)) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8, n: usize) {
        // SAFETY: readable for 16 scales; masked bytes are not touched.
        unsafe {
            let bytes = self.bytes(scales, e);
            // The usual number, for which there is a faster instruction than a masked store.
            if n == 8 {
                return _mm_storel_epi64(to.cast(), bytes);
            }
            _mm_mask_storeu_epi8(to.cast(), first(n), bytes);
        }
    }
}

/// Eight sums, or sixteen pixels, by the instructions of AVX-512 on registers of 256 bits.
#[derive(Clone, Copy)]
pub(crate) struct Vnni256(Avx2);

/// The same by those of AVX-VNNI.
#[derive(Clone, Copy)]
pub(crate) struct AvxVnni(Avx2);

/// What differs between the two: the names of two instructions.
macro_rules! vnni {
    ($name:ident, $bytes:ident, $words:ident, $load_partial:ident, $store_partial:expr) => {
        // SAFETY: used inside functions with the features of the ISA only; pointers are used for as many elements as the trait says.
        unsafe impl Sums for $name {
            const LANES: usize = 8;

            type Marked = Self;
            type Row = __m256i;
            type Columns = __m256i;

            #[inline(always)]
            unsafe fn load(p: *const i32) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { <Avx2 as Sums>::load(p) })
            }

            #[inline(always)]
            unsafe fn splat(x: i32) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { Avx2::splat(x) })
            }

            #[inline(always)]
            unsafe fn add(self, x: Self) -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { self.0.add(x.0) })
            }

            #[inline(always)]
            unsafe fn row(p: *const u8) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe { Avx2::row(p) }
            }

            #[inline(always)]
            unsafe fn columns(p: *const u8) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe { Avx2::columns(p) }
            }

            #[inline(always)]
            unsafe fn dot(self, row: __m256i, columns: __m256i) -> Self {
                // SAFETY: the features.
                Self(Avx2(unsafe { $bytes(self.0.0, row, columns) }))
            }

            #[inline(always)]
            unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { Sums::store(self.0, scales, e, to) }
            }

            #[inline(always)]
            unsafe fn store_two(
                [a, b]: [Self; 2],
                scales: *const f32,
                e: &EpilogueQ8,
                to: *mut u8,
            ) {
                // SAFETY: the caller's promise.
                unsafe { Avx2::store_two([a.0, b.0], scales, e, to) }
            }
        }

        // SAFETY: as above.
        unsafe impl Pixels for $name {
            const LANES: usize = 16;
            const PAIRS: bool = true;
            const TWINS: bool = true;
            const SLOT: fn(usize) -> usize = q8_avx2::unpacked;

            type Acc = [__m256i; 2];
            type Pair = [__m256i; 2];

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller's promise.
                Self(unsafe { Avx2::zero() })
            }

            #[inline(always)]
            unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(
                p: *const u8,
                e: &EpilogueQ8,
            ) -> Self {
                // SAFETY: the caller's promise.
                Self(Avx2(unsafe { q8_avx2::pixels::<UNSIGNED, CENTRED>(p, e) }))
            }

            #[inline(always)]
            unsafe fn load_partial<const UNSIGNED: bool, const CENTRED: bool>(
                p: *const u8,
                n: usize,
                e: &EpilogueQ8,
            ) -> Self {
                // SAFETY: the caller's promise.
                Self(Avx2(unsafe { $load_partial::<UNSIGNED, CENTRED>(p, n, e) }))
            }

            #[inline(always)]
            unsafe fn sums(p: *const i32) -> [__m256i; 2] {
                // SAFETY: the caller's promise.
                unsafe { Avx2::sums(p) }
            }

            #[inline(always)]
            unsafe fn pair(a: Self, b: Self) -> [__m256i; 2] {
                // SAFETY: the caller's promise.
                unsafe { Avx2::pair(a.0, b.0) }
            }

            #[inline(always)]
            unsafe fn dot_pair(
                acc: [__m256i; 2],
                pair: [__m256i; 2],
                w: *const i16,
            ) -> [__m256i; 2] {
                // SAFETY: readable for 32 weights.
                unsafe {
                    let low = _mm256_loadu_si256(w.cast());
                    let high = _mm256_loadu_si256(w.add(16).cast());
                    [$words(acc[0], pair[0], low), $words(acc[1], pair[1], high)]
                }
            }

            #[inline(always)]
            unsafe fn mul_add(self, acc: [__m256i; 2], w: *const i16) -> [__m256i; 2] {
                // SAFETY: the caller's promise.
                unsafe { self.0.mul_add(acc, w) }
            }

            #[inline(always)]
            unsafe fn store(acc: [__m256i; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { <Avx2 as Pixels>::store(acc, scales, e, to) }
            }

            #[inline(always)]
            unsafe fn store_partial(
                acc: [__m256i; 2],
                scales: *const f32,
                e: &EpilogueQ8,
                to: *mut u8,
                n: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe { $store_partial(acc, scales, e, to, n) }
            }
        }
    };
}

vnni!(
    Vnni256,
    _mm256_dpbusd_epi32,
    _mm256_dpwssd_epi32,
    pixels_masked,
    store_masked
);
vnni!(
    AvxVnni,
    _mm256_dpbusd_avx_epi32,
    _mm256_dpwssd_avx_epi32,
    pixels_partial,
    <Avx2 as Pixels>::store_partial
);

/// The first `n < 16` of the bytes of a vector.
fn first(n: usize) -> __mmask16 {
    ((1_u32 << n) - 1) as __mmask16
}

/// As [`q8_avx2::pixels_partial`].
///
/// # Safety
/// AVX-512 BW and VL; `p` is readable for `n < 16` elements.
#[inline(always)]
unsafe fn pixels_masked<const UNSIGNED: bool, const CENTRED: bool>(
    p: *const u8,
    n: usize,
    e: &EpilogueQ8,
) -> __m256i {
    // SAFETY: the caller's promise; masked bytes are not touched.
    unsafe {
        let bytes = _mm_maskz_loadu_epi8(first(n), p.cast());
        q8_avx2::widen::<UNSIGNED, CENTRED>(bytes, e)
    }
}

/// As [`Pixels::store_partial`].
///
/// # Safety
/// AVX-512 BW and VL; `scales` is readable for 16 and `to` writable for `n < 16`.
#[inline(always)]
unsafe fn store_masked(
    acc: [__m256i; 2],
    scales: *const f32,
    e: &EpilogueQ8,
    to: *mut u8,
    n: usize,
) {
    // SAFETY: the caller's promise; masked bytes are not touched.
    unsafe { _mm_mask_storeu_epi8(to.cast(), first(n), q8_avx2::pixel_bytes(acc, scales, e)) }
}
