//! 64-byte aligned storage for packed weights, and the carving of the caller's workspace. No `unsafe`: bytes are allocated
//! with room to spare, and `bytemuck` looks at them as what a kernel wants.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytemuck::Pod;

use crate::{Error, Result};

/// Alignment of packed data and of workspace parts, in bytes: a cache line, and the widest vector.
pub(crate) const ALIGN: usize = 64;

/// `bytes` rounded up to whole cache lines.
pub(crate) const fn lines(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Bytes of packed weights: zeroed and 64-byte aligned, filled once, then only read.
pub(crate) struct Packed {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Packed {
    /// # Errors
    /// [`Error::SizeOverflow`] where `panels * panel_bytes` does not fit in `isize`.
    pub(crate) fn zeroed(panels: usize, panel_bytes: usize) -> Result<Self> {
        let overflow = Error::SizeOverflow {
            operand: "packed weights",
        };
        let len = panels.checked_mul(panel_bytes).ok_or(overflow.clone())?;
        let room = len
            .checked_add(ALIGN)
            .filter(|&r| isize::try_from(r).is_ok())
            .ok_or(overflow)?;
        let bytes = vec![0; room];
        let start = bytes.as_ptr().align_offset(ALIGN);
        Ok(Self { bytes, start, len })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }

    pub(crate) fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} bytes)", self.len)
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

/// The first `len` elements of an aligned part of the workspace.
pub(crate) fn elements<T: Pod>(part: &mut [u8], len: usize) -> &mut [T] {
    bytemuck::cast_slice_mut(&mut part[..len * size_of::<T>()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_data_is_aligned_and_zero() {
        for len in [1, 63, 64, 1000] {
            let packed = Packed::zeroed(3, len).unwrap();
            assert_eq!(packed.as_bytes().len(), 3 * len);
            assert_eq!(packed.as_bytes().as_ptr() as usize % ALIGN, 0);
            assert!(packed.as_bytes().iter().all(|&b| b == 0));
        }
        assert!(Packed::zeroed(usize::MAX, 2).is_err());
        assert!(Packed::zeroed(1, isize::MAX as usize).is_err());
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
