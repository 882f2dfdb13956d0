use std::fs;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ImageBuffer, ImageEncoder, Rgb};

use super::*;

fn error(bytes: &[u8]) -> String {
    format!("{:#}", from_bytes(bytes, 8).unwrap_err())
}

fn from_bytes(bytes: &[u8], side: u32) -> Result<RgbImage> {
    super::from_bytes(bytes, side, MAX_DECODED)
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Smooth, so that lossy formats keep it, and without symmetry.
fn picture(width: u32, height: u32) -> DynamicImage {
    let ramp = |at: u32, of: u32| u8::try_from(20 + 200 * at / of).unwrap();
    let pixel = |x, y| {
        Rgb([
            ramp(x, width),
            ramp(y, height),
            ramp(x + 2 * y, width + 2 * height),
        ])
    };
    DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, pixel))
}

/// The largest difference of two images of equal size, and how many elements are equal.
fn compare(a: &RgbImage, b: &RgbImage) -> (u8, usize) {
    assert_eq!(a.dimensions(), b.dimensions());
    let differences = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| a.abs_diff(*b));
    (
        differences.clone().max().unwrap(),
        differences.filter(|&d| d == 0).count(),
    )
}

/// `tools/make_golden.py` computes them with NumPy, in f64.
#[test]
fn photographs_are_cropped_and_resized_as_tensorflow_does() {
    for (photo, tolerance) in [("chelsea.png", 1), ("coffee.png", 1), ("rocket.jpg", 4)] {
        let found = load(&Path::new("tests/photos").join(photo), 224).unwrap();
        let name = photo.split_once('.').unwrap().0;
        let golden = fs::read(format!("tests/golden/{name}.input.npy")).unwrap();
        let pixels = golden[golden.len() - 224 * 224 * 3..].to_vec();
        let (most, equal) = compare(&found, &RgbImage::from_raw(224, 224, pixels).unwrap());
        // JPEG decoders differ among themselves.
        assert!(most <= tolerance, "{photo}: {most}");
        assert!(
            tolerance > 1 || equal > 224 * 224 * 3 * 9 / 10,
            "{photo}: {equal}"
        );
    }
}

#[test]
fn pixels_are_normalised_exactly() {
    let image = RgbImage::from_raw(2, 1, vec![0, 255, 128, 1, 51, 204]).unwrap();
    let expected = [0_f32, 255.0, 128.0, 1.0, 51.0, 204.0].map(|x| x / 127.5 - 1.0);
    assert_eq!(normalise(&image), expected);
    assert_eq!(normalise(&image)[..2], [-1.0, 1.0]);
}

/// What lies outside of the crop must not leak in through the interpolation.
#[test]
fn the_crop_is_exact() {
    let inside = |x: u32, y: u32| (2..30).contains(&x) && (4..60).contains(&y);
    let image = ImageBuffer::from_fn(32, 64, |x, y| Rgb([if inside(x, y) { 9 } else { 255 }; 3]));
    for side in [1, 28, 56, 224] {
        let found = crop_and_resize(&image, side).unwrap();
        assert!(found.as_raw().iter().all(|&x| x == 9), "{side}");
    }
}

fn expected(image: &DynamicImage) -> RgbImage {
    crop_and_resize(&image.to_rgb8(), 16).unwrap()
}

#[test]
fn formats_mean_the_same_picture() {
    let rgb = picture(40, 24);
    let grey = DynamicImage::ImageLuma8(rgb.to_luma8());
    for (format, picture, tolerance) in [
        (ImageFormat::Png, &rgb, 0),
        (ImageFormat::Bmp, &rgb, 0),
        (ImageFormat::Tiff, &rgb, 0),
        (ImageFormat::WebP, &rgb, 0),
        (ImageFormat::Pnm, &rgb, 0),
        (ImageFormat::Jpeg, &rgb, 8),
        (ImageFormat::Jpeg, &grey, 8),
        // It has 256 colours at most.
        (
            ImageFormat::Gif,
            &DynamicImage::ImageRgb8(grey.to_rgb8()),
            0,
        ),
    ] {
        let found = from_bytes(&encode(picture, format), 16).unwrap();
        let (most, _) = compare(&found, &expected(picture));
        assert!(most <= tolerance, "{format:?}: {most}");
    }
}

