#!/usr/bin/env python3
"""Licences, sources and duplicates of everything in Cargo.lock, by the rules in deny.toml. In a second and without a network.

`cargo deny check` does the same and asks for advisories, too; it takes minutes to build, so that CI has it as a step that must be asked for
(`.ci/run deny`). Duplicates are warnings, as there.
"""

import collections
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def allows(expression, allowed):
    """Whether an SPDX expression holds with these licences alone. The old `A/B` is `A OR B`."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    python = []
    while words:
        word = words.pop(0)
        if word in ("(", ")", "OR", "AND"):
            python.append(word.lower())
            continue
        if words[:1] == ["WITH"]:
            word = f"{word} WITH {words[1]}"
            del words[:2]
        python.append(str(word in allowed))
    return eval(" ".join(python), {"__builtins__": {}})


def main():
    assert allows("(MIT OR X) AND Zlib", {"MIT", "Zlib"}) and not allows("MIT AND X", {"MIT"})
    rules = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]
    exceptions = {e["crate"]: e["allow"] for e in rules["exceptions"]}
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    packages = json.loads(metadata.stdout)["packages"]
    problems = []
    versions = collections.defaultdict(list)
    for package in packages:
        name, licence, source = package["name"], package["license"], package["source"]
        versions[name].append(package["version"])
        if not licence or not allows(licence, {*rules["allow"], *exceptions.get(name, [])}):
            problems.append(f"{name}: the licence {licence} is none of those that deny.toml allows")
        if source not in (None, CRATES_IO):
            problems.append(f"{name}: {source} is not crates.io")
    for name, found in sorted(versions.items()):
        if len(found) > 1:
            print(f"check-dependencies: {name} is there {len(found)} times: {', '.join(found)}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"check-dependencies: {len(packages)} packages, licences and sources as deny.toml has them")


main()
