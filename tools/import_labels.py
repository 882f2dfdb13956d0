#!/usr/bin/env python3
"""Make models/imagenet_labels.txt: the 1001 class names of Google's MobileNets, one a line.

Line 1 is `background`, lines 2..1001 are the 1000 ImageNet classes in order, each as its WordNet lemmas (`tabby, tabby cat`).
Source: the tables in the wheel of `timm` (Apache-2.0) on the Python Package Index. The wheel is read, not installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import _fetch
from _fetch import ImportFailed

REQUIREMENT = "timm==1.0.31"
WHEEL_SHA256 = "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7"
SYNSETS = "timm/data/_info/imagenet_synsets.txt"
LEMMAS = "timm/data/_info/imagenet_synset_to_lemma.txt"
BACKGROUND = "background"

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "models" / "imagenet_labels.txt"


def labels(wheel: _fetch.Members) -> list[str]:
    synsets = wheel.read(SYNSETS).decode("utf-8").split()
    if len(synsets) != 1000 or synsets != sorted(set(synsets)):
        raise ImportFailed(f"{SYNSETS} does not hold the 1000 ImageNet synsets in order")
    lemmas = dict(line.split("\t", 1) for line in wheel.read(LEMMAS).decode("utf-8").splitlines())
    missing = [synset for synset in synsets if not lemmas.get(synset, "").strip()]
    if missing:
        raise ImportFailed(f"{LEMMAS} has no name for {missing[0]}")
    return [BACKGROUND] + [lemmas[synset].strip() for synset in synsets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="use this timm 1.0.31 wheel, download nothing")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE", help="default: %(default)s")
    arguments = parser.parse_args()

    wheel = _fetch.open_distribution(arguments.wheel, REQUIREMENT, WHEEL_SHA256, "--only-binary", ":all:")
    data = "".join(f"{label}\n" for label in labels(wheel)).encode("utf-8")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(data)
    print(f"{arguments.output}: {len(data.splitlines())} lines, {len(data)} bytes, sha256 {_fetch.sha256(data)}")


if __name__ == "__main__":
    _fetch.run(main)
