//! Tensors as C describes them, checked without touching what they hold: where each lies, and that nothing that is written lies
//! where something else does. Safe code: pointers are compared here, and followed in `boundary.rs`.

use core::ops::Range;

use dwsep::{Error, Nhwc, Strides, View};

use crate::boundary::{FromC, check};
use crate::status::Failure;
use crate::types::dwsep_type::{self, *};
use crate::types::{dwsep_raw_type, dwsep_shape, dwsep_strides, dwsep_tensor, dwsep_tensor_mut};

/// The element of a tensor.
pub(crate) trait Element: FromC + Copy + Send + Sync + 'static {
    const TYPE: dwsep_type;
}

impl Element for f32 {
    const TYPE: dwsep_type = DWSEP_F32;
}
impl Element for i8 {
    const TYPE: dwsep_type = DWSEP_I8;
}
impl Element for u8 {
    const TYPE: dwsep_type = DWSEP_U8;
}

impl dwsep_type {
    /// # Errors
    /// [`Failure::Value`]
    pub(crate) fn of_c(raw: dwsep_raw_type, operand: &'static str) -> Result<Self, Failure> {
        let all = [DWSEP_F32, DWSEP_I8, DWSEP_U8];
        let known = all.into_iter().find(|&known| known as i32 == raw);
        known.ok_or(Failure::Value {
            operand,
            found: raw.into(),
            expected: "a dwsep_type",
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            DWSEP_F32 => "DWSEP_F32",
            DWSEP_I8 => "DWSEP_I8",
            DWSEP_U8 => "DWSEP_U8",
        }
    }
}

/// Refuses what is not 0.
pub(crate) fn expect_reserved(operand: &'static str, reserved: u32) -> Result<(), Failure> {
    if reserved == 0 {
        return Ok(());
    }
    Err(Failure::Value {
        operand,
        found: reserved.into(),
        expected: "0 where it is reserved",
    })
}

impl From<dwsep_shape> for Nhwc {
    fn from(dwsep_shape { n, h, w, c }: dwsep_shape) -> Self {
        Nhwc { n, h, w, c }
    }
}

impl From<Nhwc> for dwsep_shape {
    fn from(Nhwc { n, h, w, c }: Nhwc) -> Self {
        dwsep_shape { n, h, w, c }
    }
}

/// The strides with nothing left open, and the elements from the first to behind the last. The shape has been checked.
pub(crate) fn resolve(
    shape: Nhwc,
    given: dwsep_strides,
    operand: &'static str,
) -> Result<(Strides, usize), Failure> {
    let Nhwc { n, h, w, c } = shape;
    let overflow = Error::SizeOverflow { operand };
    let or = |given: usize, size: usize, dense: Option<usize>| match (given, size) {
        (0, _) | (_, 1) => dense.ok_or(overflow.clone()),
        _ => Ok(given),
    };
    let pixel = or(given.w, w, Some(c))?;
    let row = or(given.h, h, pixel.checked_mul(w))?;
    let image = or(given.n, n, row.checked_mul(h))?;
    let strides = Strides {
        n: image,
        h: row,
        w: pixel,
    };
    let extent = strides.extent(shape).map_err(|error| match error {
        Error::Overlap {
            dim, needed, found, ..
        } => Error::Overlap {
            operand,
            dim,
            needed,
            found,
        },
        Error::SizeOverflow { .. } => Error::SizeOverflow { operand },
        other => other,
    })?;
    Ok((strides, extent))
}

/// A tensor of which is known where it lies, `P` being the pointer to its first element.
pub(crate) struct Placed<P> {
    pub(crate) operand: &'static str,
    pub(crate) data: P,
    pub(crate) shape: Nhwc,
    pub(crate) strides: Strides,
    /// Elements from its first to behind its last.
    pub(crate) extent: usize,
}

/// Rows of a tensor, as one image.
pub(crate) struct Part {
    /// Of its first element.
    pub(crate) offset: usize,
    /// From there to behind the tensor's last element.
    pub(crate) len: usize,
    pub(crate) shape: Nhwc,
    pub(crate) strides: Strides,
}

impl<P> Placed<P> {
    fn new<E: Element>(
        operand: &'static str,
        data: P,
        shape: Nhwc,
        (len, strides, given, reserved): (usize, dwsep_strides, dwsep_raw_type, u32),
    ) -> Result<Self, Failure> {
        expect_reserved(operand, reserved)?;
        let found = dwsep_type::of_c(given, operand)?;
        if found != E::TYPE {
            return Err(Failure::Type {
                operand,
                expected: E::TYPE.name(),
                found: found.name(),
            });
        }
        let (strides, extent) = resolve(shape, strides, operand)?;
        if len < extent {
            return Err(Error::TooShort {
                operand,
                needed: extent,
                found: len,
            }
            .into());
        }
        Ok(Self {
            operand,
            data,
            shape,
            strides,
            extent,
        })
    }

