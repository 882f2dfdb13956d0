#!/usr/bin/env python3
"""Fails where the inner loop of a hand-tuned kernel keeps vectors on the stack where it need not.

A register tile that is one register too large is spilled: each step then stores and loads vectors, the kernel runs at a third of
its speed, and no test notices. This reads the assembly of the release build, finds the innermost loops with vector arithmetic in
the functions of the kernels' tables, and names those that load or store a vector through the stack pointer. The scalar and the portable
kernels are what the compiler makes of them, and not looked at.

    tools/check-assembly.py                                          the host
    tools/check-assembly.py --target aarch64-unknown-linux-gnu       with RUSTC=... as tools/test-aarch64.sh sets it
    tools/check-assembly.py --list                                   every loop that was looked at

Exit status: 0 without such loops, 1 with, 2 where there was nothing to look at.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# For each architecture: vector multiply-adds, a vector loaded from or stored to the stack, and jumps to a label.
ARCHITECTURES = {
    "x86_64": (
        re.compile(r"^vfn?madd\w*ps\b"),
        re.compile(r"^(?=.*%[xyz]mm).*\(%rsp\b"),
        re.compile(r"^j\w+\s+(\.L\w+)"),
    ),
    "aarch64": (
        re.compile(r"^fmla\s+v"),
        re.compile(r"^(ldr|str|ldp|stp|ldur|stur)\s+[qdv]\d+.*\[sp\b"),
        re.compile(r"^(?:b\.\w+|b|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#?\w+,)\s+(\.L\w+)"),
    ),
}
# The hand-tuned rows of the tables, `dwsep::arch::<architecture>::<...>::<ROW>::run` or `<... as TileLoops>::tiles`, in legacy and in v0 mangling.
FUNCTION = re.compile(r"^(_(?:ZN|R)[\w.$]*(?:5dwsep4arch(?!7generic)|dwsep\.\.arch\.\.(?!generic))[\w.$]+):")
# Loops with fewer multiply-adds are over what is left of a vector or a row, or over the border of an image.
LEAST_OPERATIONS = {"PW": 4, "DW": 18}
# Accesses to the stack that are allowed for each multiply-add. None in a GEMM, whose loop is all there is to its speed. The
# depthwise kernels are one block of 36 to 72 multiply-adds with 25 to 34 loads, in which LLVM holds a few inputs longer than the
# registers allow; the loads have ports to spare, and no patch without spills was faster.
ALLOWED = {"PW": 0.0, "DW": 0.25}
# Loops over patches of a single, partial vector of channels (masked): there LLVM keeps the weights of all taps, and copies of the bias, from one
# patch to the next, more than there are registers. Networks have such a vector behind whole ones, if at all.
PARTIAL = re.compile(r"\{%k[1-7]\} \{z\}")
ROW = re.compile(r"[\d.](PW|DW)_")


def assembly(target):
    """The text of the release build's assembly."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "dwsep.s"
        command = ["cargo", "rustc", "--locked", "--release", "--package", "dwsep", "--lib", "--features", "portable"]
        command += ["--target", target] if target else []
        command += ["--", "--emit", f"asm={out}", "-C", "codegen-units=1"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        return out.read_text()


def functions(text):
    """(name, [instruction or label]) for each function of the tables."""
    name, body = None, []
    for line in text.splitlines():
        stripped = line.split("#")[0].strip() if not line.startswith("\t.") else ""
        found = FUNCTION.match(line)
        if found:
            name, body = found[1], []
        elif name and line.startswith(".Lfunc_end"):
            yield name, body
            name = None
        elif name and stripped:
            body.append(" ".join(stripped.split()))


def innermost_loops(body, jump):
    """(first, last) of each loop that holds no other: from a label to a jump back to it."""
    labels = {line[:-1]: at for at, line in enumerate(body) if line.endswith(":")}
    loops = set()
    for at, line in enumerate(body):
        found = jump.match(line)
        if found and labels.get(found[1], at) < at:
            loops.add((labels[found[1]], at))
    return sorted(a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", help="another target than the host")
    parser.add_argument("--list", action="store_true", help="print every loop that was looked at")
    arguments = parser.parse_args()

    machine = (arguments.target or os.uname().machine).split("-")[0]
    if machine not in ARCHITECTURES:
        sys.exit(f"check-assembly: {machine}: expected one of {', '.join(ARCHITECTURES)}")
    arithmetic, stack, jump = ARCHITECTURES[machine]
    looked_at, spilled = 0, 0
    for name, body in functions(assembly(arguments.target)):
        kind = ROW.search(name)
        kind = kind[1] if kind else "PW"
        for first, last in innermost_loops(body, jump):
            loop = body[first : last + 1]
            operations = sum(bool(arithmetic.match(line)) for line in loop)
            if operations < LEAST_OPERATIONS[kind] or any(PARTIAL.search(line) for line in loop):
                continue
            touches = [line for line in loop if stack.search(line)]
            looked_at += 1
            too_many = len(touches) > operations * ALLOWED[kind]
            spilled += too_many
            if too_many or arguments.list:
                state = f"{len(touches)} accesses to the stack" if touches else "ok"
                print(f"{state}: {name}: {loop[0]} {len(loop) - 1} instructions, {operations} operations")
                print("".join(f"    {line}\n" for line in touches), end="")
    print(f"check-assembly: {looked_at} inner loops of {machine}, {spilled} keep too many vectors on the stack")
    if looked_at == 0:
        sys.exit(2)
    sys.exit(1 if spilled else 0)


if __name__ == "__main__":
    main()
