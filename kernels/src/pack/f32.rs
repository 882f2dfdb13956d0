//! Weights of f32 into panels.

use super::{DepthwiseSource, GemmSource, Panels, TAPS, panels};
use crate::scheme::F32;
use crate::{Result, memory};

/// `rows` rows of `width` elements a panel (`None`: more than can be counted), filled by `fill(panel, elements)`.
fn panels_f32(
    count: usize,
    rows: Option<usize>,
    segment_rows: usize,
    width: usize,
    mut fill: impl FnMut(usize, &mut [f32]),
) -> Result<Panels<F32>> {
    let bytes = rows.and_then(|rows| rows.checked_mul(width * size_of::<f32>()));
    panels(count, bytes, segment_rows, (), |panel, bytes| {
        // A panel's bytes are as many as its elements and what is left of a cache line.
        let len = rows.unwrap_or_default() * width;
        fill(panel, memory::elements(bytes, len));
    })
}

pub(crate) fn gemm_f32(source: &GemmSource<'_, F32>, nr: usize) -> Result<Panels<F32>> {
    let &GemmSource {
        c_out,
        k,
        segments,
        ref filter,
    } = source;
    let rows = k.checked_add(1);
    panels_f32(
        c_out.div_ceil(nr),
        rows,
        k / segments,
        nr,
        |panel, elements| {
            for column in 0..nr.min(c_out - panel * nr) {
                let channel = panel * nr + column;
                elements[column] = filter.bias(channel);
                let weights = &filter.weights[channel * k..][..k];
                for (row, &w) in elements[nr..].chunks_exact_mut(nr).zip(weights) {
                    row[column] = filter.value(w);
                }
            }
        },
    )
}

pub(crate) fn depthwise_f32(source: &DepthwiseSource<'_, F32>, ct: usize) -> Result<Panels<F32>> {
    let &DepthwiseSource {
        channels,
        ref filter,
    } = source;
    // Tiles follow each other without a gap: the kernel steps from one to the next.
    let tiles = channels.div_ceil(ct);
    let rows = tiles.checked_mul(1 + TAPS);
    panels_f32(1, rows, TAPS, ct, |_, elements| {
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
