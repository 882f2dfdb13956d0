//! Quantised vectors of 256 bits: `vpmaddwd` multiplies 16 pairs of i16 and adds neighbours.

use core::arch::x86_64::*;

use super::q8::{Pixels, Sums, copy, taken, words};
use crate::quantization::EpilogueQ8;

/// Eight sums in the order of the columns, or sixteen pixels.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(crate) __m256i);

/// [`EpilogueQ8::apply`] but for the zero point. Rounds by the current mode, which is to nearest even unless somebody changed it.
///
/// # Safety
/// AVX2; `scales` is readable for 8.
#[inline(always)]
pub(crate) unsafe fn scale(acc: __m256i, scales: *const f32, e: &EpilogueQ8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(scales));
        let x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(e.lo)), _mm256_set1_ps(e.hi));
        _mm256_cvtps_epi32(x)
    }
}

/// Two vectors of integers, whose lanes `vpackssdw` puts side by side, plus the zero point, as 16 elements: the first eight of
/// `words` and the last eight.
///
/// # Safety
/// AVX2.
#[inline(always)]
pub(crate) unsafe fn narrow(words: __m256i, e: &EpilogueQ8) -> __m128i {
    // SAFETY: the features.
    unsafe {
        let words = _mm256_add_epi16(words, _mm256_set1_epi16(e.zero_point as i16));
        let bytes = _mm256_packs_epi16(words, words);
        let bytes = _mm256_permute4x64_epi64::<0b1000>(bytes);
        _mm_xor_si128(_mm256_castsi256_si128(bytes), _mm_set1_epi8(e.flip as i8))
    }
}

// SAFETY: used inside functions with AVX2 only; pointers are used for as many elements as the trait says.
unsafe impl Sums for Avx2 {
    const LANES: usize = 8;
    const NARROW: bool = true;

    type Marked = Self;
    type Row = __m256i;
    type Columns = __m256i;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: readable for 8 sums.
        Self(unsafe { _mm256_loadu_si256(p.cast()) })
    }

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm256_set1_epi32(x) })
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm256_add_epi32(self.0, x.0) })
    }

    #[inline(always)]
    unsafe fn row(p: *const u8) -> __m256i {
        // SAFETY: readable for a step.
        unsafe { _mm256_set1_epi32(p.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn columns(p: *const u8) -> __m256i {
        // SAFETY: readable for a step of 8 columns.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, row: __m256i, columns: __m256i) -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm256_add_epi32(self.0, _mm256_madd_epi16(row, columns)) })
    }

    #[inline(always)]
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 8 scales, writable for 8 bytes.
        unsafe {
            let x = scale(self.0, scales, e);
            let words = _mm256_permute4x64_epi64::<0b1101_1000>(_mm256_packs_epi32(x, x));
            _mm_storel_epi64(to.cast(), narrow(words, e));
        }
    }

    #[inline(always)]
    unsafe fn store_two(two: [Self; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 16 scales, writable for 16 bytes.
        unsafe {
            let (a, b) = (
                scale(two[0].0, scales, e),
                scale(two[1].0, scales.add(8), e),
            );
            let words = _mm256_permute4x64_epi64::<0b1101_1000>(_mm256_packs_epi32(a, b));
            _mm_storeu_si128(to.cast(), narrow(words, e));
        }
    }
}

/// The order in which `vpunpcklwd` and `vpunpckhwd` leave sixteen channels: 0 to 3 and 8 to 11, then the others. `vpackssdw` undoes it.
pub(crate) const fn unpacked(channel: usize) -> usize {
    match channel {
        4..8 => channel + 4,
        8..12 => channel - 4,
        _ => channel,
    }
}

/// Sixteen pixels.
///
/// # Safety
/// AVX2; `p` is readable for 16 elements.
#[inline(always)]
pub(crate) unsafe fn pixels<const UNSIGNED: bool, const CENTRED: bool>(
    p: *const u8,
    e: &EpilogueQ8,
) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { widen::<UNSIGNED, CENTRED>(_mm_loadu_si128(p.cast()), e) }
}

/// As [`pixels`], `n < 16` of them.
///
/// # Safety
/// AVX2; `p` is readable for `n` elements.
#[inline(always)]
pub(crate) unsafe fn pixels_partial<const UNSIGNED: bool, const CENTRED: bool>(
    p: *const u8,
    n: usize,
    e: &EpilogueQ8,
) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        // The usual number: what is left of eight, 24 or 40 channels.
        let bytes = if n == 8 {
            _mm_loadl_epi64(p.cast())
        } else {
            let (low, high) = words(p, n);
            _mm_set_epi64x(high as i64, low as i64)
        };
        widen::<UNSIGNED, CENTRED>(bytes, e)
    }
}