    /// From row `row` of all `n * h` on, the rows up to `end` that follow each other at one distance: up to the end of the image,
    /// unless the next image follows at the distance of a row.
    pub(crate) fn stretch(&self, row: usize, end: usize) -> Range<usize> {
        let Nhwc { n, h, .. } = self.shape;
        let spans = n == 1 || h == 1 || self.strides.h.checked_mul(h) == Some(self.strides.n);
        let image = (row / h + 1) * h;
        row..if spans { end } else { end.min(image) }
    }

    /// A stretch of rows.
    pub(crate) fn part(&self, rows: &Range<usize>) -> Result<Part, Failure> {
        let Nhwc { n, h, w, c } = self.shape;
        if rows.end > n * h || self.stretch(rows.start, rows.end) != *rows {
            let (start, end) = (rows.start, rows.end);
            let rows = n * h;
            return Err(Error::RowRange { start, end, rows }.into());
        }
        let offset = rows.start / h * self.strides.n + rows.start % h * self.strides.h;
        let row = if h == 1 {
            self.strides.n
        } else {
            self.strides.h
        };
        Ok(Part {
            offset,
            len: self.extent - offset,
            shape: Nhwc::new(1, rows.len(), w, c),
            strides: Strides {
                h: row,
                ..self.strides
            },
        })
    }
}

impl<E: Element> Placed<*const E> {
    pub(crate) fn of(
        tensor: &dwsep_tensor,
        shape: Nhwc,
        operand: &'static str,
    ) -> Result<Self, Failure> {
        let &dwsep_tensor {
            data,
            len,
            strides,
            r#type,
            reserved,
        } = tensor;
        let placed = Self::new::<E>(
            operand,
            data.cast(),
            shape,
            (len, strides, r#type, reserved),
        )?;
        check(placed.data, placed.extent, operand)?;
        Ok(placed)
    }

    /// Addresses from its first to behind its last byte.
    pub(crate) fn addresses(&self) -> Range<usize> {
        addresses(self.data, self.extent)
    }
}

impl<E: Element> Placed<*mut E> {
    pub(crate) fn of_mut(
        tensor: &dwsep_tensor_mut,
        shape: Nhwc,
        operand: &'static str,
    ) -> Result<Self, Failure> {
        let &dwsep_tensor_mut {
            data,
            len,
            strides,
            r#type,
            reserved,
        } = tensor;
        let placed = Self::new::<E>(
            operand,
            data.cast(),
            shape,
            (len, strides, r#type, reserved),
        )?;
        check(placed.data.cast_const(), placed.extent, operand)?;
        Ok(placed)
    }

    /// Addresses from its first to behind its last byte.
    pub(crate) fn addresses(&self) -> Range<usize> {
        addresses(self.data, self.extent)
    }
}

/// Addresses of `len` values. Saturating: what leaves the address space is refused.
pub(crate) fn addresses<T>(data: *const T, len: usize) -> Range<usize> {
    let start = data.addr();
    start..start.saturating_add(len.saturating_mul(size_of::<T>()))
}

/// Refuses what is written where something else lies.
pub(crate) fn expect_apart(
    (written, a): (&'static str, &Range<usize>),
    (with, b): (&'static str, &Range<usize>),
) -> Result<(), Failure> {
    let apart = a.is_empty() || b.is_empty() || a.end <= b.start || b.end <= a.start;
    apart.then_some(()).ok_or(Failure::Shared { written, with })
}

/// A tensor to be read.
pub(crate) struct Input<'c, E> {
    data: &'c [E],
    placed: Placed<()>,
}

impl<'c, E: Element> Input<'c, E> {
    /// `data` is the whole extent.
    pub(crate) fn new(data: &'c [E], shape: Nhwc, strides: Strides) -> Self {
        let placed = Placed {
            operand: "input",
            data: (),
            shape,
            strides,
            extent: data.len(),
        };
        Self { data, placed }
    }

    /// The whole.
    pub(crate) fn view(&self) -> dwsep::Result<View<'c, E>> {
        View::with_strides(self.data, self.placed.shape, self.placed.strides)
    }

    /// A stretch of rows of all `n * h`, as one image.
    pub(crate) fn rows(&self, rows: &Range<usize>) -> Result<View<'c, E>, Failure> {
        let part = self.placed.part(rows)?;
        Ok(View::with_strides(
            &self.data[part.offset..],
            part.shape,
            part.strides,
        )?)
    }

