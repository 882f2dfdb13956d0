//! The f32 depthwise 3x3 kernel over any vector: patches of output rows x columns for one vector of channels.
//!
//! ```text
//!   2 x 4 outputs at stride 1 need 4 x 6 inputs:        each loaded input vector feeds up to nine
//!       x x x x x x     row 0 -> output row 0           of the eight accumulators' steps, so that
//!       x x x x x x     row 1 -> output rows 0, 1       loads do not bound the speed (1x1 patches
//!       x x x x x x     row 2 -> output rows 0, 1       run at half the rate)
//!       x x x x x x     row 3 -> output row 1
//! ```
//!
//! Channels are the innermost loop: a patch is finished for all channels before the next one. Within an output taps are
//! row-major, one step each (the numerics contract). The borders that a padding of one makes are patches of their own shapes;
//! other rectangles take the plain loop of [`any_taps`]. A sliding window along the row was never better.

use crate::kernel::args::DwArgs;
use crate::kernel::pointwise_f32::activate;
use crate::kernel::stripes::{StripeLoops, all};
use crate::scheme::F32;
use crate::simd::Vf32;

/// Outputs that the loop over any taps computes at a time.
const BORDER: usize = 4;

/// The only way of [`StripeLoops`].
const PATCHES: usize = 0;

/// The kernel: all pixels of `p`, in patches of up to `PH x PW` outputs.
///
/// # Safety
/// As [`DwArgs`], with `ct` = `V::LANES` and stride `S`; called inside a function with the features of `V`'s ISA, whose [`stripes`] are `L`.
#[inline(always)]
pub(crate) unsafe fn run<
    V: Vf32,
    L: StripeLoops<F32>,
    const S: usize,
    const PH: usize,
    const PW: usize,
>(
    p: &DwArgs<F32>,
) {
    // SAFETY: every call stays within the rectangle of `p`, and has as many taps.
    unsafe {
        match (p.taps_h, p.taps_w) {
            (3, 3) => all::<F32, L, PATCHES, S, PH, PW, 3, 3>(p),
            // Borders of one row or column, as padding of one makes them. Wider ones are patches of one row or column too.
            (2, 3) => all::<F32, L, PATCHES, S, 1, PW, 2, 3>(p),
            (3, 2) => all::<F32, L, PATCHES, S, PH, 1, 3, 2>(p),
            (2, 2) => all::<F32, L, PATCHES, S, 1, 1, 2, 2>(p),
            _ => any_taps::<V, S>(p),
        }
    }
}

/// `stripes` stripes of `H` output rows from row `y` on: the body of [`StripeLoops::stripes`].
///
/// # Safety
/// As [`StripeLoops::stripes`]; called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn stripes<
    V: Vf32,
    const S: usize,
    const H: usize,
    const PW: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<F32>,
    y: usize,
    stripes: usize,
) {
    const { assert!(PW <= 4, "add arms below") }
    for stripe in 0..stripes {
        let (y, mut x) = (y + stripe * H, 0);
        while x < p.cols {
            // SAFETY: columns x..x + W are among those of `p`.
            x += unsafe {
                match (p.cols - x).min(PW) {
                    4 if PW >= 4 => patch::<V, S, H, 4, TH, TW>(p, y, x),
                    3 if PW >= 3 => patch::<V, S, H, 3, TH, TW>(p, y, x),
                    2 if PW >= 2 => patch::<V, S, H, 2, TH, TW>(p, y, x),
                    _ => patch::<V, S, H, 1, TH, TW>(p, y, x),
                }
            };
        }
    }
}

/// `H x W` outputs for all channels; returns `W`.
///
/// # Safety
/// As [`stripes`]; the outputs are among those of `p`.
#[inline(always)]
unsafe fn patch<
    V: Vf32,
    const S: usize,
    const H: usize,
    const W: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<F32>,
    y: usize,
    x: usize,
) -> usize {
    // SAFETY: DwArgs 2 to 4; vectors are whole while `c + LANES <= channels`, the last one is partial.
    unsafe {
        let input = p.input.add(y * S * p.input_row + x * S * p.input_col);
        let output = p.output.add(y * p.output_row + x * p.output_col);
        let mut c = V::own_patch::<S, H, W, TH, TW>(p, input, output);
        let mut weights = p.weights.cast::<f32>().add(c * 10);
        while c + V::LANES <= p.channels {
            let acc = accumulate::<V, S, H, W, TH, TW>(p, input.add(c), weights, |p| V::load(p));
            for (h, acc) in acc.into_iter().enumerate() {
                for (w, acc) in acc.into_iter().enumerate() {
                    activate(acc, p.epilogue)
                        .store(output.add(h * p.output_row + w * p.output_col + c));
                }
            }
            c += V::LANES;
            weights = weights.add(10 * V::LANES);
        }
        let left = p.channels - c;
        if left > 0 {
            let acc = accumulate::<V, S, H, W, TH, TW>(p, input.add(c), weights, |p| {
                V::load_partial(p, left)
            });
            for (h, acc) in acc.into_iter().enumerate() {
                for (w, acc) in acc.into_iter().enumerate() {
                    let to = output.add(h * p.output_row + w * p.output_col + c);
                    activate(acc, p.epilogue).store_partial(to, left);
                }
            }
        }
    }
    W
}

