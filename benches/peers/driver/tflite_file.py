"""A TensorFlow Lite file, put together tensor by tensor, with the schema of `ai-edge-litert`."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from network import Layer

NONE, RELU6 = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU6


def taps(kind: str, weight: np.ndarray) -> np.ndarray:
    """Weights as the format has them: [O, H, W, I], [1, H, W, C] of a depthwise convolution, [O, I]."""
    return weight if kind == "dense" else weight.transpose(1, 2, 3, 0) if kind == "depthwise" else weight.transpose(0, 2, 3, 1)


class File:
    def __init__(self, description: str) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description, self.model.subgraphs = 3, description, [self.graph]
        # By convention the first buffer is empty, and that of all tensors without constants.
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators, self.graph.name = [], [], "main"

    def tensor(
        self, name: str, shape: list[int], dtype: str = "FLOAT32", values: np.ndarray | None = None, q=None, axis: int = 0
    ) -> int:
        """Its number. `q`: one scale, or one for each index of `axis`; and one zero point."""
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name, shape, getattr(schema.TensorType, dtype), 0
        if q is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale = np.atleast_1d(np.asarray(q[0], np.float32))
            t.quantization.zeroPoint = np.full(len(t.quantization.scale), q[1], np.int64)
            t.quantization.quantizedDimension = axis
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, version: int, options_type: str, options: object, inputs: list[int], result: int) -> None:
        number = getattr(schema.BuiltinOperator, kind)
        codes = [code.builtinCode for code in self.model.operatorCodes]
        if number not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, version
            self.model.operatorCodes.append(code)
            codes.append(number)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = codes.index(number), inputs, [result]
        op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, options_type), options
        self.graph.operators.append(op)

    def pool(self, layer: Layer, version: int, at: int, result: int) -> None:
        options = schema.Pool2DOptionsT()
        options.padding, options.fusedActivationFunction = schema.Padding.VALID, NONE
        options.strideH = options.strideW = options.filterHeight = options.filterWidth = layer.size_in
        self.operator("AVERAGE_POOL_2D", version, "Pool2DOptions", options, [at], result)

    def layer(self, layer: Layer, version: int, inputs: list[int], result: int) -> None:
        """A layer with weights, which are in `inputs` with the bias."""
        if layer.kind == "dense":
            options = schema.FullyConnectedOptionsT()
            options.fusedActivationFunction = NONE
            self.operator("FULLY_CONNECTED", version, "FullyConnectedOptions", options, inputs, result)
            return
        depthwise = layer.kind == "depthwise"
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        # The schema has no explicit pads, but all of ours are SAME.
        options.padding, options.fusedActivationFunction = schema.Padding.SAME, RELU6
        options.strideH = options.strideW = layer.stride
        options.dilationHFactor = options.dilationWFactor = 1
        if depthwise:
            options.depthMultiplier = 1
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self.operator(kind, version, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", options, inputs, result)

    def write(self, output: Path) -> None:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        output.write_bytes(builder.Output())
