//! Where weights come from: a trait, and one file for each format.
//!
//! Tensors have the names and the layouts that PyTorch and Hugging Face give them, output channels first: a convolution is
//! `[O, I, H, W]`, a depthwise one `[C, 1, H, W]`. A format with other layouts brings its tensors into these.

mod layout;
pub mod safetensors;
mod seeded;
pub mod tflite;

pub(crate) use self::layout::transpose;
pub use self::safetensors::Safetensors;
pub use self::seeded::Seeded;
pub use crate::models::TfliteWeights;

use std::path::Path;

use crate::{Buffer, Error, Result};

/// Reads the weights of a MobileNetV1 from a safetensors file or, where [`Model::load`](crate::Model::load) would take it for one, a TensorFlow
/// Lite file of floats.
///
/// # Errors
/// [`Error::Read`], [`Error::Safetensors`], [`Error::Tflite`], [`Error::NotMobilenetV1`]
pub fn read(path: &Path) -> Result<Box<dyn Weights>> {
    let (origin, bytes) = read_file(path)?;
    Ok(if tflite::is_tflite_file(path, &bytes) {
        Box::new(TfliteWeights::from_bytes(origin, &bytes)?)
    } else {
        Box::new(Safetensors::from_bytes(origin, bytes)?)
    })
}

/// What messages call a file, and its bytes.
pub(crate) fn read_file(path: &Path) -> Result<(String, Vec<u8>)> {
    match std::fs::read(path) {
        Ok(bytes) => Ok((path.display().to_string(), bytes)),
        Err(cause) => Err(Error::Read {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// Named f32 tensors.
pub trait Weights {
    /// What error messages call this source: the name of the file, for example.
    fn origin(&self) -> &str;

    /// The names of all tensors.
    fn names(&self) -> Vec<String>;

    /// An entry of the metadata that came with the tensors.
    fn metadata(&self, key: &str) -> Option<&str>;

    /// The shape of the tensor `name`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`]
    fn shape(&self, name: &str) -> Result<&[usize]>;

    /// The elements of the tensor `name`, converted to f32, the last dimension innermost.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorType`], [`Error::OutOfMemory`]
    fn values(&self, name: &str) -> Result<Buffer>;

    /// The elements of the tensor `name`, which has to have the shape `expected`.
    ///
    /// # Errors
    /// As [`Weights::values`], and [`Error::TensorShape`].
    fn tensor(&self, name: &str, expected: &[usize]) -> Result<Buffer> {
        let found = self.shape(name)?;
        if found != expected {
            return Err(wrong_shape(self.origin(), name, found, expected));
        }
        self.values(name)
    }
}

/// Refuses a tensor of another shape.
fn expect_shape(weights: &dyn Weights, name: &str, expected: &[usize]) -> Result<()> {
    match weights.shape(name)? {
        found if found == expected => Ok(()),
        found => Err(wrong_shape(weights.origin(), name, found, expected)),
    }
}

fn wrong_shape(origin: &str, tensor: &str, found: &[usize], expected: &[usize]) -> Error {
    Error::TensorShape {
        origin: origin.to_owned(),
        tensor: tensor.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// The error for a tensor that is not there.
pub(crate) fn missing(weights: &dyn Weights, name: &str) -> Error {
    Error::MissingTensor {
        origin: weights.origin().to_owned(),
        tensor: name.to_owned(),
    }
}

/// A text of a file on one line of a message. It is neither short nor printable for certain: it is cut and escaped.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A shape of a file in a message: of many dimensions the first.
pub(crate) fn shown_shape(shape: &[usize]) -> String {
    const MOST: usize = 8;
    match shape.get(..MOST) {
        Some(first) if shape.len() > MOST => {
            format!("{first:?} and {} more dimensions", shape.len() - MOST)
        }
        _ => format!("{shape:?}"),
    }
}
