//! Weights in the safetensors format, as Hugging Face stores them: f32, f16 and bf16.
//!
//! ```text
//! [ n: u64, little-endian ][ header: n bytes of JSON ][ data: the tensors, one after the other, without gaps ]
//! ```
//!
//! Files come from strangers: `header.rs` says which are valid.

mod header;

use std::borrow::Cow;
use std::path::Path;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Weights, expect_shape, missing, read_file, shown_shape, tflite};
use crate::{Buffer, Error, Result};

/// Bytes in front of the header, which hold its length.
const PREFIX: usize = size_of::<u64>();

/// The longest header, in bytes, as the format has it.
const MOST_HEADER: u64 = 100_000_000;

/// A safetensors file in memory. Its header has been checked; tensors are converted when they are asked for.
#[derive(Debug)]
pub struct Safetensors<'a> {
    origin: String,
    metadata: Metadata,
    bytes: Cow<'a, [u8]>,
    /// Offset of the data in `bytes`.
    data: usize,
}

/// What is wrong with a safetensors file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file ends before the length of its header.
    #[error("not a safetensors file: it has {found} bytes, the length of the header alone takes 8")]
    NoHeader {
        /// Bytes of the file.
        found: usize,
    },
    /// A network in another format.
    #[error("a TensorFlow Lite file, expected weights in a safetensors file")]
    Tflite,
    /// What would be the header's length is more than that of any header: a file of another format.
    #[error(
        "not a safetensors file: it begins with \"{found}\", expected the length of a header of at most {most} bytes"
    )]
    Format {
        /// The first eight bytes, escaped.
        found: String,
        /// The most that a header may have.
        most: u64,
    },
    /// The file ends before its header does.
    #[error("the header is said to have {header} bytes, but only {available} bytes follow")]
    HeaderLength {
        /// Bytes of the header according to the first eight bytes.
        header: u64,
        /// Bytes behind the first eight.
        available: usize,
    },
    /// Two tensors have the same name.
    #[error("tensor `{tensor}` is there twice")]
    Twice {
        /// The tensor's name, cut and escaped, as in all that follows.
        tensor: String,
    },
    /// Two entries of the metadata have the same name.
    #[error("the metadata has `{entry}` twice")]
    MetadataTwice {
        /// The name, cut and escaped.
        entry: String,
    },
    /// The format has no such type.
    #[error("tensor `{tensor}` is of type `{found}`, expected one of safetensors, as F32 and I8")]
    Type {
        /// The tensor's name.
        tensor: String,
        /// The type, cut and escaped.
        found: String,
    },
    /// A tensor does not begin where the one before it ends: offsets overlap or leave a gap.
    #[error("tensor `{tensor}` begins at byte {found} of the data, expected {expected}")]
    Offset {
        /// The tensor's name.
        tensor: String,
        /// Where the tensor before it ends.
        expected: usize,
        /// Where it begins.
        found: usize,
    },
    /// A tensor ends before it begins.
    #[error(
        "tensor `{tensor}` ends at byte {found} of the data, expected at least {start}, where it begins"
    )]
    End {
        /// The tensor's name.
        tensor: String,
        /// Where it begins.
        start: usize,
        /// Where it ends.
        found: usize,
    },
    /// A tensor has fewer or more bytes than its shape and type need.
    #[error(
        "tensor `{tensor}` has {found} bytes, expected {expected} for {dtype} {}",
        shown_shape(shape)
    )]
    TensorLength {
        /// The tensor's name.
        tensor: String,
        /// The type of its elements, as safetensors calls it.
        dtype: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Bytes that shape and type need.
        expected: u128,
        /// Bytes between its offsets.
        found: usize,
    },
    /// A tensor's elements cannot be counted, or are no whole number of bytes.
    #[error(
        "tensor `{tensor}` is {dtype} {}, expected a number of bits that can be counted, in whole bytes",
        shown_shape(shape)
    )]
    Elements {
        /// The tensor's name.
        tensor: String,
        /// The type of its elements, as safetensors calls it.
        dtype: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The file is cut off, or something follows the last tensor.
    #[error("there are {found} bytes of data, expected {expected}")]
    DataLength {
        /// Where the last tensor ends.
        expected: usize,
        /// Bytes behind the header.
        found: usize,
    },
    /// The header is not what it should be.
    #[error("the header: {0}")]
    Header(Box<dyn std::error::Error + Send + Sync>),
}

impl Safetensors<'static> {
    /// Reads a file into memory and checks it.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Safetensors`]
    pub fn read(path: &Path) -> Result<Self> {
        let (origin, bytes) = read_file(path)?;
        Self::from_bytes(origin, bytes)
    }
}

