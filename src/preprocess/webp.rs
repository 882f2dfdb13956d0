//! The EXIF block of a WebP file. The decoder makes room for as many bytes as the file says that there are, up to 4 GB, before it looks
//! whether they are there.

use anyhow::{Context, Result};

/// `RIFF`, the length of all that follows, `WEBP`.
const HEADER: usize = 12;
/// A chunk's name and its length.
const CHUNK: usize = 8;

/// What is in the first chunk `EXIF`.
///
/// # Errors
/// If a chunk in front of it, or it itself, is not all there.
pub fn exif(bytes: &[u8]) -> Result<Option<&[u8]>> {
    let cut_off = "the WebP data is cut off";
    let length = |at: usize| -> Option<usize> {
        let four = bytes.get(at..)?.first_chunk()?;
        u32::from_le_bytes(*four).try_into().ok()
    };
    // Behind it there may be anything.
    let end = length(4).context(cut_off)?.saturating_add(8);
    let bytes = &bytes[..end.min(bytes.len())];
    let mut at = HEADER;
    while bytes.len().saturating_sub(at) >= CHUNK {
        let start = at + CHUNK;
        let end = start.saturating_add(length(at + 4).context(cut_off)?);
        let content = bytes.get(start..end).context(cut_off)?;
        if &bytes[at..at + 4] == b"EXIF" {
            return Ok(Some(content));
        }
        // Of an odd length there is a byte more.
        at = end + content.len() % 2;
    }
    Ok(None)
}
