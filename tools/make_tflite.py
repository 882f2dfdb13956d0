#!/usr/bin/env python3
"""Make tests/golden/tflite/: small TensorFlow Lite models, and what TensorFlow Lite computes for every tensor of them.

    python3 -m venv VENV && VENV/bin/pip install -r tools/requirements-tflite.txt
    VENV/bin/python tools/make_tflite.py            # models and outputs
    VENV/bin/python tools/make_tflite.py --check    # the outputs again, from the models that are there

The models have seeded weights and batch norms, and are calibrated on smooth seeded images. TensorFlow's converter makes them;
those called `old_*` are made by _tflite_old.py in the form of 2017 (uint8, one scale and zero point for all weights of a layer),
which that converter can no longer write. Where calibration measured an f32 network, a scale's last bit may depend on the CPU,
so a model that is made again may differ a little. What is computed from a model does not: that is what --check compares.

`<model>.safetensors` has for its images `k` = 0 and 1, with the numbers that tensors have in the file:

    input.<k>                 what the graph is given
    xnnpack.<tensor>.<k>      what TensorFlow Lite computes with its default delegate, XNNPACK, for every tensor that an operator
                              writes. All of them are made results of the graph, so that the delegate computes each; this
                              changes no bit of the last one, which is asserted
    reference.<tensor>.<k>    what the built-in reference kernels compute for the operator that writes the tensor, from the
                              xnnpack values of what it takes: differences do not add up

`reference` is only there for quantised tensors, and only where it differs from `xnnpack` by a bit. Metadata, all strings:

    model, model_sha256, script
    engine                    ai-edge-litert's version
    images                    2
    name.<tensor>, operator.<tensor>    its name, and the kind and index of what writes it: "CONV_2D 0"
    by.<tensor>               "xnnpack" or, where the delegate left the operator to TensorFlow Lite's own kernels, "tflite"
    differs.<tensor>          quantised tensors: how many elements of both images differ from the reference, and by how much at most

Nothing is written unless _tflite_rules.py, in numpy, gives the same bits as XNNPACK for every quantised tensor.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# Before the import. One thread and no oneDNN: sums in one order.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")

import numpy as np

import _safetensors
import _tflite
import _tflite_old
import _tflite_rules

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "tflite"
EPSILON = 1e-3
IMAGES = 2
CALIBRATION = 24
# Of f32 tensors, relative to the largest of the tensor: XNNPACK's last bits depend on the CPU.
TOLERANCE = 1e-5


# ------------------------------------------------------------------------------------------------------------------ seeds


def generator(name: str, seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def smooth(name: str, seed: int, height: int, width: int) -> np.ndarray:
    """An image [1, H, W, 3] in [-1, 1]: waves of at most two periods, with a colour each."""
    g = generator(name, seed)
    y, x = np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij")
    image = np.zeros((height, width, 3)) + g.uniform(-0.4, 0.4, 3)
    for _ in range(6):
        fy, fx, phase = g.uniform(-2, 2), g.uniform(-2, 2), g.uniform(0, 2 * np.pi)
        image += np.cos(2 * np.pi * (fy * y + fx * x) + phase)[..., None] * g.uniform(-0.5, 0.5, 3)
    return np.clip(image, -1, 1).astype(np.float32)[None]


class Layers:
    """The layers of a network, with weights that depend on the seed and on how many layers came before."""

    def __init__(self, seed: int) -> None:
        import tensorflow

        self.tf, self.seed, self.count = tensorflow, seed, 0

    def generator(self, kind: str) -> np.random.Generator:
        self.count += 1
        return generator(f"{kind}_{self.count}", self.seed)

    def conv(self, x, c_out: int | None = None, kernel: int = 3, stride: int = 1, act: str = "relu6", padding: str = "SAME"):
        """Without `c_out` depthwise. Weights and batch norm vary from channel to channel, by a factor of e^2.4."""
        tf = self.tf
        depthwise, c_in = c_out is None, x.shape[3]
        g = self.generator("depthwise" if depthwise else "conv")
        channels = c_in if depthwise else c_out
        fan_in = kernel * kernel * (1 if depthwise else c_in)
        spread = np.exp(g.uniform(-1.2, 1.2, channels))
        weight = g.uniform(-1, 1, (kernel, kernel, c_in, 1 if depthwise else c_out)) * np.sqrt(6 / fan_in)
        weight *= spread[:, None] if depthwise else spread
        gamma, beta = g.uniform(0.6, 1.4, channels), g.uniform(-0.4, 0.9, channels)
        mean, variance = g.uniform(-0.3, 0.3, channels) * spread, g.uniform(0.4, 1.6, channels) * spread**2
        weight, gamma, beta, mean, variance = (tf.constant(v, tf.float32) for v in (weight, gamma, beta, mean, variance))
        convolution = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
        y = convolution(x, weight, [1, stride, stride, 1], padding)
        y, *_ = tf.compat.v1.nn.fused_batch_norm(y, gamma, beta, mean, variance, epsilon=EPSILON, is_training=False)
        return {"relu6": tf.nn.relu6, "relu": tf.nn.relu, "none": tf.identity}[act](y)

    def dense(self, x, c_out: int):
        """CONV_2D of a four-dimensional x, or FULLY_CONNECTED."""
        tf = self.tf
        g = self.generator("dense")
        c_in = x.shape[-1]
        weight = tf.constant(g.normal(0, 3 / np.sqrt(c_in), (c_in, c_out)), tf.float32)
        bias = tf.constant(g.uniform(-1, 1, c_out), tf.float32)
        if len(x.shape) == 4:
            return tf.nn.bias_add(tf.nn.conv2d(x, weight[None, None], [1, 1, 1, 1], "VALID"), bias)
        return tf.nn.bias_add(tf.matmul(x, weight), bias)

    def pool(self, x, window: tuple[int, int], stride: int = 1, padding: str = "VALID"):
        return self.tf.nn.avg_pool2d(x, window, stride, padding)


# --------------------------------------------------------------------------------------------------------------- networks


def v1(n: Layers, x, blocks: list[tuple[int, int]], end: str, classes: int):
    x = n.conv(x, 8, stride=2)
    for stride, c in blocks:
        x = n.conv(n.conv(x, stride=stride), c, kernel=1)
    if end == "mean":
        x = n.dense(n.tf.reduce_mean(x, [1, 2], keepdims=True), classes)
        return n.tf.nn.softmax(n.tf.squeeze(x, [1, 2]))
    x = n.pool(x, x.shape[1:3])
    if end == "logits":
        return n.dense(n.tf.reshape(x, [1, x.shape[3]]), classes)
    return n.tf.nn.softmax(n.tf.reshape(n.dense(x, classes), [1, classes]))


V1 = [(1, 16), (2, 24), (1, 32), (2, 48), (1, 64)]


def v2(n: Layers, x, explicit: bool):
    """`explicit`: the padding of a stride of 2 is an operator, and one pixel on every side whatever the size."""

    def conv(x, stride: int, c: int | None = None):
        if stride == 2 and explicit:
            return n.conv(n.tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), c, stride=2, padding="VALID")
        return n.conv(x, c, stride=stride)

    x = conv(x, 2, 10)
    x = n.conv(conv(x, 1), 5, kernel=1, act="none")
    for stride, c in [(2, 9), (1, 9), (2, 19), (1, 19), (1, 19), (1, 21)]:
        y = n.conv(conv(n.conv(x, 6 * x.shape[3], kernel=1), stride), c, kernel=1, act="none")
        x = x + y if stride == 1 and c == x.shape[3] else y
    x = n.conv(x, 71, kernel=1)
    return n.tf.nn.softmax(n.dense(n.tf.reduce_mean(x, [1, 2]), 13))


def odd(n: Layers, x):
    """What the two networks have not: windows, a padded pool, ReLU, an activation after ADD, MEAN of a flat image, one row."""
    tf = n.tf
    x = n.conv(x, 7, stride=1, act="relu", padding="VALID")
    a = n.pool(x, (2, 2), 2)
    b = n.pool(n.conv(x, stride=1, act="none"), (3, 3), 2, "SAME")
    b = n.conv(b, act="relu")[:, : a.shape[1], : a.shape[2]] if b.shape != a.shape else n.conv(b, act="relu")
    x = tf.nn.relu(n.conv(a, 17, kernel=1, act="none") + n.conv(b, 17, kernel=1, act="none"))
    x = n.conv(x, stride=2, padding="VALID")
    x = tf.nn.relu6(n.conv(x, 17, kernel=1, act="none") + x)
    x = tf.reshape(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 17])
    return n.dense(x, 3)


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    height: int
    width: int
    network: Callable
    # f32, f16 (weights), int8, or old: see _tflite_old.py
    form: str = "int8"
    # Of the graph's input and output.
    io: str = "int8"
    per_channel: bool = True


CASES = [
    Case("v1_f32", 1, 25, 31, lambda n, x: v1(n, x, V1, "softmax", 10), "f32"),
    Case("v1_f16", 1, 25, 31, lambda n, x: v1(n, x, V1, "softmax", 10), "f16"),
    Case("v1_int8", 2, 40, 32, lambda n, x: v1(n, x, V1, "mean", 10)),
    Case("v1_int8_f32_io", 3, 25, 31, lambda n, x: v1(n, x, V1, "logits", 11), io="float32"),
    Case("v1_int8_u8_io", 4, 32, 32, lambda n, x: v1(n, x, V1[:3], "softmax", 10), io="uint8"),
    Case("v1_int8_per_tensor", 5, 32, 32, lambda n, x: v1(n, x, V1[:3], "softmax", 10), per_channel=False),
    Case("v2_f32", 6, 17, 21, lambda n, x: v2(n, x, False), "f32"),
    Case("v2_int8", 6, 19, 25, lambda n, x: v2(n, x, False)),
    Case("v2_int8_pad", 7, 20, 28, lambda n, x: v2(n, x, True)),
    Case("odd_int8", 8, 16, 20, odd),
    Case("old_v1_uint8", 9, 40, 32, lambda n, x: v1(n, x, V1, "softmax", 10), "old"),
    Case("old_v2_uint8", 10, 19, 25, lambda n, x: v2(n, x, False), "old"),
    Case("old_v2_uint8_pad", 11, 20, 28, lambda n, x: v2(n, x, True), "old"),
    Case("old_odd_uint8", 12, 16, 20, odd, "old"),
]  # fmt: skip


def convert(case: Case) -> bytes:
    import tensorflow as tf

    n = Layers(case.seed)
    images = [smooth(f"calibration {i}", case.seed, case.height, case.width) for i in range(CALIBRATION)]
    signature = [tf.TensorSpec(images[0].shape, tf.float32, name="input")]
    graph = tf.function(lambda x: case.network(n, x), input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    if case.form == "f16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    elif case.form == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(case.io)
        converter._experimental_disable_per_channel = not case.per_channel
    data = converter.convert()
    if case.form == "old":
        return _tflite_old.quantise(data, images)
    # Without what says when and where it was made.
    model = _tflite.read(data)
    return _tflite.with_outputs(model, model.subgraphs[0].outputs)


# ---------------------------------------------------------------------------------------------------------------- outputs


def input_of(case: Case, model, k: int) -> np.ndarray:
    """Image `k` as the graph's input takes it."""
    image = smooth(f"image {k}", case.seed, case.height, case.width)
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    dtype = _tflite.DTYPES[tensor.type]
    if dtype.kind == "f":
        return image
    (scale,), (zero,) = _tflite.quantization(tensor)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.clip(np.rint(image.astype(np.float64) / scale) + zero, low, high).astype(dtype)


