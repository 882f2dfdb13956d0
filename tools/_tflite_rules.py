"""What TensorFlow Lite with XNNPACK computes for quantised tensors, in numpy, to the bit. For make_tflite.py.

`q` is (scale, zero point): real = scale * (q - zero point). All arithmetic on scales is f32, in the order that is written here;
`rint` rounds ties to even. The rules of convolutions are those of `dwsep`'s numerics contract.
"""

from __future__ import annotations

import numpy as np

import _tflite

F = np.float32


def bounds(dtype: np.dtype) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def activation_bounds(activation: str, q: tuple[np.float32, int], dtype: np.dtype, own: bool = False) -> tuple[int, int]:
    """The least and the greatest value that a fused activation lets through. Ties (6 at a scale of 12/255) are rounded to even
    after the zero point is added, or, by TensorFlow Lite's own kernels, away from zero before it is."""
    scale, zero = q
    low, high = bounds(dtype)
    real = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}[activation]

    def quantised(value: float) -> int:
        x = F(value) / scale
        y = np.sign(x) * np.floor(np.abs(x) + F(0.5)) + zero if own else np.rint(x + F(zero))
        return int(np.clip(y, low, high))

    return (
        low if real[0] is None else quantised(real[0]),
        high if real[1] is None else quantised(real[1]),
    )


def requantise(acc: np.ndarray, scale: np.ndarray, zero: int, low: int, high: int, dtype: np.dtype) -> np.ndarray:
    x = acc.astype(np.int32).astype(F) * F(scale)
    x = np.clip(x, F(low - zero), F(high - zero))
    return (np.rint(x).astype(np.int32) + zero).astype(dtype)


def pads(size: int, kernel: int, stride: int, padding: str) -> tuple[int, int, int]:
    """Before, after, length of the result."""
    if padding == "VALID":
        return 0, 0, (size - kernel) // stride + 1
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2, out


def taps(x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int], padding: str, fill: int):
    """(ky, kx, the input element under that tap for each output pixel)."""
    _, height, width, _ = x.shape
    top, bottom, rows = pads(height, kernel[0], stride[0], padding)
    left, right, columns = pads(width, kernel[1], stride[1], padding)
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            yield ky, kx, x[:, ky :: stride[0], kx :: stride[1]][:, :rows, :columns]


def convolution(x, w, bias, qx, w_scales, w_zero, qy, *, depthwise, stride, padding, activation) -> np.ndarray:
    """Weights [O, H, W, I], or [1, H, W, C] if depthwise. Fully connected: everything with height and width 1."""
    a = taps(x.astype(np.int64) - qx[1], w.shape[1:3], stride, padding, 0)
    w = w.astype(np.int64) - w_zero
    acc = 0 if bias is None else bias.astype(np.int64)
    for ky, kx, tap in a:
        acc = acc + (tap * w[0, ky, kx] if depthwise else tap @ w[:, ky, kx].T)
    if np.abs(acc).max() >= 2**31:
        raise OverflowError("an accumulator does not fit into i32")
    scale = qx[0] * w_scales / qy[0]
    return requantise(acc, scale, qy[1], *activation_bounds(activation, qy, x.dtype), x.dtype)


def add(a, b, qa, qb, qy, activation) -> np.ndarray:
    """Two multipliers of 21 bits, one shift to the right, rounded half up."""
    ratios = [qa[0] / qy[0], qb[0] / qy[0]]
    shift = 20 - int(np.floor(np.log2(np.float64(max(ratios)))))
    ma, mb = (int(np.rint(np.float64(r) * 2.0**shift)) for r in ratios)
    acc = (a.astype(np.int64) - qa[1]) * ma + (b.astype(np.int64) - qb[1]) * mb + (1 << (shift - 1))
    y = (acc >> shift) + qy[1]
    return np.clip(y, *activation_bounds(activation, qy, a.dtype)).astype(a.dtype)


def mean(x, qx, qy) -> np.ndarray:
    """Over height and width, which stay as 1. The zero points are one f32 term, so that a tie is not always a tie."""
    count = x.shape[1] * x.shape[2]
    total = x.astype(np.int64).sum(axis=(1, 2), keepdims=True).astype(np.int32)
    scale = qx[0] / qy[0] * (F(1) / F(count))
    y = total.astype(F) * scale + (F(qy[1]) - F(qx[1] * count) * scale)
    return np.clip(np.rint(y), *bounds(x.dtype)).astype(x.dtype)


