//! Weights into panels, once, when a model is loaded.
//!
//! ```text
//! GEMM, panels of nr columns:      [ bias: nr ][ k = 0: nr ][ k = 1: nr ] ...      columns beyond c_out are zero
//! depthwise, tiles of ct channels: [ bias: ct ][ w00: ct ] ... [ w22: ct ]         channels beyond C are zero
//! ```
//! Both start on a cache line. Quantised ones have scales behind the biases, and weights as the kernel wants them: `q8.rs`.
//! Weights come as TensorFlow Lite stores them: `[c_out, kh, kw, c_in]`, depthwise `[3, 3, C]`.

mod f32;
#[cfg(feature = "qs8")]
mod q8;

pub(crate) use self::f32::{depthwise_f32, gemm_f32};
#[cfg(all(
    feature = "qs8",
    any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon")
    )
))]
pub(crate) use self::q8::MARK_BYTES;
#[cfg(feature = "qs8")]
pub(crate) use self::q8::{
    DwFormQ8, FilterQ8, FormQ8, PRODUCTS_DEPTH, Word, depthwise_q8, dw_head_bytes, dw_tile_bytes,
    gemm_q8, has_mark,
};

use alloc::sync::Arc;

use crate::memory::{self, AlignedBytes};
#[cfg(feature = "qs8")]
use crate::quantization::FilterQuantization;
#[cfg(feature = "qs8")]
use crate::scheme::Quantised;
use crate::scheme::{F32, Scheme};
use crate::shape::WINDOW;
use crate::{Error, Isa, Result};

/// Taps of the window.
const TAPS: usize = WINDOW * WINDOW;

/// Bytes in front of a prepared row: its constants (of `Word::Products` for panels that are marked, too), i32, and room that keeps what
/// follows aligned.
pub(crate) const ROW_HEADER: usize = 16;

/// Weights and bias as the caller has them, to be packed.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, S: Scheme> {
    pub(crate) weights: &'a [S::Weight],
    pub(crate) bias: Option<&'a [S::Bias]>,
    pub(crate) params: S::FilterParams<'a>,
}

impl<'a> Filter<'a, F32> {
    /// `weights` in the order that the op names, `bias` one an output channel (`None`: zeros).
    pub fn new(weights: &'a [f32], bias: Option<&'a [f32]>) -> Self {
        Self {
            weights,
            bias,
            params: false,
        }
    }

    /// Packs subnormal weights and biases as zeros of their sign. Arithmetic on subnormals is many times slower on some CPUs.
    pub fn flush_subnormals(mut self) -> Self {
        self.params = true;
        self
    }

    fn value(&self, x: f32) -> f32 {
        if self.params && x.is_subnormal() {
            0.0_f32.copysign(x)
        } else {
            x
        }
    }

    fn bias(&self, channel: usize) -> f32 {
        self.bias.map_or(0.0, |bias| self.value(bias[channel]))
    }
}

#[cfg(feature = "qs8")]
impl<'a, S: Quantised> Filter<'a, S> {
    /// `weights` in the order that the op names, `bias` one an output channel (`None`: zeros), in units of
    /// `input.scale * weight_scale`.
    pub fn i8(
        weights: &'a [i8],
        bias: Option<&'a [i32]>,
        quantization: FilterQuantization<'a>,
    ) -> Self {
        Self {
            weights: bytemuck::cast_slice(weights),
            bias,
            params: FilterQ8 {
                quantization,
                unsigned: false,
            },
        }
    }

    /// As [`Filter::i8`], for weights without a sign, as the checkpoints of 2017 have them.
    pub fn u8(
        weights: &'a [u8],
        bias: Option<&'a [i32]>,
        quantization: FilterQuantization<'a>,
    ) -> Self {
        Self {
            weights,
            bias,
            params: FilterQ8 {
                quantization,
                unsigned: true,
            },
        }
    }
}

/// Packed panels, shared by all ops made from them.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Panels<S: Scheme> {
    pub(crate) data: Arc<AlignedBytes>,
    /// Bytes from a panel to the next.
    pub(crate) panel_bytes: usize,
    /// Rows of a panel for each of the [`GemmSource::segments`].
    pub(crate) segment_rows: usize,
    pub(crate) params: S::Params,
}

/// A matrix `[c_out, k]` to be packed.
#[doc(hidden)]
pub struct GemmSource<'a, S: Scheme> {
    pub(crate) c_out: usize,
    pub(crate) k: usize,
    /// Parts of `k` that lie in memory apart: the rows of a window.
    pub(crate) segments: usize,
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

/// `count` panels of `bytes` bytes, filled by `fill(panel, bytes)`. Each starts on a cache line.
fn panels<S: Scheme>(
    count: usize,
    bytes: Option<usize>,
    segment_rows: usize,
    params: S::Params,
    mut fill: impl FnMut(usize, &mut [u8]),
) -> Result<Panels<S>> {
    let overflow = Error::SizeOverflow {
        operand: "packed weights",
    };
    let bytes = bytes.filter(|&b| b <= isize::MAX as usize);
    let panel_bytes = memory::lines(bytes.ok_or(overflow.clone())?);
    let len = count.checked_mul(panel_bytes);
    let mut data = AlignedBytes::zeroed(len.ok_or(overflow)?)?;
    for (panel, bytes) in data.chunks_exact_mut(panel_bytes).enumerate() {
        fill(panel, bytes);
    }
    Ok(Panels {
        data: Arc::new(data),
        panel_bytes,
        segment_rows,
        params,
    })
}