#[test]
fn depths_and_alpha_mean_the_same_picture() {
    let rgb = picture(40, 24);
    let grey = DynamicImage::ImageLuma8(rgb.to_luma8());
    let opaque = |alpha: u8| {
        let mut rgba = rgb.to_rgba8();
        rgba.pixels_mut().for_each(|pixel| pixel.0[3] = alpha);
        DynamicImage::ImageRgba8(rgba)
    };
    for (name, image, plain) in [
        ("16 bit", DynamicImage::ImageRgb16(rgb.to_rgb16()), &rgb),
        (
            "16 bit with alpha",
            DynamicImage::ImageRgba16(rgb.to_rgba16()),
            &rgb,
        ),
        ("alpha", opaque(255), &rgb),
        ("transparent", opaque(0), &rgb),
        ("grey", grey.clone(), &grey),
        (
            "grey with alpha",
            DynamicImage::ImageLumaA8(grey.to_luma_alpha8()),
            &grey,
        ),
        (
            "grey 16 bit",
            DynamicImage::ImageLuma16(grey.to_luma16()),
            &grey,
        ),
        (
            "grey 16 bit with alpha",
            DynamicImage::ImageLumaA16(grey.to_luma_alpha16()),
            &grey,
        ),
    ] {
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            // TIFF's encoder does not write grey with alpha.
            let mut bytes = Cursor::new(Vec::new());
            match image.write_to(&mut bytes, format) {
                Err(_) if format == ImageFormat::Tiff => continue,
                result => result.unwrap(),
            }
            let found = from_bytes(bytes.get_ref(), 16).unwrap();
            assert_eq!(compare(&found, &expected(plain)).0, 0, "{name} {format:?}");
        }
    }
}

/// `tests/data/cmyk.jpg` was made with Pillow: four colours, a quarter each, written as CMYK.
#[test]
fn cmyk_is_converted() {
    let found = load(Path::new("tests/data/cmyk.jpg"), 28).unwrap();
    for (x, y, expected) in [
        (7, 7, [200, 40, 40]),
        (21, 7, [40, 200, 40]),
        (7, 21, [40, 40, 200]),
        (21, 21, [220; 3]),
    ] {
        let pixel = found.get_pixel(x, y).0;
        assert!(
            pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 6),
            "{pixel:?} {expected:?}"
        );
    }
}

/// An EXIF block with this orientation and nothing else.
fn exif(orientation: Orientation) -> Vec<u8> {
    [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
        &[orientation.to_exif(), 0, 0, 0][..],
        &[0; 4],
    ]
    .concat()
}

#[test]
fn photographs_are_turned_upright() {
    let upright = picture(48, 32);
    let expected = crop_and_resize(&upright.to_rgb8(), 16).unwrap();
    for exif_value in 1..=8 {
        let orientation = Orientation::from_exif(exif_value).unwrap();
        let inverse = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            other => other,
        };
        let mut stored = upright.clone();
        stored.apply_orientation(inverse);
        let (mut png, mut jpeg) = (Vec::new(), Vec::new());
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        stored.write_with_encoder(encoder).unwrap();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        stored.write_with_encoder(encoder).unwrap();
        let mut webp = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        stored.write_with_encoder(encoder).unwrap();
        for (bytes, tolerance) in [(png, 1), (jpeg, 8), (webp, 1)] {
            let found = from_bytes(&bytes, 16).unwrap();
            assert!(compare(&found, &expected).0 <= tolerance, "{exif_value}");
        }
    }
}

