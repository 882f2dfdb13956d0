//! Strided NHWC views over the caller's slices. A view is checked once, when it is made: from then on every element of its
//! shape is known to lie within its slice, which is what the kernels rely on.

use core::ops::Range;

use crate::kernel::raw::RawMut;
use crate::memory;
use crate::shape::Nhwc;
use crate::{Error, Result};

/// Distances in elements from an image, a row and a pixel to the next. Channels are always contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// From an image to the next.
    pub n: usize,
    /// From a row to the next.
    pub h: usize,
    /// From a pixel to the next.
    pub w: usize,
}

impl Strides {
    /// The strides of a dense tensor.
    ///
    /// # Errors
    /// As [`Nhwc::len`].
    pub fn dense(shape: Nhwc) -> Result<Self> {
        shape.len("shape")?;
        Ok(Self::of(shape, shape.c))
    }

    /// The strides of a tensor of `T` with a cache line between its pixels, where they are needed: pixels a multiple of 1024 bytes
    /// apart compete for the same few sets of a first-level cache, and a 3x3 window then evicts itself. Dense otherwise.
    ///
    /// # Errors
    /// As [`Nhwc::len`].
    pub fn spread<T>(shape: Nhwc) -> Result<Self> {
        shape.len("shape")?;
        Ok(Self::spread_of::<T>(shape))
    }

    /// As [`Strides::spread`], for a shape that has been checked.
    pub(crate) fn spread_of<T>(shape: Nhwc) -> Self {
        let Nhwc { h, w, c, .. } = shape;
        let bytes = c.saturating_mul(size_of::<T>());
        if h * w == 1 || bytes == 0 || !bytes.is_multiple_of(ALIASING_BYTES) {
            return Self::of(shape, c);
        }
        // At least 1024 bytes and a gap of 64: less than a sixteenth more than the length, which has been checked for more than that.
        Self::of(shape, c + memory::ALIGN.div_ceil(size_of::<T>()))
    }

    /// Pixels `pixel` elements apart, without gaps otherwise.
    fn of(shape: Nhwc, pixel: usize) -> Self {
        Self {
            n: shape.h * shape.w * pixel,
            h: shape.w * pixel,
            w: pixel,
        }
    }

    /// Elements of a slice that holds a tensor of `shape`: from its first to behind its last.
    ///
    /// # Errors
    /// As [`View::with_strides`].
    pub fn extent(&self, shape: Nhwc) -> Result<usize> {
        let mut strides = *self;
        Layout::extent("view", shape, &mut strides)
    }
}

/// Distance of pixels from which on they share too few sets of a first-level cache. Measured from 256 channels of f32 on: in 32 KB,
/// 8 ways, that is four sets.
const ALIASING_BYTES: usize = 1024;

/// A shape with strides that keep its elements apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub shape: Nhwc,
    pub strides: Strides,
}

impl Layout {
    fn new(operand: &'static str, shape: Nhwc, mut strides: Strides, len: usize) -> Result<Self> {
        let extent = Self::extent(operand, shape, &mut strides)?;
        if len < extent {
            return Err(Error::TooShort {
                operand,
                needed: extent,
                found: len,
            });
        }
        Ok(Self { shape, strides })
    }

    /// From the first element to behind the last. Strides of dimensions of one element become what they would be in a dense tensor.
    fn extent(operand: &'static str, shape: Nhwc, strides: &mut Strides) -> Result<usize> {
        shape.len(operand)?;
        let overflow = Error::SizeOverflow { operand };
        // Extent of one pixel, row, image and of the whole: each stride must step over what lies inside it. A dimension of
        // one element never takes its stride.
        let mut extent = shape.c;
        for (dim, size, stride) in [
            ("w", shape.w, &mut strides.w),
            ("h", shape.h, &mut strides.h),
            ("n", shape.n, &mut strides.n),
        ] {
            if size == 1 {
                // Whatever it was: drivers and kernels multiply it, if only by zero or for an offset that is never used.
                *stride = extent;
            } else {
                let stride = *stride;
                if stride < extent {
                    return Err(Error::Overlap {
                        operand,
                        dim,
                        needed: extent,
                        found: stride,
                    });
                }
                let span = stride
                    .checked_mul(size - 1)
                    .and_then(|x| x.checked_add(extent));
                extent = span.ok_or(overflow.clone())?;
            }
        }
        Ok(extent)
    }

