"""Writes the two networks that the README times, MobileNetV1 and MobileNetV2 1.0/224, as ONNX files: `models.py FOLDER`.

V1 has the trained weights of models/, with TensorFlow's padding, V2 seeded ones, with PyTorch's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches/peers/driver"))

from models import write_onnx  # noqa: E402
from network import Layer, layers  # noqa: E402
from onnx_file import File  # noqa: E402

RESOLUTION = 224
# Table 2 of Sandler et al., "MobileNetV2": expansion, channels, repetitions, stride of the first.
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
CLASSES = 1000


def write_v2(output: Path) -> None:
    file, random = File("mobilenet_v2"), np.random.default_rng(2)

    def constants(name: str, shape: list[int]) -> list[str]:
        # He's deviation keeps the activations in the range of trained ones, whatever the depth.
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        weight = random.normal(0, deviation, shape).astype(np.float32)
        bias = random.normal(0, 0.1, shape[0]).astype(np.float32)
        return [file.constant(f"{name}.weight", weight), file.constant(f"{name}.bias", bias)]

    def convolution(at: str, name: str, shape: list[int], stride: int = 1, clip: bool = True) -> str:
        pads = (shape[2] // 2, shape[2] // 2)
        weight = np.empty(shape, np.float32)
        layer = Layer("depthwise" if shape[1] == 1 else "conv", name, stride, weight, pads=pads)
        at = file.convolution(layer, [at, *constants(name, shape)], f"{name}.conv")
        return file.clip(at, name) if clip else at

    at, c_in = convolution("input", "stem", [32, 3, 3, 3], 2), 32
    for i, (expansion, c_out, repetitions, first) in enumerate(BLOCKS):
        for j in range(repetitions):
            name, start, wide = f"block_{i}_{j}", at, expansion * c_in
            stride = first if j == 0 else 1
            if expansion > 1:
                at = convolution(at, f"{name}.expand", [wide, c_in, 1, 1])
            at = convolution(at, f"{name}.depthwise", [wide, 1, 3, 3], stride)
            at = convolution(at, f"{name}.project", [c_out, wide, 1, 1], clip=False)
            if stride == 1 and c_in == c_out:
                at = file.node("Add", [start, at], f"{name}.add")
            c_in = c_out
    at = convolution(at, "head", [1280, c_in, 1, 1])
    file.node("GlobalAveragePool", [at], "pool")
    file.node("Flatten", ["pool"], "features")
    file.node("Gemm", ["features", *constants("logits", [CLASSES, 1280])], "logits", transB=1)
    file.write("FLOAT", RESOLUTION, "logits", CLASSES, output)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    weights = ROOT / "models/mobilenet_v1_1.0_224.safetensors"
    write_onnx(layers(weights, RESOLUTION), RESOLUTION, folder / "mobilenet_v1.onnx")
    write_v2(folder / "mobilenet_v2.onnx")
