//! The header: JSON from strangers.
//!
//! The crate `safetensors` could read it. But of two tensors of one name it takes the last, the sum of its offsets can overflow, and its
//! errors name neither tensors nor numbers. So it is read and checked here, and the crate's own checks come behind these.

use std::collections::HashSet;
use std::fmt;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::value::{Error as NoType, StrDeserializer};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::Problem;
use crate::weights::shown;

/// The most of what the reader of JSON says, in characters: texts of the file may be in it.
const MESSAGE: usize = 200;
/// The entry that is no tensor.
const METADATA: &str = "__metadata__";

/// Reads a header that `available` bytes of data follow.
pub(super) fn read(json: &[u8], available: usize) -> Result<Metadata, Problem> {
    let header: Header =
        serde_json::from_slice(json).map_err(|error| Problem::Header(printable(&error).into()))?;
    if let Some(tensor) = twice(&header.tensors) {
        return Err(Problem::Twice { tensor });
    }
    if let Some(entry) = header.metadata.as_deref().and_then(twice) {
        return Err(Problem::MetadataTwice { entry });
    }
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for (name, entry) in header.tensors {
        let info = entry.info(&name)?;
        tensors.push((name, info));
    }
    // Those without elements may begin at the same byte, and stay in the order of the header.
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    check(&tensors, available)?;
    let metadata = header.metadata.map(|entries| entries.into_iter().collect());
    Metadata::new(metadata, tensors).map_err(|error| Problem::Header(error.into()))
}

/// The message of an error, on one line.
fn printable(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let mut shown: String = (message.chars().take(MESSAGE))
        .filter(|c| !c.is_control())
        .collect();
    if message.chars().nth(MESSAGE).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The first name that comes a second time, as messages have it.
fn twice<V>(entries: &[(String, V)]) -> Option<String> {
    let mut names = HashSet::with_capacity(entries.len());
    let mut all = entries.iter().map(|(name, _)| name);
    all.find(|&name| !names.insert(name))
        .map(|name| shown(name))
}

/// That tensors, in the order of their offsets, are all of the data, and each is as long as it says.
fn check(tensors: &[(String, TensorInfo)], available: usize) -> Result<(), Problem> {
    let mut expected = 0;
    for (name, info) in tensors {
        let TensorInfo {
            dtype,
            ref shape,
            data_offsets: (start, end),
        } = *info;
        let tensor = || shown(name);
        if start != expected {
            let (tensor, found) = (tensor(), start);
            return Err(Problem::Offset {
                tensor,
                expected,
                found,
            });
        }
        if end < start {
            let (tensor, found) = (tensor(), end);
            return Err(Problem::End {
                tensor,
                start,
                found,
            });
        }
        let bits = (shape.iter()).fold(dtype.bitsize() as u128, |bits, &size| {
            bits.saturating_mul(size as u128)
        });
        let found = end - start;
        if found as u128 != bits.div_ceil(8) {
            return Err(Problem::TensorLength {
                tensor: tensor(),
                dtype: dtype.to_string(),
                shape: shape.clone(),
                expected: bits.div_ceil(8),
                found,
            });
        }
        // Of the others the product alone is beyond all numbers, before it is multiplied by 0.
        let counted = (shape.iter()).try_fold(dtype.bitsize(), |bits, &d| bits.checked_mul(d));
        if counted.is_none_or(|bits| bits % 8 != 0) {
            return Err(Problem::Elements {
                tensor: tensor(),
                dtype: dtype.to_string(),
                shape: shape.clone(),
            });
        }
        expected = end;
    }
    if available != expected {
        return Err(Problem::DataLength {
            expected,
            found: available,
        });
    }
    Ok(())
}

/// What is written down, in its order: of two entries of one name a map would keep one.
struct Header {
    metadata: Option<Vec<(String, String)>>,
    tensors: Vec<(String, Entry)>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object of dtype, shape and data_offsets")]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl Entry {
    fn info(self, name: &str) -> Result<TensorInfo, Problem> {
        let dtype = StrDeserializer::<NoType>::new(&self.dtype);
        match Dtype::deserialize(dtype) {
            Ok(dtype) => Ok(TensorInfo {
                dtype,
                shape: self.shape,
                data_offsets: self.data_offsets,
            }),
            Err(_) => Err(Problem::Type {
                tensor: shown(name),
                found: shown(&self.dtype),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header {
            metadata: None,
            tensors: Vec::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            let named = |error| A::Error::custom(format_args!("`{}`: {error}", shown(&name)));
            if name != METADATA {
                let entry = map.next_value().map_err(named)?;
                header.tensors.push((name, entry));
                continue;
            }
            let Texts(texts) = map.next_value().map_err(named)?;
            if header.metadata.replace(texts).is_some() {
                return Err(A::Error::duplicate_field(METADATA));
            }
        }
        Ok(header)
    }
}

/// An object of texts.
struct Texts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextsVisitor).map(Self)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = map.next_entry()? {
            texts.push(text);
        }
        Ok(texts)
    }
}