/// The standard's words for 6: the 0th column is the visual top.
#[test]
fn orientation_6_puts_the_left_on_top() {
    let image = ImageBuffer::from_fn(32, 16, |x, _| Rgb([if x < 16 { 250_u8 } else { 5 }, 0, 0]));
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder
        .set_exif_metadata(exif(Orientation::Rotate90))
        .unwrap();
    image.write_with_encoder(encoder).unwrap();
    let found = from_bytes(&png, 8).unwrap();
    assert_eq!(
        (found.get_pixel(4, 1).0[0], found.get_pixel(4, 6).0[0]),
        (250, 5)
    );
}

#[test]
fn the_smallest_and_the_thinnest() {
    for (width, height) in [(1, 1), (2, 1), (20_000, 1), (1, 20_000), (15, 17)] {
        let image =
            DynamicImage::ImageRgb8(ImageBuffer::from_pixel(width, height, Rgb([10, 20, 30])));
        let found = from_bytes(&encode(&image, ImageFormat::Png), 32).unwrap();
        assert!(
            found.pixels().all(|pixel| pixel.0 == [10, 20, 30]),
            "{width} x {height}"
        );
    }
}

#[test]
fn what_is_no_image_is_an_error() {
    assert_eq!(error(b""), "the file is empty");
    assert_eq!(error(b"Dear photograph,"), "not an image of a known format");
    assert_eq!(error(&[0; 4096]), "not an image of a known format");
    // A format that is known but not built in.
    assert!(error(b"\0\0\0\x20ftypavif\0\0\0\0avif").contains("vif"));
    assert!(
        format!("{:#}", load(Path::new("no/such/file"), 8).unwrap_err()).contains("No such file")
    );
    assert!(load(Path::new("tests"), 8).is_err());
}

/// A file that is cut off gives an error or, if what is missing does not matter, the right picture, and never part of one.
#[test]
fn what_is_cut_off_is_an_error() {
    let picture = picture(40, 24);
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
    ] {
        let whole = encode(&picture, format);
        let expected = from_bytes(&whole, 16).unwrap();
        for len in 0..whole.len() {
            if let Ok(found) = from_bytes(&whole[..len], 16) {
                assert!(
                    found == expected,
                    "{format:?}: {len} of {} bytes",
                    whole.len()
                );
            }
        }
        assert!(
            from_bytes(&whole[..whole.len() / 2], 16).is_err(),
            "{format:?}"
        );
    }
}

/// As PNG has it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
    !bytes
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// A few bytes that claim a picture of gigabytes.
#[test]
fn bombs_are_refused() {
    fn patched(format: ImageFormat, patches: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = encode(&picture(8, 8), format);
        for &(at, patch) in patches {
            bytes[at..at + patch.len()].copy_from_slice(patch);
        }
        bytes
    }
    let find =
        |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|x| x == what).unwrap();

    // The width and height of the IHDR chunk, and its checksum.
    let mut png = patched(ImageFormat::Png, &[(16, &[0, 0, 200, 0, 0, 0, 200, 0])]);
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    assert!(
        error(&png).starts_with("51200 x 51200 pixels, 7864320000 bytes"),
        "{}",
        error(&png)
    );
    let sof = find(&encode(&picture(8, 8), ImageFormat::Jpeg), b"\xff\xc0") + 5;
    let jpeg = patched(ImageFormat::Jpeg, &[(sof, &[0xff; 4])]);
    let gif = patched(ImageFormat::Gif, &[(6, &[0xff; 4])]);
    let bmp = patched(ImageFormat::Bmp, &[(18, &[0, 0, 2, 0, 0, 0, 2, 0])]);
    let pnm = b"P6 100000 100000 255\nxyz".to_vec();
    for (name, bytes) in [
        ("png", png),
        ("jpeg", jpeg),
        ("gif", gif),
        ("bmp", bmp),
        ("pnm", pnm),
    ] {
        let found = error(&bytes);
        assert!(
            !found.contains('\n') && !found.is_empty(),
            "{name}: {found}"
        );
    }
    assert_eq!(
        error(b"P6 100000 100000 255\nxyz"),
        "100000 x 100000 pixels, 30000000000 bytes, expected at most 402653184"
    );
    // What the decoder holds beside the pixels counts, too: rows of blocks, and of several scans everything.
    let wide = patched(ImageFormat::Jpeg, &[(sof, &[0, 17, 0x9a, 0x15])]);
    assert_eq!(
        super::from_bytes(&wide, 8, 2 << 20)
            .unwrap_err()
            .to_string(),
        "39445 x 17 pixels, 22213167 bytes of memory to decode them, expected at most 4194304"
    );
    let mut progressive = patched(ImageFormat::Jpeg, &[(sof, &[0x28, 0, 0x28, 0])]);
    progressive[sof - 4] = 0xc2;
    assert_eq!(
        error(&progressive),
        "10240 x 10240 pixels, 948961280 bytes of memory to decode them, expected at most 805306368"
    );
    assert_eq!(
        error(b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xe7\xff\x09\0\0\0\0\0\0\0\0\0"),
        "10240 x 10240 pixels, 1153433600 bytes of memory to decode them, expected at most 805306368"
    );
    // 2 GB of EXIF, for which the decoder would make room.
    let mut webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    let block = exif(Orientation::Rotate90);
    encoder.set_exif_metadata(block.clone()).unwrap();
    picture(8, 8).write_with_encoder(encoder).unwrap();
    let at = find(&webp, b"EXIF") + 4;
    assert_eq!(webp[at..at + 4], (block.len() as u32).to_le_bytes());
    webp[at + 3] = 0x7f;
    assert_eq!(error(&webp), "the WebP data is cut off");
    // Grey needs three times its size as RGB.
    assert!(error(b"P5 12000 12000 255\nxyz").starts_with("12000 x 12000 pixels, 432000000 bytes"));
    assert!(error(b"P6 0 5 255\n").contains('0'));
}

