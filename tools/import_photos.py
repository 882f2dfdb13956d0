#!/usr/bin/env python3
"""Put the free photographs of the tests into tests/photos/, unchanged, from the scikit-image wheel.

Their licences (see NOTICE) are stated in the docstrings of `skimage/data/_fetchers.py` in the same wheel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import _fetch

REQUIREMENT = "scikit-image==0.26.0"
WHEEL_SHA256 = "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af"
# One fixed wheel, whatever machine this runs on: only its data files are used.
PLATFORM = ("--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")

PHOTOS = {
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "photos"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="use this scikit-image wheel, download nothing")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR", help="default: %(default)s")
    arguments = parser.parse_args()

    wheel = _fetch.open_distribution(arguments.wheel, REQUIREMENT, WHEEL_SHA256, *PLATFORM)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, digest in PHOTOS.items():
        data = wheel.read(f"skimage/data/{name}")
        _fetch.expect_sha256(data, digest, name)
        (arguments.output / name).write_bytes(data)
        print(f"{arguments.output / name}: {len(data)} bytes, sha256 {digest}")


if __name__ == "__main__":
    _fetch.run(main)
