//! Memory for numbers.

use std::ops::{Deref, DerefMut};

use dwsep::AlignedBytes;

use crate::{Error, Result};

/// f32 that start on a cache line, in memory that goes back to the operating system when they are dropped if there are many: an
/// allocator would keep what it lent for the conversion of weights, a quarter of all memory.
#[derive(Debug)]
pub struct Buffer(AlignedBytes);

impl Buffer {
    /// `len` zeros for `operand`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    pub fn zeros(operand: &'static str, len: usize) -> Result<Self> {
        memory(operand, len.saturating_mul(size_of::<f32>())).map(Self)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// `bytes` zeroed bytes for `operand`.
pub(crate) fn memory(operand: &'static str, bytes: usize) -> Result<AlignedBytes> {
    AlignedBytes::zeroed(bytes).map_err(|_| Error::OutOfMemory { operand, bytes })
}
