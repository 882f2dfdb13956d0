"""A TensorFlow Lite file, put together tensor by tensor, with the schema of `ai-edge-litert`."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


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

    def write(self, output: Path) -> None:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        output.write_bytes(builder.Output())
