//! The quantised depthwise 3x3 kernel over any vector of pixels: patches as in `depthwise_f32.rs`.
//!
//! Pixels are i16. For whole windows the bias has what the input's zero point comes to; for those at the borders pixels are less their zero
//! point, so that taps in the padding are simply left out. Weights are less theirs.
//! Where an ISA multiplies pairs (`vpmaddwd`), two input rows are interleaved once and serve every output that sees both:
//!
//! ```text
//!   2 x W outputs at stride 1, one column of inputs:      weights, for each column of the window:
//!       r0   (r0, 0)                                         A = (w0, w1)   B = (w1, w2)
//!       r1   (r1, r2)   output row 0 = (r0, 0) A + (r1, r2) B
//!       r2              output row 1 = (r1, r2) A + (0, r3) B
//!       r3   (0, r3)
//! ```
//! Integer sums have no order, so that only the result is part of the numerics contract.

use crate::kernel::args::DwArgs;
use crate::kernel::stripes::{StripeLoops, all};
use crate::pack::{dw_head_bytes, dw_tile_bytes};
use crate::scheme::Bytes;
use crate::shape::WINDOW;
use crate::simd::q8::Pixels;

/// The ways of [`StripeLoops`]: a vector of channels of each pixel, or two pixels of half as many.
const PATCHES: usize = 0;
const TWINS: usize = 1;

/// The kernel: all pixels of `p`, in patches of up to `PH x PW` outputs. `UNSIGNED` as in [`Pixels::load`].
///
/// # Safety
/// As [`DwArgs`], with `ct` = `V::LANES` and stride `STRIDE`; called inside a function with the features of `V`'s ISA, whose [`stripes`] are `L`.
#[inline(always)]
pub(crate) unsafe fn run<
    V: Pixels,
    L: StripeLoops<Bytes>,
    const UNSIGNED: bool,
    const STRIDE: usize,
    const PH: usize,
    const PW: usize,
>(
    p: &DwArgs<Bytes>,
) {
    // SAFETY: every call stays within the rectangle of `p`, and has as many taps.
    unsafe {
        match (p.taps_h, p.taps_w) {
            (3, 3) if const { STRIDE == 1 && V::TWINS } && are_twins::<V>(p) => {
                twins::<L, PH, PW>(p);
            }
            (3, 3) => all::<Bytes, L, PATCHES, STRIDE, PH, PW, 3, 3>(p),
            // Borders of one row or column, as padding of one makes them.
            (2, 3) => all::<Bytes, L, PATCHES, STRIDE, 1, PW, 2, 3>(p),
            (3, 2) => all::<Bytes, L, PATCHES, STRIDE, PH, 1, 3, 2>(p),
            (2, 2) => all::<Bytes, L, PATCHES, STRIDE, 1, 1, 2, 2>(p),
            _ => any_taps::<V, UNSIGNED, STRIDE>(p),
        }
    }
}

/// `stripes` stripes of `H` output rows from row `y` on: the body of [`StripeLoops::stripes`].
///
/// # Safety
/// As [`StripeLoops::stripes`], of pixels that [`are_twins`] where they are met as such; called inside a function with the features of `V`'s ISA.
#[inline(always)]
pub(crate) unsafe fn stripes<
    V: Pixels,
    const UNSIGNED: bool,
    const WAY: usize,
    const STRIDE: usize,
    const H: usize,
    const PW: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<Bytes>,
    y: usize,
    stripes: usize,
) {
    const { assert!(PW <= 4, "add arms below") }
    // Twins are met a pair of columns at a time.
    let cols = if WAY == TWINS { p.cols / 2 } else { p.cols };
    macro_rules! patch {
        ($w:literal, $y:ident, $x:ident) => {
            if WAY == TWINS {
                twin_patch::<V, UNSIGNED, H, $w>(p, $y, $x)
            } else {
                patch::<V, UNSIGNED, STRIDE, H, $w, TH, TW>(p, $y, $x)
            }
        };
    }
    for stripe in 0..stripes {
        let (y, mut x) = (y + stripe * H, 0);
        while x < cols {
            // SAFETY: columns x..x + w, or as many pairs of them, are among those of `p`.
            x += unsafe {
                match (cols - x).min(PW) {
                    4 if PW >= 4 => patch!(4, y, x),
                    3 if PW >= 3 => patch!(3, y, x),
                    2 if PW >= 2 => patch!(2, y, x),
                    _ => patch!(1, y, x),
                }
            };
        }
    }
}

