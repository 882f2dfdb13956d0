//! The fence: here, and nowhere else in this crate, pointers from C become references. What can be seen of a pointer is checked
//! (null, alignment, a length that fits into memory); what cannot be seen is what the header asks of the caller, who promises it once a call
//! ([`Caller::promises`]).

use core::ffi::{c_char, c_void};
use core::marker::PhantomData;
use core::ops::Range;

use dwsep::{Error, ViewMut};

use crate::status::Failure;
use crate::tensor::{Element, Input, Placed};
use crate::types::*;

/// The caller of an `extern "C"` function, who has promised what its pointers are. Whatever is made of them lives as long as this.
pub(crate) struct Caller(());

/// What may lie behind a pointer from C.
///
/// # Safety
/// Either any bytes are a value of the type, or it is opaque to C and made by [`Slot::fill`] alone.
pub(crate) unsafe trait FromC {}

macro_rules! from_c {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: numbers and pointers, or structs of them: any bytes are a value.
            unsafe impl FromC for $type {}
        )+
    };
}
from_c!(u8, i8, i32, f32, usize);
from_c!(dwsep_shape, dwsep_strides, dwsep_window);
from_c!(dwsep_activation, dwsep_quantization);
from_c!(dwsep_tensor, dwsep_tensor_mut);
from_c!(dwsep_filter_f32, dwsep_filter_q8);
// SAFETY: opaque.
unsafe impl FromC for crate::dwsep_weights {}
// SAFETY: opaque.
unsafe impl FromC for crate::dwsep_op {}

/// Refuses a pointer to `len` values that cannot be one.
pub(crate) fn check<T>(
    pointer: *const T,
    len: usize,
    operand: &'static str,
) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::Null { operand });
    }
    if !pointer.is_aligned() {
        let align = align_of::<T>();
        return Err(Failure::Misaligned { operand, align });
    }
    let bytes = len.checked_mul(size_of::<T>());
    bytes
        .filter(|&bytes| {
            isize::try_from(bytes).is_ok() && pointer.addr().checked_add(bytes).is_some()
        })
        .map(|_| ())
        .ok_or(Error::SizeOverflow { operand }.into())
}

impl Caller {
    /// # Safety
    /// Each pointer that is given to a method is null, or misaligned, or
    /// 1. to be read: as many values of its type as go with it (one, or what the length says) can be read, and nobody writes them while
    ///    this lives;
    /// 2. to be written: there is memory for as many, which nothing else uses while this lives; of a tensor's output that is asked of the rows to
    ///    be computed alone;
    /// 3. a handle: made by this library and not yet destroyed.
    pub(crate) unsafe fn promises() -> Self {
        Self(())
    }

    /// One value, or what is behind a handle.
    pub(crate) fn get<T: FromC>(
        &self,
        pointer: *const T,
        operand: &'static str,
    ) -> Result<&T, Failure> {
        check(pointer, 1, operand)?;
        // SAFETY: not null, aligned; the caller promises the rest, and any bytes are a `T` or it is ours (`FromC`).
        Ok(unsafe { &*pointer })
    }

    /// One value, or none.
    pub(crate) fn optional<T: FromC>(
        &self,
        pointer: *const T,
        operand: &'static str,
    ) -> Result<Option<&T>, Failure> {
        (!pointer.is_null())
            .then(|| self.get(pointer, operand))
            .transpose()
    }

    /// `len` values.
    pub(crate) fn slice<T: FromC>(
        &self,
        pointer: *const T,
        len: usize,
        operand: &'static str,
    ) -> Result<&[T], Failure> {
        check(pointer, len, operand)?;
        // SAFETY: not null, aligned, not larger than an allocation can be; the caller promises the rest.
        Ok(unsafe { core::slice::from_raw_parts(pointer, len) })
    }

    /// `len` values; none for a null pointer with a length of 0.
    pub(crate) fn optional_slice<T: FromC>(
        &self,
        pointer: *const T,
        len: usize,
        operand: &'static str,
    ) -> Result<Option<&[T]>, Failure> {
        (!pointer.is_null() || len > 0)
            .then(|| self.slice(pointer, len, operand))
            .transpose()
    }

    /// Writes one value.
    pub(crate) fn put<T: FromC>(
        &self,
        pointer: *mut T,
        operand: &'static str,
        value: T,
    ) -> Result<(), Failure> {
        check(pointer.cast_const(), 1, operand)?;
        // SAFETY: not null, aligned; the caller promises the rest.
        unsafe { pointer.write(value) };
        Ok(())
    }

    /// Copies what there is room for, and a NUL, as `snprintf` does; nothing into a length of 0.
    pub(crate) fn put_text(
        &self,
        buffer: *mut c_char,
        len: usize,
        text: &[u8],
    ) -> Result<(), Failure> {
        let Some(room) = len.checked_sub(1) else {
            return Ok(());
        };
        check(buffer.cast_const(), len, "buffer")?;
        let count = room.min(text.len());
        // SAFETY: `count + 1` is at most `len`, for which there is memory, as the caller promises. The text is ours.
        unsafe {
            buffer
                .cast::<u8>()
                .copy_from_nonoverlapping(text.as_ptr(), count);
            buffer.add(count).write(0);
        }
        Ok(())
    }