def golden(case: Case, data: bytes) -> tuple[bytes, list[str]]:
    """The file's bytes, and lines for people."""
    model = _tflite.read(data)
    graph = model.subgraphs[0]
    constants = {i: c for i in range(len(graph.tensors)) if (c := _tflite.constant(model, i)) is not None}
    # What depends on no input (weights in f16) is no result that a graph can have.
    fixed = set(constants)
    for operator in graph.operators:
        if all(i < 0 or i in fixed for i in operator.inputs):
            fixed.update(int(i) for i in operator.outputs)
    operators = [o for o in graph.operators if int(o.outputs[0]) not in fixed]
    whole, every = _tflite.Run(data, xnnpack=True), [int(o.outputs[0]) for o in operators]
    apart = _tflite.Run(_tflite.with_outputs(model, every), xnnpack=True)
    alone = {int(o.outputs[0]): _tflite.single(model, o) for o in operators}
    start, last = int(graph.inputs[0]), int(graph.outputs[0])

    tensors: dict[str, np.ndarray] = {}
    facts = {
        "model": f"{case.name}.tflite",
        "model_sha256": hashlib.sha256(data).hexdigest(),
        "script": f"tools/{Path(__file__).name}",
        "engine": f"ai-edge-litert {metadata.version('ai-edge-litert')}",
        "images": str(IMAGES),
    }
    differs = {i: [0, 0, 0] for i in every}
    for k in range(IMAGES):
        x = input_of(case, model, k)
        tensors[f"input.{k}"] = x
        values = {start: x, **apart({start: x})}
        if values[last].tobytes() != whole({start: x})[last].tobytes():
            sys.exit(f"error: {case.name}: with every tensor a result, the last one is not what it was")
        for operator in operators:
            index = int(operator.outputs[0])
            tensors[f"xnnpack.{index}.{k}"] = values[index]
            if values[index].dtype.kind == "f" and _tflite.kind(model, operator) != "DEQUANTIZE":
                continue
            ours = _tflite_rules.compute(model, operator, {**constants, **values})
            count = int((ours != values[index]).sum())
            if count:
                message = f"{case.name}: tensor {index} ({_tflite.kind(model, operator)}): {count} elements of {ours.size}"
                sys.exit(f"error: {message} are not what the rules say")
            single, taken = alone[index]
            reference = _tflite.Run(single, xnnpack=False)({i: values[i] for i in taken})[index]
            step = np.abs(reference.astype(np.float64) - values[index])
            differs[index][0] += int((step != 0).sum())
            differs[index][1] = max(differs[index][1], int(np.ceil(step.max())))
            differs[index][2] += step.size
            if step.any():
                tensors[f"reference.{index}.{k}"] = reference
    lines = []
    for i, operator in enumerate(graph.operators):
        index = int(operator.outputs[0])
        if index in fixed:
            continue
        kind = _tflite.kind(model, operator)
        facts[f"name.{index}"] = _tflite.text(graph.tensors[index].name)
        facts[f"operator.{index}"] = f"{kind} {i}"
        facts[f"by.{index}"] = "xnnpack" if index in apart.delegated() else "tflite"
        count, most, size = differs[index]
        if size:
            facts[f"differs.{index}"] = f"{count} of {size} by {most}"
        lines.append(f"    {kind:18}{facts[f'by.{index}']:9}{count:6} of {size:6} by {most}")
    return _safetensors.serialize(tensors, facts), lines


