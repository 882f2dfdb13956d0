//! Quantised weights into panels, each in the form that its kernel wants.
//!
//! ```text
//! GEMM, panels of nr columns:      [ bias i32: nr ][ scale f32: nr ][ mark, where there are any ][ step 0 ][ step 1 ] ...
//!   a step of kr k's:              [ column 0: kr words ][ column 1: kr words ] ...
//! depthwise, tiles of ct channels: [ bias of whole windows i32: ct ][ scale f32: ct ][ bias i32: ct ][ taps ]
//!   taps one by one:               [ w00: ct ] ... [ w22: ct ]                       words i16
//!   taps in pairs of rows:         [ w00 w10 ][ w01 w11 ][ w02 w12 ][ w10 w20 ][ w11 w21 ][ w12 w22 ]   each ct pairs
//! ```
//! A step is as wide for a row of A as for a column, so that one broadcast of A meets a vector of columns. What a kernel computes,
//! `sum a * w` of [`Word`]s, differs from `sum (a - za) * (w - zw)` by constants of columns, which are in the bias, and one of rows,
//! which the kernel's preparation writes in front of a row. All of it is modulo 2^32: only the result has to fit, and that is checked here.

use alloc::vec::Vec;

use super::{DepthwiseSource, Filter, GemmSource, Panels, ROW_HEADER, TAPS, panels};
use crate::kernel::args::{DwKernel, PwKernel};
use crate::quantization::{self, EpilogueQ8, FilterQuantization, ParamsQ8};
use crate::scheme::Quantised;
use crate::shape::WINDOW;
use crate::{Error, Result};

/// What comes with a quantised filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterQ8<'a> {
    pub(crate) quantization: FilterQuantization<'a>,
    /// Whether the weights have no sign.
    pub(crate) unsigned: bool,
}

/// How a pointwise kernel wants weights and rows.
#[derive(Clone, Copy, Debug)]
pub struct FormQ8 {
    /// Steps of `k` that lie side by side.
    pub(crate) kr: usize,
    pub(crate) word: Word,
    /// Whether rows of bytes that are whole steps and have no constant can be met where they lie.
    pub(crate) in_place: bool,
    /// Whether rows in segments can be, each of which is rounded up to whole steps: what is read beyond it meets weights of zero.
    pub(crate) windows: bool,
}

/// What is multiplied.
#[allow(dead_code, reason = "each is for the kernels of some architecture")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// i16 by i16, both less their zero points: no constants are left.
    Centred,
    /// u8 by i8: what `vpdpbusd` takes.
    Unsigned,
    /// i8 by i8: what `sdot` takes.
    Signed,
    /// Two products in one multiplication of i16, after Winograd: see `simd/q8_products.rs`. A panel whose sums are too large for it
    /// is marked, and holds i16 weights.
    Products,
    /// As `Signed`, where the products of two words that lie [`PAIR_APART`] apart in a step are added in 16 bits. That fits unless both
    /// weights are -128: a panel with such a pair is marked.
    SignedPairs,
}

impl FormQ8 {
    pub(crate) const fn bytes(self) -> usize {
        match self.word {
            Word::Centred | Word::Products => 2,
            Word::Unsigned | Word::Signed | Word::SignedPairs => 1,
        }
    }

    /// Whether elements become i8.
    pub(crate) fn is_signed(self) -> bool {
        matches!(self.word, Word::Signed | Word::SignedPairs)
    }

    /// What an element's bits are to be changed by to become a byte of this form: they change sides of zero by their highest bit.
    #[inline(always)]
    pub(crate) fn flip(self, epilogue: &EpilogueQ8) -> u8 {
        epilogue.input_flip ^ if self.word == Word::Unsigned { 0x80 } else { 0 }
    }

    /// Rows of a panel for a segment of `k` elements.
    fn segment_rows(self, k: usize, weight_zero_point: i32) -> usize {
        if self.windows && weight_zero_point == 0 {
            k.next_multiple_of(self.kr)
        } else {
            k
        }
    }

    /// Whether some panels are marked.
    const fn marks(self) -> bool {
        matches!(self.word, Word::Products | Word::SignedPairs)
    }

    /// The input's zero point when elements have become words.
    fn zero_point(self, params: &ParamsQ8) -> i32 {
        match self.word {
            Word::Centred => 0,
            Word::Unsigned => params.input_zero_point + 128,
            Word::Signed | Word::SignedPairs | Word::Products => params.input_zero_point,
        }
    }

