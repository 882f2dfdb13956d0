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
use crate::scheme::Bytes;
use crate::simd::q8::Sums;

/// Elements of the longest vector that pieces are read by.
const LONGEST: usize = 32;

/// Rows whose words are all written before their constants are made of them: vectors read from what has just been written in shorter
/// ones wait for it.
const BATCH: usize = 16;

/// How elements become words.
trait Rule: Copy {
    type Word: Pod;

    /// The words of `N` elements.
    ///
    /// # Safety
    /// `from` is readable and `to` writable for `N` elements.
    unsafe fn vector<const N: usize>(self, from: *const u8, to: *mut Self::Word);
}

/// Bytes, of which some bits are changed.
#[derive(Clone, Copy)]
struct Changed(u8);

impl Rule for Changed {
    type Word = u8;

    #[inline(always)]
    unsafe fn vector<const N: usize>(self, from: *const u8, to: *mut u8) {
        let change = u64::from_ne_bytes([self.0; 8]);
        // By whole integers: arrays of bytes are taken apart, and changed one by one.
        // SAFETY: the caller's promise.
        unsafe {
            match N {
                1 => to.write(from.read() ^ self.0),
                4 => {
                    let four = from.cast::<u32>().read_unaligned();
                    to.cast::<u32>().write_unaligned(four ^ change as u32);
                }
                _ => {
                    const { assert!(N == 1 || N == 4 || N.is_multiple_of(8)) }
                    for i in 0..N / 8 {
                        let eight = from.cast::<u64>().add(i).read_unaligned();
                        to.cast::<u64>().add(i).write_unaligned(eight ^ change);
                    }
                }
            }
        }
    }
}

/// 2^`SHIFT` times the elements, as i8 once some bits are changed, less a number.
#[derive(Clone, Copy)]
struct Widened<const SHIFT: u32> {
    change: u8,
    less: i16,
}

impl<const SHIFT: u32> Rule for Widened<SHIFT> {
    type Word = i16;

    #[inline(always)]
    unsafe fn vector<const N: usize>(self, from: *const u8, to: *mut i16) {
        // SAFETY: the caller's promise.
        unsafe {
            let elements = from.cast::<[u8; N]>().read_unaligned();
            let words = elements.map(|x| (i16::from((x ^ self.change) as i8) - self.less) << SHIFT);
            to.cast::<[i16; N]>().write_unaligned(words);
        }
    }
}

/// The preparation for `form`.
///
/// # Safety
/// As [`Block`].
#[inline(always)]
pub(crate) unsafe fn run<V: Sums>(p: &PwArgs<Bytes>, block: &Block, form: FormQ8) {
    let (zero_point, change) = (p.epilogue.input_zero_point, p.epilogue.input_flip);
    // SAFETY: the caller's promise.
    unsafe {
        match form.word {
            Word::Centred => {
                let less = zero_point as i16;
                rows::<V, _>(p, block, form, 0, Widened::<0> { change, less });
            }
            Word::Products => {
                let padding = (zero_point << 8) as i16;
                rows::<V, _>(p, block, form, padding, Widened::<8> { change, less: 0 });
            }
            Word::Unsigned | Word::Signed | Word::SignedPairs => {
                let to_form = form.flip(&p.epilogue);
                let padding = zero_point as u8 ^ change ^ to_form;
                rows::<V, _>(p, block, form, padding, Changed(to_form));
            }
        }
    }
}

/// The constants of a row of `depth` words: of panels without a mark, and of those with one.
///
/// # Safety
/// `words` is readable for `depth` words in whole steps.
#[inline(always)]
unsafe fn constants<V: Sums, W>(form: FormQ8, zw: i32, words: *const W, depth: usize) -> [i32; 2] {
    // SAFETY: the caller's promise; the form says what the words are.
    unsafe {
        match form.word {
            Word::Centred => [0, 0],
            Word::Products => {
                let n = depth.next_multiple_of(form.kr);
                let (sum, products) = V::sums_of_words(words.cast(), n);
                let weights = sum.wrapping_mul(zw).wrapping_neg();
                // What two products in one leave beside 256 times their sum, and what a marked panel leaves.
                let own = weights
                    .wrapping_mul(256)
                    .wrapping_sub(products)
                    .wrapping_sub(sum.wrapping_mul(1 << 15));
                [own, weights]
            }
            // What weights with a zero point leave over.
            Word::Unsigned | Word::Signed | Word::SignedPairs => {
                let sum = sum(words.cast(), depth, form.is_signed());
                [sum.wrapping_mul(zw).wrapping_neg(), 0]
            }
        }
    }
}

