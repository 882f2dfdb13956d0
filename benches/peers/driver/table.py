"""The report as text."""

from __future__ import annotations

import machine

BUSY = 0.1  # cores


def head(report: dict) -> str:
    lines = [f"{report['date']}  {machine.one_line(report['machine'])}"]
    load = report["load_average"]
    lines.append(f"load average {load:.2f}")
    if load > 1:
        lines.append("WARNING: the load average is above 1: if others are at work here, these times say little")
    amx = [e["title"] for e in report["engines"].values() if e.get("may_use_amx")]
    if "amx_int8" in report["machine"]["isa"] and amx and report["options"]["dtype"] != "f32":
        lines.append(f"note: this CPU has AMX, which {', '.join(amx)} may use for int8; ours does not. --limit avx512 compares without")
    if report["options"]["quick"]:
        lines.append("--quick: no time below means anything")
    versions = [f"{e['title']} {e['version']}" for e in report["engines"].values() if "version" in e]
    lines.append("engines: " + ", ".join(versions))
    if limit := report["options"]["limit"]:
        free = [e["title"] for e in report["engines"].values() if e.get("above_limit")]
        lines.append(f"--limit {limit}: cannot be held to it: {', '.join(free) or 'none'}")
    return "\n".join(lines)


COLUMNS = ["engine", "min ms", "median ms", "to ours", "% of peak", "first result ms", "memory MB", "disk MB", "difference", "ISA"]


def comparison(report: dict, c: dict) -> str:
    threads = f"{c['threads']} thread{'s' if c['threads'] > 1 else ''}"
    peaks = sorted(p["fma_peak_gflops"] for p in c["probes"])
    reads = max(p["read_gb_per_s"] for p in c["probes"])
    others = max(p["cores_used_by_others"] for p in c["probes"])
    lines = ["", f"{c['title']}, {threads}: {c['multiply_adds'] / 1e6:.1f} M multiply-adds, FMA peak {peaks[0]:.0f} to "
             f"{peaks[-1]:.0f} GFLOP/s, one core reads {reads:.1f} GB/s"]  # fmt: skip
    if others > BUSY:
        lines.append(f"WARNING: between rounds, other programs used up to {others:.1f} cores")
    rows, failures, note = [COLUMNS], [], None
    for r in c["results"]:
        engine = report["engines"].get(r["engine"])
        if "error" in r:
            failures.append((engine["title"] if engine else r["engine"], r["error"]))
        elif engine is None:
            note = f"* with Python and numpy, which alone take {r['first_result_ms']:.0f} ms and {r['peak_rss_mb']:.0f} MB"
        else:
            rows.append([
                engine["title"], f"{r['min_ms']:.3f}", f"{r['median_ms']:.3f}", ratio(r),
                f"{100 * r['share_of_peak']:.0f}", f"{r['first_result_ms']:.0f}{'*' if engine['python'] else ' '}",
                f"{r['peak_rss_mb']:.0f}{'*' if engine['python'] else ' '}", f"{engine['disk_mb']:.1f}",
                difference(c, r),
                isa(report, c, engine, r),
            ])  # fmt: skip
    width = [max(len(row[i]) for row in rows + [[f[0]] + [""] * 9 for f in failures]) for i in range(len(COLUMNS))]
    for row in rows:
        cells = [row[0].ljust(width[0])] + [cell.rjust(w) for cell, w in zip(row[1:], width[1:])]
        lines.append("  ".join(cells).rstrip())
    lines += [f"{title.ljust(width[0])}  {reason}" for title, reason in failures]
    if note:
        lines.append(note)
    if c["dtype"] == "int8":
        lines.append("the difference is the mean of all logits, in steps; the peak is of f32 multiply-adds")
    if "fastest_peer" in c:
        peer = report["engines"][c["fastest_peer"]]["title"]
        goal = f" (goal: at most {c['goal']:.2f})" if c.get("goal") else ""
        lines.append(f"ours takes {c['ours_to_fastest_peer']:.2f} of the time of the fastest peer, {peer}{goal}")
    return "\n".join(lines)


def ratio(result: dict) -> str:
    return "-" if result["ratio_to_ours"] is None else f"{result['ratio_to_ours']:.2f}"


def difference(c: dict, result: dict) -> str:
    if result["engine"] == "ours":
        return "-"
    return f"{result['max_difference']:.2f}" if c["dtype"] == "int8" else f"{result['max_difference']:.0e}"


def isa(report: dict, c: dict, engine: dict, result: dict) -> str:
    """What it says of itself, or else the best that it has kernels for and this CPU has."""
    if result["isa"] != "its choice":
        return result["isa"]
    known = report["machine"]["isa"]
    if engine["may_use_amx"] and "amx_int8" in known and c["dtype"] == "int8":
        return "amx"
    if engine["may_use_avx512"] and "avx512f" in known:
        return "avx512"
    return next((name for name in ("avx2", "asimd") if name in known), "?")


def foot(report: dict) -> str:
    lines = [""]
    times = {
        (c["network"], c["threads"]): ours["min_ms"]
        for c in report["comparisons"]
        for ours in c["results"]
        if ours["engine"] == "ours" and "min_ms" in ours
    }
    for (network, threads), time in times.items():
        if threads > 1 and (network, 1) in times:
            lines.append(f"ours, {network}: {threads} threads are {times[network, 1] / time:.2f} times as fast as one")
    lines.append(f"load average at the end {report['load_average_at_end']:.2f}; {report['seconds']} s in all")
    return "\n".join(lines)
