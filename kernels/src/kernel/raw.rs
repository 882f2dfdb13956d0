//! A pointer with the lifetime and the thread rules of the slice that it came from, for outputs that several workers write
//! in parts. `&mut [T]` cannot say that two workers own interleaved columns of one matrix.

use core::marker::PhantomData;

use crate::Result;
use crate::shape::Nhwc;
use crate::view::{Strides, ViewMut};

/// The start of a mutable slice. Making one, moving it and offsetting it are safe; writing through it is not.
#[derive(Debug)]
pub(crate) struct RawMut<'a, T> {
    ptr: *mut T,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`, which is `Send` where T is; parts that workers hold do not overlap.
unsafe impl<T: Send> Send for RawMut<'_, T> {}
// SAFETY: a shared `RawMut` gives out nothing but pointers; the executor sees to it that no two workers use the same part.
unsafe impl<T: Send> Sync for RawMut<'_, T> {}

impl<'a, T> RawMut<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            ptr: slice.as_mut_ptr(),
            slice: PhantomData,
        }
    }

    /// The same memory from `offset` on. `wrapping_add`, since making a pointer needs no proof; using it does.
    pub(crate) fn alias(&self, offset: usize) -> Self {
        Self {
            ptr: self.ptr.wrapping_add(offset),
            slice: PhantomData,
        }
    }

    pub(crate) fn ptr(&self) -> *mut T {
        self.ptr
    }

    /// The `len` elements from the start.
    ///
    /// # Safety
    /// They lie within the slice that this came from, and nothing else uses them during `'a`.
    pub(crate) unsafe fn slice(&self, len: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { core::slice::from_raw_parts_mut(self.ptr, len) }
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// A tensor in memory that no slice can stand for: a buffer of which other threads write other rows or other channels meanwhile.
    /// As [`ViewMut::with_strides`] with the `len` elements from `data` on, of which only those of the shape are ever used.
    ///
    /// ```
    /// use dwsep::{Nhwc, Strides, ViewMut};
    /// // Two pixels of five channels: the first three for one worker, the others for another.
    /// let mut buffer = [0; 10];
    /// let (start, strides) = (buffer.as_mut_ptr(), Strides { n: 10, h: 10, w: 5 });
    /// // SAFETY: the first and the second never use an element of the other, and nothing else uses the buffer.
    /// let mut first = unsafe { ViewMut::from_raw(start, 10, Nhwc::new(1, 1, 2, 3), strides)? };
    /// // SAFETY: as above.
    /// let mut second = unsafe { ViewMut::from_raw(start.add(3), 7, Nhwc::new(1, 1, 2, 2), strides)? };
    /// (first.pixel_mut(0, 0, 1).fill(1), second.pixel_mut(0, 0, 1).fill(2));
    /// assert_eq!(buffer, [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]);
    /// # Ok::<(), dwsep::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ViewMut::with_strides`].
    ///
    /// # Safety
    /// 1. `data` is aligned, and the `len` elements from there on lie within one allocation;
    /// 2. during `'a` the elements of the shape at these strides can be read and written, hold values of `T`, and are used by nothing
    ///    else. What lies between them may be anybody's.
    pub unsafe fn from_raw(
        data: *mut T,
        len: usize,
        shape: Nhwc,
        strides: Strides,
    ) -> Result<Self> {
        let data = RawMut {
            ptr: data,
            slice: PhantomData,
        };
        Self::of_raw(data, len, shape, strides)
    }
}

impl<T> ViewMut<'_, T> {
    /// All elements, where no gaps are between them.
    pub fn dense_mut(&mut self) -> Option<&mut [T]> {
        let len = self.layout().dense_len()?;
        // SAFETY: a view's elements lie within its slice, which it has to itself; the borrow of `self` lasts as long.
        Some(unsafe { self.data().slice(len) })
    }

    /// The channels of one pixel.
    ///
    /// # Panics
    /// Outside of the shape.
    pub fn pixel_mut(&mut self, n: usize, h: usize, w: usize) -> &mut [T] {
        let (
            Nhwc {
                n: ns,
                h: hs,
                w: ws,
                c,
            },
            strides,
        ) = (self.shape(), self.strides());
        assert!(
            n < ns && h < hs && w < ws,
            "pixel {n}, {h}, {w} of {ns} x {hs} x {ws}"
        );
        // SAFETY: a view's elements lie within its slice, which it has to itself; the borrow of `self` lasts as long.
        unsafe {
            self.data()
                .alias(n * strides.n + h * strides.h + w * strides.w)
                .slice(c)
        }
    }
}
