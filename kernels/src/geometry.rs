//! The geometry of a 3x3 window: which outputs see which taps, as rectangles. Padding exists here only; drivers and kernels
//! are told of pixels that there are.

use alloc::vec::Vec;
use core::ops::Range;

use crate::shape::{Padding, Stride, WINDOW};
use crate::view::Strides;
use crate::{Error, Result};

/// Output positions in a row that see the same taps of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    /// Output positions.
    pub out: Range<usize>,
    /// Taps that fall onto the input. Empty where the window lies wholly in the padding.
    pub taps: Range<usize>,
    /// Input position of the first tap of the first output position; 0 where there are no taps.
    pub first: usize,
}

impl Band {
    /// The part of the band within `range`, or `None`.
    pub(crate) fn clip(&self, range: &Range<usize>, stride: usize) -> Option<Band> {
        let out = self.out.start.max(range.start)..self.out.end.min(range.end);
        if out.is_empty() {
            return None;
        }
        let first = if self.taps.is_empty() {
            0
        } else {
            self.first + (out.start - self.out.start) * stride
        };
        Some(Band {
            out,
            taps: self.taps.clone(),
            first,
        })
    }
}

/// One axis of a 3x3 convolution: `(size + before + after - 3) / stride + 1` outputs, grouped into bands. `size` is not 0, which
/// ops refuse before.
fn axis(
    dim: &'static str,
    size: usize,
    before: usize,
    after: usize,
    stride: usize,
) -> Result<Vec<Band>> {
    let overflow = Error::SizeOverflow {
        operand: "padded input",
    };
    let padded = size
        .checked_add(before)
        .and_then(|x| x.checked_add(after))
        .ok_or(overflow.clone())?;
    if isize::try_from(padded).is_err() {
        return Err(overflow);
    }
    if padded < WINDOW {
        let window = WINDOW;
        return Err(Error::WindowTooLarge {
            dim,
            padded,
            window,
        });
    }
    let outputs = (padded - WINDOW) / stride + 1;
    // Taps of output o: input positions o * stride - before .. + 3, cut to 0..size.
    let taps = |o: usize| {
        let start = o * stride;
        let lo = before.saturating_sub(start).min(WINDOW);
        let hi = (size + before).saturating_sub(start).min(WINDOW).max(lo);
        if lo == hi { 0..0 } else { lo..hi }
    };
    let mut bands: Vec<Band> = Vec::new();
    let mut o = 0;
    while o < outputs {
        let this = taps(o);
        // Of what lies wholly in the padding, and of the interior, every output has the same taps, and there can be many. Elsewhere no two in
        // a row have.
        let end = if this.is_empty() {
            if o * stride < before {
                (before - (WINDOW - 1)).div_ceil(stride)
            } else {
                outputs
            }
        } else if this == (0..WINDOW) {
            (size + before - WINDOW) / stride + 1
        } else {
            o + 1
        };
        // At least one, which it always is: a mistake above must not make this endless.
        let end = end.clamp(o + 1, outputs);
        let first = if this.is_empty() {
            0
        } else {
            o * stride + this.start - before
        };
        bands.push(Band {
            out: o..end,
            taps: this,
            first,
        });
        o = end;
    }
    Ok(bands)
}

/// The geometry of a 3x3 convolution over one image: which output rows and columns see which taps.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    pub stride: Stride,
    pub rows: Vec<Band>,
    pub cols: Vec<Band>,
}

impl Geometry {
    pub(crate) fn new(h: usize, w: usize, stride: Stride, padding: Padding) -> Result<Self> {
        Ok(Self {
            stride,
            rows: axis("height", h, padding.top, padding.bottom, stride.get())?,
            cols: axis("width", w, padding.left, padding.right, stride.get())?,
        })
    }

    /// Output rows and columns.
    pub(crate) fn output(&self) -> (usize, usize) {
        let end = |bands: &[Band]| bands.last().map_or(0, |b| b.out.end);
        (end(&self.rows), end(&self.cols))
    }

    /// Calls `f` for each rectangle of output pixels that see the same taps, within rows `rows` of the `n * h` rows of the batch.
    pub(crate) fn for_each_rectangle(&self, rows: Range<usize>, mut f: impl FnMut(Rectangle<'_>)) {
        let (height, _) = self.output();
        let mut next = rows.start;
        while next < rows.end {
            let (image, start) = (next / height, next % height);
            let within = start..height.min(start + rows.end - next);
            for row_band in self
                .rows
                .iter()
                .filter_map(|band| band.clip(&within, self.stride.get()))
            {
                let first_row = next - rows.start + row_band.out.start - start;
                for cols in &self.cols {
                    f(Rectangle {
                        image,
                        first_row,
                        rows: row_band.clone(),
                        cols,
                    });
                }
            }
            next += within.len();
        }
    }
}

/// Output pixels that all see the same taps.
#[derive(Debug)]
pub(crate) struct Rectangle<'a> {
    image: usize,
    /// Counted from the first row of the range.
    first_row: usize,
    pub rows: Band,
    pub cols: &'a Band,
}

