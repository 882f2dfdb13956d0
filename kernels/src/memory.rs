//! 64-byte aligned storage for packed weights and activations, and the carving of the caller's workspace. No `unsafe`: bytes are
//! allocated with room to spare, and `bytemuck` looks at them as what a kernel wants.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

use bytemuck::Pod;

use crate::{Error, Result};

/// Alignment of packed data and of workspace parts, in bytes: a cache line, and the widest vector.
pub(crate) const ALIGN: usize = 64;

/// `bytes` rounded up to whole cache lines; those that no memory holds down.
pub(crate) const fn lines(bytes: usize) -> usize {
    match bytes.checked_next_multiple_of(ALIGN) {
        Some(lines) => lines,
        None => usize::MAX - (ALIGN - 1),
    }
}

/// Zeroed bytes that start on a cache line: what packed weights lie in, and good for activations and workspaces.
///
/// With the feature `huge-pages` large ones come from the operating system, which is asked for huge pages: weights and activations
/// of a network are some thousand small ones, more than a CPU keeps track of.
///
/// ```
/// let mut workspace = dwsep::AlignedBytes::zeroed(1000)?;
/// assert_eq!((workspace.len(), workspace.as_ptr() as usize % 64), (1000, 0));
/// workspace[999] = 1;
/// # Ok::<(), dwsep::Error>(())
/// ```
pub struct AlignedBytes {
    storage: Storage,
    start: usize,
    len: usize,
}

enum Storage {
    Heap(Vec<u8>),
    #[cfg(feature = "huge-pages")]
    Mapped(memmap2::MmapMut),
}

impl AlignedBytes {
    /// Bytes from which on they come from the operating system.
    #[cfg(feature = "huge-pages")]
    const LARGE: usize = 128 << 10;

    /// `len` zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], also for a length beyond the address space.
    pub fn zeroed(len: usize) -> Result<Self> {
        let error = Error::OutOfMemory { bytes: len };
        let room = len.checked_add(ALIGN).ok_or(error.clone())?;
        let storage = Storage::zeroed(room).ok_or(error)?;
        let start = storage.bytes().as_ptr().align_offset(ALIGN);
        Ok(Self {
            storage,
            start,
            len,
        })
    }
}

impl Storage {
    fn zeroed(len: usize) -> Option<Self> {
        #[cfg(feature = "huge-pages")]
        if len >= AlignedBytes::LARGE
            && isize::try_from(len).is_ok()
            && let Ok(map) = memmap2::MmapMut::map_anon(len)
        {
            // A kernel that has none, or wants to give none, is no error.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            return Some(Storage::Mapped(map));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        bytes.resize(len, 0);
        Some(Storage::Heap(bytes))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Storage::Heap(bytes) => bytes,
            #[cfg(feature = "huge-pages")]
            Storage::Mapped(map) => map,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Storage::Heap(bytes) => bytes,
            #[cfg(feature = "huge-pages")]
            Storage::Mapped(map) => map,
        }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage.bytes()[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.storage.bytes_mut()[self.start..self.start + self.len]
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({})", self.len)
    }
}

/// Bytes that a workspace of `parts` parts of `part` bytes takes, wherever the caller's slice starts.
pub(crate) const fn workspace_len(parts: usize, part: usize) -> usize {
    // Saturating: a size that cannot be allocated is too large for any caller, and `carve` refuses what is too small.
    if part == 0 {
        0
    } else {
        lines(part).saturating_mul(parts).saturating_add(ALIGN - 1)
    }
}

/// The 64-byte aligned part of `workspace` that holds `parts` parts of `part` bytes, each rounded up to whole cache lines.
///
/// # Errors
/// [`Error::WorkspaceTooSmall`] for less than [`workspace_len`] bytes.
pub(crate) fn carve(workspace: &mut [u8], parts: usize, part: usize) -> Result<&mut [u8]> {
    let needed = workspace_len(parts, part);
    if workspace.len() < needed {
        return Err(Error::WorkspaceTooSmall {
            needed,
            found: workspace.len(),
        });
    }
    if needed == 0 {
        return Ok(&mut []);
    }
    let start = workspace.as_ptr().align_offset(ALIGN);
    Ok(&mut workspace[start..start + parts * lines(part)])
}

/// A piece of the workspace for each thread.
pub(crate) struct Parts<'a> {
    /// All of them, aligned.
    pub bytes: &'a mut [u8],
    /// Bytes from one to the next; 0 where the op takes none.
    pub part: usize,
}

/// `workspace` in `parts` parts of `part` bytes.
///
/// # Errors
/// As [`carve`].
pub(crate) fn divide(workspace: &mut [u8], parts: usize, part: usize) -> Result<Parts<'_>> {
    Ok(Parts {
        bytes: carve(workspace, parts, part)?,
        part: lines(part),
    })
}

/// The first `len` elements of an aligned part of the workspace.
pub(crate) fn elements<T: Pod>(part: &mut [u8], len: usize) -> &mut [T] {
    bytemuck::cast_slice_mut(&mut part[..len * size_of::<T>()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_aligned_and_zero_and_can_be_written() {
        for len in [0, 1, 63, 64, 1000, (128 << 10) - 64, 128 << 10, 5_000_000] {
            let mut bytes = AlignedBytes::zeroed(len).unwrap();
            assert_eq!(bytes.len(), len);
            assert_eq!(bytes.as_ptr() as usize % ALIGN, 0);
            assert!(bytes.iter().all(|&b| b == 0));
            bytes.fill(7);
            assert!(bytes.iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        for bytes in [usize::MAX, isize::MAX as usize, isize::MAX as usize / 2] {
            let error = AlignedBytes::zeroed(bytes).unwrap_err();
            assert_eq!(error, Error::OutOfMemory { bytes });
        }
    }

    #[test]
    fn a_workspace_of_the_length_asked_for_is_enough_wherever_it_starts() {
        let mut buffer = [0_u8; 1024];
        for start in 0..70 {
            let len = workspace_len(3, 100);
            let part = carve(&mut buffer[start..start + len], 3, 100).unwrap();
            assert_eq!((part.as_ptr() as usize % ALIGN, part.len()), (0, 384));
            assert!(carve(&mut buffer[start..start + len - 1], 3, 100).is_err());
        }
        assert!(carve(&mut [], 3, 0).unwrap().is_empty());
    }
}
