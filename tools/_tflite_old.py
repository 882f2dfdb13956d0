"""Quantise an f32 TensorFlow Lite model in the form of 2017 and 2018: uint8, one scale and one zero point for each tensor.

| tensor | range |
|---|---|
| input | -1 to 127/128: scale 1/128, zero point 128 |
| after ReLU6 | 0 to 6 |
| softmax | scale 1/256, zero point 0 |
| pad, pool, reshape, squeeze | as what they take |
| others | least to greatest value over the calibration images, and 0 |
| weights | least to greatest of all channels, and 0; as 1 to 255 |
| bias | i32, the product of both scales, zero point 0 |
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

import _tflite

F = np.float32
KEEPS = ("PAD", "AVERAGE_POOL_2D", "RESHAPE", "SQUEEZE")
WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def scheme(low: float, high: float, least: int = 0) -> tuple[np.float32, int]:
    """A scale and a zero point of `least` to 255 for values from low to high, with 0 among them."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = F((high - low) / (255 - least))
    return scale, int(np.clip(np.rint(least - low / np.float64(scale)), least, 255))


def squeeze(model: schema.ModelT, operator: schema.OperatorT) -> None:
    """A classifier's RESHAPE as the operator that those files have there."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SQUEEZE
    operator.opcodeIndex, operator.inputs = len(model.operatorCodes), operator.inputs[:1]
    model.operatorCodes.append(code)
    operator.builtinOptionsType = schema.BuiltinOptions.SqueezeOptions
    operator.builtinOptions = schema.SqueezeOptionsT()
    operator.builtinOptions.squeezeDims = [1, 2]


def quantise(data: bytes, images: list[np.ndarray]) -> bytes:
    model = _tflite.read(data)
    graph = model.subgraphs[0]
    every = _tflite.computed(model)
    run = _tflite.Run(_tflite.with_outputs(model, every), xnnpack=True)
    ranges = {i: [np.inf, -np.inf] for i in every}
    for image in images:
        for i, value in run({int(graph.inputs[0]): image}).items():
            ranges[i] = [min(ranges[i][0], float(value.min())), max(ranges[i][1], float(value.max()))]

    chosen: dict[int, tuple[np.float32, int]] = {}

    def put(index: int, q: tuple[np.float32, int], kind: int, values: np.ndarray | None = None) -> None:
        tensor = graph.tensors[index]
        chosen[index], tensor.type = q, kind
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.asarray([q[0]], np.float32)
        tensor.quantization.zeroPoint = np.asarray([q[1]], np.int64)
        if values is not None:
            # Two layers may have shared it.
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)

    constants = {i: _tflite.constant(model, i) for i in range(len(graph.tensors))}
    put(int(graph.inputs[0]), (F(1 / 128), 128), schema.TensorType.UINT8)
    for operator in graph.operators:
        kind, result = _tflite.kind(model, operator), int(operator.outputs[0])
        inputs = [int(i) for i in operator.inputs]
        activation = _tflite.ACTIVATIONS[getattr(operator.builtinOptions, "fusedActivationFunction", 0)]
        if kind in KEEPS:
            q = chosen[inputs[0]]
        elif kind == "SOFTMAX":
            q = F(1 / 256), 0
        elif activation == "RELU6":
            q = scheme(0, 6)
        else:
            q = scheme(*ranges[result])
        put(result, q, schema.TensorType.UINT8)
        if kind in WEIGHTS:
            weight = constants[inputs[1]].astype(np.float64)
            scale, zero = scheme(weight.min(), weight.max(), least=1)
            if inputs[1] in chosen or inputs[2] in chosen:
                raise ValueError("two layers share weights")
            stored = np.clip(np.rint(weight / np.float64(scale)) + zero, 1, 255).astype(np.uint8)
            put(inputs[1], (scale, zero), schema.TensorType.UINT8, stored)
            scale = chosen[inputs[0]][0] * scale
            bias = np.rint(constants[inputs[2]].astype(np.float64) / np.float64(scale)).astype(np.int32)
            put(inputs[2], (scale, 0), schema.TensorType.INT32, bias)
        if kind == "RESHAPE" and list(graph.tensors[inputs[0]].shape[:3]) == [1, 1, 1]:
            squeeze(model, operator)
    # The buffers of the f32 weights are no tensor's now.
    used = sorted({0} | {tensor.buffer for tensor in graph.tensors})
    for tensor in graph.tensors:
        tensor.buffer = used.index(tensor.buffer)
    model.buffers = [model.buffers[i] for i in used]
    for code in model.operatorCodes:
        code.version = 1
    return _tflite.with_outputs(model, graph.outputs)
