"""The report as a bar chart: `chart.py REPORT.json CHART.svg`, or `svg(report)`. Plain SVG, so that it needs no plotting package."""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path

import machine

FONT = "font-family='system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"
INK, FAINT, PAPER = "#1f2328", "#59636e", "#ffffff"
OURS, PEER = ["#c2410c", "#f08a4b"], ["#3b5b82", "#8fa9c7"]

WIDTH, LEFT, RIGHT = 860, 170, 150
BAR, GAP, PANEL_GAP = 13, 7, 34


def svg(report: dict) -> str:
    """A panel for each network, a group of bars for each engine, a bar for each number of threads. Shorter is better."""
    body: list[str] = []

    def text(x: float, y: float, value: str, size: int = 12, anchor: str = "start", fill: str = INK, bold: bool = False) -> None:
        weight = " font-weight='600'" if bold else ""
        body.append(
            f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' fill='{fill}'{weight}>{escape(value)}</text>"
        )

    def bar(x: float, y: float, width: float, fill: str, title: str) -> None:
        body.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 1):.1f}' height='{BAR}' rx='1.5' fill='{fill}'>"
            f"<title>{escape(title)}</title></rect>"
        )

    threads = sorted({c["threads"] for c in report["comparisons"]})
    # Reports of before int8 do not say.
    types = " and ".join(dict.fromkeys(c.get("dtype", "f32") for c in report["comparisons"]))
    text(20, 30, f"MobileNet inference, {types}, batch 1: milliseconds, shorter is better", 17, bold=True)
    x = 20
    for i, n in enumerate(threads):
        for colours in (OURS, PEER):
            body.append(f"<rect x='{x}' y='43' width='12' height='12' rx='1.5' fill='{colours[min(i, 1)]}'/>")
            x += 15
        label = f"{n} thread{'s' if n > 1 else ''}"
        text(x + 3, 53, label, 12, fill=FAINT)
        x += 85
    text(WIDTH - 20, 53, "the minimum of all runs; in brackets: times ours, within a round", 12, "end", FAINT)
    y = 84.0

    networks = list(dict.fromkeys(c["network"] for c in report["comparisons"]))
    for network in networks:
        panels = [c for c in report["comparisons"] if c["network"] == network]
        text(20, y, panels[0]["title"], 14, bold=True)
        peaks = [f"{100 * r['share_of_peak']:.0f} %" for c in panels for r in c["results"] if r["engine"] == "ours" and "error" not in r]
        on = " and ".join(str(c["threads"]) for c in panels)
        if len(peaks) == len(panels):
            reached = f"ours reaches {' and '.join(peaks)} of the f32 FMA peak on {on} thread{'s' if on != '1' else ''}"
            text(WIDTH - 20, y, reached, 12, "end", FAINT)
        y += 12
        by_engine = {key: [find(c, key) for c in panels] for key in report["engines"]}
        # Engines that were not asked for this type.
        by_engine = {key: results for key, results in by_engine.items() if any(results)}
        times = [r["min_ms"] for results in by_engine.values() for r in results if r and "error" not in r]
        if not times:
            continue
        # An engine that is many times slower must not squeeze the others: its bar is cut, the number says it.
        limit = min(max(times), 3.2 * sorted(times)[len(times) // 2])
        scale = (WIDTH - LEFT - RIGHT) / limit
        # By the time on the fewest threads.
        order = sorted(by_engine, key=lambda key: next((r["min_ms"] for r in by_engine[key] if r and "error" not in r), 9e9))
        for key in order:
            title, is_ours = report["engines"][key]["title"], key == "ours"
            height = len(panels) * BAR
            text(LEFT - 10, y + height / 2 + 4, title, 12, "end", INK, is_ours)
            for c, r in zip(panels, by_engine[key]):
                shade = min(threads.index(c["threads"]), 1)
                if r is None or "error" in r:
                    reason = r["error"] if r else "not run"
                    text(LEFT, y + BAR - 3, reason if len(reason) < 90 else reason[:87] + "...", 11, fill=FAINT)
                else:
                    width, cut = min(r["min_ms"], limit) * scale, r["min_ms"] > limit
                    label = f"{r['min_ms']:.3g}" if r["min_ms"] < 10 else f"{r['min_ms']:.1f}"
                    ratio = "" if is_ours or r["ratio_to_ours"] is None else f"  ({r['ratio_to_ours']:.2f})"
                    bar(LEFT, y, width, (OURS if is_ours else PEER)[shade], f"{title}, {c['threads']} threads: {label} ms")
                    if cut:
                        x = LEFT + width - 16
                        body.append(f"<path d='M{x},{y + BAR} l5,-{BAR} h4 l-5,{BAR} z' fill='{PAPER}'/>")
                    text(LEFT + width + 6, y + BAR - 2.5, label + ratio, 11, fill=INK, bold=is_ours)
                y += BAR
            y += GAP
        y += PANEL_GAP - GAP
    y -= 12
    m = report["machine"]
    lines = [machine.one_line(m), f"{report['date'][:10]}; " + ", ".join(
        f"{e['title']} {e['version']}" for e in report["engines"].values() if "version" in e)]  # fmt: skip
    amx = [e["title"] for e in report["engines"].values() if e.get("may_use_amx")]
    if "amx_int8" in m["isa"] and amx:
        lines.append(f"{', '.join(amx)} may use this CPU's AMX for int8; ours has AVX-512 VNNI.")
    worst = max((p["cores_used_by_others"] for c in report["comparisons"] for p in c["probes"]), default=0)
    if worst > 0.1:
        lines.append(f"Not an idle machine: other programs used up to {worst:.1f} cores between rounds.")
    if report["options"]["quick"]:
        lines.append("--quick: one round of two runs. No time here means anything.")
    for line in lines:
        for part in wrapped(line, 140):
            text(20, y, part, 10, fill=FAINT)
            y += 14
    height = y + 6
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' "
        f"{FONT} role='img' aria-label='Bar chart of inference times'>\n<rect width='100%' height='100%' fill='{PAPER}'/>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def find(comparison: dict, key: str) -> dict | None:
    return next((r for r in comparison["results"] if r["engine"] == key), None)


def wrapped(line: str, width: int) -> list[str]:
    parts = [""]
    for word in line.split():
        if len(parts[-1]) + len(word) > width:
            parts.append("")
        parts[-1] += f"{word} "
    return parts


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(json.loads(Path(sys.argv[1]).read_text())))