def same(path: Path, data: bytes) -> bool:
    """Integers to the bit; f32 within the tolerance."""
    if not path.is_file():
        return False
    before, after = _safetensors.parse(path.read_bytes()), _safetensors.parse(data)
    if before[1] != after[1] or before[0].keys() != after[0].keys():
        return False
    for name, new in after[0].items():
        old = before[0][name]
        if old.shape != new.shape or old.dtype != new.dtype:
            return False
        if new.dtype.kind != "f":
            if (old != new).any():
                return False
        elif np.abs(old - new).max() > TOLERANCE * np.abs(new).max():
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=GOLDEN, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the outputs of DIR's models differ")
    parser.add_argument("--outputs", action="store_true", help="keep DIR's models, write their outputs")
    parser.add_argument("--only", metavar="MODEL", help="of one model")
    parser.add_argument("--verbose", action="store_true", help="print every tensor's difference from the reference kernels")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    changed, total = [], 0
    for case in CASES:
        if arguments.only not in (None, case.name):
            continue
        path = arguments.output / f"{case.name}.tflite"
        data = path.read_bytes() if arguments.check or arguments.outputs else convert(case)
        outputs, lines = golden(case, data)
        total += len(data) + len(outputs)
        print(f"{case.name}: {len(data)} + {len(outputs)} bytes", *(lines if arguments.verbose else []), sep="\n")
        if not arguments.check:
            path.write_bytes(data)
            path.with_suffix(".safetensors").write_bytes(outputs)
        elif not same(path.with_suffix(".safetensors"), outputs):
            changed.append(case.name)
    print(f"{total} bytes")
    if changed:
        sys.exit(f"error: not what is in {arguments.output}: {', '.join(changed)}")


if __name__ == "__main__":
    main()
