"""The networks: what is compared, and their layers as the writers of models take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

EPSILON = 1e-3
# Strides of the stem and of the depthwise convolutions.
STRIDES = [2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]


@dataclass(frozen=True)
class Network:
    key: str
    title: str
    alpha: float
    resolution: int
    # None: the weights of models/, and a photograph.
    seed: int | None
    # Most of the fastest peer's time that ours may take, for each number of threads.
    goals: dict[int, float]
    dtype: str = "f32"

    @property
    def int8(self) -> bool:
        return self.dtype == "int8"

    @property
    def base(self) -> str:
        """The network whatever the type."""
        return self.key.removesuffix("_int8")


NETWORKS = [
    Network("v1_1.0_224", "MobileNetV1 1.0/224", 1.0, 224, None, {1: 0.80, 2: 0.80}),
    Network("v1_0.5_160", "MobileNetV1 0.5/160", 0.5, 160, 160, {}),
    Network("v1_0.25_128", "MobileNetV1 0.25/128", 0.25, 128, 128, {1: 0.82, 2: 0.82}),
    Network("v1_1.0_224_int8", "MobileNetV1 1.0/224, int8", 1.0, 224, None, {1: 0.70, 2: 0.70}, "int8"),
    Network("v1_0.5_160_int8", "MobileNetV1 0.5/160, int8", 0.5, 160, 160, {}, "int8"),
    Network("v1_0.25_128_int8", "MobileNetV1 0.25/128, int8", 0.25, 128, 128, {1: 0.80, 2: 0.80}, "int8"),
]
DTYPES = ["f32", "int8"]
# ReLU6.
CLIP = (0.0, 6.0)


@dataclass(frozen=True)
class Layer:
    """`kind` is conv, depthwise, pool or dense. Weights are [O, I, H, W], [C, 1, H, W] or [O, I]; ReLU6 follows all but the last two."""

    kind: str
    name: str
    stride: int = 1
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    # Before and after, the same for rows and columns.
    pads: tuple[int, int] = (0, 0)
    # Height and width of the input and of the output.
    size_in: int = 1
    size_out: int = 1

    @property
    def macs(self) -> int:
        if self.weight is None:
            return 0
        return self.weight.size * self.size_out**2

    @property
    def output(self) -> list[int]:
        """The shape of the output, NHWC, of a layer with weights."""
        side = [] if self.kind == "dense" else [self.size_out] * 2
        return [1, *side, len(self.bias)]

    @property
    def kernel(self) -> int:
        return self.weight.shape[2]


def same_pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def layers(weights: Path, resolution: int) -> list[Layer]:
    """The layers with batch norm folded into weights and biases, in f64, rounded once: the same numbers for every engine."""
    from safetensors.numpy import load_file

    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(weights).items()}
    result: list[Layer] = []
    size = resolution

    def convolution(prefix: str, kind: str, name: str, stride: int) -> None:
        nonlocal size
        gamma, beta, mean, variance = (
            tensors[f"{prefix}.normalization.{p}"] for p in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        weight = (tensors[f"{prefix}.convolution.weight"] * scale[:, None, None, None]).astype(np.float32)
        bias = (beta - mean * scale).astype(np.float32)
        out = -(-size // stride)
        pads = same_pads(size, weight.shape[2], stride)
        result.append(Layer(kind, name, stride, weight, bias, pads, size, out))
        size = out

    convolution("mobilenet_v1.conv_stem", "conv", "stem", STRIDES[0])
    for i, stride in enumerate(STRIDES[1:]):
        convolution(f"mobilenet_v1.layer.{2 * i}", "depthwise", f"depthwise_{i + 1}", stride)
        convolution(f"mobilenet_v1.layer.{2 * i + 1}", "conv", f"pointwise_{i + 1}", 1)
    result.append(Layer("pool", "pool", size_in=size))
    weight, bias = (tensors[f"classifier.{p}"].astype(np.float32) for p in ("weight", "bias"))
    result.append(Layer("dense", "logits", weight=weight, bias=bias))
    return result


def macs(network: Network) -> int:
    """Multiply-adds of an inference, with 1001 classes."""

    def channels(c: int) -> int:
        return max(8, int(c * network.alpha))

    outputs = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    size, c_in = -(-network.resolution // 2), channels(32)
    total = size**2 * 27 * c_in
    for stride, c in zip(STRIDES[1:], outputs):
        size, c_out = -(-size // stride), channels(c)
        total += size**2 * c_in * (9 + c_out)
        c_in = c_out
    return total + c_in * 1001
