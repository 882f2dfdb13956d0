"""A Python engine as a worker: `worker.py ENGINE`. The protocol is that of ../rust/worker/src/lib.rs.

Each engine is set up as its documentation recommends for the latency of one network on N threads, without pinning threads to
cores; input and output stay in buffers that are made once, in the layout that the engine prefers. A quantised network is given
its integers: the conversion of the image is no part of the time.
"""

from __future__ import annotations

import gc
import os
import sys
import time


class Python:
    """No engine: what the interpreter, numpy and the loop that takes the times cost."""

    isa = "-"

    def __init__(self, model: str, image, threads: int) -> None:
        self.output = lambda: image[0, 0, :, 0]

    def run(self) -> None:
        pass


class OnnxRuntime:
    # MLAS chooses by CPUID, and nothing limits it.
    isa = "its choice"

    def __init__(self, model: str, image, threads: int) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = self.session.get_outputs()[0].name
        if self.session.get_inputs()[0].type == "tensor(uint8)":
            image = integers(image, "uint8")
        # The device's buffers are the process's memory here: nothing is copied in a run.
        self.input = ort.OrtValue.ortvalue_from_numpy(channels_first(image))
        self.result = ort.OrtValue.ortvalue_from_numpy(zeros(self.session.get_outputs()[0].shape))
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self.session.get_inputs()[0].name, self.input)
        binding.bind_ortvalue_output(name, self.result)
        run, inner = self.session._sess.run_with_iobinding, binding._iobinding
        self.run = lambda: run(inner, None)
        self.output = self.result.numpy


class TfLite:
    # XNNPACK chooses by CPUID, and nothing limits it.
    isa = "its choice"

    def __init__(self, model: str, image, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # XNNPACK is the default, for f32 and for integers.
        self.interpreter = Interpreter(model_path=model, num_threads=threads)
        self.interpreter.allocate_tensors()
        start, result = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]
        if start["dtype"].__name__ == "int8":
            image = integers(image, "int8")
        self.interpreter.set_tensor(start["index"], image)
        self.run = self.interpreter.invoke
        # Zeros for f32.
        scale, zero = result["quantization"]

        def output():
            logits = self.interpreter.get_tensor(result["index"])
            return (logits.astype("float32") - zero) * scale if scale else logits

        self.output = output


class OpenVino:
    isa = "its choice"

    def __init__(self, model: str, image, threads: int) -> None:
        # OpenVINO reports its import to a server, from a thread, unless that package is missing.
        sys.modules["openvino_telemetry"] = None
        import openvino as ov
        from openvino import properties

        core = ov.Core()
        config = {
            properties.hint.performance_mode: properties.hint.PerformanceMode.LATENCY,
            properties.hint.inference_precision: ov.Type.f32,
            properties.hint.enable_cpu_pinning: False,
            properties.inference_num_threads: threads,
        }
        self.compiled = core.compile_model(model, "CPU", config)
        self.request = self.compiled.create_infer_request()
        if self.compiled.input(0).element_type == ov.Type.u8:
            image = integers(image, "uint8")
        self.input = ov.Tensor(channels_first(image), shared_memory=True)
        self.request.set_input_tensor(self.input)
        # Without the conversion of results to a dictionary: these stay in the request's tensor.
        request = self.request
        infer = super(type(request), request).infer

        def run() -> None:
            infer({}, True, False)

        self.run = run
        self.output = lambda: request.get_output_tensor(0).data


class Mnn:
    isa = "its choice"

    def __init__(self, model: str, image, threads: int) -> None:
        import MNN

        self.interpreter = MNN.Interpreter(model)
        config = {"backend": "CPU", "numThread": threads, "precision": "high"}
        self.session = self.interpreter.createSession(config)
        self.target = self.interpreter.getSessionInput(self.session)
        # The Tensor does not own these.
        self.image = channels_first(image)
        self.source = MNN.Tensor(
            self.image.shape, MNN.Halide_Type_Float, self.image, MNN.Tensor_DimensionType_Caffe
        )
        self.result = self.interpreter.getSessionOutput(self.session)

    def run(self) -> None:
        # Part of the time, because MNN uses the input's memory for other tensors in a run. It is about 1 % of it.
        self.target.copyFrom(self.source)
        self.interpreter.runSession(self.session)

    def output(self):
        import MNN

        shape = self.result.getShape()
        data = zeros(shape)
        copy = MNN.Tensor(shape, MNN.Halide_Type_Float, data, MNN.Tensor_DimensionType_Caffe)
        self.result.copyToHostTensor(copy)
        return copy.getNumpyData().copy()


class Ncnn:
    isa = "its choice"

    def __init__(self, model: str, image, threads: int) -> None:
        import ncnn

        # As ncnn's benchmark sets it up.
        ncnn.set_omp_dynamic(0)
        ncnn.set_omp_num_threads(threads)
        self.allocators = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = threads
        options.blob_allocator, options.workspace_allocator = self.allocators
        options.use_vulkan_compute = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        if self.net.load_param(model) != 0 or self.net.load_model(model.removesuffix("param") + "bin") != 0:
            raise RuntimeError("ncnn cannot load the network")
        # The Mat does not own these.
        self.image = channels_first(image)[0]
        self.input = ncnn.Mat(self.image)
        self.result = None

    def run(self) -> None:
        extractor = self.net.create_extractor()
        extractor.input("input", self.input)
        status, self.result = extractor.extract("logits")
        if status != 0:
            raise RuntimeError(f"ncnn: status {status}")

    def output(self):
        return self.result.numpy()


ENGINES = {
    "python": Python,
    "onnxruntime": OnnxRuntime,
    "tflite": TfLite,
    "openvino": OpenVino,
    "mnn": Mnn,
    "ncnn": Ncnn,
}


def channels_first(image):
    import numpy as np

    return np.ascontiguousarray(image.transpose(0, 3, 1, 2))


def integers(image, dtype):
    """What the input's pixels are in a quantised network."""
    import numpy as np

    import quantised

    return quantised.integers(image, np.dtype(dtype).type)


def zeros(shape):
    import numpy as np

    return np.zeros(shape, np.float32)


def main() -> None:
    # The answers go where stdout was; what an engine prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    engine = None
    # Not readline through a buffered iterator: each command is answered before the next is read.
    while line := sys.stdin.readline():
        command, *arguments = line.rstrip("\n").split("\t")
        try:
            if command == "load":
                import numpy as np

                model, image, height, width, threads = arguments
                image = np.fromfile(image, np.float32).reshape(1, int(height), int(width), 3)
                engine = ENGINES[sys.argv[1]](model, image, int(threads))
                answer = f"ok {engine.isa}"
            elif command == "run":
                run, clock = engine.run, time.perf_counter_ns
                times = [0] * int(arguments[0])
                gc.disable()
                for i in range(len(times)):
                    start = clock()
                    run()
                    times[i] = clock() - start
                gc.enable()
                answer = f"times {' '.join(map(str, times))}"
            elif command == "output":
                import numpy as np

                output = np.asarray(engine.output(), np.float32).ravel()
                output.tofile(arguments[0])
                answer = f"ok {output.size}"
            elif command == "quit":
                break
            else:
                answer = f"error no such command: {command}"
        except Exception as error:
            answer = f"error {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, file=answers, flush=True)
    # Engines' threads and destructors may hang or crash at exit, when everything has been measured.
    answers.close()
    os._exit(0)


if __name__ == "__main__":
    main()