/// The accumulators of `H x W` outputs for one vector of channels. `load` reads a whole or a partial vector.
///
/// # Safety
/// The `(H - 1) * S + TH` rows and `(W - 1) * S + TW` columns of pixels from `input` on are readable as `load` reads them;
/// `weights` points to a tile.
#[inline(always)]
unsafe fn accumulate<
    V: Vf32,
    const S: usize,
    const H: usize,
    const W: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<F32>,
    input: *const f32,
    weights: *const f32,
    load: impl Fn(*const f32) -> V,
) -> [[V; W]; H] {
    // SAFETY: the caller's promise.
    unsafe {
        // A whole window's taps start at 0; saying so keeps the addresses constant.
        let first = if (TH, TW) == (3, 3) {
            0
        } else {
            p.tap_y * 3 + p.tap_x
        };
        let taps = weights.add((1 + first) * V::LANES);
        let mut acc = [[V::load(weights); W]; H];
        for iy in 0..(H - 1) * S + TH {
            // At most (4 - 1) * 2 + 3 columns; those beyond are never loaded.
            let mut pixels = [V::splat(0.0); 9];
            for (ix, pixel) in pixels.iter_mut().enumerate().take((W - 1) * S + TW) {
                *pixel = load(input.add(iy * p.input_row + ix * p.input_col));
            }
            for (h, acc) in acc.iter_mut().enumerate() {
                // The tap row under which this input row lies for output row h, if it does.
                let Some(ky) = iy.checked_sub(h * S).filter(|&ky| ky < TH) else {
                    continue;
                };
                for kx in 0..TW {
                    let tap = V::load(taps.add((ky * 3 + kx) * V::LANES));
                    for (w, acc) in acc.iter_mut().enumerate() {
                        *acc = acc.mul_add(pixels[w * S + kx], tap);
                    }
                }
            }
        }
        acc
    }
}

/// Any taps: up to `BORDER` outputs along the longer side of the rectangle, taps in a loop. For the corners of odd paddings.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn any_taps<V: Vf32, const S: usize>(p: &DwArgs<F32>) {
    // A stripe along the longer side; for a column of outputs rows and columns change roles.
    let tall = p.rows > p.cols;
    let (along, across) = if tall {
        (p.rows, p.cols)
    } else {
        (p.cols, p.rows)
    };
    for a in 0..across {
        let mut l = 0;
        while l < along {
            let (y, x) = if tall { (l, a) } else { (a, l) };
            // SAFETY: `count` outputs from (y, x) on, along the longer side, are among those of `p`.
            l += unsafe {
                match along - l {
                    1 => any_taps_run::<V, S, 1>(p, y, x, tall),
                    2 => any_taps_run::<V, S, 2>(p, y, x, tall),
                    3 => any_taps_run::<V, S, 3>(p, y, x, tall),
                    _ => any_taps_run::<V, S, BORDER>(p, y, x, tall),
                }
            };
        }
    }
}

/// `N` outputs from `(y, x)` on, downwards or rightwards, for all channels; returns `N`.
///
/// # Safety
/// As [`run`]; the outputs are among those of `p`.
#[inline(always)]
unsafe fn any_taps_run<V: Vf32, const S: usize, const N: usize>(
    p: &DwArgs<F32>,
    y: usize,
    x: usize,
    tall: bool,
) -> usize {
    let (input_step, output_step) = if tall {
        (S * p.input_row, p.output_row)
    } else {
        (S * p.input_col, p.output_col)
    };
    // SAFETY: DwArgs 2 to 5, for the taps that there are; without taps nothing is read, so that no pointer is formed.
    unsafe {
        let input = p
            .input
            .wrapping_add(y * S * p.input_row + x * S * p.input_col);
        let output = p.output.add(y * p.output_row + x * p.output_col);
        let mut c = 0;
        while c < p.channels {
            let left = p.channels - c;
            let weights = p.weights.cast::<f32>().add(c * 10);
            let mut acc = [V::load(weights); N];
            for i in 0..p.taps_h {
                for j in 0..p.taps_w {
                    let tap =
                        V::load(weights.add((1 + (p.tap_y + i) * 3 + p.tap_x + j) * V::LANES));
                    let pixel = input.add(i * p.input_row + j * p.input_col + c);
                    for (n, acc) in acc.iter_mut().enumerate() {
                        let at = pixel.add(n * input_step);
                        let a = if left >= V::LANES {
                            V::load(at)
                        } else {
                            V::load_partial(at, left)
                        };
                        *acc = acc.mul_add(a, tap);
                    }
                }
            }
            for (n, acc) in acc.into_iter().enumerate() {
                let to = output.add(n * output_step + c);
                if left >= V::LANES {
                    activate(acc, p.epilogue).store(to);
                } else {
                    activate(acc, p.epilogue).store_partial(to, left);
                }
            }
            c += V::LANES;
        }
    }
    N
}
