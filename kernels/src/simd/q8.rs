//! The vectors that quantised kernels are written over: sums of products in i32, and pixels of a depthwise convolution in i16.

use crate::quantization::EpilogueQ8;

/// A vector of sums of a pointwise kernel, one a column.
///
/// # Safety
/// Methods may be called inside a function with the ISA's features only; pointers have to be valid for what each method says.
pub(crate) unsafe trait Sums: Copy {
    /// Columns of a vector.
    const LANES: usize;
    /// Bytes of a row, and of a column, that one step takes.
    const STEP: usize = 4;

    /// Bytes between scales and steps of a panel, of which the first four are a mark, a u32, if there are any.
    const MARK_BYTES: usize = 0;
    /// What computes panels with a mark: the same lanes and steps.
    type Marked: Sums;
    /// Whether a panel of which one vector holds all columns that there are is computed by that vector alone. Not with steps of one's own.
    const NARROW: bool = false;
    /// Whether a kernel meets segments of rows in place, and changes their bits itself by [`changed`](Sums::changed).
    const WINDOWS: bool = false;
    /// Which of the constants of a row is this kind's.
    const CONSTANT: usize = 0;

    /// For [`Word::Products`](crate::pack::Word::Products) whose `n` words, a multiple of four, are at `words`: the sum of all elements, and
    /// of the products of words 0 with 2 and 1 with 3 of each four, modulo 2^32.
    #[inline(always)]
    unsafe fn sums_of_words(words: *const i16, n: usize) -> (i32, i32) {
        let (mut elements, mut products) = (0_i32, 0_i32);
        for i in (0..n).step_by(4) {
            // SAFETY: below n.
            let [a, b, c, d] =
                unsafe { words.add(i).cast::<[i16; 4]>().read_unaligned() }.map(i32::from);
            elements = elements.wrapping_add((a + b + c + d) >> 8);
            products = products.wrapping_add(a * c).wrapping_add(b * d);
        }
        (elements, products)
    }

    /// `LANES` sums, of any alignment.
    unsafe fn load(p: *const i32) -> Self;
    unsafe fn splat(x: i32) -> Self;
    unsafe fn add(self, x: Self) -> Self;

    /// What a step takes of a row, for all columns.
    type Row: Copy;
    /// What a step takes of `LANES` columns.
    type Columns: Copy;

    /// Reads `STEP` bytes.
    unsafe fn row(p: *const u8) -> Self::Row;
    /// The same elements with these bits changed. Only where there are `WINDOWS`.
    #[inline(always)]
    unsafe fn changed(row: Self::Row, _bits: u8) -> Self::Row {
        row
    }
    /// Reads `STEP * LANES` bytes.
    unsafe fn columns(p: *const u8) -> Self::Columns;
    /// `self + row x columns`
    unsafe fn dot(self, row: Self::Row, columns: Self::Columns) -> Self;

    /// Computes some of `steps` steps in loops of its own, and returns how many: the rest, or all of them, are left to
    /// [`dot`](Sums::dot). Rows are `a_row` bytes apart, panels `b_panel`.
    #[inline(always)]
    unsafe fn own_steps<const M: usize, const NV: usize, const P: usize>(
        _acc: &mut [[[Self; NV]; P]; M],
        _a: *const u8,
        _a_row: usize,
        _b: *const u8,
        _b_panel: usize,
        _steps: usize,
    ) -> usize {
        0
    }

    /// [`EpilogueQ8::apply`] by `LANES` scales, and stores the `LANES` bytes.
    unsafe fn store(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8);

    /// As [`store`](Sums::store), of which the first `n <= LANES` bytes are there.
    #[inline(always)]
    unsafe fn store_partial(self, scales: *const f32, e: &EpilogueQ8, to: *mut u8, n: usize) {
        const { assert!(Self::LANES <= 64) }
        let mut bytes = [0_u8; 64];
        // SAFETY: the array is longer than a vector, `to` is writable for what is copied.
        unsafe {
            self.store(scales, e, bytes.as_mut_ptr());
            copy(bytes.as_ptr(), to, n);
        }
    }

    /// As [`store`](Sums::store) for two vectors side by side.
    #[inline(always)]
    unsafe fn store_two(two: [Self; 2], scales: *const f32, e: &EpilogueQ8, to: *mut u8) {
        // SAFETY: the caller's promise, for twice as many.
        unsafe {
            two[0].store(scales, e, to);
            two[1].store(scales.add(Self::LANES), e, to.add(Self::LANES));
        }
    }
}

/// What [`Pixels::load`] takes from each element.
#[inline(always)]
pub(crate) fn taken<const UNSIGNED: bool, const CENTRED: bool>(e: &EpilogueQ8) -> i32 {
    match (CENTRED, UNSIGNED) {
        (false, _) => 0,
        (true, false) => e.input_zero_point,
        (true, true) => e.input_zero_point + 128,
    }
}

