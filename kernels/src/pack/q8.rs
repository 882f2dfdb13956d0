//! Quantised weights into panels, each in the form that its kernel wants.
//!
//! ```text
//! GEMM, panels of nr columns:      [ bias i32: nr ][ scale f32: nr ][ step 0 ][ step 1 ] ...
//!   a step of kr k's:              [ column 0: kr words ][ column 1: kr words ] ...
//! depthwise, tiles of ct channels: [ bias i32: ct ][ scale f32: ct ][ taps ]
//!   taps one by one:               [ w00: ct ] ... [ w22: ct ]                       words i16
//!   taps in pairs of rows:         [ w00 w10 ][ w01 w11 ][ w02 w12 ][ w10 w20 ][ w11 w21 ][ w12 w22 ]   each ct pairs
//! ```
//! A step is as wide for a row of A as for a column, so that one broadcast of A meets a vector of columns. What a kernel computes,
//! `sum a * w` of [`Word`]s, differs from `sum (a - za) * (w - zw)` by constants of columns, which are in the bias, and one of rows,
//! which the kernel's preparation writes in front of a row. All of it is modulo 2^32: only the result has to fit, and that is checked here.

use super::{DepthwiseSource, Filter, GemmSource, Panels, TAPS, panels};
use crate::kernel::args::{DwKernel, PwKernel};
use crate::quantization::{self, FilterQuantization, ParamsQ8};
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
}

/// What is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// i16 by i16, both less their zero points: no constants are left.
    Centred,
    /// u8 by i8: what `vpdpbusd` takes.
    Unsigned,
    /// i8 by i8: what `sdot` takes.
    Signed,
}

impl FormQ8 {
    pub(crate) const fn bytes(self) -> usize {
        match self.word {
            Word::Centred => 2,
            Word::Unsigned | Word::Signed => 1,
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

/// Bytes in front of a prepared row: its constant, an i32, and room that keeps what follows aligned.
pub(crate) const ROW_HEADER: usize = 16;

/// How a depthwise kernel wants weights.
#[derive(Clone, Copy, Debug)]
pub struct DwFormQ8 {
    /// Taps in pairs of rows, or one by one.
    pub(crate) pairs: bool,
    /// Where in a tile a channel's sum is kept.
    pub(crate) slot: fn(usize) -> usize,
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
            input_zero_point: q.input.zero_point,
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
    ) -> Result<()> {
        let least = i64::from(S::LEAST - params.input_zero_point);
        let most = i64::from(S::MOST - params.input_zero_point);
        let bias = i64::from(self.bias_of(channel));
        let (mut low, mut high) = (bias, bias);
        for at in weights {
            let w = i64::from(self.weight(at) - params.weight_zero_point);
            let (a, b) = (w * least, w * most);
            low += a.min(b);
            high += a.max(b);
        }
        if i32::try_from(low).is_ok() && i32::try_from(high).is_ok() {
            Ok(())
        } else {
            Err(Error::AccumulatorOverflow { channel })
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
        ref filter,
    } = source;
    let (nr, form) = (kernel.nr, kernel.form);
    let params = filter.params(c_out)?;
    for channel in 0..c_out {
        filter.expect_sums(channel, &params, channel * k..(channel + 1) * k)?;
    }
    // What is taken from an element before it is multiplied, so that the kernel's zero point is another.
    let zero_point = match form.word {
        Word::Centred => 0,
        Word::Unsigned => params.input_zero_point - S::LEAST,
        Word::Signed => params.input_zero_point - S::LEAST - 128,
    };
    let zw = params.weight_zero_point;
    let step_bytes = nr * form.kr * form.bytes();
    let head = nr * (size_of::<i32>() + size_of::<f32>());
    let bytes = k
        .div_ceil(form.kr)
        .checked_mul(step_bytes)
        .and_then(|b| b.checked_add(head));
    panels(c_out.div_ceil(nr), bytes, params, |panel, bytes| {
        for column in 0..nr.min(c_out - panel * nr) {
            let channel = panel * nr + column;
            let (mut sum, first) = (0_i32, channel * k);
            for i in 0..k {
                let w = filter.weight(first + i);
                sum = sum.wrapping_add(w - zw);
                let step = &mut bytes[head + i / form.kr * step_bytes..][..step_bytes];
                let word = column * form.kr + i % form.kr;
                match form.word {
                    Word::Centred => put(step, word, (w - zw) as i16),
                    Word::Unsigned | Word::Signed => put(step, word, w as i8),
                }
            }
            // sum (a - za)(w - zw) = sum a (w - zw) - za sum (w - zw); of the former, -zw sum a is the row's constant.
            let bias = filter
                .bias_of(channel)
                .wrapping_sub(zero_point.wrapping_mul(sum));
            put(bytes, column, bias);
            put(bytes, nr + column, filter.scale(channel));
        }
    })
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
    panels(1, bytes, params, |_, bytes| {
        for channel in 0..channels {
            let tile = &mut bytes[channel / ct * tile_bytes..][..tile_bytes];
            let slot = (form.slot)(channel % ct);
            put(tile, slot, filter.bias_of(channel));
            put(tile, ct + slot, filter.scale(channel));
            let weight = |y: usize, x: usize| {
                let w = filter.weight((y * WINDOW + x) * channels + channel);
                (w - params.weight_zero_point) as i16
            };
            let taps = &mut tile[ct * (size_of::<i32>() + size_of::<f32>())..];
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

/// Bytes of a tile of packed depthwise weights.
pub(crate) const fn dw_tile_bytes(ct: usize, pairs: bool) -> usize {
    let words = if pairs { 2 * (TAPS - WINDOW) } else { TAPS };
    ct * (size_of::<i32>() + size_of::<f32>()) + words * ct * size_of::<i16>()
}