    /// Bytes of a prepared row of `k` elements.
    pub(crate) fn row_bytes(self, k: usize) -> usize {
        let words = k.saturating_add(self.kr - 1) / self.kr * self.kr;
        words
            .saturating_mul(self.bytes())
            .saturating_add(ROW_HEADER + 15)
            / 16
            * 16
    }
}

/// Bytes between scales and steps of a panel where some are marked: the mark, a u32, and room that keeps what follows aligned.
pub(crate) const MARK_BYTES: usize = 64;

/// From this depth on [`Word::Products`] are faster than one product a word (Zen 4): each row takes two sums of its own.
pub(crate) const PRODUCTS_DEPTH: usize = 64;

/// Columns of a vector of [`Word::Products`], whose words lie together in a step.
pub(crate) const PRODUCT_LANES: usize = 8;

/// See [`Word::SignedPairs`].
pub(crate) const PAIR_APART: usize = 8;

/// How a depthwise kernel wants weights.
#[derive(Clone, Copy, Debug)]
pub struct DwFormQ8 {
    /// Taps in pairs of rows, or one by one.
    pub(crate) pairs: bool,
    /// Where in a tile a channel's sum is kept.
    pub(crate) slot: fn(usize) -> usize,
    /// Whether the kernel takes elements as u8 rather than i8.
    pub(crate) unsigned: bool,
}

impl<S: Quantised> Filter<'_, S> {
    /// # Errors
    /// [`Error::InvalidScale`], [`Error::ZeroPoint`], [`Error::Mismatch`] for the number of scales
    fn params(&self, c_out: usize) -> Result<ParamsQ8> {
        let FilterQ8 {
            quantization: q,
            unsigned,
        } = self.params;
        q.input.check::<S>("input")?;
        q.output.check::<S>("output")?;
        let range = if unsigned { 0..=255 } else { -128..=127 };
        quantization::expect_zero_point("weights", q.weight_zero_point, range)?;
        let scales = q.weight_scales.len();
        if scales != 1 && scales != c_out {
            return Err(Error::Mismatch {
                operand: "weights",
                dim: "number of scales",
                expected: c_out,
                found: scales,
            });
        }
        for (channel, &scale) in q.weight_scales.iter().enumerate() {
            quantization::expect_scale("weights", channel, scale)?;
            quantization::expect_scale("weights to output", channel, self.scale(channel))?;
        }
        Ok(ParamsQ8 {
            input_zero_point: q.input.zero_point + S::TO_I8,
            weight_zero_point: q.weight_zero_point - if unsigned { 128 } else { 0 },
            output: q.output,
        })
    }

    /// The scale of channel `channel`'s accumulator, in the output's units. In this order: it is part of the numerics contract.
    fn scale(&self, channel: usize) -> f32 {
        let q = &self.params.quantization;
        let of_weights = q.weight_scales[channel % q.weight_scales.len()];
        q.input.scale * of_weights / q.output.scale
    }

    /// Weight `at`, in the domain of i8.
    fn weight(&self, at: usize) -> i32 {
        let flip = if self.params.unsigned { 0x80 } else { 0 };
        i32::from((self.weights[at] ^ flip) as i8)
    }

    fn bias_of(&self, channel: usize) -> i32 {
        self.bias.map_or(0, |bias| bias[channel])
    }

    /// The least and the greatest sum that a channel of these weights can come to, for any input.
    ///
    /// # Errors
    /// [`Error::AccumulatorOverflow`] where it leaves i32.
    fn expect_sums(
        &self,
        channel: usize,
        params: &ParamsQ8,
        weights: impl Iterator<Item = usize>,
    ) -> Result<(i32, i32)> {
        let least = i64::from(-128 - params.input_zero_point);
        let most = i64::from(127 - params.input_zero_point);
        let bias = i64::from(self.bias_of(channel));
        let (mut low, mut high) = (bias, bias);
        for at in weights {
            let w = i64::from(self.weight(at) - params.weight_zero_point);
            let (a, b) = (w * least, w * most);
            low += a.min(b);
            high += a.max(b);
        }
        match (i32::try_from(low), i32::try_from(high)) {
            (Ok(low), Ok(high)) => Ok((low, high)),
            _ => Err(Error::AccumulatorOverflow { channel }),
        }
    }
}

/// Writes words of any type one after the other.
fn put<T: bytemuck::Pod>(bytes: &mut [u8], index: usize, word: T) {
    let size = size_of::<T>();
    bytes[index * size..][..size].copy_from_slice(bytemuck::bytes_of(&word));
}

