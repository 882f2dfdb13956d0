#!/usr/bin/env python3
"""Make the corpora in fuzz/corpus/ that no test writes: random bytes, and small photographs in every format that the program reads.

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0 && venv/bin/python tools/make_fuzz_corpus.py

Random bytes are SHAKE-256 of the target's name and a number, so that they are always the same. Photographs are those that Pillow writes of
a smooth picture without symmetry; another version may write other bytes of the same picture. The readers' corpora are written by tests
(CONTRIBUTING.md, Tests).
"""

import hashlib
import io
import struct
import zlib
from pathlib import Path

from PIL import Image, TiffImagePlugin

CORPUS = Path(__file__).resolve().parent.parent / "fuzz" / "corpus"
# Files of random bytes for each target, and how long they are.
RANDOM = {
    "geometry": (12, 60),
    "depthwise": (12, 40),
    "pointwise": (12, 40),
    "separable": (12, 40),
    "conv3x3": (12, 40),
    "capi": (24, 128),
}


def picture(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            ramps = (x * 200 // width, y * 200 // height, (x + 2 * y) * 200 // (width + 2 * height))
            image.putpixel((x, y), tuple(20 + ramp for ramp in ramps))
    return image


def photographs() -> dict[str, bytes]:
    rgb = picture(21, 17)
    files = {}

    def add(name: str, image: Image.Image, kind: str, **options) -> None:
        out = io.BytesIO()
        image.save(out, kind, **options)
        files[name] = out.getvalue()

    grey, palette = rgb.convert("L"), rgb.quantize(16)
    alpha = rgb.convert("RGBA")
    alpha.putalpha(grey)
    one = rgb.convert("1")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.new("I;16", rgb.size)
    for i, value in enumerate(grey.tobytes()):
        deep.putpixel((i % 21, i // 21), value * 257)

    for name, image in [("rgb", rgb), ("grey", grey), ("palette", palette), ("alpha", alpha), ("1bit", one), ("16bit", deep)]:
        add(f"png_{name}", image, "PNG")
    add("png_turned", rgb, "PNG", exif=turned)
    add("png_animated", rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)])
    files["png_interlaced"] = interlaced(rgb)

    for name, options in [
        ("444", {"subsampling": 0}),
        ("420", {"subsampling": 2}),
        ("progressive", {"progressive": True, "subsampling": 2}),
        ("restarts", {"restart_marker_blocks": 1}),
        ("turned", {"exif": turned}),
    ]:
        add(f"jpeg_{name}", rgb, "JPEG", quality=60, **options)
    add("jpeg_grey", grey, "JPEG")
    add("jpeg_cmyk", rgb.convert("CMYK"), "JPEG")
    add("jpeg_cmyk_progressive", rgb.convert("CMYK"), "JPEG", progressive=True)

    add("gif_palette", palette, "GIF")
    add("gif_interlaced", palette, "GIF", interlace=1)
    add("gif_animated", palette, "GIF", save_all=True, append_images=[palette.rotate(180)], duration=20)

    for name, image in [("rgb", rgb), ("grey", grey), ("palette", palette), ("alpha", alpha), ("1bit", one)]:
        add(f"bmp_{name}", image, "BMP")

    for compression in ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"]:
        image = one if compression == "group4" else rgb
        name = compression.removeprefix("tiff_").removeprefix("adobe_")
        add(f"tiff_{name}", image, "TIFF", compression=compression)
    add("tiff_16bit", deep, "TIFF")
    add("tiff_cmyk", rgb.convert("CMYK"), "TIFF")
    add("tiff_float", grey.convert("F"), "TIFF")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[278] = 4  # Rows of a strip.
    add("tiff_strips", rgb, "TIFF", tiffinfo=tags)

    add("webp_lossy", rgb, "WEBP", quality=50)
    add("webp_lossless", rgb, "WEBP", lossless=True)
    add("webp_lossy_alpha", alpha, "WEBP", quality=50)
    add("webp_turned", rgb, "WEBP", exif=turned)
    add("webp_animated", rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], duration=20)

    add("ppm", rgb, "PPM")
    add("pgm", grey, "PPM")
    add("pbm", one, "PPM")
    files["ppm_text"] = b"P3 # of text\n2 2 255\n0 128 255 1 2 3 4 5 6 7 8 9\n"
    files["pam"] = b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + bytes(range(16))

    # As large as few bytes can say.
    header = bytearray(files["jpeg_progressive"])
    at = header.index(b"\xff\xc2") + 5
    header[at : at + 4] = struct.pack(">HH", 800, 800)
    files["jpeg_progressive_large"] = bytes(header)
    header = bytearray(files["jpeg_420"])
    at = header.index(b"\xff\xc0") + 5
    header[at : at + 4] = struct.pack(">HH", 17, 39445)
    files["jpeg_wide"] = bytes(header)
    large = Image.new("RGB", (800, 800), (10, 20, 30))
    add("webp_lossless_large", large, "WEBP", lossless=True)
    add("png_large", large, "PNG", optimize=True)
    add("gif_large", large.quantize(2), "GIF")
    add("tiff_large", large, "TIFF", compression="tiff_adobe_deflate")
    files["broken_ppm_huge"] = b"P6 100000 100000 255\nxyz"
    # A decoder quotes it in its message.
    files["broken_pam_line"] = b"P7\nWIDTH 1\n" + b"Y" * 2000 + b" 1\nENDHDR\n"
    # A decoder that does not look panics.
    files["broken_png_palette"] = broken_palette(files["png_palette"])
    files["broken_png_cut"] = files["png_rgb"][:-40]
    files["broken_jpeg_cut"] = files["jpeg_420"][:-40]
    return files


def broken_palette(png: bytes) -> bytes:
    """A PNG file whose palette has a byte more than whole colours."""
    at = png.index(b"PLTE")
    length = struct.unpack(">I", png[at - 4 : at])[0]
    chunk = png[at : at + 4 + length] + b"\0"
    return png[: at - 4] + struct.pack(">I", length + 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[at + 8 + length :]


def interlaced(image: Image.Image) -> bytes:
    """A PNG of Adam7, which Pillow does not write."""
    width, height = image.size
    rows = bytearray()
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for y in range(y0, height, dy):
            pixels = b"".join(bytes(image.getpixel((x, y))) for x in range(x0, width, dx))
            if pixels:
                rows += b"\0" + pixels

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    data = zlib.compress(bytes(rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def write(target: str, name: str, data: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


for target, (count, length) in RANDOM.items():
    for i in range(count):
        name = f"random_{i:02}"
        write(target, name, hashlib.shake_256(f"{target} {i}".encode()).digest(length))
for name, data in photographs().items():
    write("image", name, data)
