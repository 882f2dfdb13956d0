#!/usr/bin/env python3
"""Make tests/golden/: what another engine (ONNX Runtime) computes for MobileNetV1, layer by layer.

Every case is run twice: by ONNX Runtime in f32, graph optimisations off, batch norm as its own node, TensorFlow SAME padding as
ONNX's SAME_UPPER; and by a forward in numpy float64 below, which shares nothing with it but the weights and which spells the
padding out. The two must agree (see TOLERANCE_SEEDED) or nothing is written.

Files
-----
`<case>.safetensors` has one f32 tensor for each recorded layer: `conv_stem`, `separable_1` .. `separable_13` (a block's output,
after its pointwise convolution, batch norm and activation), `pool` and `logits`. A layer with at most 4096 elements is there
whole, with its NHWC shape (`pool` and `logits`: [N, C]). Of a larger one there is a flat sample: the elements at the NHWC indices
0, step, 2 step, ... below n, where step is the smallest integer >= ceil(n / 4096) that has no common factor with the number of
channels (so that a sample visits every channel). Metadata, all strings:

    case, alpha, height, width, batch, classes, activation (relu6 | relu)
    shape.<layer>   the whole layer's shape, "1,17,24,8"
    step.<layer>    the step, "1" if the layer is whole
    seed            seeded cases only
    photo, weights, weights_sha256, top1   photo cases only

`<photo>.input.npy` is the uint8 [1, 224, 224, 3] tensor of a photo case; the network's input is x / 127.5 - 1 in f32, which is
one division and one subtraction. It is made as Google evaluates MobileNets: the central 87.5 % of both sides (aspect ratio not
kept), bilinear at half-pixel centres, no antialiasing, rounded to the nearest integer.

Network
-------
Channels are max(8, int(c * alpha)); batch norm has epsilon 1e-3. SAME padding of a 3x3 convolution: stride 1 pads 1 and 1;
stride 2 pads 0 before and 1 after an even size, 1 and 1 an odd one.

Weights of the seeded cases
---------------------------
The tensor called `name` (Hugging Face's names and layouts, see import_weights.py), seed s, element i in row-major order:

    h = FNV-1a-64(name)                              offset basis 0xCBF29CE484222325, prime 0x100000001B3
    z = (h ^ (s * G)) + (i + 1) * G                  G = 0x9E3779B97F4A7C15, everything modulo 2^64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    z =  z ^ (z >> 31)
    u = (z >> 40) / 2^24                             f64, in [0, 1)

and the value, computed in f64 as written, every operation rounded, then rounded once to f32:

    *.convolution.weight, classifier.weight          (2u - 1) * sqrt(6 / fan_in)
        fan_in: 27 for the stem, 9 for depthwise, the number of input channels for pointwise and classifier
    *.normalization.weight                           0.75 + 0.5u
    *.normalization.bias                             (2u - 1) * 0.5 + 0.25
    *.normalization.running_mean                     (2u - 1) * 0.2
    *.normalization.running_var                      0.5 + u
    classifier.bias                                  (2u - 1) * 0.5
    input                                            2u - 1, shape [N, H, W, 3]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import load, load_file

import _safetensors

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "mobilenet_v1_1.0_224.safetensors"
LABELS = ROOT / "models" / "imagenet_labels.txt"
PHOTOS = ROOT / "tests" / "photos"
GOLDEN = ROOT / "tests" / "golden"

STEM = 32
BLOCKS = [  # stride of the depthwise, output channels of the pointwise
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]  # fmt: skip
EPSILON = 1e-3
SAMPLES = 4096
# Largest difference between ONNX Runtime's f32 and the f64 forward, relative to the largest magnitude of that layer. Trained
# networks amplify f32's rounding more than seeded ones: their batch norms divide by the deviation of nearly constant channels.
TOLERANCE_SEEDED = 1e-5
TOLERANCE_TRAINED = 5e-5

LAYERS = ["conv_stem", *(f"separable_{i}" for i in range(1, 14)), "pool", "logits"]
HANDFUL = ["conv_stem", *(f"separable_{i}" for i in (1, 2, 5, 9, 12, 13)), "pool", "logits"]


@dataclass(frozen=True)
class Case:
    name: str
    alpha: float
    height: int
    width: int
    seed: int | None = None  # None: the default model's weights
    batch: int = 1
    classes: int = 1001
    activation: str = "relu6"
    layers: list[str] = field(default_factory=lambda: HANDFUL)
    photo: str | None = None


PHOTO_CASES = [
    Case("chelsea", 1.0, 224, 224, photo="chelsea.png"),
    Case("coffee", 1.0, 224, 224, photo="coffee.png"),
    Case("rocket", 1.0, 224, 224, photo="rocket.jpg"),
]
SEEDED_CASES = [
    Case("v1_0.25_33x47", 0.25, 33, 47, seed=1, layers=LAYERS),
    Case("v1_0.25_128x128", 0.25, 128, 128, seed=2),
    Case("v1_0.5_65x65_batch2", 0.5, 65, 65, seed=3, batch=2),
    Case("v1_0.75_63x96_relu", 0.75, 63, 96, seed=4, activation="relu"),
    Case("v1_1.0_32x32_1000", 1.0, 32, 32, seed=5, classes=1000),
    # Below every rounding of channels: 8, 8, 12, 12, 25, 25, 51, ..., 102; and an image smaller than the receptive field.
    Case("v1_0.1_24x40", 0.1, 24, 40, seed=6, layers=LAYERS),
    Case("v1_0.25_5x3", 0.25, 5, 3, seed=7, layers=LAYERS),
]


# ---------------------------------------------------------------------------------------------------------------- weights

G = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fnv1a64(text: str) -> int:
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def uniform(name: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """The f64 values `u` in [0, 1) of the module's documentation."""
    start = np.uint64(fnv1a64(name) ^ ((seed * G) & MASK))
    z = start + np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(G)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) / 2.0**24).reshape(shape)


