//! From an image file to what the network was trained on.
//!
//! Google evaluates MobileNetV1 to V3 on the central 87.5 % of each side, resized to the network's square by bilinear
//! interpolation without antialiasing, `x / 127.5 - 1`. Pixel centres are half pixels; the crop begins at
//! `floor(side / 16)`, as `tf.image.central_crop` has it. The proportions of the photograph are not kept. Transparency is
//! dropped, as when TensorFlow decodes to three channels.
//!
//! Files come from strangers: see [`MAX_FILE`] and [`MAX_DECODED`]. The target `image` of `fuzz/` includes this module.

mod jpeg;
mod png;
mod webp;

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, Error, Result, bail, ensure};
use image::imageops::interpolate_bilinear;
use image::metadata::Orientation;
use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage,
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// The largest image that is decoded, in bytes of its pixels as the file has them and as RGB8: 134 megapixels. Decoders need room beside
/// the pixels: it is twice as much in all.
const MAX_DECODED: u64 = 384 << 20;
/// Of a decoder's message, which may quote the file, this many bytes are shown.
const MESSAGE: usize = 300;

/// Whether the name of the file says that it is an image that [`load`] can decode.
pub fn is_image(path: &Path) -> bool {
    ImageFormat::from_path(path).is_ok_and(|format| format.reading_enabled())
}

/// The image in the file `path`, upright, cropped and resized to `side` x `side` pixels.
///
/// The contents say which format it is, not the name. Of an animation the first frame is taken.
pub fn load(path: &Path, side: u32) -> Result<RgbImage> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= MAX_FILE,
        "the file has more than {MAX_FILE} bytes"
    );

    from_bytes(&bytes, side, MAX_DECODED)
}

/// As [`load`], of a file in memory, whose image has up to `most` bytes of pixels.
pub fn from_bytes(bytes: &[u8], side: u32, most: u64) -> Result<RgbImage> {
    ensure!(!bytes.is_empty(), "the file is empty");
    let (image, orientation) = fenced(|| decode(bytes, most))?;
    let mut image = DynamicImage::ImageRgb8(crop_and_resize(&image.into_rgb8(), side)?);
    // Crop and interpolation are symmetric: turning what is left is the same as turning the whole photograph, and cheaper.
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// A panic of a decoder, which none should have and one had, is an error of its file and not the end of the program. Fuzzing does not get here.
fn fenced<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| bail!("the decoder of this format panicked"))
}

/// `[1, H, W, 3]` as the network takes it, -1 for black and 1 for white.
pub fn normalise(image: &RgbImage) -> Vec<f32> {
    image
        .as_raw()
        .iter()
        .map(|&x| f32::from(x) / 127.5 - 1.0)
        .collect()
}

/// The image as the file has it, and how it has to be turned.
pub fn decode(bytes: &[u8], most: u64) -> Result<(DynamicImage, Orientation)> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format().context("not an image of a known format")?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * most);
    reader.limits(limits);
    if format == ImageFormat::Png {
        png::check_palettes(bytes)?;
    }

    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    ensure!(
        width > 0 && height > 0,
        "{width} x {height} pixels, expected at least 1 x 1"
    );
    let in_rgb = u64::from(width) * u64::from(height) * 3;
    let size = decoder.total_bytes().max(in_rgb);
    ensure!(
        size <= most,
        "{width} x {height} pixels, {size} bytes, expected at most {most}"
    );
    let needed = decoder.total_bytes() + beside(format, bytes, width, height);
    ensure!(
        needed <= 2 * most,
        "{width} x {height} pixels, {needed} bytes of memory to decode them, expected at most {}",
        2 * most
    );
    if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
        bail!("the JPEG data is cut off");
    }
    let orientation = if format == ImageFormat::WebP {
        let exif = webp::exif(bytes)?;
        exif.and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms)
    } else {
        decoder.orientation().map_err(explain)?
    };
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok((image, orientation))
}

/// Bytes that a decoder holds beside the pixels that it gives, where it has no limit of its own.
fn beside(format: ImageFormat, bytes: &[u8], width: u32, height: u32) -> u64 {
    match format {
        // Coefficients of two bytes, in blocks that are up to four times eight pixels high and wide. Of each component those of a row of
        // blocks and what it becomes at its full size, and, where they are held, all.
        ImageFormat::Jpeg => {
            let side = |length: u32| u64::from(length.next_multiple_of(32));
            let held = side(height) * u64::from(jpeg::held_components(bytes));
            2 * side(width) * (held + 2 * 4 * 32)
        }
        // Planes of a lossy image; else a frame and the canvas that it is put on, or its transparency.
        ImageFormat::WebP => {
            let pixels = u64::from(width) * u64::from(height);
            let plain = bytes.get(12..16) == Some(b"VP8 ");
            pixels * if plain { 2 } else { 8 }
        }
        _ => 0,
    }
}

/// The message of a decoder, which repeats its causes', as one line. Some quote what a file has, which may be all of it: what is beyond
/// [`MESSAGE`] is not even made.
fn explain(error: ImageError) -> Error {
    struct Line(String);

    impl fmt::Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                if self.0.len() + c.len_utf8() > MESSAGE {
                    self.0.push_str("...");
                    return Err(fmt::Error);
                }
                self.0.push(if c.is_control() { ' ' } else { c });
            }
            Ok(())
        }
    }

    let mut line = Line(String::new());
    // An error says that it was cut.
    let _ = fmt::write(&mut line, format_args!("{error}"));
    Error::msg(line.0)
}

fn crop_and_resize(image: &RgbImage, side: u32) -> Result<RgbImage> {
    let (width, height) = image.dimensions();
    let (left, top) = (width / 16, height / 16);
    let (width, height) = (width - 2 * left, height - 2 * top);
    let crop = image.view(left, top, width, height);
    let (xs, ys) = (centres(width, side), centres(height, side));
    let pixels = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y)));
    let pixels = pixels.filter_map(|(x, y)| interpolate_bilinear(&*crop, x, y));
    RgbImage::from_raw(side, side, pixels.flat_map(|pixel| pixel.0).collect())
        .context("a pixel lies outside of the photograph")
}

/// Where the centres of `side` pixels lie between those of `length` pixels, which are at 0, 1, ..., `length - 1`.
fn centres(length: u32, side: u32) -> Vec<f32> {
    let (scale, last) = (f64::from(length) / f64::from(side), f64::from(length - 1));
    let centre = |i| ((f64::from(i) + 0.5) * scale - 0.5).clamp(0.0, last) as f32;
    (0..side).map(centre).collect()
}

#[cfg(test)]
mod tests;
