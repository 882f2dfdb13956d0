//! A pointer with the lifetime and the thread rules of the slice that it came from, for outputs that several workers write
//! in parts. `&mut [T]` cannot say that two workers own interleaved columns of one matrix.

use core::marker::PhantomData;

use crate::shape::Nhwc;
use crate::view::ViewMut;

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
