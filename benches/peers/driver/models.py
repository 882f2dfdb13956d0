"""Writes a network as the file that an engine reads: `models.py FORMAT WEIGHTS RESOLUTION OUTPUT [INTEGERS]`.

| format | written by | |
|---|---|---|
| onnx | `onnx.helper` | NCHW, Conv with bias + Clip |
| openvino | `openvino.save_model`, from an ONNX file | f32, not compressed to f16 |
| mnn | MNN's converter, from an ONNX file | |
| ncnn | this file | `.param` text and `.bin`, activations fused as `ncnnoptimize` does |
| tflite | this file, with the schema of `ai-edge-litert` | NHWC, fused activations, as TensorFlow's converter does |

For int8 see models_int8.py; `INTEGERS` is what quantised.py saved.

The formats' own converters are gigabytes of other frameworks for what takes a page here. That the files are right is checked
where they run: every engine's logits are compared with ours.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

import models_int8
import quantised
from network import Layer, layers

CLIP = (0.0, 6.0)


def write_onnx(network: list[Layer], resolution: int, output: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, at = [], "input"
    tensors = [numpy_helper.from_array(np.float32(v), n) for n, v in zip(("low", "high"), CLIP)]
    for layer in network:
        if layer.weight is not None:
            weight, bias = f"{layer.name}.weight", f"{layer.name}.bias"
            tensors += [numpy_helper.from_array(layer.weight, weight), numpy_helper.from_array(layer.bias, bias)]
        if layer.kind == "pool":
            nodes.append(helper.make_node("GlobalAveragePool", [at], ["pool4"]))
            nodes.append(helper.make_node("Flatten", ["pool4"], [layer.name]))
        elif layer.kind == "dense":
            nodes.append(helper.make_node("Gemm", [at, weight, bias], [layer.name], transB=1))
        else:
            before, after = layer.pads
            nodes.append(
                helper.make_node(
                    "Conv", [at, weight, bias], [f"{layer.name}.conv"],
                    kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, pads=[before, before, after, after],
                    group=layer.weight.shape[0] if layer.kind == "depthwise" else 1,
                )
            )  # fmt: skip
            nodes.append(helper.make_node("Clip", [f"{layer.name}.conv", "low", "high"], [layer.name]))
        at = layer.name
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, resolution, resolution])]
    outputs = [helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, network[-1].weight.shape[0]])]
    graph = helper.make_graph(nodes, "mobilenet_v1", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, output)


def write_openvino(network: list[Layer], resolution: int, output: Path) -> None:
    # It reports to a server where it can.
    sys.modules["openvino_telemetry"] = None
    import openvino

    source = output.with_suffix(".openvino.onnx")
    write_onnx(network, resolution, source)
    openvino.save_model(openvino.Core().read_model(source), output, compress_to_fp16=False)
    source.unlink()


def write_mnn(network: list[Layer], resolution: int, output: Path) -> None:
    source = output.with_suffix(".mnn.onnx")
    write_onnx(network, resolution, source)
    output.unlink(missing_ok=True)
    # The converter itself. `mnnconvert` and `MNN.tools.mnnconvert` around it run `pip install` in whatever Python is first in
    # PATH, and report to a server: they must not be imported.
    import _tools

    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(output), "--bizCode", "peers"]
    )
    source.unlink()
    if not output.is_file():
        sys.exit("MNN's converter wrote nothing")


def write_ncnn(network: list[Layer], resolution: int, output: Path) -> None:
    lines, data, at = [f"Input input 0 1 input 0={resolution} 1={resolution} 2=3"], [], "input"
    for layer in network:
        if layer.kind == "pool":
            lines.append(f"Pooling {layer.name} 1 1 {at} {layer.name} 0=1 4=1")
        else:
            # A tag of zero: f32 follows. Biases have none.
            data += [struct.pack("<I", 0), layer.weight.tobytes(), layer.bias.tobytes()]
            head = f"1 1 {at} {layer.name} 0={layer.weight.shape[0]}"
            if layer.kind == "dense":
                lines.append(f"InnerProduct {layer.name} {head} 1=1 2={layer.weight.size}")
            else:
                before, after = layer.pads
                depthwise = layer.kind == "depthwise"
                lines.append(
                    f"{'ConvolutionDepthWise' if depthwise else 'Convolution'} {layer.name} {head} 1={layer.kernel}"
                    f" 3={layer.stride} 4={before} 14={before} 15={after} 16={after} 5=1 6={layer.weight.size}"
                    f"{f' 7={layer.weight.shape[0]}' if depthwise else ''} 9=3 -23310=2,{CLIP[0]:e},{CLIP[1]:e}"
                )
        at = layer.name
    output.write_text("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines, ""]))
    output.with_suffix(".bin").write_bytes(b"".join(data))


def write_tflite(network: list[Layer], resolution: int, output: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from tflite_file import File

    file = File("mobilenet_v1")
    relu6, none = schema.ActivationFunctionType.RELU6, schema.ActivationFunctionType.NONE
    at = file.tensor("input", [1, resolution, resolution, 3])
    file.graph.inputs = [at]
    for layer in network:
        if layer.kind == "pool":
            options = schema.Pool2DOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.VALID, none
            options.strideH = options.strideW = options.filterHeight = options.filterWidth = layer.size_in
            result = file.tensor(layer.name, [1, 1, 1, network[-1].weight.shape[1]])
            file.operator("AVERAGE_POOL_2D", 1, "Pool2DOptions", options, [at], result)
            at = result
            continue
        channels = layer.weight.shape[0]
        bias = file.tensor(f"{layer.name}.bias", [channels], values=layer.bias)
        if layer.kind == "dense":
            options = schema.FullyConnectedOptionsT()
            options.fusedActivationFunction = none
            weight = file.tensor(f"{layer.name}.weight", list(layer.weight.shape), values=layer.weight)
            result = file.tensor(layer.name, [1, channels])
            file.operator("FULLY_CONNECTED", 1, "FullyConnectedOptions", options, [at, weight, bias], result)
        else:
            depthwise = layer.kind == "depthwise"
            options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
            # The schema has no explicit pads, but all of ours are SAME.
            options.padding, options.fusedActivationFunction = schema.Padding.SAME, relu6
            options.strideH = options.strideW = layer.stride
            options.dilationHFactor = options.dilationWFactor = 1
            if depthwise:
                options.depthMultiplier = 1
            values = layer.weight.transpose(1, 2, 3, 0) if depthwise else layer.weight.transpose(0, 2, 3, 1)
            weight = file.tensor(f"{layer.name}.weight", list(values.shape), values=values)
            result = file.tensor(layer.name, [1, layer.size_out, layer.size_out, channels])
            kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
            file.operator(kind, 1, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", options, [at, weight, bias], result)
        at = result
    file.graph.outputs = [at]
    file.write(output)


# Format: the file's extension, and what writes it.
FORMATS = {
    "onnx": (".onnx", write_onnx),
    "openvino": (".xml", write_openvino),
    "mnn": (".mnn", write_mnn),
    "ncnn": (".param", write_ncnn),
    "tflite": (".tflite", write_tflite),
    **models_int8.FORMATS,
}

if __name__ == "__main__":
    form, weights, resolution, output, *integers = sys.argv[1:]
    network = layers(Path(weights), int(resolution))
    if integers:
        network = quantised.load(network, Path(integers[0]))
    FORMATS[form][1](network, int(resolution), Path(output))