/// Whether two pixels, of half a vector of channels and without a gap between them, can be met as one vector.
#[inline(always)]
fn are_twins<V: Pixels>(p: &DwArgs<Bytes>) -> bool {
    2 * p.channels == V::LANES && p.input_col == p.channels && p.output_col == p.channels
}

/// All pixels of `p` at stride 1, two side by side in a vector. The two see the same taps of inputs that are a pixel apart, so that a vector
/// of inputs from column `x` on has the left tap of outputs `x` and `x + 1`, the one from `x + 1` on the middle tap, and the weights are there
/// twice.
///
/// # Safety
/// As [`run`], for whole windows of pixels that [`are_twins`].
#[inline(always)]
unsafe fn twins<L: StripeLoops<Bytes>, const PH: usize, const PW: usize>(p: &DwArgs<Bytes>) {
    // SAFETY: whole pairs of columns, and a last column.
    unsafe {
        all::<Bytes, L, TWINS, 1, PH, PW, 3, 3>(p);
        if p.cols % 2 == 1 {
            let last = DwArgs {
                input: p.input.add((p.cols - 1) * p.input_col),
                output: p.output.add((p.cols - 1) * p.output_col),
                cols: 1,
                ..*p
            };
            all::<Bytes, L, PATCHES, 1, PH, 1, 3, 3>(&last);
        }
    }
}

/// `H x W` vectors of outputs; returns `W`.
///
/// # Safety
/// As [`twins`]; the outputs are among those of `p`.
#[inline(always)]
unsafe fn twin_patch<V: Pixels, const UNSIGNED: bool, const H: usize, const W: usize>(
    p: &DwArgs<Bytes>,
    y: usize,
    x: usize,
) -> usize {
    // SAFETY: DwArgs 2 to 4: 2 W outputs see 2 W + 2 pixels, the last two of which are one vector.
    unsafe {
        let input = p.input.add(y * p.input_row + 2 * x * p.input_col);
        let output = p.output.add(y * p.output_row + 2 * x * p.output_col);
        let acc = accumulate::<V, UNSIGNED, 1, 2, H, W, 3, 3, false>(p, input, p.weights, 0);
        let scales = p.weights.add(4 * V::LANES).cast();
        for (h, acc) in acc.into_iter().enumerate() {
            for (w, acc) in acc.into_iter().enumerate() {
                let to = output.add(h * p.output_row + 2 * w * p.output_col);
                V::store(acc, scales, &p.epilogue, to);
            }
        }
    }
    W
}

/// `H x W` outputs for all channels; returns `W`.
///
/// # Safety
/// As [`stripes`]; the outputs are among those of `p`.
#[inline(always)]
unsafe fn patch<
    V: Pixels,
    const UNSIGNED: bool,
    const STRIDE: usize,
    const H: usize,
    const W: usize,
    const TH: usize,
    const TW: usize,
