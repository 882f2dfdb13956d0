"""What it runs on, and how busy that is."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path


def describe() -> dict:
    cpu = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        cpu.setdefault(key.strip(), value.strip())
    flags = cpu.get("flags", cpu.get("Features", "")).split()
    known = ["avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm"]
    return {
        "cpu": cpu.get("model name", platform.machine()),
        "family_model": f"{cpu.get('cpu family', '?')}/{cpu.get('model', '?')}",
        "cores": os.cpu_count(),
        "caches": caches(),
        "isa": [flag for flag in known if flag in flags],
        "kernel": platform.release(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
    }


def caches() -> dict[str, str]:
    result = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        result[f"L{level}{ {'Data': 'd', 'Instruction': 'i'}.get(kind, '') }"] = size
    return result


def one_line(machine: dict) -> str:
    sizes = ", ".join(f"{name} {size}" for name, size in machine["caches"].items() if not name.endswith("i"))
    return f"{machine['cpu']} ({machine['family_model']}), {machine['cores']} cores, {sizes}; {' '.join(machine['isa'])}"


def load_average() -> float:
    return os.getloadavg()[0]


def others(seconds: float) -> float:
    """How many cores other programs use, while this one sleeps."""

    def busy() -> int:
        fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        # Without idle and iowait; with what the hypervisor took.
        return sum(fields) - fields[3] - fields[4]

    before, start = busy(), time.monotonic()
    time.sleep(seconds)
    return (busy() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start)
