"""Writes a quantised network as the file that an engine reads. See quantised.py for the numbers, models.py for f32.

| format | written by | |
|---|---|---|
| tflite_int8 | this file, with the schema of `ai-edge-litert` | int8 in and out, as TensorFlow's converter does |
| onnx_int8 | `onnx.helper` | QDQ: weights int8 per channel, activations uint8, which its kernels for x86 want; uint8 in, f32 out |
| openvino_int8 | `openvino.save_model`, from the ONNX file | |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quantised import INPUT, Quantised


def write_onnx(network: list[Quantised], resolution: int, output: Path) -> None:
    from onnx_file import File

    file = File("mobilenet_v1_int8")

    def parameters(name: str, scale: np.float32, zero: int) -> list[str]:
        # int8 with this zero point is uint8 with one that is greater by 128.
        return [file.constant(f"{name}.scale", np.float32(scale)), file.constant(f"{name}.zero", np.uint8(zero + 128))]

    def dequantised(name: str, q: list[str]) -> str:
        return file.node("DequantizeLinear", [name, *q], f"{name}.real")

    at, scale_in = dequantised("input", parameters("input", *INPUT)), INPUT[0]
    for q in network:
        layer, name = q.layer, q.layer.name
        inputs = [at]
        if q.weight is not None:
            for part, values, scale in (("w", q.weight, q.weight_scale), ("b", q.bias, scale_in * q.weight_scale)):
                zeros = np.zeros(len(values), values.dtype)
                ends = [file.constant(f"{name}.{part}.scale", scale), file.constant(f"{name}.{part}.zero", zeros)]
                whole = [file.constant(f"{name}.{part}.integers", values), *ends]
                inputs.append(file.node("DequantizeLinear", whole, f"{name}.{part}", axis=0))
        if layer.kind == "pool":
            last = file.node("GlobalAveragePool", inputs, f"{name}.sum")
        elif layer.kind == "dense":
            flat = file.node("Flatten", [at], "flat")
            last = file.node("Gemm", [flat, *inputs[1:]], f"{name}.sum", transB=1)
        else:
            last = file.clip(file.convolution(layer, inputs, f"{name}.sum"), f"{name}.act")
        ends = parameters(name, q.scale, q.zero)
        file.node("QuantizeLinear", [last, *ends], name)
        at, scale_in = dequantised(name, ends), q.scale
    file.write("UINT8", resolution, at, len(network[-1].bias), output)


def write_openvino(network: list[Quantised], resolution: int, output: Path) -> None:
    from onnx_file import convert_to_openvino

    source = output.with_suffix(".openvino.onnx")
    write_onnx(network, resolution, source)
    convert_to_openvino(source, output)


def write_tflite(network: list[Quantised], resolution: int, output: Path) -> None:
    from tflite_file import File, taps

    file = File("mobilenet_v1_int8")
    at, scale_in = file.tensor("input", [1, resolution, resolution, 3], "INT8", q=INPUT), INPUT[0]
    file.graph.inputs = [at]
    for q in network:
        layer, out = q.layer, (q.scale, q.zero)
        if layer.kind == "pool":
            result = file.tensor(layer.name, [1, 1, 1, network[-1].weight.shape[1]], "INT8", q=out)
            file.pool(layer, 2, at, result)
            at = result
            continue
        values, axis = taps(layer.kind, q.weight), 3 if layer.kind == "depthwise" else 0
        bias = file.tensor(f"{layer.name}.bias", [len(q.bias)], "INT32", q.bias, (scale_in * q.weight_scale, 0))
        weight = file.tensor(f"{layer.name}.weight", list(values.shape), "INT8", values, (q.weight_scale, 0), axis)
        result = file.tensor(layer.name, layer.output, "INT8", q=out)
        # Versions of the operators that take int8.
        file.layer(layer, 5 if layer.kind == "dense" else 3, [at, weight, bias], result)
        at, scale_in = result, q.scale
    file.graph.outputs = [at]
    file.write(output)


# Format: the file's extension, and what writes it.
FORMATS = {
    "tflite_int8": (".tflite", write_tflite),
    "onnx_int8": (".onnx", write_onnx),
    "openvino_int8": (".xml", write_openvino),
}
