"""Writes a quantised network as the file that an engine reads. See quantised.py for the numbers, models.py for f32.

| format | written by | |
|---|---|---|
| tflite_int8 | this file, with the schema of `ai-edge-litert` | int8 in and out, as TensorFlow's converter does |
| onnx_int8 | `onnx.helper` | QDQ: weights int8 per channel, activations uint8, which its kernels for x86 want; uint8 in, f32 out |
| openvino_int8 | `openvino.save_model`, from the ONNX file | |
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from quantised import INPUT, Quantised


def write_onnx(network: list[Quantised], resolution: int, output: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors = [], []

    def constant(name: str, values: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def parameters(name: str, scale: np.float32, zero: int) -> list[str]:
        # int8 with this zero point is uint8 with one that is greater by 128.
        return [constant(f"{name}.scale", np.float32(scale)), constant(f"{name}.zero", np.uint8(zero + 128))]

    def dequantised(name: str, q: list[str]) -> str:
        nodes.append(helper.make_node("DequantizeLinear", [name, *q], [f"{name}.real"]))
        return f"{name}.real"

    at, scale_in = dequantised("input", parameters("input", *INPUT)), INPUT[0]
    for q in network:
        layer, name = q.layer, q.layer.name
        if q.weight is not None:
            for part, values, scale in (("w", q.weight, q.weight_scale), ("b", q.bias, scale_in * q.weight_scale)):
                ends = [constant(f"{name}.{part}.scale", scale), constant(f"{name}.{part}.zero", np.zeros(len(values), values.dtype))]
                inputs = [constant(f"{name}.{part}.integers", values), *ends]
                nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}.{part}"], axis=0))
            inputs = [at, f"{name}.w", f"{name}.b"]
        if layer.kind == "pool":
            nodes.append(helper.make_node("GlobalAveragePool", [at], [f"{name}.sum"]))
        elif layer.kind == "dense":
            nodes.append(helper.make_node("Flatten", [at], ["flat"]))
            nodes.append(helper.make_node("Gemm", ["flat", *inputs[1:]], [f"{name}.sum"], transB=1))
        else:
            before, after = layer.pads
            nodes.append(
                helper.make_node(
                    "Conv", inputs, [f"{name}.sum"],
                    kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, pads=[before, before, after, after],
                    group=q.weight.shape[0] if layer.kind == "depthwise" else 1,
                )
            )  # fmt: skip
            nodes.append(helper.make_node("Clip", [f"{name}.sum", "low", "high"], [f"{name}.act"]))
        ends = parameters(name, q.scale, q.zero)
        last = f"{name}.act" if layer.kind in ("conv", "depthwise") else f"{name}.sum"
        nodes.append(helper.make_node("QuantizeLinear", [last, *ends], [name]))
        at, scale_in = dequantised(name, ends), q.scale
    constant("low", np.float32(0))
    constant("high", np.float32(6))
    inputs = [helper.make_tensor_value_info("input", TensorProto.UINT8, [1, 3, resolution, resolution])]
    outputs = [helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, len(network[-1].bias)])]
    graph = helper.make_graph(nodes, "mobilenet_v1_int8", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, output)


def write_openvino(network: list[Quantised], resolution: int, output: Path) -> None:
    # It reports to a server where it can.
    sys.modules["openvino_telemetry"] = None
    import openvino

    source = output.with_suffix(".openvino.onnx")
    write_onnx(network, resolution, source)
    openvino.save_model(openvino.Core().read_model(source), output, compress_to_fp16=False)
    source.unlink()


def write_tflite(network: list[Quantised], resolution: int, output: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from tflite_file import File

    file = File("mobilenet_v1_int8")
    relu6, none = schema.ActivationFunctionType.RELU6, schema.ActivationFunctionType.NONE
    at, scale_in = file.tensor("input", [1, resolution, resolution, 3], "INT8", q=INPUT), INPUT[0]
    file.graph.inputs = [at]
    for q in network:
        layer, out = q.layer, (q.scale, q.zero)
        if layer.kind == "pool":
            options = schema.Pool2DOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.VALID, none
            options.strideH = options.strideW = options.filterHeight = options.filterWidth = layer.size_in
            result = file.tensor(layer.name, [1, 1, 1, network[-1].weight.shape[1]], "INT8", q=out)
            file.operator("AVERAGE_POOL_2D", 2, "Pool2DOptions", options, [at], result)
            at = result
            continue
        channels = len(q.bias)
        bias = file.tensor(f"{layer.name}.bias", [channels], "INT32", q.bias, (scale_in * q.weight_scale, 0))
        if layer.kind == "dense":
            options = schema.FullyConnectedOptionsT()
            options.fusedActivationFunction = none
            weight = file.tensor(f"{layer.name}.weight", list(q.weight.shape), "INT8", q.weight, (q.weight_scale, 0))
            result = file.tensor(layer.name, [1, channels], "INT8", q=out)
            file.operator("FULLY_CONNECTED", 5, "FullyConnectedOptions", options, [at, weight, bias], result)
        else:
            depthwise = layer.kind == "depthwise"
            options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.SAME, relu6
            options.strideH = options.strideW = layer.stride
            options.dilationHFactor = options.dilationWFactor = 1
            if depthwise:
                options.depthMultiplier = 1
            values = q.weight.transpose(1, 2, 3, 0) if depthwise else q.weight.transpose(0, 2, 3, 1)
            ends = (q.weight_scale, 0)
            weight = file.tensor(f"{layer.name}.weight", list(values.shape), "INT8", values, ends, axis=3 if depthwise else 0)
            result = file.tensor(layer.name, [1, layer.size_out, layer.size_out, channels], "INT8", q=out)
            kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
            file.operator(kind, 3, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", options, [at, weight, bias], result)
        at, scale_in = result, q.scale
    file.graph.outputs = [at]
    file.write(output)


# Format: the file's extension, and what writes it.
FORMATS = {
    "tflite_int8": (".tflite", write_tflite),
    "onnx_int8": (".onnx", write_onnx),
    "openvino_int8": (".xml", write_openvino),
}
