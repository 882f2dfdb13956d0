//! Rows of A as quantised kernels want them; see `prepared.rs`.
//!
//! ```text
//!  elements:      [ a a a a a a a ]  (in pieces and segments, some of them in the padding)
//!  prepared row:  [ constant: i32, and room: 16 bytes ][ words, padded to whole steps ]
//! ```
//! A word is the element as the form says. Taps in the padding are the zero point, so that every row meets all weights.

use bytemuck::Pod;

use crate::kernel::args::{Block, PwArgs};
use crate::pack::{FormQ8, ROW_HEADER, Word};
use crate::scheme::Quantised;
use crate::simd::q8::Sums;

/// The preparation for `form`.
///
/// # Safety
/// As [`Block`].
#[inline(always)]
pub(crate) unsafe fn run<S: Quantised, V: Sums>(p: &PwArgs<S>, block: &Block, form: FormQ8) {
    let (zero_point, zw) = (p.epilogue.input_zero_point, p.epilogue.weight_zero_point);
    // Bytes change sides of zero by their highest bit.
    let flip = match form.word {
        Word::Unsigned if !S::UNSIGNED => 0x80,
        Word::Signed | Word::SignedPairs if S::UNSIGNED => 0x80,
        _ => 0,
    };
    for i in 0..block.rows {
        let from = p.a.wrapping_add((block.first + i) * p.a_row);
        // SAFETY: the caller's promise: a prepared row has a header and as many words as `depth` elements take.
        unsafe {
            let to = block.to.add(i * block.row_bytes);
            let body = to.add(ROW_HEADER);
            let mut constant = 0;
            if form.word == Word::Centred {
                let centred = |x| (S::int(x) - zero_point) as i16;
                row(
                    p,
                    from,
                    block.depth,
                    form.kr,
                    body.cast::<i16>(),
                    0,
                    centred,
                );
            } else if form.word == Word::Products {
                let shifted = |x| ((S::int(x) - S::LEAST - 128) << 8) as i16;
                let (words, padding) = (body.cast::<i16>(), shifted(S::elem(zero_point)));
                row(p, from, block.depth, form.kr, words, padding, shifted);
                let n = block.depth.next_multiple_of(form.kr);
                let (sum, products) = V::sums_of_words(words, n);
                let weights = sum.wrapping_mul(zw).wrapping_neg();
                // What two products in one leave beside 256 times their sum, and what a marked panel leaves.
                constant = weights
                    .wrapping_mul(256)
                    .wrapping_sub(products)
                    .wrapping_sub(sum.wrapping_mul(1 << 15));
                to.cast::<i32>().add(1).write(weights);
            } else {
                let byte = |x| S::int(x) as u8 ^ flip;
                row(
                    p,
                    from,
                    block.depth,
                    form.kr,
                    body,
                    zero_point as u8 ^ flip,
                    byte,
                );
                // What weights with a zero point leave over.
                if zw != 0 {
                    let sum = sum(body, block.depth, form.is_signed());
                    constant = sum.wrapping_mul(zw).wrapping_neg();
                }
            }
            to.cast::<i32>().write(constant);
        }
    }
}

/// One row of `depth` words, those in the padding `padding`, and zeros that fill a last step of `kr`.
///
/// # Safety
/// As [`run`]; `to` is writable for so many words.
#[inline(always)]
unsafe fn row<S: Quantised, W: Pod>(
    p: &PwArgs<S>,
    from: *const S::Elem,
    depth: usize,
    kr: usize,
    to: *mut W,
    padding: W,
    word: impl Fn(S::Elem) -> W,
) {
    // SAFETY: PwArgs 2: pieces are readable; they lie within `depth` words.
    unsafe {
        // A last step reads these, and weights of zero.
        for i in depth..depth.next_multiple_of(kr) {
            to.add(i).write(W::zeroed());
        }
        if p.segments * p.pieces * p.k < depth {
            for i in 0..depth {
                to.add(i).write(padding);
            }
        }
        for segment in 0..p.segments {
            for piece in 0..p.pieces {
                let from = from.add(segment * p.a_segment + piece * p.a_piece);
                let to = to.add(p.k_first + segment * p.k_segment + piece * p.k);
                words(from, to, p.k, &word);
            }
        }
    }
}

/// `n` words, in vectors of which the last overlaps the one before it: the stem's pieces are nine elements long.
///
/// # Safety
/// `from` is readable and `to` writable for `n` elements.
#[inline(always)]
unsafe fn words<E: Copy, W: Copy>(from: *const E, to: *mut W, n: usize, word: &impl Fn(E) -> W) {
    // SAFETY: every vector lies within the `n` elements.
    unsafe {
        match n {
            16.. => {
                let mut i = 0;
                while i + 32 <= n {
                    vector::<E, W, 32>(from.add(i), to.add(i), word);
                    i += 32;
                }
                if i + 16 <= n {
                    vector::<E, W, 16>(from.add(i), to.add(i), word);
                }
                vector::<E, W, 16>(from.add(n - 16), to.add(n - 16), word);
            }
            8.. => {
                vector::<E, W, 8>(from, to, word);
                vector::<E, W, 8>(from.add(n - 8), to.add(n - 8), word);
            }
            4.. => {
                vector::<E, W, 4>(from, to, word);
                vector::<E, W, 4>(from.add(n - 4), to.add(n - 4), word);
            }
            _ => {
                for i in 0..n {
                    vector::<E, W, 1>(from.add(i), to.add(i), word);
                }
            }
        }
    }
}

/// # Safety
/// `from` is readable and `to` writable for `N` elements.
#[inline(always)]
unsafe fn vector<E: Copy, W: Copy, const N: usize>(
    from: *const E,
    to: *mut W,
    word: &impl Fn(E) -> W,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let elements = from.cast::<[E; N]>().read_unaligned();
        to.cast::<[W; N]>().write_unaligned(elements.map(word));
    }
}

/// The sum of `n` bytes, modulo 2^32.
///
/// # Safety
/// `p` is readable for `n` bytes.
#[inline(always)]
unsafe fn sum(p: *const u8, n: usize, signed: bool) -> i32 {
    let mut sum = 0_i32;
    for i in 0..n {
        // SAFETY: below n.
        let byte = unsafe { p.add(i).read() };
        let x = if signed {
            i32::from(byte as i8)
        } else {
            i32::from(byte)
        };
        sum = sum.wrapping_add(x);
    }
    sum
}
