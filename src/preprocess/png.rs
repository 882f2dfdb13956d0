//! What a PNG file may not have and its decoder does not look for.

use anyhow::{Result, ensure};

const SIGNATURE: usize = 8;
/// A chunk's length and its name, in front of it, and its checksum behind.
const CHUNK: usize = 8;
const CHECKSUM: usize = 4;

/// That palettes consist of whole colours: the decoder (`png` 0.18.1) panics at a part of one.
///
/// # Errors
/// If the length of a palette is no multiple of three.
pub fn check_palettes(bytes: &[u8]) -> Result<()> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    // What is cut off is for the decoder to say.
    while let Some((head, behind)) = rest.split_first_chunk::<CHUNK>() {
        let [a, b, c, d, name @ ..] = *head;
        let len = u32::from_be_bytes([a, b, c, d]);
        ensure!(
            name != *b"PLTE" || len.is_multiple_of(3),
            "the palette has {len} bytes, expected a multiple of 3"
        );
        if name == *b"IEND" {
            break;
        }
        let next = (len as usize).saturating_add(CHECKSUM);
        rest = behind.get(next..).unwrap_or_default();
    }
    Ok(())
}
