//! Weights into panels, once, when a model is loaded.
//!
//! ```text
//! GEMM, panels of nr columns:      [ bias: nr ][ k = 0: nr ][ k = 1: nr ] ...      columns beyond c_out are zero
//! depthwise, tiles of ct channels: [ bias: ct ][ w00: ct ] ... [ w22: ct ]         channels beyond C are zero
//! ```
//! Both start on a cache line. Weights come as TensorFlow Lite stores them: `[c_out, kh, kw, c_in]`, depthwise `[3, 3, C]`.

use alloc::sync::Arc;

use crate::memory::{self, AlignedBytes};
use crate::scheme::{F32, Scheme};
use crate::shape::WINDOW;
use crate::{Error, Isa, Result};

/// Taps of the window.
const TAPS: usize = WINDOW * WINDOW;

/// Weights and bias as the caller has them, to be packed.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, S: Scheme> {
    pub(crate) weights: &'a [S::Weight],
    pub(crate) bias: Option<&'a [S::Bias]>,
    pub(crate) flush_subnormals: bool,
}

impl<'a> Filter<'a, F32> {
    /// `weights` in the order that the op names, `bias` one an output channel (`None`: zeros).
    pub fn new(weights: &'a [f32], bias: Option<&'a [f32]>) -> Self {
        Self {
            weights,
            bias,
            flush_subnormals: false,
        }
    }

    /// Packs subnormal weights and biases as zeros of their sign. Arithmetic on subnormals is many times slower on some CPUs.
    pub fn flush_subnormals(mut self) -> Self {
        self.flush_subnormals = true;
        self
    }

    fn value(&self, x: f32) -> f32 {
        if self.flush_subnormals && x.is_subnormal() {
            0.0_f32.copysign(x)
        } else {
            x
        }
    }

    fn bias(&self, channel: usize) -> f32 {
        self.bias.map_or(0.0, |bias| self.value(bias[channel]))
    }
}

/// Packed panels, shared by all ops made from them.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Panels {
    pub(crate) data: Arc<AlignedBytes>,
    /// Bytes from a panel to the next.
    pub(crate) panel_bytes: usize,
}

/// A matrix `[c_out, k]` to be packed.
#[doc(hidden)]
pub struct GemmSource<'a, S: Scheme> {
    pub(crate) c_out: usize,
    pub(crate) k: usize,
    pub(crate) filter: Filter<'a, S>,
}

/// A depthwise filter `[3, 3, C]` to be packed.
#[doc(hidden)]
pub struct DepthwiseSource<'a, S: Scheme> {
    pub(crate) channels: usize,
    pub(crate) filter: Filter<'a, S>,
}

/// Refuses a kernel that this CPU cannot run.
pub(crate) fn expect_available(isa: Isa) -> Result<()> {
    if isa.is_available() {
        Ok(())
    } else {
        Err(Error::IsaUnavailable { isa })
    }
}

/// Refuses dimensions of zero, and slices of another length than they say.
pub(crate) fn expect_filter<S: Scheme>(
    filter: &Filter<'_, S>,
    dims: &[(&'static str, usize)],
    c_out: usize,
) -> Result<()> {
    let mut len = 1_usize;
    for &(dim, size) in dims {
        if size == 0 {
            return Err(Error::ZeroDimension {
                operand: "weights",
                dim,
            });
        }
        len = len
            .checked_mul(size)
            .ok_or(Error::SizeOverflow { operand: "weights" })?;
    }
    let expect = |operand, expected, found| {
        if expected == found {
            Ok(())
        } else {
            Err(Error::Mismatch {
                operand,
                dim: "length",
                expected,
                found,
            })
        }
    };
    expect("weights", len, filter.weights.len())?;
    filter
        .bias
        .map_or(Ok(()), |bias| expect("bias", c_out, bias.len()))
}

/// `rows` rows of `width` elements of four bytes a panel, filled by `fill(panel, elements)`.
fn panels_f32(
    panels: usize,
    rows: usize,
    width: usize,
    mut fill: impl FnMut(usize, &mut [f32]),
) -> Result<Panels> {
    let overflow = Error::SizeOverflow {
        operand: "packed weights",
    };
    let bytes = rows
        .checked_mul(width * size_of::<f32>())
        .filter(|&b| b <= isize::MAX as usize);
    let panel_bytes = memory::lines(bytes.ok_or(overflow.clone())?);
    let len = panels.checked_mul(panel_bytes);
    let mut data = AlignedBytes::zeroed(len.ok_or(overflow)?)?;
    for (panel, bytes) in data.chunks_exact_mut(panel_bytes).enumerate() {
        fill(panel, memory::elements(bytes, rows * width));
    }
    Ok(Panels {
        data: Arc::new(data),
        panel_bytes,
    })
}

pub(crate) fn gemm_f32(source: &GemmSource<'_, F32>, nr: usize) -> Result<Panels> {
    let &GemmSource {
        c_out,
        k,
        ref filter,
    } = source;
    let rows = k.checked_add(1).ok_or(Error::SizeOverflow {
        operand: "packed weights",
    })?;
    panels_f32(c_out.div_ceil(nr), rows, nr, |panel, elements| {
        for column in 0..nr.min(c_out - panel * nr) {
            let channel = panel * nr + column;
            elements[column] = filter.bias(channel);
            let weights = &filter.weights[channel * k..][..k];
            for (row, &w) in elements[nr..].chunks_exact_mut(nr).zip(weights) {
                row[column] = filter.value(w);
            }
        }
    })
}

pub(crate) fn depthwise_f32(source: &DepthwiseSource<'_, F32>, ct: usize) -> Result<Panels> {
    let &DepthwiseSource {
        channels,
        ref filter,
    } = source;
    // Tiles follow each other without a gap: the kernel steps from one to the next.
    let tiles = channels.div_ceil(ct);
    let rows = tiles.checked_mul(1 + TAPS).ok_or(Error::SizeOverflow {
        operand: "packed weights",
    })?;
    panels_f32(1, rows, ct, |_, elements| {
        for channel in 0..channels {
            let tile = &mut elements[channel / ct * (1 + TAPS) * ct..][..(1 + TAPS) * ct];
            tile[channel % ct] = filter.bias(channel);
            for tap in 0..TAPS {
                tile[(1 + tap) * ct + channel % ct] =
                    filter.value(filter.weights[tap * channels + channel]);
            }
        }
    })
}
