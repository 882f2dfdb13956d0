"""Read the f32 constants out of a frozen TensorFlow GraphDef, without TensorFlow.

Only the few protobuf fields that carry a constant are understood:

    GraphDef     1 node (repeated NodeDef)
    NodeDef      1 name, 2 op, 5 attr (repeated map entry: 1 key, 2 AttrValue)
    AttrValue    8 tensor (TensorProto)
    TensorProto  1 dtype (1 = float), 2 tensor_shape (2 dim: 1 size), 4 tensor_content (raw little-endian),
                 5 float_val (packed or not; a single value stands for a whole tensor)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DT_FLOAT = 1


class Malformed(Exception):
    """The bytes are not a GraphDef that this reader understands."""


def _varint(buffer: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(buffer) or shift > 63:
            raise Malformed(f"bad varint at byte {at}")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(buffer: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The (field number, value) pairs of one message: an int for a varint, else the bytes."""
    at = 0
    while at < len(buffer):
        key, at = _varint(buffer, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(buffer, at)
        else:
            if wire == BYTES:
                length, at = _varint(buffer, at)
            elif wire in (FIXED32, FIXED64):
                length = 4 if wire == FIXED32 else 8
            else:
                raise Malformed(f"wire type {wire} in field {number}")
            if at + length > len(buffer):
                raise Malformed(f"field {number} runs past the end of its message")
            value, at = buffer[at : at + length], at + length
        yield number, value


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8")


def _tensor(proto: memoryview) -> np.ndarray | None:
    """The TensorProto as an array, or None if it is not f32."""
    dtype, shape, content, values = None, [], b"", b""
    for number, value in _fields(proto):
        if number == 1:
            dtype = value
        elif number == 2:
            shape = [dict(_fields(dim)).get(1, 0) for n, dim in _fields(value) if n == 2]
        elif number == 4:
            content = bytes(value)
        elif number == 5:
            values += bytes(value)
    if dtype != DT_FLOAT:
        return None
    flat = np.frombuffer(content or values, dtype="<f4")
    count = int(np.prod(shape, dtype=np.int64))
    if flat.size == 1:
        flat = np.full(count, flat[0], dtype="<f4")
    if flat.size != count:
        raise Malformed(f"a tensor of shape {shape} has {flat.size} values")
    return flat.reshape(shape)


def float_constants(graph: bytes) -> dict[str, np.ndarray]:
    """Every f32 `Const` node of the graph, by name."""
    constants = {}
    for number, node in _fields(memoryview(graph)):
        if number != 1:
            continue
        name = op = ""
        proto = None
        for field, value in _fields(node):
            if field == 1:
                name = _text(value)
            elif field == 2:
                op = _text(value)
            elif field == 5:
                entry = dict(_fields(value))
                if _text(entry[1]) == "value":
                    proto = dict(_fields(entry[2])).get(8)
        if op == "Const" and proto is not None:
            tensor = _tensor(proto)
            if tensor is not None:
                constants[name] = tensor
    return constants