impl Rectangle<'_> {
    /// Rows and columns of the window that fall onto the input. None in both directions where there are none in one.
    pub(crate) fn taps(&self) -> (Range<usize>, Range<usize>) {
        if self.rows.taps.is_empty() || self.cols.taps.is_empty() {
            (0..0, 0..0)
        } else {
            (self.rows.taps.clone(), self.cols.taps.clone())
        }
    }

    /// Offset of the input pixel under the first tap of the first output pixel; 0 where there are no taps.
    pub(crate) fn input_offset(&self, input: Strides) -> usize {
        if self.taps().0.is_empty() {
            return 0;
        }
        self.image * input.n + self.rows.first * input.h + self.cols.first * input.w
    }

    /// Offset of the first output pixel, in an output that holds the range's rows as one image.
    pub(crate) fn output_offset(&self, output: Strides) -> usize {
        self.first_row * output.h + self.cols.out.start * output.w
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one output at a time, in u128.
    fn naive(size: usize, before: usize, after: usize, stride: usize) -> Vec<Range<usize>> {
        let outputs = (size + before + after - WINDOW) / stride + 1;
        (0..outputs as u128)
            .map(|o| {
                let valid: Vec<usize> = (0..WINDOW)
                    .filter(|&k| {
                        let p = o * stride as u128 + k as u128;
                        p >= before as u128 && p < (before + size) as u128
                    })
                    .collect();
                valid
                    .first()
                    .map_or(0..0, |&lo| lo..valid[valid.len() - 1] + 1)
            })
            .collect()
    }

    #[test]
    fn bands_are_the_definition_run_length_encoded() {
        for stride in [1, 2] {
            for size in 1..10 {
                for before in 0..9 {
                    for after in 0..9 {
                        if size + before + after < WINDOW {
                            assert!(axis("h", size, before, after, stride).is_err());
                            continue;
                        }
                        let bands = axis("h", size, before, after, stride).unwrap();
                        let naive = naive(size, before, after, stride);
                        let mut next = 0;
                        for band in &bands {
                            assert_eq!(band.out.start, next);
                            next = band.out.end;
                            for o in band.out.clone() {
                                assert_eq!(
                                    band.taps, naive[o],
                                    "{size} {before} {after} s{stride} o{o}"
                                );
                            }
                            if !band.taps.is_empty() {
                                assert_eq!(
                                    band.first + before,
                                    band.out.start * stride + band.taps.start
                                );
                            }
                        }
                        assert_eq!(next, naive.len());
                        assert!(bands.windows(2).all(|p| p[0].taps != p[1].taps));
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_band_starts_where_its_first_output_does() {
        for (before, stride) in [(0, 1), (1, 1), (4, 1), (0, 2), (1, 2), (5, 2)] {
            for band in axis("h", 9, before, 4, stride).unwrap() {
                for start in 0..12 {
                    for end in start..12 {
                        let out = band.out.start.max(start)..band.out.end.min(end);
                        let first = if band.taps.is_empty() {
                            0
                        } else {
                            (out.start * stride + band.taps.start).wrapping_sub(before)
                        };
                        let taps = band.taps.clone();
                        let expected = (!out.is_empty()).then_some(Band { out, taps, first });
                        assert_eq!(band.clip(&(start..end), stride), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_rectangle_has_taps_in_both_directions_or_none() {
        let padding = Padding::symmetric(4);
        let geometry = Geometry::new(2, 3, Stride::One, padding).unwrap();
        let input = Strides {
            n: 600,
            h: 30,
            w: 1,
        };
        let (height, width) = geometry.output();
        let (mut seen, mut without) = (0, 0);
        geometry.for_each_rectangle(0..height, |rectangle| {
            let pixels = rectangle.rows.out.len() * rectangle.cols.out.len();
            seen += pixels;
            let (rows, cols) = rectangle.taps();
            assert_eq!(rows.is_empty(), cols.is_empty());
            if rows.is_empty() {
                assert_eq!(rectangle.input_offset(input), 0);
                without += pixels;
            }
        });
        assert_eq!(seen, height * width);
        // Outputs whose window meets an input: one more than the input on each side.
        assert_eq!(seen - without, (2 + 2) * (3 + 2));
    }

    #[test]
    fn padding_beyond_memory_takes_no_time() {
        let bands = axis("h", 5, usize::MAX / 8, usize::MAX / 8, 1).unwrap();
        assert!(bands.len() < 8);
        assert!(axis("h", 5, usize::MAX, 1, 1).is_err());
    }
}