pub(crate) fn gemm_q8<S: Quantised>(
    source: &GemmSource<'_, S>,
    kernel: &PwKernel<S>,
) -> Result<Panels<S>> {
    let &GemmSource {
        c_out,
        k,
        segments,
        ref filter,
    } = source;
    let (nr, form) = (kernel.nr, kernel.form);
    let params = filter.params(c_out)?;
    let mut sums = Vec::new();
    sums.try_reserve_exact(c_out)
        .map_err(|_| Error::OutOfMemory { bytes: c_out })?;
    for channel in 0..c_out {
        sums.push(filter.expect_sums(channel, &params, channel * k..(channel + 1) * k)?);
    }
    let step_bytes = nr * form.kr * form.bytes();
    let head =
        nr * (size_of::<i32>() + size_of::<f32>()) + if form.marks() { MARK_BYTES } else { 0 };
    let segment = k / segments;
    let room = form.segment_rows(segment, params.weight_zero_point);
    let bytes = (segments * room)
        .div_ceil(form.kr)
        .checked_mul(step_bytes)
        .and_then(|b| b.checked_add(head));
    panels(c_out.div_ceil(nr), bytes, room, params, |panel, bytes| {
        let (head, steps) = bytes.split_at_mut(head);
        let columns = panel * nr..c_out.min((panel + 1) * nr);
        let marked = columns.clone().any(|channel| match form.word {
            Word::Products => {
                let (low, high) = sums[channel];
                low < -PRODUCTS_LIMIT
                    || high >= PRODUCTS_LIMIT
                    || !scaled(filter.scale(channel)).is_normal()
            }
            Word::SignedPairs => {
                let weights = channel * k..(channel + 1) * k;
                overflows(weights.map(|at| filter.weight(at)))
            }
            _ => false,
        });
        if form.marks() {
            // Of a u32, whose bytes are the same either way, so that its order is nobody's concern.
            head[8 * nr..8 * nr + 4].fill(if marked { 0xff } else { 0 });
        }
        for (column, channel) in columns.enumerate() {
            let weights = (channel * k..(channel + 1) * k).map(|at| filter.weight(at));
            let scale = filter.scale(channel);
            let (bias, scale) = match form.word {
                Word::Products => {
                    let bias = products(steps, step_bytes, column, marked, weights.clone());
                    (bias, if marked { scale } else { scaled(scale) })
                }
                word => {
                    let zw = params.weight_zero_point;
                    for (i, w) in weights.clone().enumerate() {
                        let i = i / segment * room + i % segment;
                        let step = &mut steps[i / form.kr * step_bytes..][..step_bytes];
                        let at = column * form.kr + i % form.kr;
                        match word {
                            Word::Centred => put(step, at, (w - zw) as i16),
                            _ => put(step, at, w as i8),
                        }
                    }
                    (0, scale)
                }
            };
            // sum (a - za)(w - zw) = sum a (w - zw) - za sum (w - zw); of the former, -zw sum a is the row's constant.
            let zero_point = form.zero_point(&params);
            let sum = weights.fold(0_i32, |sum, w| {
                sum.wrapping_add(w - params.weight_zero_point)
            });
            let own = filter
                .bias_of(channel)
                .wrapping_sub(zero_point.wrapping_mul(sum));
            let own = if form.word == Word::Products && !marked {
                own.wrapping_mul(PRODUCTS_SCALE)
            } else {
                own
            };
            put(head, column, own.wrapping_add(bias));
            put(head, nr + column, scale);
        }
    })
}

/// Whether a panel of `nr` columns is marked.
pub(crate) fn has_mark(form: FormQ8, nr: usize, panel: &[u8]) -> bool {
    form.marks() && panel[8 * nr] != 0
}

/// Whether two weights that are a pair of [`Word::SignedPairs`] are both -128.
fn overflows(weights: impl Iterator<Item = i32> + Clone) -> bool {
    let others = weights.clone().skip(PAIR_APART);
    let mut pairs = weights.zip(others).enumerate();
    pairs.any(|(i, pair)| i % (2 * PAIR_APART) < PAIR_APART && pair == (-128, -128))
}

/// What sums of [`Word::Products`] are multiplied by.
const PRODUCTS_SCALE: i32 = 256;

/// Sums from minus this to below it fit in i32 when they are multiplied by [`PRODUCTS_SCALE`].
const PRODUCTS_LIMIT: i32 = 1 << 23;

