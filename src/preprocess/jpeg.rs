//! Whether a JPEG file is all there. The decoder fills what is missing with grey, as browsers do; a label for that is no
//! right result.

const SOS: u8 = 0xda;
const EOI: u8 = 0xd9;

/// Whether the end-of-image marker follows the first scan. What comes after it is not looked at: some cameras append more.
pub fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut in_scan = false;
    loop {
        let marker = match rest {
            // Fill bytes before a marker; in a scan, a stuffed 0xff and the restart markers are data.
            [0xff, 0xff, ..] => {
                rest = &rest[1..];
                continue;
            }
            [0xff, 0x00 | 0xd0..=0xd7, ..] => {
                rest = &rest[2..];
                continue;
            }
            [0xff, marker, ..] => *marker,
            [_, ..] => {
                rest = &rest[1..];
                continue;
            }
            [] => return false,
        };
        match marker {
            EOI if in_scan => return true,
            // Markers without a length: start and end of image, TEM.
            0xd8 | EOI | 0x01 => rest = &rest[2..],
            _ => {
                in_scan |= marker == SOS;
                let Some(&[high, low]) = rest.get(2..4) else {
                    return false;
                };
                let end = 2 + usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(end..) else {
                    return false;
                };
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_and_nothing_else_is_taken_for_it() {
        let photo = std::fs::read("tests/photos/rocket.jpg").unwrap();
        assert!(is_complete(&photo));
        assert!(is_complete(&[&photo[..], b"appended by a phone"].concat()));
        for len in (0..photo.len())
            .step_by(97)
            .chain(photo.len() - 2..photo.len())
        {
            assert!(!is_complete(&photo[..len]), "{len}");
        }
        // A thumbnail's end inside of a segment, before the scan.
        assert!(!is_complete(
            b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xda\x00\x02data"
        ));
        assert!(is_complete(
            b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xda\x00\x02data\xff\xff\xd9"
        ));
        assert!(!is_complete(b"\xff\xda\x00"));
    }
}
