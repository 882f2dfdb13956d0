"""TensorFlow Lite files as objects: read, take apart, run, write. For make_tflite.py.

Everything about the format is in the schema of the package `ai-edge-litert`; a model is its `ModelT`, a graph its `SubGraphT`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
ACTIVATIONS = {value: name for name, value in vars(schema.ActivationFunctionType).items() if isinstance(value, int)}
DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
}


def read(data: bytes) -> schema.ModelT:
    model = schema.ModelT.InitFromPackedBuf(bytearray(data))
    if len(model.subgraphs) != 1:
        raise ValueError(f"a model of one graph was expected, this has {len(model.subgraphs)}")
    return model


def write(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def kind(model: schema.ModelT, operator: schema.OperatorT) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    # Kinds below 127 are in the older field, too.
    return OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def constant(model: schema.ModelT, index: int) -> np.ndarray | None:
    """The tensor's values, if they are in the file."""
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    values = np.frombuffer(bytes(bytearray(data)), DTYPES[tensor.type])
    return values.reshape([] if tensor.shape is None else list(tensor.shape))


def quantization(tensor: schema.TensorT) -> tuple[np.ndarray, np.ndarray] | None:
    """Scales, zero points: one of each, or one of each for every channel."""
    q = tensor.quantization
    if q is None or q.scale is None or len(q.scale) == 0:
        return None
    return np.asarray(q.scale, np.float32), np.asarray(q.zeroPoint, np.int64)


def computed(model: schema.ModelT) -> list[int]:
    """The tensors that operators write, in the order in which they are written."""
    return [int(index) for operator in model.subgraphs[0].operators for index in operator.outputs]


def with_outputs(model: schema.ModelT, indices: Iterable[int]) -> bytes:
    """The file with these tensors as the graph's results. An engine that fuses operators must keep them apart there."""
    changed = copy.copy(model)
    graph = copy.copy(model.subgraphs[0])
    graph.outputs = np.asarray(list(indices), np.int32)
    changed.subgraphs = [graph]
    # Signatures and metadata name the results that the file had.
    changed.signatureDefs = changed.metadata = changed.metadataBuffer = None
    return write(changed)


def single(model: schema.ModelT, operator: schema.OperatorT) -> tuple[bytes, list[int]]:
    """A file with that operator alone, tensors numbered as in the whole one; and the tensors that it takes."""
    changed = copy.copy(model)
    graph = copy.copy(model.subgraphs[0])
    taken = [int(index) for index in operator.inputs if index >= 0 and constant(model, index) is None]
    graph.operators = [operator]
    graph.inputs = np.asarray(taken, np.int32)
    graph.outputs = np.asarray(operator.outputs, np.int32)
    changed.subgraphs = [graph]
    changed.signatureDefs = changed.metadata = changed.metadataBuffer = None
    return write(changed), taken


class Run:
    """One engine on one file. `values` has every tensor that the file says is a result, by index."""

    def __init__(self, data: bytes, *, xnnpack: bool) -> None:
        resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_REF
        self.interpreter = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=resolver)
        self.interpreter.allocate_tensors()

    def __call__(self, inputs: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        for index, value in inputs.items():
            self.interpreter.set_tensor(index, value)
        self.interpreter.invoke()
        return {d["index"]: self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()}

    def delegated(self) -> set[int]:
        """The results that XNNPACK computes, and no kernel of TensorFlow Lite."""
        nodes = self.interpreter._get_ops_details()
        return {int(index) for node in nodes if node["op_name"] == "DELEGATE" for index in node["outputs"]}
