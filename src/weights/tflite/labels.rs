//! The names of the classes. The metadata, a flatbuffer in one of the buffers, name a text file with one label on each line, which is
//! in a zip archive that is appended to the model.
//!
//! Labels are an extra: where anything about them is wrong, there are none, and the network is as good as without.

use std::io::Read;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

use super::schema::{Metadata, ModelMetadata, TENSOR_AXIS_LABELS};
use super::table::List;
use super::tensors::Buffers;
use super::verify::verified;

/// The buffer's name among the model's metadata.
const METADATA: &str = "TFLITE_METADATA";

/// The identifier of the metadata's flatbuffer.
const IDENTIFIER: &[u8] = b"M001";

/// The largest file of labels that is read, in bytes when unpacked. The thousand classes of ImageNet take 20 KB.
const LARGEST: u64 = 1 << 20;

pub(super) fn read(
    metadata: Option<List<'_, Metadata<'_>>>,
    buffers: &Buffers<'_>,
) -> Option<Vec<String>> {
    let entry = metadata?
        .iter()
        .find(|entry| entry.name() == Some(METADATA))?;
    let bytes = buffers.get(entry.buffer()).ok()??;
    if bytes.get(4..8)? != IDENTIFIER {
        return None;
    }
    let metadata: ModelMetadata<'_> = verified(bytes).ok()?;
    let name = file_name(metadata)?;
    let text = String::from_utf8(unpack(buffers.file, name)?).ok()?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    (!labels.is_empty()).then_some(labels)
}

/// The name of the file with labels for the axis of an output.
fn file_name(metadata: ModelMetadata<'_>) -> Option<&str> {
    let outputs = metadata.subgraphs()?.get(0)?.outputs()?;
    (outputs.iter())
        .flat_map(|output| output.files().into_iter().flat_map(List::iter))
        .find(|file| file.file_type() == TENSOR_AXIS_LABELS)?
        .name()
}

/// A file of the archive at the end of `bytes`, whose check sum has to be right.
fn unpack(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let archive = ZipArchive::from_slice(bytes).ok()?;
    let mut entries = archive.entries();
    let entry = loop {
        let entry = entries.next_entry().ok()??;
        if entry.file_path().as_bytes() == name.as_bytes() {
            break entry;
        }
    };
    let method = entry.compression_method();
    let packed = archive.get_entry(entry.wayfinder()).ok()?;
    let mut unpacked = Vec::new();
    // A byte more than may be, to see that there are more.
    if method == CompressionMethod::STORE {
        let reader = packed.verifying_reader(packed.data());
        reader.take(LARGEST + 1).read_to_end(&mut unpacked).ok()?;
    } else if method == CompressionMethod::DEFLATE {
        let reader = packed.verifying_reader(DeflateDecoder::new(packed.data()));
        reader.take(LARGEST + 1).read_to_end(&mut unpacked).ok()?;
    }
    (unpacked.len() as u64 <= LARGEST).then_some(unpacked)
}