>(
    p: &DwArgs<Bytes>,
    y: usize,
    x: usize,
) -> usize {
    // SAFETY: DwArgs 2 to 4; vectors are whole while `c + LANES <= channels`, the last one is partial.
    unsafe {
        let input = p
            .input
            .add(y * STRIDE * p.input_row + x * STRIDE * p.input_col);
        let output = p.output.add(y * p.output_row + x * p.output_col);
        let mut c = 0;
        let mut tile = p.weights;
        while c + V::LANES <= p.channels {
            let acc = accumulate::<V, UNSIGNED, STRIDE, STRIDE, H, W, TH, TW, false>(
                p,
                input.add(c),
                tile,
                0,
            );
            let scales = tile.add(4 * V::LANES).cast();
            for (h, acc) in acc.into_iter().enumerate() {
                for (w, acc) in acc.into_iter().enumerate() {
                    let to = output.add(h * p.output_row + w * p.output_col + c);
                    V::store(acc, scales, &p.epilogue, to);
                }
            }
            c += V::LANES;
            tile = tile.add(dw_tile_bytes(V::LANES, V::PAIRS));
        }
        let left = p.channels - c;
        if left > 0 {
            let acc = accumulate::<V, UNSIGNED, STRIDE, STRIDE, H, W, TH, TW, true>(
                p,
                input.add(c),
                tile,
                left,
            );
            for (h, acc) in acc.into_iter().enumerate() {
                for (w, acc) in acc.into_iter().enumerate() {
                    let to = output.add(h * p.output_row + w * p.output_col + c);
                    V::store_partial(acc, tile.add(4 * V::LANES).cast(), &p.epilogue, to, left);
                }
            }
        }
    }
    W
}

/// The sums of `H x W` outputs for one vector of channels, of which `left` are there if it is a partial one. Outputs are `DOWN` rows of the
/// input from each other, and `RIGHT` columns.
///
/// # Safety
/// The `(H - 1) * DOWN + TH` rows and `(W - 1) * RIGHT + TW` columns of pixels from `input` on are readable for a vector, or for
/// `left` channels; `tile` points to a tile.
#[inline(always)]
unsafe fn accumulate<
    V: Pixels,
    const UNSIGNED: bool,
    const DOWN: usize,
    const RIGHT: usize,
    const H: usize,
    const W: usize,
    const TH: usize,
    const TW: usize,
    const PARTIAL: bool,
>(
    p: &DwArgs<Bytes>,
    input: *const u8,
    tile: *const u8,
    left: usize,
) -> [[V::Acc; W]; H] {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = tile.add(dw_head_bytes(V::LANES)).cast::<i16>();
        // A whole window's taps start at 0; saying so keeps the addresses constant.
        let (tap_y, tap_x, sums) = if whole(TH, TW) {
            (0, 0, tile)
        } else {
            (p.tap_y, p.tap_x, tile.add(BORDER_BIAS * V::LANES))
        };
        let mut acc = [[V::sums(sums.cast()); W]; H];
        // Column after column of inputs, spelt out: as a loop it keeps accumulators on the stack.
        macro_rules! columns {
            ($($ix:literal)+) => {$(
                if $ix < (W - 1) * RIGHT + TW {
                    // At most (2 - 1) * 2 + 3 rows; those beyond are never loaded.
                    let mut pixels = [V::zero(); 5];
                    for (iy, pixel) in pixels.iter_mut().enumerate().take((H - 1) * DOWN + TH) {
                        let from = input.add(iy * p.input_row + $ix * p.input_col);
                        *pixel = match (PARTIAL, whole(TH, TW)) {
                            (false, true) => V::load::<UNSIGNED, false>(from, &p.epilogue),
                            (false, false) => V::load::<UNSIGNED, true>(from, &p.epilogue),
                            (true, true) => V::load_partial::<UNSIGNED, false>(from, left, &p.epilogue),
                            (true, false) => V::load_partial::<UNSIGNED, true>(from, left, &p.epilogue),
                        };
                    }
                    for w in 0..W {
                        // The tap column under which this input column lies for output column w, if it does.
                        if $ix < w * RIGHT || $ix - w * RIGHT >= TW {
                            continue;
                        }
                        let weights = weights.add((tap_x + $ix - w * RIGHT) * row_words::<V>());
                        for (h, acc) in acc.iter_mut().enumerate() {
                            let seen = &pixels[h * DOWN..];
                            acc[w] = column::<V, TH>(acc[w], seen, h % 2 == 1, tap_y, weights);
                        }
                    }
                }
            )+};
        }
        columns!(0 1 2 3 4 5 6 7 8);
        acc
    }
}

/// Where a tile has the bias of windows that are not whole, in bytes a channel.
const BORDER_BIAS: usize = 8;