    /// The number of elements, where no gaps are between them.
    pub(crate) fn dense_len(&self) -> Option<usize> {
        let Nhwc { n, h, w, c } = self.shape;
        (self.is_matrix() && (n * h * w == 1 || self.pixel_stride() == c)).then_some(n * h * w * c)
    }

    /// Whether all pixels of the batch follow each other at one distance, so that `[N, H, W, C]` is a matrix of `n * h * w` rows.
    pub(crate) fn is_matrix(&self) -> bool {
        let Nhwc { n, h, w, .. } = self.shape;
        self.rows_are_matrix()
            && (n == 1 || h * w == 1 || self.strides.n == self.pixel_stride() * h * w)
    }

    /// As [`Layout::is_matrix`], for the rows of one image.
    pub(crate) fn rows_are_matrix(&self) -> bool {
        let Nhwc { h, w, .. } = self.shape;
        h == 1 || w == 1 || self.strides.h == self.strides.w * w
    }

    /// The same elements as `[1, pixels, 1, C]`. Only for a matrix.
    fn flatten(&self) -> Layout {
        debug_assert!(self.is_matrix());
        let Nhwc { n, h, w, c } = self.shape;
        let pixel = self.pixel_stride();
        Layout {
            shape: Nhwc::new(1, n * h * w, 1, c),
            strides: Strides {
                n: pixel * (n * h * w),
                h: pixel,
                w: pixel,
            },
        }
    }

    /// Distance between pixels of a matrix (see [`Layout::is_matrix`]).
    pub(crate) fn pixel_stride(&self) -> usize {
        let Nhwc { n: _, h, w, .. } = self.shape;
        match (h, w) {
            (1, 1) => self.strides.n,
            (_, 1) => self.strides.h,
            _ => self.strides.w,
        }
    }

    /// Offset of the first element of row `row` of the `n * h` rows of the batch.
    pub(crate) fn row(&self, row: usize) -> usize {
        row / self.shape.h * self.strides.n + row % self.shape.h * self.strides.h
    }
}

/// An NHWC tensor to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    layout: Layout,
}

impl<'a, T> View<'a, T> {
    /// A dense `[N, H, W, C]` tensor at the start of `data`.
    ///
    /// # Errors
    /// [`Error::ZeroDimension`], [`Error::SizeOverflow`], [`Error::TooShort`].
    pub fn new(data: &'a [T], shape: Nhwc) -> Result<Self> {
        shape.len("view")?;
        Self::with_strides(data, shape, Strides::dense(shape)?)
    }

    /// A tensor whose images, rows and pixels lie `strides` elements apart.
    ///
    /// # Errors
    /// As [`View::new`], and [`Error::Overlap`] where elements would share memory.
    pub fn with_strides(data: &'a [T], shape: Nhwc, strides: Strides) -> Result<Self> {
        Ok(Self {
            data,
            layout: Layout::new("view", shape, strides, data.len())?,
        })
    }

    /// A tensor of a checked shape in a slice that is made for it. Panics where the slice is too short.
    pub(crate) fn made_for(data: &'a [T], shape: Nhwc, strides: Strides) -> Self {
        let layout = Layout::new("view", shape, strides, data.len());
        Self {
            data,
            layout: layout.expect("the slice is made for the shape"),
        }
    }

    /// `[N, H, W, C]`.
    pub fn shape(&self) -> Nhwc {
        self.layout.shape
    }

    /// Distances in elements.
    pub fn strides(&self) -> Strides {
        self.layout.strides
    }

    /// The channels of one pixel, or `None` outside of the shape.
    pub fn pixel(&self, n: usize, h: usize, w: usize) -> Option<&'a [T]> {
        let Nhwc {
            n: ns,
            h: hs,
            w: ws,
            c,
        } = self.layout.shape;
        if n >= ns || h >= hs || w >= ws {
            return None;
        }
        let at = n * self.layout.strides.n + h * self.layout.strides.h + w * self.layout.strides.w;
        self.data.get(at..at + c)
    }

    /// All elements, where no gaps are between them.
    pub fn dense(&self) -> Option<&'a [T]> {
        self.data.get(..self.layout.dense_len()?)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The same tensor as `[1, pixels, 1, C]`. Only for a matrix.
    pub(crate) fn flatten(self) -> Self {
        Self {
            data: self.data,
            layout: self.layout.flatten(),
        }
    }

    /// The elements from `offset` on. Panics beyond the end: offsets of elements of the shape never are.
    pub(crate) fn from(&self, offset: usize) -> &'a [T] {
        &self.data[offset..]
    }
}

