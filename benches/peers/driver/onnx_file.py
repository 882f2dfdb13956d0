"""What ONNX files of f32 and of int8 have in common, and OpenVINO's, which are made of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from network import CLIP, Layer


class File:
    """Nodes and constants that grow, and the bounds of ReLU6, `low` and `high`."""

    def __init__(self, name: str) -> None:
        self.name, self.nodes, self.tensors = name, [], []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolution(self, layer: Layer, inputs: list[str], output: str) -> str:
        before, after = layer.pads
        return self.node(
            "Conv", inputs, output,
            kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, pads=[before, before, after, after],
            group=layer.weight.shape[0] if layer.kind == "depthwise" else 1,
        )  # fmt: skip

    def clip(self, at: str, output: str) -> str:
        return self.node("Clip", [at, "low", "high"], output)

    def write(self, dtype: str, resolution: int, at: str, classes: int, output: Path) -> None:
        """`dtype` is the input's; `at` is what the last node writes."""
        for name, bound in zip(("low", "high"), CLIP):
            self.constant(name, np.float32(bound))
        inputs = [helper.make_tensor_value_info("input", getattr(TensorProto, dtype), [1, 3, resolution, resolution])]
        outputs = [helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, classes])]
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, output)


def convert_to_openvino(source: Path, output: Path) -> None:
    """Reads the ONNX file, and removes it."""
    # It reports to a server where it can.
    sys.modules["openvino_telemetry"] = None
    import openvino

    openvino.save_model(openvino.Core().read_model(source), output, compress_to_fp16=False)
    source.unlink()