const fn whole(taps_h: usize, taps_w: usize) -> bool {
    taps_h == WINDOW && taps_w == WINDOW
}

/// Words of packed weights from a tap to the next in a row of the window.
const fn row_words<V: Pixels>() -> usize {
    if V::PAIRS { 2 * V::LANES } else { V::LANES }
}

/// `acc` and the `TH` taps of a column, the first of them tap row `tap_y`, for the pixels `seen`. An odd output row pairs its first
/// two taps, an even one its last two, so that neighbours at stride 1 share a pair.
///
/// # Safety
/// `weights` points to the column's weights of tap row 0.
#[inline(always)]
unsafe fn column<V: Pixels, const TH: usize>(
    mut acc: V::Acc,
    seen: &[V],
    odd: bool,
    tap_y: usize,
    weights: *const i16,
) -> V::Acc {
    let row = WINDOW * row_words::<V>();
    // SAFETY: the caller's promise; there are two rows of pairs, or three of taps.
    unsafe {
        if !V::PAIRS {
            for (ky, pixel) in seen.iter().enumerate().take(TH) {
                acc = pixel.mul_add(acc, weights.add((tap_y + ky) * row));
            }
            return acc;
        }
        let zero = V::zero();
        match TH {
            3 if odd => {
                acc = V::dot_pair(acc, V::pair(seen[0], seen[1]), weights);
                V::dot_pair(acc, V::pair(zero, seen[2]), weights.add(row))
            }
            3 => {
                acc = V::dot_pair(acc, V::pair(seen[0], zero), weights);
                V::dot_pair(acc, V::pair(seen[1], seen[2]), weights.add(row))
            }
            2 => V::dot_pair(acc, V::pair(seen[0], seen[1]), weights.add(tap_y * row)),
            // A single tap is the first or the second of a pair.
            _ if tap_y == 0 => V::dot_pair(acc, V::pair(seen[0], zero), weights),
            _ => V::dot_pair(acc, V::pair(zero, seen[0]), weights.add((tap_y - 1) * row)),
        }
    }
}

/// Any taps, output by output. For the corners of odd paddings and images smaller than the window.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn any_taps<V: Pixels, const UNSIGNED: bool, const STRIDE: usize>(p: &DwArgs<Bytes>) {
    let e = &p.epilogue;
    for pixel in 0..p.rows * p.cols {
        let (y, x) = (pixel / p.cols, pixel % p.cols);
        // SAFETY: DwArgs 2 to 5, for the taps that there are; without taps nothing is read, so that no pointer is formed.
        unsafe {
            let input = p
                .input
                .wrapping_add(y * STRIDE * p.input_row + x * STRIDE * p.input_col);
            let output = p.output.add(y * p.output_row + x * p.output_col);
            let (mut c, mut tile) = (0, p.weights);
            while c < p.channels {
                let left = (p.channels - c).min(V::LANES);
                let mut acc = V::sums(tile.add(BORDER_BIAS * V::LANES).cast());
                let weights = tile.add(dw_head_bytes(V::LANES)).cast::<i16>();
                for i in 0..p.taps_h {
                    for j in 0..p.taps_w {
                        let at = input.add(i * p.input_row + j * p.input_col + c);
                        let pixel = if left == V::LANES {
                            V::load::<UNSIGNED, true>(at, e)
                        } else {
                            V::load_partial::<UNSIGNED, true>(at, left, e)
                        };
                        let weights = weights.add((p.tap_x + j) * row_words::<V>());
                        acc = column::<V, 1>(acc, &[pixel], false, p.tap_y + i, weights);
                    }
                }
                let (scales, to) = (tile.add(4 * V::LANES).cast(), output.add(c));
                if left == V::LANES {
                    V::store(acc, scales, e, to);
                } else {
                    V::store_partial(acc, scales, e, to, left);
                }
                c += V::LANES;
                tile = tile.add(dw_tile_bytes(V::LANES, V::PAIRS));
            }
        }
    }
}