/// All rows of `block`, with `padding` where taps are in the padding.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn rows<V: Sums, R: Rule>(
    p: &PwArgs<Bytes>,
    block: &Block,
    form: FormQ8,
    padding: R::Word,
    rule: R,
) {
    // SAFETY: the caller's promise; pieces are as long as the vector chosen for them, or up to twice as long.
    unsafe {
        match p.k {
            LONGEST.. => rows_by::<V, R, LONGEST>(p, block, form, padding, rule),
            16.. => rows_by::<V, R, 16>(p, block, form, padding, rule),
            8.. => rows_by::<V, R, 8>(p, block, form, padding, rule),
            4.. => rows_by::<V, R, 4>(p, block, form, padding, rule),
            _ => rows_by::<V, R, 1>(p, block, form, padding, rule),
        }
    }
}

/// As [`rows`], by vectors of `N`, of which the last of a piece overlaps the one before it: the stem's pieces are nine elements long.
/// Nothing is decided within a row that could be decided before, as a row may be eight bytes.
///
/// # Safety
/// As [`run`]; pieces are as long as [`piece`] wants them.
#[inline(always)]
unsafe fn rows_by<V: Sums, R: Rule, const N: usize>(
    p: &PwArgs<Bytes>,
    block: &Block,
    form: FormQ8,
    padding: R::Word,
    rule: R,
) {
    let padded = block.depth.next_multiple_of(form.kr);
    let in_padding = p.segments * p.pieces * p.k < block.depth;
    let zw = p.epilogue.weight_zero_point;
    let has_constants = match form.word {
        Word::Centred => false,
        Word::Products => true,
        Word::Unsigned | Word::Signed | Word::SignedPairs => zw != 0,
    };
    let mut row = 0;
    while row < block.rows {
        let batch = BATCH.min(block.rows - row);
        let mut from = p.a.wrapping_add((block.first + row) * p.a_row);
        let first = block.to.wrapping_add(row * block.row_bytes);
        let mut to = first;
        // SAFETY: the caller's promise: a prepared row has a header and as many words as `depth` elements take. PwArgs 2: pieces are
        // readable; they lie within `depth` words.
        unsafe {
            for _ in 0..batch {
                let words = to.add(ROW_HEADER).cast::<R::Word>();
                // A last step that is no whole one reads zeros, and weights of zero. As a loop over these it is a call of `memset`.
                if padded > block.depth {
                    let step = words.add(padded).cast::<u8>().sub(V::STEP);
                    zero_step::<V>(step);
                }
                if in_padding {
                    for i in 0..block.depth {
                        words.add(i).write(padding);
                    }
                }
                for segment in 0..p.segments {
                    let mut from = from.wrapping_add(segment * p.a_segment);
                    let mut to = words.add(p.k_first + segment * p.k_segment);
                    for _ in 0..p.pieces {
                        piece::<R, N>(from, to, p.k, rule);
                        from = from.wrapping_add(p.a_piece);
                        to = to.wrapping_add(p.k);
                    }
                }
                if !has_constants {
                    to.cast::<[i32; 2]>().write([0; 2]);
                }
                from = from.wrapping_add(p.a_row);
                to = to.wrapping_add(block.row_bytes);
            }
            to = first;
            for _ in 0..if has_constants { batch } else { 0 } {
                let words = to.add(ROW_HEADER).cast::<R::Word>();
                to.cast::<[i32; 2]>()
                    .write(constants::<V, R::Word>(form, zw, words, block.depth));
                to = to.wrapping_add(block.row_bytes);
            }
        }
        row += batch;
    }
}

/// # Safety
/// `to` is writable for a step.
#[inline(always)]
unsafe fn zero_step<V: Sums>(to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        match V::STEP {
            4 => to.cast::<[u8; 4]>().write([0; 4]),
            8 => to.cast::<[u8; 8]>().write([0; 8]),
            _ => {
                const { assert!(matches!(V::STEP, 4 | 8 | 16)) }
                to.cast::<[u8; 16]>().write([0; 16]);
            }
        }
    }
}

/// `n` words.
///
/// # Safety
/// `from` is readable and `to` writable for `n` elements: none, or at least `N`, and at most `2 * N` where `N` is neither 1 nor [`LONGEST`].
#[inline(always)]
unsafe fn piece<R: Rule, const N: usize>(from: *const u8, to: *mut R::Word, n: usize, rule: R) {
    // SAFETY: every vector lies within the `n` elements.
    unsafe {
        let Some(last) = n.checked_sub(N) else {
            return;
        };
        // Longer pieces are met by longer vectors: two of these always do.
        if const { N > 1 && N < LONGEST } {
            rule.vector::<N>(from, to);
            return rule.vector::<N>(from.add(last), to.add(last));
        }
        let mut i = 0;
        while i < last {
            rule.vector::<N>(from.add(i), to.add(i));
            i += N;
        }
        rule.vector::<N>(from.add(last), to.add(last));
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