impl<'a> Safetensors<'a> {
    /// Checks a file that is in memory; `origin` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Safetensors`]
    pub fn from_bytes(origin: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self> {
        let (origin, bytes) = (origin.into(), bytes.into());
        match parse(&bytes) {
            Ok((metadata, data)) => Ok(Self {
                origin,
                metadata,
                bytes,
                data,
            }),
            Err(problem) => Err(Error::Safetensors {
                origin,
                problem: Box::new(problem),
            }),
        }
    }

    /// The elements of a tensor of I8, which has to have the shape `expected`.
    pub(crate) fn i8s(&self, name: &str, expected: &[usize]) -> Result<Vec<i8>> {
        let bytes = self.bytes_of(name, expected, Dtype::I8, "I8")?;
        Ok(bytes.iter().map(|&x| x as i8).collect())
    }

    /// The elements of a tensor of I32, which has to have the shape `expected`.
    pub(crate) fn i32s(&self, name: &str, expected: &[usize]) -> Result<Vec<i32>> {
        let bytes = self.bytes_of(name, expected, Dtype::I32, "I32")?;
        let (elements, _) = bytes.as_chunks();
        Ok(elements.iter().map(|&x| i32::from_le_bytes(x)).collect())
    }

    fn bytes_of(
        &self,
        name: &str,
        expected: &[usize],
        dtype: Dtype,
        dtype_name: &'static str,
    ) -> Result<&[u8]> {
        let info = self.info(name)?;
        if info.dtype != dtype {
            return Err(self.wrong_type(name, info.dtype, dtype_name));
        }
        expect_shape(self, name, expected)?;
        Ok(self.data(info))
    }

    /// In range: `parse` has compared all offsets with the length of the file.
    fn data(&self, info: &TensorInfo) -> &[u8] {
        let (start, end) = info.data_offsets;
        &self.bytes[self.data + start..self.data + end]
    }

    fn wrong_type(&self, tensor: &str, found: Dtype, expected: &'static str) -> Error {
        Error::TensorType {
            origin: self.origin.clone(),
            tensor: tensor.to_owned(),
            expected,
            found: found.to_string(),
        }
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.metadata.info(name).ok_or_else(|| missing(self, name))
    }
}

impl Weights for Safetensors<'_> {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        Some(self.metadata.metadata().as_ref()?.get(key)?)
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.info(name)?.shape)
    }

    fn values(&self, name: &str) -> Result<Buffer> {
        let info = self.info(name)?;
        let bytes = self.data(info);
        match info.dtype {
            Dtype::F32 => decode(bytes, f32::from_le_bytes, |x, y| y.copy_from_slice(x)),
            Dtype::F16 => decode(bytes, f16::from_le_bytes, |x, y| x.convert_to_f32_slice(y)),
            Dtype::BF16 => decode(bytes, bf16::from_le_bytes, |x, y| x.convert_to_f32_slice(y)),
            other => Err(self.wrong_type(name, other, "F32, F16 or BF16")),
        }
    }
}

/// Elements of `SIZE` bytes as f32. `convert` does a few hundred at a time, for which `half` uses the CPU's instructions.
fn decode<const SIZE: usize, T: Copy + Default>(
    bytes: &[u8],
    from_bytes: fn([u8; SIZE]) -> T,
    convert: fn(&[T], &mut [f32]),
) -> Result<Buffer> {
    const BLOCK: usize = 512;
    let (elements, _) = bytes.as_chunks::<SIZE>();
    let mut values = Buffer::zeros("weights", elements.len())?;
    let mut block = [T::default(); BLOCK];
    for (source, target) in elements.chunks(BLOCK).zip(values.chunks_mut(BLOCK)) {
        for (x, &bytes) in block.iter_mut().zip(source) {
            *x = from_bytes(bytes);
        }
        convert(&block[..source.len()], target);
    }
    Ok(values)
}

/// The header, and the offset of the data.
fn parse(bytes: &[u8]) -> Result<(Metadata, usize), Problem> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(Problem::NoHeader { found: bytes.len() });
    };
    if tflite::is_tflite(bytes) {
        return Err(Problem::Tflite);
    }
    let header = u64::from_le_bytes(*prefix);
    if header > MOST_HEADER {
        return Err(Problem::Format {
            found: prefix.escape_ascii().to_string(),
            most: MOST_HEADER,
        });
    }
    let available = rest.len();
    let Some((header, data)) = usize::try_from(header)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
    else {
        return Err(Problem::HeaderLength { header, available });
    };
    let start = PREFIX + header.len();
    header::read(header, data.len()).map(|metadata| (metadata, start))
}