    /// Where a handle is to be written. It is null from now on, until it is filled.
    pub(crate) fn slot<T: FromC>(
        &self,
        pointer: *mut *mut T,
        operand: &'static str,
    ) -> Result<Slot<'_, T>, Failure> {
        check(pointer.cast_const(), 1, operand)?;
        // SAFETY: not null, aligned; the caller promises the rest.
        unsafe { pointer.write(core::ptr::null_mut()) };
        Ok(Slot {
            pointer,
            caller: PhantomData,
        })
    }

    /// What is behind a handle, to be dropped; nothing for null.
    pub(crate) fn take<T: FromC>(&self, handle: *mut T) -> Result<Option<Box<T>>, Failure> {
        if handle.is_null() {
            return Ok(None);
        }
        check(handle.cast_const(), 1, "handle")?;
        // SAFETY: a handle that has not been destroyed, as the caller promises, is of `Slot::fill`.
        Ok(Some(unsafe { Box::from_raw(handle) }))
    }

    /// A tensor to be read.
    pub(crate) fn input<E: Element>(
        &self,
        placed: Placed<*const E>,
    ) -> Result<Input<'_, E>, Failure> {
        let data = self.slice(placed.data, placed.extent, placed.operand)?;
        Ok(Input::new(data, placed.shape, placed.strides))
    }

    /// A tensor to be written.
    pub(crate) fn output<E: Element>(
        &self,
        placed: Placed<*mut E>,
    ) -> Result<Output<'_, E>, Failure> {
        check(placed.data.cast_const(), placed.extent, placed.operand)?;
        Ok(Output {
            placed,
            caller: PhantomData,
        })
    }

    /// The workspace; none for a null pointer with a length of 0.
    #[allow(
        clippy::mut_from_ref,
        reason = "of the caller's memory, not of this; made once a call"
    )]
    pub(crate) fn workspace(&self, pointer: *mut c_void, len: usize) -> Result<&mut [u8], Failure> {
        if pointer.is_null() && len == 0 {
            return Ok(&mut []);
        }
        let bytes = pointer.cast::<u8>();
        check(bytes.cast_const(), len, "workspace")?;
        // SAFETY: not null, not larger than an allocation can be; memory that nothing else uses, as the caller promises. What C has not
        // written holds some bytes all the same: nothing here knows where it is from.
        Ok(unsafe { core::slice::from_raw_parts_mut(bytes, len) })
    }
}

/// Where a handle is to be written.
pub(crate) struct Slot<'c, T> {
    pointer: *mut *mut T,
    caller: PhantomData<&'c Caller>,
}

impl<T: FromC> Slot<'_, T> {
    /// Gives what is behind the handle to the caller.
    pub(crate) fn fill(self, value: T) {
        let handle = Box::into_raw(Box::new(value));
        // SAFETY: `Caller::slot` has written there before.
        unsafe { self.pointer.write(handle) };
    }
}

/// A tensor to be written. There is never a slice of it: other threads write other rows of the same buffer.
pub(crate) struct Output<'c, E> {
    placed: Placed<*mut E>,
    caller: PhantomData<&'c Caller>,
}

impl<E: Element> Output<'_, E> {
    /// Rows `rows` of all `n * h`, as one image. They follow each other at one distance ([`Placed::stretch`]).
    pub(crate) fn rows(&mut self, rows: &Range<usize>) -> Result<ViewMut<'_, E>, Failure> {
        let part = self.placed.part(rows)?;
        let data = self.placed.data.wrapping_add(part.offset);
        // SAFETY: the conditions of `from_raw`.
        // 1. `check` has seen the alignment, which whole elements keep; the extent lies within what the caller promises, and the rest from
        // the offset on within the extent. 2. The caller promises the elements of the rows of this call; the borrow of `self`
        // sees to it that they are taken once. Any bytes are elements.
        let view = unsafe { ViewMut::from_raw(data, part.len, part.shape, part.strides) };
        Ok(view?)
    }

    /// How the rows lie.
    pub(crate) fn placed(&self) -> &Placed<*mut E> {
        &self.placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_looked_at() {
        let data = [0_i32; 4];
        let pointer = data.as_ptr();
        assert_eq!(check(pointer, 4, "x"), Ok(()));
        let operand = "x";
        assert_eq!(
            check(core::ptr::null::<i32>(), 0, operand),
            Err(Failure::Null { operand })
        );
        assert_eq!(
            check(pointer.wrapping_byte_add(1), 1, operand),
            Err(Failure::Misaligned { operand, align: 4 })
        );
        for len in [usize::MAX, usize::MAX / 4, usize::MAX / 8 + 1] {
            let error = Error::SizeOverflow { operand };
            assert_eq!(check(pointer, len, operand), Err(error.into()), "{len}");
        }
        // In size, but beyond the last address.
        let last = core::ptr::without_provenance::<u8>(usize::MAX - 2);
        assert_eq!(check(last, 2, operand), Ok(()));
        assert!(check(last, 3, operand).is_err());
    }
}
