"""The engines: how each is installed, what its worker is, what is known about it. And a worker, as the driver sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

from network import Network

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent
ROOT = PEERS.parent.parent
WORK = Path(os.environ.get("PEERS_DIR", ROOT / "target" / "peers"))
RUST = PEERS / "rust"

# Longest that a worker may take for an answer, in seconds.
PATIENCE = 120.0


class Unavailable(Exception):
    """An engine that is not there, or no longer. The message is what the table says."""


@dataclass(frozen=True)
class Engine:
    key: str
    title: str
    # See models.py; "safetensors" is the file that the others are made of.
    format: str
    # Python: the distribution. Rust: the package of the workspace in ../rust.
    package: str
    rust: bool = False
    # The crate whose version is the engine's.
    crate: str | None = None
    # Environment for each of LIMITS that it can be held to.
    limits: dict[str, dict[str, str]] = field(default_factory=dict, hash=False)
    # Has it kernels for AVX-512, and for AMX, where nothing holds it back? All choose by CPUID.
    avx512: bool = True
    amx: bool = False
    # As `format`, of int8; None for an engine that is not compared there.
    int8: str | None = None

    def format_of(self, network: Network) -> str | None:
        return self.int8 if network.int8 else self.format

    @property
    def binary(self) -> Path:
        return WORK / "rust" / "release" / self.package

    @property
    def command(self) -> list[str]:
        if self.rust:
            return [str(self.binary)]
        return [sys.executable, str(HERE / "worker.py"), self.key]

    def install(self) -> None:
        if self.rust:
            command = ["cargo", "build", "--quiet", "--release", "--package", self.package]
            command += ["--manifest-path", str(RUST / "Cargo.toml"), "--target-dir", str(WORK / "rust")]
        elif self.installed():
            return
        else:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command += ["--constraint", str(PEERS / "requirements.txt"), self.package]
        try:
            result = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise Unavailable(f"not installed: {error}") from None
        if result.returncode != 0:
            lines = [line for line in result.stderr.splitlines() if line.strip()]
            # The first error of Cargo, the last of pip.
            errors = [line for line in lines if line.lower().startswith("error")]
            line = (errors[0] if self.rust and errors else (errors or lines or [ending(result.returncode)])[-1]).strip()
            raise Unavailable(f"not installed: {line}")

    def installed(self) -> bool:
        """Is it here in the pinned version?"""
        if not self.package:
            return True
        pins = dict(
            line.lower().split("==") for line in (PEERS / "requirements.txt").read_text().split() if "==" in line
        )
        try:
            return metadata.version(self.package) == pins[self.package.lower()]
        except metadata.PackageNotFoundError:
            return False

    def version(self) -> str:
        if self.key == "ours":
            git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
            result = subprocess.run(git, capture_output=True, text=True)
            return result.stdout.strip() or "unknown"
        if self.rust:
            lines = (RUST / "Cargo.lock").read_text().splitlines()
            return lines[lines.index(f'name = "{self.crate}"') + 1].split('"')[1]
        return metadata.version(self.package) if self.package else sys.version.split()[0]

    def bytes_on_disk(self) -> int | None:
        """The binary, or the files of the Python distribution (without what it depends on)."""
        if self.rust:
            return self.binary.stat().st_size
        if not self.package:
            return None
        files = metadata.files(self.package) or []
        return sum(path.stat().st_size for f in files if (path := Path(f.locate())).is_file() and path.suffix != ".pyc")


# What `--limit` takes. "avx512" is all of AVX-512 with VNNI, without the tiles of AMX.
LIMITS = ["avx2", "avx512"]

ENGINES = [
    Engine("ours", "ours (dwsep)", "safetensors", "peer-ours", rust=True, limits={"avx2": {"DWSEP_ISA": "avx2_fma"}},
           int8="tflite_int8"),  # fmt: skip
    Engine("onnxruntime", "ONNX Runtime", "onnx", "onnxruntime", amx=True, int8="onnx_int8"),
    Engine("tflite", "TFLite + XNNPACK", "tflite", "ai-edge-litert", int8="tflite_int8"),
    Engine("openvino", "OpenVINO", "openvino", "openvino", amx=True, int8="openvino_int8",
           limits={"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}}),  # fmt: skip
    # No instruction of its wheel touches a 512-bit register.
    Engine("mnn", "MNN", "mnn", "mnn", avx512=False),
    Engine("ncnn", "ncnn", "ncnn", "ncnn"),
    Engine("tract", "tract", "onnx", "peer-tract", rust=True, crate="tract-onnx"),
    Engine("rten", "RTen", "onnx", "peer-rten", rust=True, crate="rten"),
]
# No engine, but the part of the Python engines' memory and start that is Python's.
PYTHON = Engine("python", "Python + numpy alone", "safetensors", "", int8="safetensors")
PEAK = Engine("peak", "peak", "", "peer-peak", rust=True)


def above(limit: str | None, engine: Engine) -> bool:
    """Has it kernels above the limit, from which nothing holds it back?"""
    beyond = {None: False, "avx2": engine.avx512, "avx512": engine.amx}[limit]
    return beyond and limit not in engine.limits


def ending(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


class Worker:
    """A process that answers commands. Between `awake` blocks it is stopped, so that its threads take no time from others."""

    def __init__(self, engine: Engine, environment: dict[str, str]) -> None:
        self.engine = engine
        self.start = time.perf_counter()
        self.process = subprocess.Popen(
            engine.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            bufsize=1,
        )
        # Its last words, and so that it never waits for a full pipe.
        self.errors: list[str] = []
        self.reader = threading.Thread(target=self._drain, daemon=True)
        self.reader.start()

    def _drain(self) -> None:
        for line in self.process.stderr:
            self.errors = [*self.errors[-20:], line.strip()]

    def send(self, *fields: object) -> None:
        try:
            print(*fields, sep="\t", file=self.process.stdin, flush=True)
        except OSError:
            pass  # `receive` says why

    def receive(self) -> list[str]:
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            answer = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not answer.endswith("\n"):
            status = self.process.wait()
            self.reader.join(1)
            last = next((line for line in reversed(self.errors) if line), "")
            raise Unavailable(f"crashed: {ending(status)}{': ' if last else ''}{last[:200]}")
        if answer.startswith("error "):
            raise Unavailable(answer.removeprefix("error ").strip()[:240])
        return answer.split()

    def ask(self, *fields: object) -> list[str]:
        self.send(*fields)
        return self.receive()

    def run(self, times: int) -> list[int]:
        """Nanoseconds of each of so many inferences."""
        return [int(t) for t in self.ask("run", times)[1:]]

    def output(self) -> np.ndarray:
        path = WORK / f"output.{self.process.pid}.f32"
        self.ask("output", path)
        try:
            return np.fromfile(path, np.float32)
        finally:
            path.unlink(missing_ok=True)

    def peak_rss(self) -> int:
        """Bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def __enter__(self) -> Worker:
        self.process.send_signal(signal.SIGCONT)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.send("quit")
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