/// An NHWC tensor to be written.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    data: RawMut<'a, T>,
    layout: Layout,
}

impl<'a, T> ViewMut<'a, T> {
    /// A dense `[N, H, W, C]` tensor at the start of `data`.
    ///
    /// # Errors
    /// [`Error::ZeroDimension`], [`Error::SizeOverflow`], [`Error::TooShort`].
    pub fn new(data: &'a mut [T], shape: Nhwc) -> Result<Self> {
        shape.len("view")?;
        Self::with_strides(data, shape, Strides::dense(shape)?)
    }

    /// A tensor whose images, rows and pixels lie `strides` elements apart. What lies between them is never written.
    ///
    /// # Errors
    /// As [`ViewMut::new`], and [`Error::Overlap`] where elements would share memory.
    pub fn with_strides(data: &'a mut [T], shape: Nhwc, strides: Strides) -> Result<Self> {
        let len = data.len();
        Self::of_raw(RawMut::new(data), len, shape, strides)
    }

    /// As [`ViewMut::with_strides`], of what need not be a slice of its own.
    pub(crate) fn of_raw(
        data: RawMut<'a, T>,
        len: usize,
        shape: Nhwc,
        strides: Strides,
    ) -> Result<Self> {
        let layout = Layout::new("view", shape, strides, len)?;
        Ok(Self { data, layout })
    }

    /// A tensor of a checked shape in a slice that is made for it. Panics where the slice is too short.
    pub(crate) fn made_for(data: &'a mut [T], shape: Nhwc, strides: Strides) -> Self {
        let layout = Layout::new("view", shape, strides, data.len());
        Self {
            data: RawMut::new(data),
            layout: layout.expect("the slice is made for the shape"),
        }
    }

    /// `[N, H, W, C]`.
    pub fn shape(&self) -> Nhwc {
        self.layout.shape
    }

    /// Distances in elements.
    pub fn strides(&self) -> Strides {
        self.layout.strides
    }

