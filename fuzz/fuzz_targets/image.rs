//! Photographs, as the program reads them: no input makes it panic or take more memory than is promised, a refusal is one line, and what
//! is read is the photograph that the decoder gives, upright, cropped and resized as arithmetic in f64 has it.

#![no_main]

use image::RgbImage;
use image::metadata::Orientation;
use libfuzzer_sys::fuzz_target;
use mobilenet_fuzz::within;

#[allow(dead_code)]
#[path = "../../src/preprocess/mod.rs"]
mod preprocess;

use preprocess::{decode, from_bytes, normalise};

/// In place of 384 MB, so that an input takes no time. Bytes of pixels.
const MOST: u64 = 2 << 20;
/// All that may be held: twice the pixels as is promised, the file a few times over (numbers of a TIFF become 32 bytes each), and what
/// decoders have of any file.
const FACTOR: usize = 64;
const FIXED: usize = 2 << 20;
/// For some formats decoders make room for what is said to follow before they read it, and before they can be told to take less. It is not
/// touched, and less than what is promised of photographs of any size: a table of numbers; a part of the data, and the planes of a lossy image
/// of 16383 x 16383 pixels, whatever size the file has said before.
const READ_AHEAD: [(&[u8], usize); 5] = [
    (b"II*\0", 256 << 20),
    (b"MM\0*", 256 << 20),
    (b"II+\0", 256 << 20),
    (b"MM\0+", 256 << 20),
    (b"RIFF", (16 << 20) + 3 * (16384 * 16384) / 2 + (16 << 20)),
];

/// Beyond, positions in f32, as the program has them, are coarse.
const LARGEST: u32 = 2048;

fuzz_target!(|bytes: &[u8]| {
    // Smaller and larger than the image, even and odd.
    let side = 1 + bytes.len() as u32 % 33;
    let ahead = READ_AHEAD
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic));
    let ahead = ahead.map_or(0, |&(_, most)| most);
    let limit = 2 * MOST as usize + FACTOR * bytes.len() + FIXED + ahead;
    let read = || {
        within(limit, || from_bytes(bytes, side, MOST)).map_err(|error| {
            let message = format!("{error:#}");
            assert!(
                !message.is_empty() && message.len() < 400 && !message.contains(char::is_control),
                "{} bytes of message: {message:?}",
                message.len()
            );
            message
        })
    };
    let found = read();
    assert!(found == read(), "not the same twice");
    let Ok(found) = found else { return };
    assert_eq!(found.dimensions(), (side, side));
    let pixels = normalise(&found);
    assert_eq!(pixels.len(), found.as_raw().len());
    for (x, &byte) in pixels.iter().zip(found.as_raw()) {
        assert!((-1.0..=1.0).contains(x) && (x * 127.5 + 127.5).round() == f32::from(byte));
    }

    let (mut whole, orientation) = decode(bytes, MOST).unwrap();
    without_a_format(&whole.to_rgb8(), side, orientation, &found);
    whole.apply_orientation(orientation);
    let upright = whole.into_rgb8();
    if upright.width().max(upright.height()) <= LARGEST {
        as_arithmetic_has_it(&upright, &found);
    }
});

/// The same pixels, written down plainly, are the same photograph to the bit.
fn without_a_format(whole: &RgbImage, side: u32, orientation: Orientation, found: &RgbImage) {
    let (width, height) = whole.dimensions();
    let header = format!("P6 {width} {height} 255\n");
    let plain = [header.as_bytes(), whole.as_raw()].concat();
    let mut again = image::DynamicImage::ImageRgb8(from_bytes(&plain, side, MOST).unwrap());
    again.apply_orientation(orientation);
    assert!(again.into_rgb8() == *found, "not the same as PNM");
}

/// The central part, and half-pixel centres between four pixels.
fn as_arithmetic_has_it(upright: &RgbImage, found: &RgbImage) {
    let axis = |length: u32, side: u32| {
        let margin = length / 16;
        let rest = f64::from(length - 2 * margin);
        let positions = (0..side).map(move |i| {
            let at = (f64::from(i) + 0.5) * rest / f64::from(side) - 0.5;
            let at = at.clamp(0.0, rest - 1.0);
            let low = at.floor();
            let high = (low + 1.0).min(rest - 1.0);
            (margin + low as u32, margin + high as u32, at - low)
        });
        positions.collect::<Vec<_>>()
    };
    let columns = axis(upright.width(), found.width());
    let rows = axis(upright.height(), found.height());
    for (y, &(top, bottom, down)) in rows.iter().enumerate() {
        for (x, &(left, right, along)) in columns.iter().enumerate() {
            for c in 0..3 {
                let at = |x, y| f64::from(upright.get_pixel(x, y).0[c]);
                let over = at(left, top) * (1.0 - along) + at(right, top) * along;
                let under = at(left, bottom) * (1.0 - along) + at(right, bottom) * along;
                let expected = over * (1.0 - down) + under * down;
                let byte = f64::from(found.get_pixel(x as u32, y as u32).0[c]);
                // To a byte it is rounded or cut off, and positions are f32.
                assert!(
                    (byte - expected).abs() <= 1.1,
                    "row {y}, column {x}, channel {c}: {byte}, expected {expected}"
                );
            }
        }
    }
}