/// Some decoders say what they read: of it a message has the beginning, on one line.
#[test]
fn a_message_quotes_little_of_a_file() {
    for header in [
        "P7\nWIDTH ",
        "P7\nWIDTH 1\n",
        "P7\nHEIGHT 1\nWIDTH 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE ",
    ] {
        let message = |text: &str| error([header, text, "\nENDHDR\nx"].concat().as_bytes());
        let found = message(&"9".repeat(1 << 20));
        assert!(found.len() <= MESSAGE + 3, "{} bytes", found.len());
        assert!(found.ends_with("999..."), "{found}");
        let found = message("one\u{b}\u{1b}[31m");
        assert!(
            found.contains("one") && !found.contains(char::is_control) && !found.ends_with("..."),
            "{found:?}"
        );
    }
}

/// At two bytes of a colour `png` 0.18.1 panics.
#[test]
fn a_palette_of_parts_of_colours_is_refused() {
    let with_palette = |len: usize| {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        // 1 x 1 pixels, an index of 8 bits each.
        let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0];
        // Not compressed: a byte for the filter, and the index.
        let pixels = [0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, 0, 0, 2, 0, 1];
        let palette = vec![7; len];
        for (name, content) in [
            (b"IHDR", &header[..]),
            (b"PLTE", &palette),
            (b"IDAT", &pixels),
            (b"IEND", &[]),
        ] {
            let chunk = [name, content].concat();
            png.extend((content.len() as u32).to_be_bytes());
            png.extend(&chunk);
            png.extend(crc32(&chunk).to_be_bytes());
        }
        png
    };
    for len in [3, 6, 768] {
        let found = from_bytes(&with_palette(len), 1).unwrap();
        assert_eq!(found.get_pixel(0, 0).0, [7; 3]);
    }
    // Behind the end of the image there may be anything.
    let behind = [with_palette(3), b"\0\0\0\x04PLTE".to_vec()].concat();
    assert!(from_bytes(&behind, 1).is_ok());
    for len in [4, 5, 8, 767] {
        assert_eq!(
            error(&with_palette(len)),
            format!("the palette has {len} bytes, expected a multiple of 3")
        );
    }
}

#[test]
fn a_panic_of_a_decoder_is_an_error() {
    let found = fenced::<()>(|| panic!("of a test"));
    assert_eq!(
        found.unwrap_err().to_string(),
        "the decoder of this format panicked"
    );
}