/// The scale for sums that are [`PRODUCTS_SCALE`] times as large: the same bits but for the exponent.
fn scaled(scale: f32) -> f32 {
    scale / PRODUCTS_SCALE as f32
}

/// Writes the words of a column of [`Word::Products`]: with `w' = w + 128`, `(w2', w3')` and `(w0', w1')` of each step in vectors of their
/// own; of a marked panel `(w0, w1)` and `(w2, w3)`. Returns what is to be added to the bias: minus the products of weights with weights.
fn products(
    steps: &mut [u8],
    step_bytes: usize,
    column: usize,
    marked: bool,
    weights: impl Iterator<Item = i32>,
) -> i32 {
    let first = column / PRODUCT_LANES * 4 * PRODUCT_LANES + column % PRODUCT_LANES * 2;
    for (i, w) in weights.enumerate() {
        let step = &mut steps[i / 4 * step_bytes..][..step_bytes];
        let at = first + i % 2 + 2 * PRODUCT_LANES * usize::from((i % 4 < 2) != marked);
        put(step, at, if marked { w } else { w + 128 } as i16);
    }
    if marked {
        return 0;
    }
    let mut bias = 0_i32;
    for step in steps.chunks_exact(step_bytes) {
        let word = |at: usize| i32::from(i16::from_ne_bytes([step[2 * at], step[2 * at + 1]]));
        for i in [first, first + 1] {
            bias = bias.wrapping_sub(word(i) * word(i + 2 * PRODUCT_LANES));
        }
    }
    bias
}

pub(crate) fn depthwise_q8<S: Quantised>(
    source: &DepthwiseSource<'_, S>,
    kernel: &DwKernel<S>,
) -> Result<Panels<S>> {
    let &DepthwiseSource {
        channels,
        ref filter,
    } = source;
    let (ct, form) = (kernel.ct, kernel.form);
    let params = filter.params(channels)?;
    for channel in 0..channels {
        let taps = (0..TAPS).map(|tap| tap * channels + channel);
        filter.expect_sums(channel, &params, taps)?;
    }
    let tile_bytes = dw_tile_bytes(ct, form.pairs);
    let bytes = channels.div_ceil(ct).checked_mul(tile_bytes);
    panels(1, bytes, TAPS, params, |_, bytes| {
        // Half a tile of channels is there twice, for kernels that meet two pixels as one vector.
        let lanes = if 2 * channels == ct { ct } else { channels };
        for lane in 0..lanes {
            let channel = lane % channels;
            let tile = &mut bytes[lane / ct * tile_bytes..][..tile_bytes];
            let slot = (form.slot)(lane % ct);
            let taps = (0..TAPS).map(|tap| filter.weight(tap * channels + channel));
            let sum: i32 = taps.map(|w| w - params.weight_zero_point).sum();
            let bias = filter.bias_of(channel);
            let zero_point = params.input_zero_point + if form.unsigned { 128 } else { 0 };
            let whole = bias.wrapping_sub(zero_point * sum);
            put(tile, slot, whole);
            put(tile, ct + slot, filter.scale(channel));
            put(tile, 2 * ct + slot, bias);
            let weight = |y: usize, x: usize| {
                let w = filter.weight((y * WINDOW + x) * channels + channel);
                (w - params.weight_zero_point) as i16
            };
            let taps = &mut tile[dw_head_bytes(ct)..];
            for x in 0..WINDOW {
                if form.pairs {
                    for y in 0..WINDOW - 1 {
                        let pair = ((y * WINDOW + x) * ct + slot) * 2;
                        put(taps, pair, weight(y, x));
                        put(taps, pair + 1, weight(y + 1, x));
                    }
                } else {
                    for y in 0..WINDOW {
                        put(taps, (y * WINDOW + x) * ct + slot, weight(y, x));
                    }
                }
            }
        }
    })
}

/// Bytes of a tile of packed depthwise weights in front of the taps.
pub(crate) const fn dw_head_bytes(ct: usize) -> usize {
    ct * (2 * size_of::<i32>() + size_of::<f32>())
}

/// Bytes of a tile of packed depthwise weights.
pub(crate) const fn dw_tile_bytes(ct: usize, pairs: bool) -> usize {
    let words = if pairs { 2 * (TAPS - WINDOW) } else { TAPS };
    dw_head_bytes(ct) + words * ct * size_of::<i16>()
}

#[cfg(test)]
mod tests;