def channels(c: int, alpha: float) -> int:
    return max(8, int(c * alpha))


def tensor_shapes(alpha: float, classes: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor, in the order of the network."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(prefix: str, shape: tuple[int, ...]) -> None:
        shapes[f"{prefix}.convolution.weight"] = shape
        for parameter in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{prefix}.normalization.{parameter}"] = (shape[0],)

    c_in = channels(STEM, alpha)
    layer("mobilenet_v1.conv_stem", (c_in, 3, 3, 3))
    for block, (_, c) in enumerate(BLOCKS):
        c_out = channels(c, alpha)
        layer(f"mobilenet_v1.layer.{2 * block}", (c_in, 1, 3, 3))
        layer(f"mobilenet_v1.layer.{2 * block + 1}", (c_out, c_in, 1, 1))
        c_in = c_out
    shapes["classifier.weight"] = (classes, c_in)
    shapes["classifier.bias"] = (classes,)
    return shapes


def seeded_tensor(name: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    u = uniform(name, seed, shape)
    symmetric = 2.0 * u - 1.0
    if name == "input":
        value = symmetric
    elif name.endswith(".normalization.weight"):
        value = 0.75 + 0.5 * u
    elif name.endswith(".normalization.bias"):
        value = symmetric * 0.5 + 0.25
    elif name.endswith(".normalization.running_mean"):
        value = symmetric * 0.2
    elif name.endswith(".normalization.running_var"):
        value = 0.5 + u
    elif name == "classifier.bias":
        value = symmetric * 0.5
    else:
        value = symmetric * math.sqrt(6.0 / math.prod(shape[1:]))
    return value.astype(np.float32)


def weights_of(case: Case) -> dict[str, np.ndarray]:
    shapes = tensor_shapes(case.alpha, case.classes)
    if case.seed is not None:
        return {name: seeded_tensor(name, case.seed, shape) for name, shape in shapes.items()}
    weights = {name: tensor.astype(np.float32) for name, tensor in load_file(MODEL).items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    if found != shapes:
        sys.exit(f"error: {MODEL} does not hold exactly the tensors of MobileNetV1")
    return weights


# ------------------------------------------------------------------------------------------------------------------ input


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [size, size, 3]: bilinear, half-pixel centres, edges clamped, no antialiasing."""

    def axis(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, length - 1), at - low

    y0, y1, fy = axis(image.shape[0])
    x0, x1, fx = axis(image.shape[1])
    image = image.astype(np.float64)
    rows = image[y0] * (1 - fy)[:, None, None] + image[y1] * fy[:, None, None]
    out = rows[:, x0] * (1 - fx)[None, :, None] + rows[:, x1] * fx[None, :, None]
    return np.rint(out).astype(np.uint8)


def photo_tensor(path: Path, size: int = 224) -> np.ndarray:
    with Image.open(path) as file:
        image = np.asarray(file.convert("RGB"))
    height, width, _ = image.shape
    top, left = int(height * 0.0625), int(width * 0.0625)
    return resize(image[top : height - top, left : width - left], size)[None]


def input_of(case: Case) -> tuple[np.ndarray, np.ndarray | None]:
    """The network's f32 input, and the uint8 tensor it is made of if the case is a photo."""
    if case.photo is None:
        return seeded_tensor("input", case.seed, (case.batch, case.height, case.width, 3)), None
    pixels = photo_tensor(PHOTOS / case.photo)
    return np.float32(pixels) / np.float32(127.5) - np.float32(1), pixels


# ------------------------------------------------------------------------------------------------- engine 1: ONNX Runtime


def onnx_forward(case: Case, weights: dict[str, np.ndarray], x: np.ndarray) -> dict[str, np.ndarray]:
    """All layers, NHWC, computed by ONNX Runtime in f32."""
    nodes = []
    initializers = [numpy_helper.from_array(tensor, name) for name, tensor in weights.items()]
    if case.activation == "relu6":
        initializers += [numpy_helper.from_array(np.float32(v), n) for n, v in (("zero", 0), ("six", 6))]

    def conv_bn_act(x: str, prefix: str, kernel: int, stride: int, groups: int, out: str) -> str:
        weight = f"{prefix}.convolution.weight"
        padding = {"auto_pad": "SAME_UPPER"} if kernel == 3 else {}
        nodes.append(
            helper.make_node(
                "Conv", [x, weight], [f"{out}/conv"],
                kernel_shape=[kernel, kernel], strides=[stride, stride], group=groups, **padding,
            )
        )  # fmt: skip
        parameters = [f"{prefix}.normalization.{p}" for p in ("weight", "bias", "running_mean", "running_var")]
        nodes.append(
            helper.make_node("BatchNormalization", [f"{out}/conv", *parameters], [f"{out}/bn"], epsilon=EPSILON)
        )
        if case.activation == "relu6":
            nodes.append(helper.make_node("Clip", [f"{out}/bn", "zero", "six"], [out]))
        else:
            nodes.append(helper.make_node("Relu", [f"{out}/bn"], [out]))
        return out

    nodes.append(helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]))
    at = conv_bn_act("nchw", "mobilenet_v1.conv_stem", 3, 2, 1, "conv_stem")
    for block, (stride, _) in enumerate(BLOCKS):
        depthwise = f"mobilenet_v1.layer.{2 * block}"
        groups = weights[f"{depthwise}.convolution.weight"].shape[0]
        at = conv_bn_act(at, depthwise, 3, stride, groups, f"depthwise_{block + 1}")
        at = conv_bn_act(at, f"mobilenet_v1.layer.{2 * block + 1}", 1, 1, 1, f"separable_{block + 1}")
    nodes.append(helper.make_node("GlobalAveragePool", [at], ["pool4"]))
    nodes.append(helper.make_node("Flatten", ["pool4"], ["pool"]))
    nodes.append(helper.make_node("Gemm", ["pool", "classifier.weight", "classifier.bias"], ["logits"], transB=1))

    ranks = {name: 2 if name in ("pool", "logits") else 4 for name in LAYERS}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * ranks[name]) for name in LAYERS]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(x.shape))]
    graph = helper.make_graph(nodes, "mobilenet_v1", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = dict(zip(LAYERS, session.run(LAYERS, {"input": x})))
    return {name: r.transpose(0, 2, 3, 1) if r.ndim == 4 else r for name, r in results.items()}


# -------------------------------------------------------------------------------------------- engine 2: numpy, in float64


def pads(size: int, stride: int) -> tuple[int, int]:
    return (0, 1) if stride == 2 and size % 2 == 0 else (1, 1)


def numpy_forward(case: Case, weights: dict[str, np.ndarray], x: np.ndarray) -> dict[str, np.ndarray]:
    """All layers, NHWC, computed in f64."""
    layers = {}
    w64 = {name: tensor.astype(np.float64) for name, tensor in weights.items()}

    def finish(x: np.ndarray, prefix: str) -> np.ndarray:
        p = {k: w64[f"{prefix}.normalization.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}
        x = (x - p["running_mean"]) / np.sqrt(p["running_var"] + EPSILON) * p["weight"] + p["bias"]
        return np.clip(x, 0, 6 if case.activation == "relu6" else None)

    def taps(x: np.ndarray, stride: int):
        """(ky, kx, the input element under that tap for each output pixel) of a 3x3 window."""
        _, height, width, _ = x.shape
        padded = np.pad(x, ((0, 0), pads(height, stride), pads(width, stride), (0, 0)))
        rows, columns = -(-height // stride), -(-width // stride)
        for ky in range(3):
            for kx in range(3):
                yield ky, kx, padded[:, ky : ky + stride * rows : stride, kx : kx + stride * columns : stride][:, :rows, :columns]

    weight = w64["mobilenet_v1.conv_stem.convolution.weight"]
    x = sum(tap @ weight[:, :, ky, kx].T for ky, kx, tap in taps(x.astype(np.float64), 2))
    x = layers["conv_stem"] = finish(x, "mobilenet_v1.conv_stem")
    for block, (stride, _) in enumerate(BLOCKS):
        prefix = f"mobilenet_v1.layer.{2 * block}"
        weight = w64[f"{prefix}.convolution.weight"]
        x = finish(sum(tap * weight[:, 0, ky, kx] for ky, kx, tap in taps(x, stride)), prefix)
        prefix = f"mobilenet_v1.layer.{2 * block + 1}"
        x = finish(x @ w64[f"{prefix}.convolution.weight"][:, :, 0, 0].T, prefix)
        layers[f"separable_{block + 1}"] = x
    layers["pool"] = x.mean(axis=(1, 2))
    layers["logits"] = layers["pool"] @ w64["classifier.weight"].T + w64["classifier.bias"]
    return layers


# ----------------------------------------------------------------------------------------------------------------- output


def compare(case: Case, got: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> float:
    """The largest relative difference of any layer; exits if it is above the tolerance."""
    tolerance = TOLERANCE_TRAINED if case.seed is None else TOLERANCE_SEEDED
    worst = 0.0
    for name in LAYERS:
        if got[name].shape != exact[name].shape or not np.isfinite(got[name]).all():
            sys.exit(f"error: {case.name}: {name}: {got[name].shape} against {exact[name].shape}, or not finite")
        difference = np.abs(got[name] - exact[name]).max() / np.abs(exact[name]).max()
        if not difference <= tolerance:
            sys.exit(f"error: {case.name}: {name}: ONNX Runtime and float64 differ by {difference:.2e}")
        worst = max(worst, float(difference))
    return worst


def sample_step(shape: tuple[int, ...]) -> int:
    step = -(-math.prod(shape) // SAMPLES)
    while math.gcd(step, shape[-1]) != 1 and step > 1:
        step += 1
    return step


def file_of(case: Case, layers: dict[str, np.ndarray]) -> bytes:
    metadata = {
        "case": case.name,
        "alpha": str(case.alpha),
        "height": str(case.height),
        "width": str(case.width),
        "batch": str(case.batch),
        "classes": str(case.classes),
        "activation": case.activation,
        "engine": f"onnxruntime {onnxruntime.__version__}",
    }
    if case.seed is not None:
        metadata["seed"] = str(case.seed)
    else:
        metadata["photo"] = f"tests/photos/{case.photo}"
        metadata["weights"] = f"models/{MODEL.name}"
        metadata["weights_sha256"] = hashlib.sha256(MODEL.read_bytes()).hexdigest()
        metadata["top1"] = str(int(layers["logits"].argmax()))
    tensors = {}
    for name in case.layers:
        layer = layers[name]
        step = sample_step(layer.shape)
        metadata[f"shape.{name}"] = ",".join(map(str, layer.shape))
        metadata[f"step.{name}"] = str(step)
        tensors[name] = layer if step == 1 else np.ascontiguousarray(layer).reshape(-1)[::step]
    return _safetensors.serialize(tensors, metadata)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def same(path: Path, data: bytes) -> bool:
    """Is the file what `data` is? ONNX Runtime's last bits depend on the CPU, so layers may differ by the tolerance."""
    if not path.is_file():
        return False
    old = path.read_bytes()
    if old == data or path.suffix == ".npy":
        return old == data
    before, after = load(old), load(data)
    if before.keys() != after.keys():
        return False
    return all(
        before[name].shape == after[name].shape
        and np.abs(before[name] - after[name]).max() <= 2 * TOLERANCE_TRAINED * np.abs(after[name]).max()
        for name in after
    )


def print_top5(logits: np.ndarray) -> None:
    labels = LABELS.read_text().splitlines()
    z = np.exp(logits[0].astype(np.float64) - logits[0].max())
    p = z / z.sum()
    for k in np.argsort(-p)[:5]:
        print(f"    {p[k]:8.6f}  logit {logits[0][k]:9.6f}  {k:4d}  {labels[k]}")


def print_statistics(layers: dict[str, np.ndarray]) -> None:
    for name, layer in layers.items():
        print(
            f"    {name:13} {str(layer.shape):20} mean {layer.mean():8.4f} std {layer.std():8.4f} max {layer.max():9.4f}"
            f"  zero {np.mean(layer == 0):5.1%}  six {np.mean(layer == 6):5.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=GOLDEN, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if DIR differs by more than rounding")
    parser.add_argument("--statistics", action="store_true", help="print mean, deviation and saturation of every layer")
    arguments = parser.parse_args()

    for path in (MODEL, LABELS, *(PHOTOS / case.photo for case in PHOTO_CASES)):
        if not path.is_file():
            sys.exit(f"error: {path} is missing: run the import_*.py tools first")

    files: dict[str, bytes] = {}
    for case in PHOTO_CASES + SEEDED_CASES:
        weights = weights_of(case)
        x, pixels = input_of(case)
        layers = onnx_forward(case, weights, x)
        worst = compare(case, layers, numpy_forward(case, weights, x))
        files[f"{case.name}.safetensors"] = file_of(case, layers)
        if pixels is not None:
            files[f"{case.name}.input.npy"] = npy(pixels)
        print(f"{case.name}: {len(files[f'{case.name}.safetensors'])} bytes, differs from float64 by {worst:.1e}")
        if case.photo:
            print_top5(layers["logits"])
        if arguments.statistics:
            print_statistics(layers)

    if arguments.check:
        changed = [name for name, data in files.items() if not same(arguments.output / name, data)]
        if changed:
            sys.exit(f"error: differs from what is in {arguments.output}: {', '.join(changed)}")
        print(f"all {len(files)} files are as they were")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (arguments.output / name).write_bytes(data)


if __name__ == "__main__":
    main()
