"""Times the same networks, with the same weights and inputs, in other engines and in ours. README.md says by which rules."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import numpy as np

import chart
import machine
import quantised
import table
from engines import ENGINES, LIMITS, PEAK, PYTHON, ROOT, WORK, Engine, Unavailable, Worker, above
from models import FORMATS
from network import DTYPES, NETWORKS, Network, layers, macs

HERE = Path(__file__).resolve().parent
TRAINED = ROOT / "models" / "mobilenet_v1_1.0_224.safetensors"
PHOTOS = [ROOT / "tests" / "golden" / f"{name}.input.npy" for name in ("chelsea", "coffee", "rocket")]

OURS = ENGINES[0]
# Fresh starts of each engine, of which the fastest is reported.
STARTS = 3
# So many runs that a turn takes about so long, in nanoseconds, if that is more than --runs: small networks are over too soon.
TURN = 200e6
MOST_RUNS = 1000
PROBE_MILLISECONDS = 100
# Larger than any cache.
PROBE_MEBIBYTES = 256
# Largest difference of any f32 logit from ours, relative to ours of the largest magnitude.
TOLERANCE = 1e-3
# Of int8, in steps of the logits. Engines round differently in each of 29 layers; and with random weights the best classes are close.
TOLERANCE_MEAN, TOLERANCE_BEST = 1.5, 4.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    keys = {"networks": [n.key for n in NETWORKS if not n.int8], "engines": [e.key for e in ENGINES]}

    def some(name: str):
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := [key for key in chosen if key not in keys[name]]:
                raise argparse.ArgumentTypeError(f"{unknown[0]!r}: none of {', '.join(keys[name])}")
            return [key for key in keys[name] if key in chosen]

        return parse

    def numbers(text: str) -> list[int]:
        return sorted({int(x) for x in text.split(",")})

    for name in keys:
        parser.add_argument(
            f"--{name}", type=some(name), default=keys[name], metavar="A,B", help=f"of {', '.join(keys[name])}; default all"
        )
    parser.add_argument("--dtype", choices=[*DTYPES, "all"], default="all", help="of weights and activations; default all")
    parser.add_argument("--threads", type=numbers, default=[1, 2], metavar="N,M", help="default 1,2")
    parser.add_argument("--rounds", type=int, default=5, help="of A B C A B C; default 5")
    parser.add_argument("--runs", type=int, default=30, help="least number of inferences a round and engine; default 30")
    parser.add_argument("--quick", action="store_true", help="1 round of 2 runs: does everything work? No time means anything")
    parser.add_argument("--limit", choices=LIMITS, help="hold the engines that can be held to these instructions; avx512: no AMX")
    parser.add_argument("--json", type=Path, default=WORK / "peers.json", metavar="FILE")
    parser.add_argument("--svg", type=Path, default=WORK / "peers.svg", metavar="FILE")
    parser.add_argument("--publish", action="store_true", help="write docs/peers.json and docs/peers.svg instead")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.runs = 1, 2
    if options.rounds < 1 or options.runs < 1 or options.threads[0] < 1:
        parser.error("--rounds, --runs and --threads are at least 1")
    if options.publish:
        options.json, options.svg = ROOT / "docs" / "peers.json", ROOT / "docs" / "peers.svg"
    if OURS.key not in options.engines:
        options.engines.insert(0, OURS.key)
    return options


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ----------------------------------------------------------------------------------------------------------------- models


def folder(network: Network) -> Path:
    return WORK / "models" / network.key


def model_path(network: Network, form: str) -> Path:
    if form == "safetensors":
        return TRAINED if network.seed is None else folder(network) / "weights.safetensors"
    return folder(network) / f"{form}{FORMATS[form][0]}"


def input_path(network: Network) -> Path:
    return folder(network) / "input.f32"


def integers_path(network: Network) -> Path:
    return folder(network) / "integers.npz"


def photo(path: Path) -> np.ndarray:
    """As the project's own tests prepare it."""
    return np.float32(np.load(path)) / np.float32(127.5) - np.float32(1)


def write_source(network: Network) -> None:
    """Our weights and the input of a network; and the integers, if it is quantised."""
    folder(network).mkdir(parents=True, exist_ok=True)
    if network.seed is None:
        photo(PHOTOS[0]).tofile(input_path(network))
    else:
        command = [OURS.binary, "seeded", network.alpha, network.resolution, network.seed]
        command += [model_path(network, "safetensors"), input_path(network)]
        subprocess.run([str(x) for x in command], check=True)
    if network.int8:
        size = network.resolution
        images = [np.fromfile(input_path(network), np.float32).reshape(1, size, size, 3)]
        images += [quantised.smooth(size, i) for i in range(quantised.SMOOTH_IMAGES)]
        if network.seed is None:
            images += [photo(path) for path in PHOTOS[1:]]
        source = layers(model_path(network, "safetensors"), size)
        quantised.save(quantised.quantise(source, images), integers_path(network))