/// A vector of pixels of a depthwise kernel, i16 and less their zero point, one a channel.
///
/// # Safety
/// As [`Sums`].
pub(crate) unsafe trait Pixels: Copy {
    /// Channels of a vector.
    const LANES: usize;
    /// Whether products come in pairs: `pair` and `dot_pair` are there, else `mul_add` is.
    const PAIRS: bool;
    /// Whether a kernel meets two pixels of half as many channels as one vector.
    const TWINS: bool = false;
    /// Where in [`Acc`](Pixels::Acc) a channel's sum is.
    const SLOT: fn(usize) -> usize;

    /// `LANES` sums in the order of [`SLOT`](Pixels::SLOT).
    type Acc: Copy;
    /// Two pixels, channel by channel.
    type Pair: Copy;

    unsafe fn zero() -> Self;
    /// Reads `LANES` elements of either sign, and takes the zero point from each if they are to be `CENTRED`. `UNSIGNED` is whether they have
    /// no sign, where there is a kernel for each; it is false in one for both, which goes by [`EpilogueQ8::input_flip`] and leaves i8.
    unsafe fn load<const UNSIGNED: bool, const CENTRED: bool>(p: *const u8, e: &EpilogueQ8)
    -> Self;
    /// As [`load`](Pixels::load), `n < LANES` elements.
    #[inline(always)]
    unsafe fn load_partial<const UNSIGNED: bool, const CENTRED: bool>(
        p: *const u8,
        n: usize,
        e: &EpilogueQ8,
    ) -> Self {
        let mut bytes = [0_u8; 64];
        // SAFETY: `n` elements are readable, and LANES are in the array, which is longer than any vector.
        unsafe {
            copy(p, bytes.as_mut_ptr(), n);
            Self::load::<UNSIGNED, CENTRED>(bytes.as_ptr(), e)
        }
    }

    /// Reads `LANES` sums.
    unsafe fn sums(p: *const i32) -> Self::Acc;
    unsafe fn pair(a: Self, b: Self) -> Self::Pair;
    /// `acc + a * w[0] + b * w[1]`, reads `2 * LANES` weights.
    unsafe fn dot_pair(acc: Self::Acc, pair: Self::Pair, w: *const i16) -> Self::Acc;
    /// `acc + self * w`, reads `LANES` weights.
    unsafe fn mul_add(self, acc: Self::Acc, w: *const i16) -> Self::Acc;

    /// [`EpilogueQ8::apply`] by `LANES` scales in the order of [`SLOT`](Pixels::SLOT), and stores the `LANES` bytes.
    unsafe fn store(acc: Self::Acc, scales: *const f32, e: &EpilogueQ8, to: *mut u8);

    /// As [`store`](Pixels::store), of which the first `n < LANES` bytes are there.
    #[inline(always)]
    unsafe fn store_partial(
        acc: Self::Acc,
        scales: *const f32,
        e: &EpilogueQ8,
        to: *mut u8,
        n: usize,
    ) {
        const { assert!(Self::LANES <= 64) }
        let mut bytes = [0_u8; 64];
        // SAFETY: the array is longer than a vector, `to` is writable for what is copied.
        unsafe {
            Self::store(acc, scales, e, bytes.as_mut_ptr());
            copy(bytes.as_ptr(), to, n);
        }
    }
}

/// The first `n <= 16` bytes as two words, the others zero: two reads that overlap, since what is read from memory that has just been written
/// byte by byte waits for it.
///
/// # Safety
/// Readable for `n` bytes.
// Not inlined, as `copy` is not: a patch has dozens of partial vectors, and compiling them took minutes.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
pub(crate) unsafe fn words(p: *const u8, n: usize) -> (u64, u64) {
    // SAFETY: each read lies within the n bytes.
    unsafe {
        let long = |at: usize| p.add(at).cast::<u64>().read_unaligned();
        let short = |at: usize| u64::from(p.add(at).cast::<u32>().read_unaligned());
        match n {
            16 => (long(0), long(8)),
            9.. => (long(0), long(n - 8) >> (8 * (16 - n))),
            8 => (long(0), 0),
            4.. => (short(0) | (short(n - 4) << (8 * (n - 4))), 0),
            _ => {
                let mut word = 0;
                for i in 0..n {
                    word |= u64::from(p.add(i).read()) << (8 * i);
                }
                (word, 0)
            }
        }
    }
}

/// `n <= 64` bytes, in pieces of which the last overlaps the one before it: a call of `memcpy` costs more.
///
/// # Safety
/// Readable and writable for `n` bytes.
#[inline(never)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, n: usize) {
    // SAFETY: every piece lies within the n bytes.
    unsafe {
        match n {
            16.. => {
                let mut i = 0;
                while i + 16 <= n {
                    piece::<16>(from.add(i), to.add(i));
                    i += 16;
                }
                piece::<16>(from.add(n - 16), to.add(n - 16));
            }
            8.. => {
                piece::<8>(from, to);
                piece::<8>(from.add(n - 8), to.add(n - 8));
            }
            4.. => {
                piece::<4>(from, to);
                piece::<4>(from.add(n - 4), to.add(n - 4));
            }
            _ => {
                let mut i = 0;
                while i < n {
                    piece::<1>(from.add(i), to.add(i));
                    i += 1;
                }
            }
        }
    }
}

/// # Safety
/// Readable and writable for `N` bytes.
#[inline(always)]
unsafe fn piece<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}
