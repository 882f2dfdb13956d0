//! What the decoder does not say of a JPEG file: whether it is all there, and what it takes to decode it.

const SOS: u8 = 0xda;
const EOI: u8 = 0xd9;
const PROGRESSIVE: u8 = 0xc2;

/// Whether the end-of-image marker follows the first scan. What comes after it is not looked at: some cameras append more. The decoder
/// fills what is missing with grey, as browsers do; a label for that is no right result.
pub fn is_complete(bytes: &[u8]) -> bool {
    let mut segments = Segments(bytes);
    segments.any(|(marker, _)| marker == SOS) && segments.any(|(marker, _)| marker == EOI)
}

/// Of how many components the decoder holds all coefficients, of two bytes a pixel: those of a file that comes in several scans.
pub fn held_components(bytes: &[u8]) -> u8 {
    let (mut progressive, mut components) = (false, 0);
    for (marker, content) in Segments(bytes) {
        match (marker, content) {
            // Of the same range are tables: of Huffman codes, and of arithmetic ones.
            (0xc4 | 0xc8 | 0xcc, _) => {}
            (0xc0..=0xcf, [_precision, _, _, _, _, count, ..]) => {
                progressive |= marker == PROGRESSIVE;
                components = components.max(*count);
            }
            (SOS, [in_scan, ..]) if *in_scan >= components && !progressive => return 0,
            (SOS, _) => break,
            _ => {}
        }
    }
    components
}

/// Markers, and what is in the segments of those that have one. In a scan, what is between markers is passed over.
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (skipped, marker) = match self.0 {
                // Fill bytes before a marker; in a scan, a stuffed 0xff and the restart markers are data.
                [0xff, 0xff, ..] => (1, None),
                [0xff, 0x00 | 0xd0..=0xd7, ..] => (2, None),
                [0xff, marker, ..] => (2, Some(*marker)),
                [_, ..] => (1, None),
                [] => return None,
            };
            self.0 = &self.0[skipped..];
            let Some(marker) = marker else { continue };
            // Markers without a length: start and end of image, TEM.
            if matches!(marker, 0xd8 | EOI | 0x01) {
                return Some((marker, &[]));
            }
            let &[high, low] = self.0.get(..2)? else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([high, low]));
            let (segment, rest) = self.0.split_at_checked(len)?;
            self.0 = rest;
            // The length counts itself.
            return Some((marker, segment.get(2..)?));
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
        // The end of an image before one begins.
        assert!(!is_complete(b"\xff\xd9\xff\xda\x00\x02data"));
    }

    #[test]
    fn components_of_several_scans_are_held() {
        let file = |frame: u8, components: u8, in_scan: u8| {
            let frame = [0xff, frame, 0, 8, 8, 0, 1, 0, 1, components];
            [
                &b"\xff\xd8\xff\xc4\x00\x03\x09"[..],
                &frame,
                &[0xff, SOS, 0, 3, in_scan],
            ]
            .concat()
        };
        assert_eq!(held_components(&file(0xc0, 3, 3)), 0);
        assert_eq!(held_components(&file(0xc1, 1, 1)), 0);
        assert_eq!(held_components(&file(0xc0, 3, 1)), 3);
        assert_eq!(held_components(&file(PROGRESSIVE, 3, 3)), 3);
        assert_eq!(held_components(&file(PROGRESSIVE, 1, 1)), 1);
        assert_eq!(held_components(b""), 0);
    }
}