def write_model(network: Network, form: str) -> None:
    # In a process of its own: converters crash and write to stdout.
    target = model_path(network, form)
    source = model_path(network, "safetensors")
    command = [sys.executable, str(HERE / "models.py"), form, str(source), str(network.resolution), str(target)]
    command += [str(integers_path(network))] if network.int8 else []
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["?"])[-1]
        raise Unavailable(f"no {form} file: {last[:200]}")


# ----------------------------------------------------------------------------------------------------------------- timing


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest magnitude; infinite if they cannot be compared."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def steps(found: np.ndarray, expected: np.ndarray, step: float) -> tuple[float, float]:
    """The mean difference in steps, and how far the best class of `expected` is below the best of `found`."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf"), float("inf")
    below = found.max() - found[expected.argmax()]
    return float(np.abs(found - expected).mean() / step), float(below / step)


def checked(worker: Worker, network: Network, expected: np.ndarray | None) -> tuple[np.ndarray, float]:
    output = worker.output()
    against = output if expected is None else expected
    if network.int8:
        found, below = steps(output, against, quantised.step(integers_path(network)))
        if not (found <= TOLERANCE_MEAN and below <= TOLERANCE_BEST):
            limits = f"at most {TOLERANCE_MEAN} and {TOLERANCE_BEST}"
            raise Unavailable(f"mismatch: logits differ by {found:.2f} steps in the mean, the best class by {below:.1f} ({limits})")
        return output, found
    found = difference(output, against)
    if not found <= TOLERANCE:
        raise Unavailable(f"mismatch: logits differ from ours by {found:.1e} (at most {TOLERANCE:.0e})")
    return output, found


def started(engine: Engine, network: Network, threads: int, limit: str | None, starts: int) -> tuple[Worker, float, str]:
    """A worker that has run once, the fewest seconds from the start of its process to its first result, and its ISA."""
    best, worker = float("inf"), None
    for _ in range(starts):
        if worker is not None:
            worker.close()
        worker = Worker(engine, engine.limits.get(limit, {}))
        size = network.resolution
        try:
            worker.send("load", model_path(network, engine.format_of(network)), input_path(network), size, size, threads)
            worker.send("run", 1)
            isa = worker.receive()[1:]
            worker.receive()
        except Unavailable:
            worker.close()
            raise
        best = min(best, time.perf_counter() - worker.start)
    return worker, best, " ".join(isa)


class Comparison:
    """One network on one number of threads."""

    def __init__(self, network: Network, threads: int, options: argparse.Namespace) -> None:
        self.network, self.threads, self.options = network, threads, options
        self.results: dict[str, dict] = {}
        self.workers: dict[str, Worker] = {}
        self.probes: list[dict] = []

    def fail(self, key: str, reason: str) -> None:
        if key == OURS.key:
            say(f"error: ours on {self.network.title}: {reason}")
        self.results[key] = {"engine": key, "error": reason}
        if worker := self.workers.pop(key, None):
            worker.close()

    def start(self, engines: list[Engine], missing: dict[str, str]) -> None:
        """Starts the workers and compares what they compute."""
        expected = None
        starts = 1 if self.options.quick else STARTS
        for engine in engines:
            if engine.key in missing:
                self.fail(engine.key, missing[engine.key])
                continue
            try:
                worker, seconds, isa = started(engine, self.network, self.threads, self.options.limit, starts)
                self.workers[engine.key] = worker
                if engine is PYTHON:
                    found = None
                else:
                    output, found = checked(worker, self.network, expected)
                    expected = output if expected is None else expected
                self.results[engine.key] = {
                    "engine": engine.key,
                    "isa": isa,
                    # Of int8 the mean one, in steps.
                    "max_difference": found,
                    "first_result_ms": seconds * 1e3,
                    "rounds": [],
                }
                worker.__exit__()
            except Unavailable as error:
                self.fail(engine.key, str(error))
        self.expected = expected

    def probe(self, peak: Worker) -> None:
        idle = machine.others(0.1)
        with peak:
            fma = float(peak.ask("fma", self.threads, PROBE_MILLISECONDS)[1])
            read = float(peak.ask("read", PROBE_MEBIBYTES, PROBE_MILLISECONDS)[1])
        self.probes.append({"fma_peak_gflops": fma, "read_gb_per_s": read, "cores_used_by_others": idle})

    def run(self, peak: Worker) -> None:
        runs = {}
        for round_ in range(self.options.rounds):
            self.probe(peak)
            for key, worker in list(self.workers.items()):
                try:
                    with worker:
                        if key not in runs:
                            # The first turn is longer: threads, caches and the clock warm up, and it tells how long a run takes.
                            fastest = min(worker.run(1 if self.options.quick else 10))
                            wanted = 0 if self.options.quick else min(int(TURN / max(fastest, 1)), MOST_RUNS)
                            runs[key] = max(self.options.runs, wanted)
                        worker.run(max(1, runs[key] // 10))
                        times = worker.run(runs[key])
                    self.results[key]["rounds"].append({"min_ms": min(times) / 1e6, "median_ms": median(times) / 1e6})
                except Unavailable as error:
                    self.fail(key, str(error))
        self.probe(peak)
        for key, worker in list(self.workers.items()):
            try:
                with worker:
                    if key != PYTHON.key:
                        # After thousands of runs it still has to be what it was.
                        checked(worker, self.network, self.expected)
                    self.results[key].update(peak_rss_mb=worker.peak_rss() / 1e6, runs_per_round=runs[key])
            except Unavailable as error:
                self.fail(key, str(error))

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()

    def report(self) -> dict:
        """Everything that was measured, and what follows from it."""
        # None where ours failed.
        ours, flops = self.results[OURS.key].get("rounds"), 2 * macs(self.network)
        peers = [r for key, r in self.results.items() if key not in (OURS.key, PYTHON.key) and "error" not in r]
        for key, result in self.results.items():
            if "error" in result or key == PYTHON.key:
                continue
            rounds = result["rounds"]
            for i, r in enumerate(rounds):
                r["ratio_to_ours"] = r["min_ms"] / ours[i]["min_ms"] if ours else None
                peak = max(p["fma_peak_gflops"] for p in self.probes[i : i + 2])
                r["share_of_peak"] = flops / (r["min_ms"] * 1e-3) / (peak * 1e9)
            result["min_ms"] = min(r["min_ms"] for r in rounds)
            result["median_ms"] = min(r["median_ms"] for r in rounds)
            result["ratio_to_ours"] = median(r["ratio_to_ours"] for r in rounds) if ours else None
            result["share_of_peak"] = median(r["share_of_peak"] for r in rounds)
        report = {
            "network": self.network.key,
            "title": self.network.title,
            "dtype": self.network.dtype,
            "threads": self.threads,
            "multiply_adds": macs(self.network),
            "results": list(self.results.values()),
            "probes": self.probes,
        }
        if peers and ours:
            fastest = min(peers, key=lambda r: r["min_ms"])
            shares = [r["min_ms"] / min(p["rounds"][i]["min_ms"] for p in peers) for i, r in enumerate(ours)]
            report["fastest_peer"] = fastest["engine"]
            report["ours_to_fastest_peer"] = median(shares)
            report["goal"] = self.network.goals.get(self.threads)
        return report


# ------------------------------------------------------------------------------------------------------------------- main


def main() -> None:
    options = arguments()
    begin = datetime.now(timezone.utc)
    engines = [engine for engine in ENGINES if engine.key in options.engines]
    networks = [n for n in NETWORKS if n.base in options.networks and options.dtype in (n.dtype, "all")]
    missing: dict[str, str] = {}

    for engine in [PEAK, *engines]:
        say(f"installing or building {engine.title} ...")
        try:
            engine.install()
        except Unavailable as error:
            if engine in (PEAK, OURS):
                sys.exit(f"error: {engine.title}: {error}")
            missing[engine.key] = str(error)

    no_model: dict[tuple[str, str], str] = {}
    for network in networks:
        say(f"writing the models of {network.title} ...")
        write_source(network)
        for form in sorted({e.format_of(network) for e in engines if e.key not in missing} & FORMATS.keys()):
            try:
                write_model(network, form)
            except Unavailable as error:
                no_model[network.key, form] = str(error)

    report: dict = {
        "date": begin.isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "options": {name: value for name, value in vars(options).items() if not isinstance(value, Path)},
        "load_average": machine.load_average(),
        "engines": {},
        "comparisons": [],
    }
    for engine in engines:
        known = {"title": engine.title, "python": not engine.rust}
        known["may_use_avx512"] = engine.avx512 and (options.limit != "avx2" or above(options.limit, engine))
        known["may_use_amx"] = engine.amx and (options.limit is None or above(options.limit, engine))
        if engine.key not in missing:
            known |= {"version": engine.version(), "disk_mb": (engine.bytes_on_disk() or 0) / 1e6}
            known["above_limit"] = above(options.limit, engine)
        report["engines"][engine.key] = known
    print(table.head(report), flush=True)

    peak = Worker(PEAK, {})
    peak.__exit__()
    for network in networks:
        compared = [e for e in engines if e.format_of(network)]
        failed = {form: reason for (key, form), reason in no_model.items() if key == network.key}
        unavailable = missing | {e.key: failed[e.format_of(network)] for e in compared if e.format_of(network) in failed}
        for threads in options.threads:
            comparison = Comparison(network, threads, options)
            try:
                comparison.start([*compared, PYTHON], unavailable)
                comparison.run(peak)
            finally:
                comparison.close()
            report["comparisons"].append(comparison.report())
            print(table.comparison(report, report["comparisons"][-1]), flush=True)
    peak.close()
    report["load_average_at_end"] = machine.load_average()
    report["seconds"] = round((datetime.now(timezone.utc) - begin).total_seconds())
    print(table.foot(report))

    for path, text in ((options.json, json.dumps(report, indent=1) + "\n"), (options.svg, chart.svg(report))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        say(f"wrote {path}")
    if any("error" in r for c in report["comparisons"] for r in c["results"] if r["engine"] == OURS.key):
        sys.exit("error: not all networks ran in ours")


if __name__ == "__main__":
    if shutil.which("cargo") is None:
        sys.exit("error: cargo is not in PATH")
    main()
