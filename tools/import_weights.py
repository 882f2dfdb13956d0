#!/usr/bin/env python3
"""Make models/mobilenet_v1_1.0_224.safetensors: MobileNetV1 1.0 224, ImageNet, 1001 classes.

The weights are Google's (tensorflow/models, Apache-2.0). The place to get them with an ordinary package client is the source
distribution of `nudity` 0.2.3 (MIT) on the Python Package Index: its frozen TensorFlow graph holds the whole original network,
f32, batch norm unfolded, with all 1001 logits (index 0 is the background). The two-class head that `nudity` puts on top of
those logits (`final_training_ops/*`) is not imported, and nothing below it was retrained.

Names and layouts are those of Hugging Face's `google/mobilenet_v1_*` checkpoints:

    mobilenet_v1.conv_stem.convolution.weight         [32, 3, 3, 3]   O, I, H, W
    mobilenet_v1.layer.{2(i-1)}.convolution.weight    [C, 1, 3, 3]    depthwise of block i = 1..13
    mobilenet_v1.layer.{2i-1}.convolution.weight      [O, I, 1, 1]    pointwise of block i
    <each of these>.normalization.{weight,bias,running_mean,running_var}
    classifier.weight, classifier.bias                [1001, 1024], [1001]

Convolution and classifier weights are rounded to f16, everything else stays f32. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import _fetch
import _graphdef
import _safetensors
from _fetch import ImportFailed

REQUIREMENT = "nudity==0.2.3"
SDIST_SHA256 = "d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f"
GRAPH = "nudity-0.2.3/nudity/files/retrained_graph.pb"
GRAPH_SHA256 = "3b90af536f810f5f75e9f6d431bc2e8a3c4fc2ff4f693aa0dd4ae429816f8735"

STEM = 32
BLOCKS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
CLASSES = 1001
EPSILON = np.float32(0.001)

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "models" / "mobilenet_v1_1.0_224.safetensors"

# Hugging Face's name of a batch-norm parameter -> TensorFlow's
NORMALIZATION = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def take(constants: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        tensor = constants[name]
    except KeyError:
        raise ImportFailed(f"the graph has no f32 constant {name}") from None
    if tensor.shape != shape:
        raise ImportFailed(f"{name} has shape {tensor.shape}, expected {shape}")
    if not np.isfinite(tensor).all():
        raise ImportFailed(f"{name} has values that are not finite")
    return tensor


def to_f16(name: str, tensor: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = tensor.astype("<f2")
    if not np.isfinite(half).all():
        raise ImportFailed(f"{name} has a value beyond the range of f16")
    return half


def convert(constants: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """TensorFlow's tensors -> Hugging Face's."""
    tensors: dict[str, np.ndarray] = {}

    def layer(prefix: str, scope: str, kind: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        name = f"{prefix}.convolution.weight"
        weights = take(constants, f"MobilenetV1/{scope}/{kind}", shape)
        tensors[name] = to_f16(name, weights.transpose(axes))
        channels = tensors[name].shape[0]
        for ours, theirs in NORMALIZATION.items():
            parameter = take(constants, f"MobilenetV1/{scope}/BatchNorm/{theirs}", (channels,))
            tensors[f"{prefix}.normalization.{ours}"] = parameter
        epsilon = take(constants, f"MobilenetV1/MobilenetV1/{scope}/BatchNorm/batchnorm/add/y", ())
        if epsilon != EPSILON:
            raise ImportFailed(f"{scope}: batch norm has epsilon {epsilon}, expected {EPSILON}")

    # H, W, I, O -> O, I, H, W; and for depthwise H, W, C, multiplier -> C, multiplier, H, W
    layer("mobilenet_v1.conv_stem", "Conv2d_0", "weights", (3, 3, 3, STEM), (3, 2, 0, 1))
    c_in = STEM
    for block, c_out in enumerate(BLOCKS, start=1):
        depthwise, pointwise = 2 * (block - 1), 2 * block - 1
        scope = f"Conv2d_{block}_depthwise"
        layer(f"mobilenet_v1.layer.{depthwise}", scope, "depthwise_weights", (3, 3, c_in, 1), (2, 3, 0, 1))
        scope = f"Conv2d_{block}_pointwise"
        layer(f"mobilenet_v1.layer.{pointwise}", scope, "weights", (1, 1, c_in, c_out), (3, 2, 0, 1))
        c_in = c_out

    head = "MobilenetV1/Logits/Conv2d_1c_1x1"
    weight = take(constants, f"{head}/weights", (1, 1, c_in, CLASSES))[0, 0].T
    tensors["classifier.weight"] = to_f16("classifier.weight", weight)
    tensors["classifier.bias"] = take(constants, f"{head}/biases", (CLASSES,))
    return tensors


METADATA = {
    "format": "pt",
    "model": "mobilenet_v1_1.0_224",
    "classes": str(CLASSES),
    "image_size": "224",
    "depth_multiplier": "1.0",
    "batch_norm_epsilon": "0.001",
    "padding": "tensorflow-same",
    "activation": "relu6",
    "labels": "index 0 is the background, 1..1000 are the ImageNet classes in order",
    "dtype": "weights of convolutions and classifier rounded to f16, the rest f32",
    "origin": "tensorflow/models, MobileNetV1 1.0 224 trained on ImageNet",
    "license": "Apache-2.0",
    "source": "PyPI nudity 0.2.3, nudity/files/retrained_graph.pb, without final_training_ops/*",
    "source_sha256": GRAPH_SHA256,
    "source_archive_sha256": SDIST_SHA256,
    "converter": "tools/import_weights.py",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Without --graph or --sdist the source distribution is downloaded with pip and checked against its sha256.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--sdist", type=Path, metavar="FILE", help="use this nudity-0.2.3.tar.gz, download nothing")
    source.add_argument("--graph", type=Path, metavar="FILE", help="use this retrained_graph.pb, download nothing")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE", help="default: %(default)s")
    arguments = parser.parse_args()

    if arguments.graph is not None:
        try:
            graph = arguments.graph.read_bytes()
        except OSError as error:
            raise ImportFailed(f"cannot read {arguments.graph}: {error.strerror}") from error
    else:
        sdist = _fetch.open_distribution(arguments.sdist, REQUIREMENT, SDIST_SHA256, "--no-binary", "nudity")
        graph = sdist.read(GRAPH)
    _fetch.expect_sha256(graph, GRAPH_SHA256, "retrained_graph.pb")

    try:
        constants = _graphdef.float_constants(graph)
    except _graphdef.Malformed as error:
        raise ImportFailed(f"retrained_graph.pb: {error}") from error
    tensors = convert(constants)
    data = _safetensors.write(arguments.output, tensors, METADATA)
    print(f"{arguments.output}: {len(tensors)} tensors, {len(data)} bytes, sha256 {_fetch.sha256(data)}")


if __name__ == "__main__":
    _fetch.run(main)
