"""A network in int8: f32 layers quantised once, so that every engine is given the same integers.

Weights: per output channel, symmetric, -127 to 127. Activations: per tensor, from the least to the greatest value over the
calibration images, and 0. Biases: i32, the product of both scales. As TensorFlow Lite's converter does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from network import Layer

# Of the input: all pixels of [-1, 1], in the steps of 8-bit images.
INPUT = (np.float32(1 / 127.5), -1)
SMOOTH_IMAGES = 4
BIAS_LIMIT = 2**30


@dataclass(frozen=True)
class Quantised:
    """A layer and what its integers stand for. `scale`, `zero` (int8) are of its output; the pool's are those of its input."""

    layer: Layer
    scale: np.float32
    zero: int
    weight: np.ndarray | None = None
    weight_scale: np.ndarray | None = None
    bias: np.ndarray | None = None


def integers(image: np.ndarray, dtype: type) -> np.ndarray:
    """The input as an engine takes it; uint8 is int8 with a zero point that is greater by 128."""
    scale, zero = INPUT
    low = np.iinfo(dtype).min
    return np.clip(np.rint(image / scale) + (zero + 128 + low), low, low + 255).astype(dtype)


def smooth(resolution: int, seed: int) -> np.ndarray:
    """[1, R, R, 3] in [-1, 1]: waves of at most three periods."""
    g = np.random.default_rng(seed)
    y, x = np.meshgrid(*2 * [np.arange(resolution) / resolution], indexing="ij")
    image = np.zeros((resolution, resolution, 3)) + g.uniform(-0.4, 0.4, 3)
    for _ in range(6):
        fy, fx, phase = g.uniform(-3, 3), g.uniform(-3, 3), g.uniform(0, 2 * np.pi)
        image += np.cos(2 * np.pi * (fy * y + fx * x) + phase)[..., None] * g.uniform(-0.5, 0.5, 3)
    return np.clip(image, -1, 1).astype(np.float32)[None]


def forward(layers: list[Layer], x: np.ndarray) -> list[np.ndarray]:
    """Every layer's output, f32, NHWC."""
    outputs = []
    for layer in layers:
        if layer.kind == "pool":
            x = x.mean(axis=(1, 2), keepdims=True)
        elif layer.kind == "dense":
            x = x @ layer.weight.T + layer.bias
        else:
            pads = [(0, 0), layer.pads, layer.pads, (0, 0)]
            padded, size, step = np.pad(x, pads), layer.size_out, layer.stride
            total = layer.bias
            for ky in range(layer.kernel):
                for kx in range(layer.kernel):
                    tap = padded[:, ky::step, kx::step][:, :size, :size]
                    weight = layer.weight[:, :, ky, kx]
                    total = total + (tap * weight[:, 0] if layer.kind == "depthwise" else tap @ weight.T)
            x = np.clip(total, 0, 6)
        outputs.append(x)
    return outputs


def quantise(layers: list[Layer], images: list[np.ndarray]) -> list[Quantised]:
    runs = [forward(layers, image) for image in images]
    result, (scale_in, zero_in) = [], INPUT
    for i, layer in enumerate(layers):
        if layer.kind == "pool":
            result.append(Quantised(layer, scale_in, zero_in))
            continue
        low, high = min(0.0, *(r[i].min() for r in runs)), max(0.0, *(r[i].max() for r in runs))
        scale = np.float32((high - low) / 255)
        zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
        across = tuple(range(1, layer.weight.ndim))
        # A channel that batch norm has silenced has weights next to 0, and a bias that would not fit into i32 at their scale.
        weight_scale = np.abs(layer.weight).max(axis=across) / np.float32(127)
        least = np.abs(layer.bias) / (scale_in * np.float32(BIAS_LIMIT))
        weight_scale = np.maximum(weight_scale, np.maximum(least, np.float32(1e-9))).astype(np.float32)
        each = weight_scale.reshape(-1, *[1] * len(across))
        weight = np.clip(np.rint(layer.weight / each), -127, 127).astype(np.int8)
        bias = np.rint(layer.bias / (scale_in * weight_scale).astype(np.float64)).astype(np.int32)
        result.append(Quantised(layer, scale, zero, weight, weight_scale, bias))
        scale_in, zero_in = scale, zero
    return result


def save(network: list[Quantised], path: Path) -> None:
    tensors = {}
    for i, q in enumerate(network):
        tensors[f"{i}.output"] = np.asarray([q.scale, q.zero], np.float64)
        if q.weight is not None:
            tensors |= {f"{i}.weight": q.weight, f"{i}.scale": q.weight_scale, f"{i}.bias": q.bias}
    np.savez(path, **tensors)


def load(layers: list[Layer], path: Path) -> list[Quantised]:
    with np.load(path) as file:
        return [
            Quantised(
                layer, np.float32(file[f"{i}.output"][0]), int(file[f"{i}.output"][1]),
                *(file[f"{i}.{part}"] for part in ("weight", "scale", "bias") if layer.weight is not None),
            )
            for i, layer in enumerate(layers)
        ]  # fmt: skip


def step(path: Path) -> float:
    """What a step of the logits is worth."""
    with np.load(path) as file:
        last = max(int(name.split(".")[0]) for name in file.files)
        return float(file[f"{last}.output"][0])
