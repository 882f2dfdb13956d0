//! Two products in one multiplication, on AVX2: `vpmaddwd` for twice as many multiply-adds as it has words.
//!
//! With `a` as i8 and `w' = w + 128`, a step of four is
//!
//! ```text
//! x = (a0 * 256 + w2', a1 * 256 + w3')          words of i16, a pair a column
//! y = (a2 * 256 + w0', a3 * 256 + w1')
//! x * y = 65536 (a0 a2 + a1 a3) + 256 (a0 w0' + a1 w1' + a2 w2' + a3 w3') + (w0' w2' + w1' w3')
//! ```
//! of which the first term belongs to the row and the last to the column: both are taken away by constants that are made once, modulo
//! 2^32, and so is what the 128 of `w'` adds. What is left is 256 times the sum, which the scale absorbs. It is exact while the sum, with the
//! bias, stays within 2^23 on either side, which packing checks for every column and any input; a panel with a column that fails is marked and
//! computed by [`Marked`], one product a word. Source: Winograd, "A new algorithm for inner product", 1968.

use core::arch::x86_64::*;

use super::q8::Sums;
use super::q8_avx2::Avx2;
use crate::pack::MARK_BYTES;
use crate::quantization::EpilogueQ8;

/// Eight sums, 256 times as large.
#[derive(Clone, Copy)]
pub(crate) struct Products(Avx2);

/// Eight sums of a marked panel.
#[derive(Clone, Copy)]
pub(crate) struct Marked(Avx2);

/// As [`Sums::sums_of_words`].
///
/// # Safety
/// AVX2; `words` is readable for `n` words, a multiple of four.
#[inline(always)]
unsafe fn sums_of_words(words: *const i16, n: usize) -> (i32, i32) {
    // SAFETY: vectors lie within the words.
    unsafe {
        let (mut elements, mut products) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        let mut i = 0;
        while i + 16 <= n {
            let x = _mm256_loadu_si256(words.add(i).cast());
            let bytes = _mm256_srai_epi16::<8>(x);
            elements = _mm256_add_epi32(elements, _mm256_madd_epi16(bytes, _mm256_set1_epi16(1)));
            // Pairs 0 and 1 of each four change places; the product is there twice, and counted once.
            let swapped = _mm256_shuffle_epi32::<0b1011_0001>(x);
            let once = _mm256_blend_epi32::<0b0101_0101>(_mm256_setzero_si256(), swapped);
            products = _mm256_add_epi32(products, _mm256_madd_epi16(x, once));
            i += 16;
        }
        let high = _mm256_extracti128_si256::<1>(elements);
        let mut elements = _mm_add_epi32(_mm256_castsi256_si128(elements), high);
        let high = _mm256_extracti128_si256::<1>(products);
        let mut products = _mm_add_epi32(_mm256_castsi256_si128(products), high);
        while i < n {
            let x = _mm_loadl_epi64(words.add(i).cast());
            let bytes = _mm_srai_epi16::<8>(x);
            elements = _mm_add_epi32(elements, _mm_madd_epi16(bytes, _mm_set1_epi16(1)));
            let once = _mm_srli_epi64::<32>(x);
            products = _mm_add_epi32(products, _mm_madd_epi16(x, once));
            i += 4;
        }
        let both = _mm_hadd_epi32(elements, products);
        let both = _mm_hadd_epi32(both, both);
        (_mm_cvtsi128_si32(both), _mm_extract_epi32::<1>(both))
    }
}

/// What the two have in common: all but a step.
macro_rules! sums {
    ($name:ident, $constant:literal, |$acc:ident, $row:ident, $columns:ident| $dot:expr) => {
        // SAFETY: used inside functions with AVX2 only; pointers are used for as many elements as the trait says.
        unsafe impl Sums for $name {
            const LANES: usize = 8;
            const STEP: usize = 8;
            const MARK_BYTES: usize = MARK_BYTES;
            const CONSTANT: usize = $constant;

            type Marked = Marked;
            type Row = [__m256i; 2];
            type Columns = [__m256i; 2];

            #[inline(always)]
            unsafe fn sums_of_words(words: *const i16, n: usize) -> (i32, i32) {
                // SAFETY: the caller's promise.
                unsafe { sums_of_words(words, n) }
            }

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
            unsafe fn row(p: *const u8) -> [__m256i; 2] {
                // SAFETY: readable for a step.
                unsafe { [Avx2::row(p), Avx2::row(p.add(4))] }
            }

            #[inline(always)]
            unsafe fn columns(p: *const u8) -> [__m256i; 2] {
                // SAFETY: readable for a step of 8 columns.
                unsafe { [Avx2::columns(p), Avx2::columns(p.add(32))] }
            }

            #[inline(always)]
            unsafe fn dot(self, $row: [__m256i; 2], $columns: [__m256i; 2]) -> Self {
                let $acc = self.0;
                // SAFETY: the features.
                Self(unsafe { $dot })
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
    };
}

sums!(Products, 0, |acc, row, columns| {
    let x = _mm256_add_epi16(row[0], columns[0]);
    let y = _mm256_add_epi16(row[1], columns[1]);
    acc.dot(x, y)
});
sums!(Marked, 1, |acc, row, columns| {
    let acc = acc.dot(_mm256_srai_epi16::<8>(row[0]), columns[0]);
    acc.dot(_mm256_srai_epi16::<8>(row[1]), columns[1])
});
