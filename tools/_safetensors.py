"""Write safetensors files whose bytes depend on nothing but their contents.

The `safetensors` package keeps `__metadata__` in a hash map, so a file with several entries differs from run to run. This
writer sorts everything: wide dtypes first (which aligns every tensor), then names.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

# The data section starts at a multiple of this, so that a memory-mapped file is aligned for any SIMD load.
DATA_ALIGNMENT = 64

DTYPES = {
    np.dtype("<f4"): "F32",
    np.dtype("<f2"): "F16",
    np.dtype("<i4"): "I32",
    np.dtype("<i8"): "I64",
    np.dtype("i1"): "I8",
    np.dtype("u1"): "U8",
}


def serialize(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    parts, offset = [], 0
    for name in order:
        tensor = tensors[name]
        data = np.ascontiguousarray(tensor).tobytes()
        span = [offset, offset + len(data)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        parts.append(data)
        offset = span[1]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-(8 + len(text)) % DATA_ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Write the file and return the bytes written."""
    data = serialize(tensors, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return data


def parse(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of what `serialize` made."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, dtypes = header.pop("__metadata__", {}), {name: dtype for dtype, name in DTYPES.items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], dtypes[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata
