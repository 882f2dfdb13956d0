#!/usr/bin/env python3
"""Compare _tflite_rules.py with TensorFlow Lite on random problems of one operator each, to the bit: ties, saturation, any scale.

    VENV/bin/python tools/check_tflite_rules.py [--trials N] [--seed S] [OPERATOR ...]

VENV as for make_tflite.py. Prints, for each operator and type, who computes it and how many elements differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

import _tflite
import _tflite_rules

TYPES = {np.dtype("i1"): "INT8", np.dtype("u1"): "UINT8", np.dtype("<f4"): "FLOAT32", np.dtype("<i4"): "INT32"}
F = np.float32


class Problem:
    """A model of one operator: tensors are added, then `finish` makes it."""

    def __init__(self, g: np.random.Generator, dtype: np.dtype) -> None:
        self.g, self.dtype = g, np.dtype(dtype)
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.buffers = 3, [self.graph], [schema.BufferT()]
        self.graph.tensors, self.values = [], {}

    def tensor(self, shape, q=None, dtype=None, values=None, axis=0) -> int:
        t = schema.TensorT()
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        t.name, t.shape = f"t{len(self.graph.tensors)}", np.asarray(shape, np.int32)
        t.type, t.buffer = getattr(schema.TensorType, TYPES[dtype]), 0
        if q is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale = np.asarray(np.atleast_1d(q[0]), F)
            t.quantization.zeroPoint = np.broadcast_to(np.asarray(q[1], np.int64), t.quantization.scale.shape).copy()
            t.quantization.quantizedDimension = axis
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
            self.values[len(self.graph.tensors)] = values
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def finish(self, kind: str, options: str | None, fields: dict, inputs: list[int], result: int) -> None:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        # Of int8 kernels.
        code.version = {"QUANTIZE": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}.get(kind, 2)
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, inputs, [result]
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        self.model.operatorCodes, self.graph.operators = [code], [operator]
        self.graph.inputs = [i for i in inputs if i not in self.values]
        self.graph.outputs = [result]

    def q(self, scale: float | None = None) -> tuple[np.float32, int]:
        info = np.iinfo(self.dtype)
        g = self.g
        if scale is None or g.random() < 0.2:
            # The bounds of activations are ties for 6/255, 12/255 and 0.16.
            scale = np.exp(g.uniform(-6, -1)) if g.random() < 0.5 else g.choice([1 / 128, 6 / 255, 12 / 255, 0.25, 0.16])
        zero = int(g.choice([info.min, g.integers(info.min, info.max + 1), (info.min + info.max + 1) // 2]))
        return F(scale), zero

    def near(self, q: tuple[np.float32, int], low: float, high: float) -> tuple[np.float32, int]:
        """A quantisation whose scale is that of `q` times low to high; often by a factor that makes ties."""
        g = self.g
        factor = g.choice([1.0, 0.5, 2.0, 0.75, 1.25]) if g.random() < 0.4 else np.exp(g.uniform(np.log(low), np.log(high)))
        return self.q(q[0] * factor)

    def integers(self, shape) -> np.ndarray:
        info = np.iinfo(self.dtype)
        g = self.g
        if g.random() < 0.3:
            centre, spread = g.integers(info.min, info.max + 1), g.uniform(1, 20)
            return np.clip(np.rint(g.normal(centre, spread, shape)), info.min, info.max).astype(self.dtype)
        return g.integers(info.min, info.max + 1, shape).astype(self.dtype)

    def activation(self) -> int:
        return int(self.g.choice([0, 0, 1, 2, 3]))

    def size(self, most: int, least: int = 1) -> int:
        return int(self.g.integers(least, most + 1))


def add(p: Problem) -> None:
    shape = [1, p.size(9), p.size(9), p.size(70)]
    qa = p.q()
    qb = p.near(qa, 0.02, 50)
    qy = p.near((max(qa[0], qb[0]), 0), 0.1, 100)
    # XNNPACK leaves others to TensorFlow Lite.
    if not all(2.0**-10 <= q[0] / qy[0] < 256 for q in (qa, qb)):
        return add(p)
    fields = {"fusedActivationFunction": p.activation()}
    p.finish("ADD", "AddOptions", fields, [p.tensor(shape, qa), p.tensor(shape, qb)], p.tensor(shape, qy))


def mean(p: Problem) -> None:
    n, h, w, c = 1, p.size(16), p.size(16), p.size(70)
    keep = bool(p.g.integers(2))
    qx = p.q()
    qy = p.near(qx, 0.05, 2)
    axes = p.tensor([2], None, "<i4", np.asarray([1, 2], "<i4"))
    result = p.tensor([n, 1, 1, c] if keep else [n, c], qy)
    p.finish("MEAN", "ReducerOptions", {"keepDims": keep}, [p.tensor([n, h, w, c], qx), axes], result)


def average_pool(p: Problem) -> None:
    c, window, stride = p.size(40), (p.size(8), p.size(8)), p.size(3)
    h, w = p.size(20, window[0]), p.size(20, window[1])
    padding = int(p.g.integers(2))
    name = ["SAME", "VALID"][padding]
    rows, columns = (_tflite_rules.pads(s, k, stride, name)[2] for s, k in zip((h, w), window))
    q = p.q()
    fields = dict(filterHeight=window[0], filterWidth=window[1], strideH=stride, strideW=stride, padding=padding)
    fields["fusedActivationFunction"] = p.activation()
    p.finish("AVERAGE_POOL_2D", "Pool2DOptions", fields, [p.tensor([1, h, w, c], q)], p.tensor([1, rows, columns, c], q))


def pad(p: Problem) -> None:
    h, w, c, q = p.size(9), p.size(9), p.size(40), p.q()
    amounts = np.zeros((4, 2), "<i4")
    amounts[1:3] = p.g.integers(0, 4, (2, 2))
    shape = [1, h + amounts[1].sum(), w + amounts[2].sum(), c]
    p.finish("PAD", "PadOptions", {}, [p.tensor([1, h, w, c], q), p.tensor([4, 2], None, "<i4", amounts)], p.tensor(shape, q))


def quantise(p: Problem) -> None:
    shape = [1, p.size(9), p.size(9), p.size(70)]
    p.finish("QUANTIZE", "QuantizeOptions", {}, [p.tensor(shape, None, "<f4")], p.tensor(shape, p.q()))


def rescale(p: Problem, same_type: bool = True) -> None:
    shape = [1, p.size(9), p.size(9), p.size(70)]
    qx = p.q()
    x = p.tensor(shape, qx)
    if not same_type:
        p.dtype = np.dtype("u1" if p.dtype == np.dtype("i1") else "i1")
    p.finish("QUANTIZE", "QuantizeOptions", {}, [x], p.tensor(shape, p.near(qx, 0.02, 50)))


def dequantise(p: Problem) -> None:
    shape = [1, p.size(9), p.size(9), p.size(70)]
    p.finish("DEQUANTIZE", "DequantizeOptions", {}, [p.tensor(shape, p.q())], p.tensor(shape, None, "<f4"))


def softmax(p: Problem) -> None:
    shape = [p.size(3), p.size(1200)]
    low = -128 if p.dtype == np.dtype("i1") else 0
    beta = float(p.g.choice([1.0, 0.5, 0.3]))
    p.finish("SOFTMAX", "SoftmaxOptions", {"beta": beta}, [p.tensor(shape, p.q())], p.tensor(shape, (F(1 / 256), low)))


def convolution(p: Problem, depthwise: bool = False, dense: bool = False) -> None:
    c_in, kernel, stride = p.size(70), int(p.g.choice([1, 3])), p.size(2)
    if dense:
        kernel = stride = 1
    c_out = c_in if depthwise else p.size(70)
    h, w, padding = p.size(12, kernel), p.size(12, kernel), int(p.g.integers(2))
    rows, columns = (_tflite_rules.pads(s, kernel, stride, ["SAME", "VALID"][padding])[2] for s in (h, w))
    qx, old = p.q(), p.dtype == np.dtype("u1")
    # Signed weights have no zero point. FULLY_CONNECTED of int8 has one scale here.
    scales = F(np.exp(p.g.uniform(-6, -3, 1 if old or dense else c_out)))
    shape = [c_out, c_in] if dense else [1, 3, 3, c_in] if depthwise else [c_out, kernel, kernel, c_in]
    if depthwise:
        shape[1:3] = kernel, kernel
    w_values = p.g.integers(0 if old else -127, 256 if old else 128, shape).astype(p.dtype)
    weight = p.tensor(shape, (scales, int(p.g.integers(0, 256)) if old else 0), None, w_values, 3 if depthwise and len(scales) > 1 else 0)
    bias = p.tensor([c_out], (qx[0] * scales, 0), "<i4", p.g.integers(-3000, 3000, c_out).astype("<i4"))
    spread = 74 * 74 * np.sqrt(kernel * kernel * (1 if depthwise else c_in)) * qx[0] * np.exp(np.log(scales).mean())
    qy = p.q(spread / 100 * np.exp(p.g.uniform(-1, 2)))
    fields = {"fusedActivationFunction": p.activation()}
    if dense:
        x, y = p.tensor([1, c_in], qx), p.tensor([1, c_out], qy)
        p.finish("FULLY_CONNECTED", "FullyConnectedOptions", fields, [x, weight, bias], y)
        return
    fields.update(padding=padding, strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1)
    if depthwise:
        fields["depthMultiplier"] = 1
    kind, options = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
    x, y = p.tensor([1, h, w, c_in], qx), p.tensor([1, rows, columns, c_out], qy)
    p.finish(kind, options, fields, [x, weight, bias], y)


OPERATORS: dict[str, Callable[[Problem], None]] = {
    "conv": convolution,
    "depthwise": lambda p: convolution(p, depthwise=True),
    "dense": lambda p: convolution(p, dense=True),
    "add": add,
    "mean": mean,
    "average_pool": average_pool,
    "pad": pad,
    "quantise": quantise,
    "rescale": rescale,
    "rescale_type": lambda p: rescale(p, same_type=False),
    "dequantise": dequantise,
    "softmax": softmax,
}


def trial(name: str, dtype: str, seed: int, verbose: bool) -> tuple[int, int, int, bool]:
    """Elements, how many differ, by how much, and whether XNNPACK computes it."""
    g = np.random.Generator(np.random.PCG64([seed, list(OPERATORS).index(name), ord(dtype[0])]))
    p = Problem(g, np.dtype(dtype))
    kind = p.dtype
    OPERATORS[name](p)
    operator, p.dtype = p.graph.operators[0], kind
    for i in p.graph.inputs:
        t = p.graph.tensors[i]
        if t.type != schema.TensorType.FLOAT32:
            p.values[i] = p.integers(t.shape)
            continue
        # Half of them next to a tie.
        (scale,), _ = _tflite.quantization(p.graph.tensors[operator.outputs[0]])
        x = g.uniform(-300, 300, t.shape)
        p.values[i] = F(np.where(g.random(t.shape) < 0.5, np.rint(x) + 0.5, x) * scale)
    run = _tflite.Run(_tflite.write(p.model), xnnpack=True)
    (theirs,) = run({i: p.values[i] for i in p.graph.inputs}).values()
    ours = _tflite_rules.compute(p.model, operator, p.values)
    wrong = ours != theirs
    step = int(np.abs(ours.astype(np.float64) - theirs).max().round())
    if verbose and wrong.any():
        qs = [_tflite.quantization(t) for t in p.graph.tensors]
        at = tuple(np.argwhere(wrong)[0])
        print(f"  seed {seed}: {wrong.sum()} of {wrong.size}, at {at}: {theirs[at]} ours {ours[at]}; {qs if wrong.ndim else ''}")
    return wrong.size, int(wrong.sum()), step, bool(run.delegated())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("operators", nargs="*", metavar="OPERATOR", help=", ".join(OPERATORS))
    parser.add_argument("--trials", type=int, default=200, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first trial (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print what differs")
    arguments = parser.parse_args()
    failed = False
    for name in arguments.operators or OPERATORS:
        for dtype in ("i1", "u1"):
            results = [trial(name, dtype, arguments.seed + i, arguments.verbose) for i in range(arguments.trials)]
            size, wrong, step = sum(r[0] for r in results), sum(r[1] for r in results), max(r[2] for r in results)
            by = "/".join(sorted({"xnnpack" if r[3] else "tflite" for r in results}))
            print(f"{name:13} {dtype}  {by:15} {wrong:7} of {size:8} differ, by {step} at most", flush=True)
            # The one that has no single rule: see `rescale`.
            failed |= step > 1 if name == "rescale_type" else wrong > 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