    /// Some of the images.
    pub(crate) fn images(&self, images: &Range<usize>) -> dwsep::Result<View<'c, E>> {
        let strides = self.placed.strides;
        let shape = Nhwc {
            n: images.len(),
            ..self.placed.shape
        };
        View::with_strides(&self.data[images.start * strides.n..], shape, strides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strides(n: usize, h: usize, w: usize) -> dwsep_strides {
        dwsep_strides { n, h, w }
    }

    #[test]
    fn a_stride_of_zero_leaves_no_gap() {
        let shape = Nhwc::new(2, 3, 4, 5);
        let of = |given| {
            let (found, extent) = resolve(shape, given, "x").unwrap();
            (found.n, found.h, found.w, extent)
        };
        assert_eq!(of(strides(0, 0, 0)), (60, 20, 5, 120));
        assert_eq!(of(strides(0, 0, 6)), (72, 24, 6, 143));
        assert_eq!(of(strides(0, 30, 0)), (90, 30, 5, 170));
        assert_eq!(of(strides(100, 30, 7)), (100, 30, 7, 186));
        // Where there is one, its distance is not looked at.
        let one = resolve(Nhwc::new(1, 1, 1, 5), strides(1, 2, 3), "x").unwrap();
        assert_eq!(one.1, 5);
        for (given, dim) in [
            (strides(0, 0, 4), "w"),
            (strides(0, 19, 0), "h"),
            (strides(59, 0, 0), "n"),
        ] {
            let error = resolve(shape, given, "x").unwrap_err();
            assert!(
                matches!(error, Failure::Kernels(Error::Overlap { operand: "x", dim: d, .. }) if d == dim),
                "{error:?}"
            );
        }
        for given in [strides(0, 0, usize::MAX), strides(usize::MAX - 10, 0, 0)] {
            let error = resolve(shape, given, "x").unwrap_err();
            assert_eq!(error, Error::SizeOverflow { operand: "x" }.into());
        }
    }

    #[test]
    fn a_stretch_ends_where_the_distance_of_rows_changes() {
        let stretch = |shape, given, row, end| {
            let (strides, extent) = resolve(shape, given, "x").unwrap();
            let placed = Placed {
                operand: "x",
                data: (),
                shape,
                strides,
                extent,
            };
            let rows = placed.stretch(row, end);
            let part = placed.part(&rows).unwrap();
            assert!(part.strides.extent(part.shape).unwrap() <= part.len);
            (rows.end, part.offset, part.strides.h)
        };
        let batch = Nhwc::new(3, 4, 2, 5);
        assert_eq!(stretch(batch, strides(0, 0, 0), 3, 9), (9, 30, 10));
        assert_eq!(stretch(batch, strides(41, 0, 0), 3, 9), (4, 30, 10));
        assert_eq!(stretch(batch, strides(41, 0, 0), 4, 9), (8, 41, 10));
        assert_eq!(stretch(batch, strides(41, 0, 0), 9, 11), (11, 92, 10));
        let flat = Nhwc::new(3, 1, 2, 5);
        assert_eq!(stretch(flat, strides(41, 0, 0), 1, 3), (3, 41, 41));
    }

    #[test]
    fn memory_is_shared_from_one_byte_on() {
        let test = |a: Range<usize>, b: Range<usize>| {
            let forth = expect_apart(("a", &a), ("b", &b));
            assert_eq!(forth.is_ok(), expect_apart(("b", &b), ("a", &a)).is_ok());
            forth.is_ok()
        };
        assert!(test(10..20, 20..30));
        assert!(!test(10..21, 20..30));
        assert!(!test(10..40, 20..30));
        // Nothing lies nowhere.
        assert!(test(10..40, 20..20));
    }
}
