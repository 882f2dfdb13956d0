//! Dense tensors that own their memory.

use dwsep::{Nhwc, View, ViewMut};

use crate::{Error, Result};

/// A dense `[N, H, W, C]` tensor of f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Nhwc,
    data: Vec<f32>,
}

impl Tensor {
    /// A tensor of `data`, which lies as `[N, H, W, C]`.
    ///
    /// # Errors
    /// [`Error::Length`] where `data` is shorter or longer than `shape`; [`Error::Kernels`] for a shape with a zero in it or
    /// one that exceeds the address space.
    pub fn new(shape: Nhwc, data: Vec<f32>) -> Result<Self> {
        let expected = shape.len("tensor")?;
        if data.len() != expected {
            return Err(Error::Length {
                shape,
                expected,
                found: data.len(),
            });
        }
        Ok(Self { shape, data })
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`Error::Kernels`] for a shape with a zero in it or one that exceeds the address space, [`Error::OutOfMemory`].
    pub fn zeros(shape: Nhwc) -> Result<Self> {
        let data = zeroed("tensor", shape.len("tensor")?)?;
        Ok(Self { shape, data })
    }

    /// `[N, H, W, C]`.
    pub fn shape(&self) -> Nhwc {
        self.shape
    }

    /// The elements, channels innermost.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements, channels innermost.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The elements, channels innermost.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The tensor as kernels read it.
    pub fn view(&self) -> View<'_, f32> {
        match View::new(&self.data, self.shape) {
            Ok(view) => view,
            Err(_) => unreachable!("{INVARIANT}"),
        }
    }

    /// The tensor as kernels write it.
    pub fn view_mut(&mut self) -> ViewMut<'_, f32> {
        match ViewMut::new(&mut self.data, self.shape) {
            Ok(view) => view,
            Err(_) => unreachable!("{INVARIANT}"),
        }
    }
}

/// Checked when a tensor is made; nothing changes the shape or the length of the data later.
const INVARIANT: &str = "a tensor's data is as long as its shape says";

/// `len` zeros for `operand`, or [`Error::OutOfMemory`] where the allocator has not got them.
pub(crate) fn zeroed<T: Copy + Default>(operand: &'static str, len: usize) -> Result<Vec<T>> {
    let mut data = Vec::new();
    let bytes = len.saturating_mul(size_of::<T>());
    data.try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { operand, bytes })?;
    data.resize(len, T::default());
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        let shape = Nhwc::new(1, 2, 3, 4);
        assert_eq!(Tensor::new(shape, vec![1.0; 24]).unwrap().shape(), shape);
        let error = Tensor::new(shape, vec![1.0; 23]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a tensor of shape [1, 2, 3, 4] has 23 elements, expected 24"
        );
        let error = Tensor::zeros(Nhwc::new(1, 2, 0, 4)).unwrap_err();
        assert_eq!(error.to_string(), "tensor: w is 0, expected at least 1");
        let error = Tensor::zeros(Nhwc::new(usize::MAX, 2, 3, 4)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor: the size in bytes overflows the address space"
        );
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let error = Tensor::zeros(Nhwc::new(1, 1 << 28, 1 << 30, 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("tensor: {} bytes of memory cannot be had", 1_u64 << 60)
        );
    }
}