def average_pool(x, qy, *, window, stride, padding, activation) -> np.ndarray:
    """Without a change of scale: the integers' mean over the pixels inside the image, rounded half away from zero."""
    total = count = 0
    for (_, _, tap), (_, _, one) in zip(
        taps(x.astype(np.int64), window, stride, padding, 0), taps(np.ones_like(x, np.int64), window, stride, padding, 0)
    ):
        total, count = total + tap, count + one
    y = np.where(total > 0, total + count // 2, total - count // 2)
    y = np.sign(y) * (np.abs(y) // count)
    return np.clip(y, *activation_bounds(activation, qy, x.dtype, own=True)).astype(x.dtype)


def pad(x, amounts, qx) -> np.ndarray:
    return np.pad(x, amounts, constant_values=qx[1])


def quantise(x, qy, dtype) -> np.ndarray:
    low, high = bounds(dtype)
    y = np.clip(x * (F(1) / qy[0]), F(low - qy[1]), F(high - qy[1]))
    return (np.rint(y).astype(np.int32) + qy[1]).astype(dtype)


def dequantise(x, qx) -> np.ndarray:
    return (x.astype(np.int32) - qx[1]).astype(F) * qx[0]


def softmax(x, qx, qy, beta) -> np.ndarray:
    """A table of 256 exponentials in f32, their sum in f32, element by element."""
    low, high = bounds(x.dtype)
    table = np.exp((F(-qx[0] * F(beta)) * np.arange(256, dtype=F)).astype(np.float64)).astype(F)
    below = x.max(axis=-1, keepdims=True).astype(np.int32) - x
    e = table[below]
    total = np.add.accumulate(e, axis=-1, dtype=F)[..., -1:]
    y = np.rint(e * (F(1) / (total * qy[0]))).astype(np.int32) + qy[1]
    return np.clip(y, low, high).astype(x.dtype)


def compute(model, operator, values: dict[int, np.ndarray]) -> np.ndarray:
    """The operator's result, from the values of what it takes."""
    graph, kind, options = model.subgraphs[0], _tflite.kind(model, operator), operator.builtinOptions
    inputs = [int(i) for i in operator.inputs]
    x, result = values[inputs[0]], graph.tensors[int(operator.outputs[0])]
    dtype = _tflite.DTYPES[result.type]

    def q(index: int) -> tuple[np.float32, int] | None:
        found = _tflite.quantization(graph.tensors[index])
        return None if found is None else (found[0][0], int(found[1][0]))

    qx, qy = q(inputs[0]), q(int(operator.outputs[0]))
    activation = _tflite.ACTIVATIONS[getattr(options, "fusedActivationFunction", 0)]
    padding = "SAME" if getattr(options, "padding", None) == 0 else "VALID"
    stride = (getattr(options, "strideH", 1), getattr(options, "strideW", 1))
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        weight, dense = values[inputs[1]], kind == "FULLY_CONNECTED"
        scales, zeros = _tflite.quantization(graph.tensors[inputs[1]])
        y = convolution(
            x.reshape(-1, 1, 1, weight.shape[1]) if dense else x,
            weight[:, None, None] if dense else weight,
            values[inputs[2]] if len(inputs) > 2 and inputs[2] >= 0 else None,
            qx, scales, int(zeros[0]), qy,
            depthwise=kind == "DEPTHWISE_CONV_2D", stride=stride, padding=padding, activation=activation,
        )  # fmt: skip
        return y.reshape(result.shape)
    if kind == "ADD":
        return add(x, values[inputs[1]], qx, q(inputs[1]), qy, activation)
    if kind == "MEAN":
        if sorted(values[inputs[1]].ravel() % 4) != [1, 2]:
            raise NotImplementedError("MEAN over other axes than height and width")
        return mean(x, qx, qy).reshape(result.shape)
    if kind == "AVERAGE_POOL_2D":
        window = (options.filterHeight, options.filterWidth)
        return average_pool(x, qy, window=window, stride=stride, padding=padding, activation=activation)
    if kind == "PAD":
        return pad(x, values[inputs[1]], qx)
    if kind == "QUANTIZE":
        return quantise(x, qy, dtype) if qx is None else rescale(x, qx, qy, dtype)
    if kind == "DEQUANTIZE":
        return dequantise(x, qx)
    if kind == "SOFTMAX":
        return softmax(x, qx, qy, options.beta)
    if kind in ("RESHAPE", "SQUEEZE"):
        return x.reshape(result.shape)
    raise NotImplementedError(f"no rule for {kind}")


def rescale(x, qx, qy, dtype) -> np.ndarray:
    """Integers to integers: a multiplier of 16 bits in units of 1/256, rounded half up. That is XNNPACK's rule for one type. From
    one type to the other TensorFlow Lite's own kernel computes, with 31 bits and two roundings, of which the second differs
    between whole vectors and what is left of a row: there this rule is exact where the scales are equal (what its converter
    writes around a network with inputs of the other type), and within one step elsewhere."""
    multiplier = int(np.rint(qx[0] / qy[0] * F(256)))
    y = ((x.astype(np.int64) - qx[1]) * multiplier + (qy[1] << 8) + 0x80) >> 8
    return np.clip(y, *bounds(dtype)).astype(dtype)
