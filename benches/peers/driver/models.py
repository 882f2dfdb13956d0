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

import models_int8
import quantised
from network import CLIP, Layer, layers


def write_onnx(network: list[Layer], resolution: int, output: Path) -> None:
    from onnx_file import File

    file, at = File("mobilenet_v1"), "input"
    for layer in network:
        inputs = [at]
        if layer.weight is not None:
            inputs += [file.constant(f"{layer.name}.weight", layer.weight), file.constant(f"{layer.name}.bias", layer.bias)]
        if layer.kind == "pool":
            file.node("GlobalAveragePool", inputs, "pool4")
            file.node("Flatten", ["pool4"], layer.name)
        elif layer.kind == "dense":
            file.node("Gemm", inputs, layer.name, transB=1)
        else:
            file.clip(file.convolution(layer, inputs, f"{layer.name}.conv"), layer.name)
        at = layer.name
    file.write("FLOAT", resolution, at, network[-1].weight.shape[0], output)


def write_openvino(network: list[Layer], resolution: int, output: Path) -> None:
    from onnx_file import convert_to_openvino

    source = output.with_suffix(".openvino.onnx")
    write_onnx(network, resolution, source)
    convert_to_openvino(source, output)


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
    from tflite_file import File, taps

    file = File("mobilenet_v1")
    at = file.tensor("input", [1, resolution, resolution, 3])
    file.graph.inputs = [at]
    for layer in network:
        if layer.kind == "pool":
            result = file.tensor(layer.name, [1, 1, 1, network[-1].weight.shape[1]])
            file.pool(layer, 1, at, result)
            at = result
            continue
        values = taps(layer.kind, layer.weight)
        bias = file.tensor(f"{layer.name}.bias", [len(layer.bias)], values=layer.bias)
        weight = file.tensor(f"{layer.name}.weight", list(values.shape), values=values)
        result = file.tensor(layer.name, layer.output)
        file.layer(layer, 1, [at, weight, bias], result)
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