    /// A view of the same tensor for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut {
            data: self.data.alias(0),
            layout: self.layout,
        }
    }

    /// Splits a single image (`n == 1`) in front of row `row`, for engines that hand rows to threads of their own.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a batch, [`Error::RowRange`] where a part would be empty.
    pub fn split_at_row(self, row: usize) -> Result<(ViewMut<'a, T>, ViewMut<'a, T>)> {
        let Nhwc { n, h, .. } = self.layout.shape;
        if n != 1 {
            return Err(Error::Mismatch {
                operand: "view",
                dim: "n",
                expected: 1,
                found: n,
            });
        }
        if row == 0 || row >= h {
            return Err(Error::RowRange {
                start: 0,
                end: row,
                rows: h,
            });
        }
        let c = 0..self.layout.shape.c;
        Ok((self.part(0..row, c.clone()), self.part(row..h, c)))
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The same tensor as `[1, pixels, 1, C]`. Only for a matrix.
    pub(crate) fn flatten(self) -> Self {
        Self {
            data: self.data.alias(0),
            layout: self.layout.flatten(),
        }
    }

    /// Start of the tensor. Elements of the layout's shape may be written through it.
    pub(crate) fn data(&self) -> RawMut<'a, T> {
        self.data.alias(0)
    }

    /// Rows `rows` of the `n * h` rows of the batch, channels `cols` of each pixel, as one image. The range lies within one
    /// image, or the images follow each other at the distance of their rows ([`Layout::is_matrix`]).
    ///
    /// Aliases `self`: whoever calls it hands out parts that do not overlap ([`crate::kernel::parts::for_each_part`] does).
    pub(crate) fn part(&self, rows: Range<usize>, cols: Range<usize>) -> ViewMut<'a, T> {
        let Layout { shape, mut strides } = self.layout;
        debug_assert!(rows.end <= shape.n * shape.h && cols.end <= shape.c);
        if shape.h == 1 {
            strides.h = strides.n;
        }
        ViewMut {
            data: self.data.alias(self.layout.row(rows.start) + cols.start),
            layout: Layout {
                shape: Nhwc::new(1, rows.len(), shape.w, cols.len()),
                strides,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_that_overlap_or_overrun_are_refused() {
        let mut data = [0_f32; 64];
        let shape = Nhwc::new(1, 2, 3, 4);
        let strides = |h, w| Strides { n: 0, h, w };
        assert!(ViewMut::with_strides(&mut data, shape, strides(12, 4)).is_ok());
        assert!(matches!(
            ViewMut::with_strides(&mut data, shape, strides(12, 3)),
            Err(Error::Overlap {
                dim: "w",
                needed: 4,
                found: 3,
                ..
            })
        ));
        assert!(matches!(
            ViewMut::with_strides(&mut data, shape, strides(11, 4)),
            Err(Error::Overlap {
                dim: "h",
                needed: 12,
                found: 11,
                ..
            })
        ));
        assert!(matches!(
            View::with_strides(&data, shape, strides(60, 4)),
            Err(Error::TooShort {
                needed: 72,
                found: 64,
                ..
            })
        ));
        assert!(matches!(
            View::with_strides(&data, shape, strides(usize::MAX, 4)),
            Err(Error::SizeOverflow { .. })
        ));
        // A dimension of one never takes its stride.
        assert!(View::with_strides(&data, Nhwc::new(1, 1, 1, 64), strides(0, 0)).is_ok());
    }

    #[test]
    fn spread_pixels_leave_the_same_sets() {
        let spread = |shape| Strides::spread::<f32>(shape).unwrap();
        for (c, w) in [(255, 255), (256, 272), (257, 257), (512, 528), (768, 784)] {
            let strides = spread(Nhwc::new(2, 3, 5, c));
            assert_eq!(
                strides,
                Strides {
                    n: 15 * w,
                    h: 5 * w,
                    w
                }
            );
            assert_eq!(strides.extent(Nhwc::new(2, 3, 5, c)).unwrap(), 29 * w + c);
        }
        let logits = Nhwc::new(2, 1, 1, 1024);
        assert_eq!(spread(logits), Strides::dense(logits).unwrap());
        let bytes = Strides::spread::<i8>(Nhwc::new(1, 2, 2, 1024)).unwrap();
        assert_eq!(bytes.w, 1024 + 64);
        assert!(Strides::spread::<f32>(Nhwc::new(1, usize::MAX, 2, 256)).is_err());
    }

    #[test]
    fn dense_views_are_slices() {
        let mut data = [0_u8; 200];
        for (i, x) in data.iter_mut().enumerate() {
            *x = i as u8;
        }
        let shape = Nhwc::new(2, 3, 4, 5);
        let view = View::new(&data, shape).unwrap();
        assert_eq!(view.dense().unwrap(), &data[..120]);
        for strides in [
            Strides { n: 60, h: 20, w: 5 }.widen(),
            Strides { n: 61, h: 20, w: 5 },
            Strides { n: 72, h: 24, w: 6 },
        ] {
            let view = View::with_strides(&data, shape, strides).unwrap();
            assert!(view.dense().is_none(), "{strides:?}");
        }
        let pixel = View::new(&data, Nhwc::new(1, 1, 1, 7)).unwrap();
        assert_eq!(pixel.dense().unwrap().len(), 7);
        let mut view = ViewMut::new(&mut data, shape).unwrap();
        assert_eq!(view.dense_mut().unwrap().len(), 120);
        let wide = Strides { n: 72, h: 24, w: 6 };
        let mut view = ViewMut::with_strides(&mut data, shape, wide).unwrap();
        assert!(view.dense_mut().is_none());
    }

    #[test]
    fn matrices_are_recognised() {
        let data = [0_f32; 4096];
        let matrix = |shape, strides| {
            View::with_strides(&data, shape, strides)
                .unwrap()
                .layout()
                .is_matrix()
        };
        let shape = Nhwc::new(2, 3, 4, 5);
        assert!(matrix(shape, Strides { n: 60, h: 20, w: 5 }));
        assert!(matrix(shape, Strides { n: 96, h: 32, w: 8 }));
        assert!(!matrix(shape, Strides { n: 60, h: 20, w: 5 }.widen()));
        assert!(!matrix(
            shape,
            Strides {
                n: 100,
                h: 32,
                w: 8
            }
        ));
        assert!(matrix(Nhwc::new(2, 1, 1, 5), Strides { n: 7, h: 1, w: 1 }));
        assert!(matrix(Nhwc::new(2, 3, 1, 5), Strides { n: 21, h: 7, w: 1 }));
        assert!(!matrix(
            Nhwc::new(2, 3, 1, 5),
            Strides { n: 22, h: 7, w: 1 }
        ));
    }

    impl Strides {
        /// A gap after each row only.
        fn widen(self) -> Self {
            Self {
                n: self.n + 9,
                h: self.h + 3,
                w: self.w,
            }
        }
    }
}