/// What [`Pixels::store`] stores.
///
/// # Safety
/// AVX2; `scales` is readable for 16.
#[inline(always)]
pub(crate) unsafe fn pixel_bytes(acc: [__m256i; 2], scales: *const f32, e: &EpilogueQ8) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (scale(acc[0], scales, e), scale(acc[1], scales.add(8), e));
        narrow(_mm256_packs_epi32(a, b), e)
    }
}

/// Sixteen bytes as pixels.
///
/// # Safety
/// AVX2.
#[inline(always)]
pub(crate) unsafe fn widen<const UNSIGNED: bool, const CENTRED: bool>(
    bytes: __m128i,
    e: &EpilogueQ8,
) -> __m256i {
    // SAFETY: the features.
    unsafe {
        let words = if UNSIGNED {
            _mm256_cvtepu8_epi16(bytes)
        } else {
            _mm256_cvtepi8_epi16(bytes)
        };
        let taken = taken::<UNSIGNED, CENTRED>(e);
        _mm256_sub_epi16(words, _mm256_set1_epi16(taken as i16))
    }
}

// SAFETY: as above.
unsafe impl Pixels for Avx2 {
    const LANES: usize = 16;
    const PAIRS: bool = true;
    const TWINS: bool = true;
    const SLOT: fn(usize) -> usize = unpacked;

    type Acc = [__m256i; 2];
    type Pair = [__m256i; 2];

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the features.
        Self(unsafe { _mm256_setzero_si256() })
    }

    #[inline(always)]
    unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        e: &EpilogueQ8,
    ) -> Self {
        // SAFETY: readable for 16 elements.
        Self(unsafe { pixels::<UNSIGNED, CENTRED>(p, e) })
    }

    #[inline(always)]
    unsafe fn load_partial<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        n: usize,
        e: &EpilogueQ8,
    ) -> Self {
        // SAFETY: readable for n elements.
        Self(unsafe { pixels_partial::<UNSIGNED, CENTRED>(p, n, e) })
    }

    #[inline(always)]
    unsafe fn sums(p: *const i32) -> [__m256i; 2] {
        // SAFETY: readable for 16 sums.
        unsafe {
            [
                _mm256_loadu_si256(p.cast()),
                _mm256_loadu_si256(p.add(8).cast()),
            ]
        }
    }

    #[inline(always)]
    unsafe fn pair(a: Self, b: Self) -> [__m256i; 2] {
        // SAFETY: the features.
        unsafe {
            [
                _mm256_unpacklo_epi16(a.0, b.0),
                _mm256_unpackhi_epi16(a.0, b.0),
            ]
        }
    }

    #[inline(always)]
    unsafe fn dot_pair(acc: [__m256i; 2], pair: [__m256i; 2], w: *const i16) -> [__m256i; 2] {
        // SAFETY: readable for 32 weights.
        unsafe {
            let (low, high) = (
                _mm256_loadu_si256(w.cast()),
                _mm256_loadu_si256(w.add(16).cast()),
            );
            [
                _mm256_add_epi32(acc[0], _mm256_madd_epi16(pair[0], low)),
                _mm256_add_epi32(acc[1], _mm256_madd_epi16(pair[1], high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn mul_add(self, acc: [__m256i; 2], w: *const i16) -> [__m256i; 2] {
        // SAFETY: the caller's promise. Not used: products come in pairs.
        unsafe { Self::dot_pair(acc, Self::pair(self, Self::zero()), w) }
    }

    #[inline(always)]
    unsafe fn store(acc: [__m256i; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: readable for 16 scales, writable for 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), pixel_bytes(acc, scales, e)) }
    }

    #[inline(always)]
    unsafe fn store_partial(
        acc: [__m256i; 2],
        scales: *const f32,
        e: &EpilogueQ8,
        to: *mut u8,
        n: usize,
    ) {
        // SAFETY: readable for 16 scales, writable for n bytes; the array is as long as a vector.
        unsafe {
            let bytes = pixel_bytes(acc, scales, e);
            if n == 8 {
                _mm_storel_epi64(to.cast(), bytes);
            } else {
                let mut array = [0_u8; 16];
                _mm_storeu_si128(array.as_mut_ptr().cast(), bytes);
                copy(array.as_ptr(), to, n);
            }
        }
    }
}
