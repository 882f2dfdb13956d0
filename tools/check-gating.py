#!/usr/bin/env python3
"""Fails where the program would meet an illegal instruction on an x86-64 CPU that lacks AVX, AVX2 or AVX-512.

A function that uses an instruction which the CPU was not asked for runs on its author's machine and dies on somebody's. Two checks of a
linked program, `mobilenet`, all of its dependencies included:

Disassembly   Instructions beyond SSE are only in functions of the tables' rows (`arch/x86_64/`), and there only those of the row's own
              ISA. Crates that ask the CPU themselves are listed below; what such a crate does is theirs. Any other function with such
              an instruction is named. A tier of which no function is found is an error, too: this check no longer sees what it should.
Emulation     Under qemu, on CPUs of several ages, every kernel that the CPU has passes its self-check, the tier that is chosen is the
              one that the CPU has, and a photograph gets the probabilities that it gets here, to the last bit (they are of integers).

    tools/check-gating.py PROGRAM                    both
    tools/check-gating.py --no-emulation PROGRAM     the disassembly, of any program or shared library with symbols

Exit status: 0 if all is well, 1 if not, 2 where there was nothing to look at.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "kernels/src/arch/x86_64"
PHOTO = ROOT / "tests/photos/rocket.jpg"

# What the functions of a tier may have beyond SSE. `vex`: AVX, AVX2, FMA, on 16 registers of at most 256 bits. `evex`: AVX-512.
# `bmi` (and the like on general registers) is in nobody's list, since no tier asks for it.
TIERS = {
    "avx2_fma": {"vex"},
    "avx_vnni": {"vex", "vnni"},
    "avx512": {"vex", "evex"},
    "avx512_vnni": {"vex", "evex", "vnni"},
}

# Dependencies that ask the CPU before they use such instructions (`is_x86_feature_detected!`).
FOREIGN = {"crc32fast", "half", "memchr", "simd_adler32", "zune_jpeg"}

# qemu's names, and the tier that such a CPU has. The first is x86-64 without anything else, SandyBridge has AVX and no AVX2.
CPUS = {"Opteron_G1": "portable", "Nehalem": "portable", "SandyBridge": "portable", "Haswell": "avx2_fma"}

EVEX = re.compile(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2\d|3[01])\b")
# Of general registers; `tzcnt` is missing because older CPUs read it as `bsf`, which compilers rely on.
BMI = re.compile(r"^(andn|bextr|bls(i|r|msk)|bzhi|mulx|pdep|pext|rorx|s[ah][lr]x|lzcnt)[lq]?$")
# Virtual machines and segments, the only others that begin with a v.
NOT_VECTORS = re.compile(r"^(ver[rw]|vm)")
# Intrinsics are gated by their definition. One that has not been inlined counts as an instruction of who calls it.
INTRINSIC = r"core::core_arch::x86(_64)?::(avx|fma|f16c)\w*::"
CALL = re.compile(rf"^(call|jmp)\b.*<{INTRINSIC}")
SYMBOL = re.compile(r"^[0-9a-f]+ <(.*)>:$")
OWN = re.compile(r"^<?dwsep(?:\[\w+\])?::arch::x86_64::(\w+)::(\w+)\b")


def needs(instruction):
    """Which instructions these are, or None where every x86-64 CPU has them."""
    mnemonic = instruction.split(None, 1)[0]
    if EVEX.search(instruction):
        return "evex"
    if mnemonic.startswith("vpdp"):
        return "vnni"
    if CALL.match(instruction) or mnemonic.startswith("v") and not NOT_VECTORS.match(mnemonic):
        return "vex"
    return "bmi" if BMI.match(mnemonic) else None


def rows():
    """{(file, row or function): tier}, as the sources have them."""
    found = {}
    tier = "|".join(TIERS)
    for path in sorted(SOURCES.glob("*.rs")):
        text = re.sub(r"//.*", "", path.read_text())
        for line in re.findall(r"^\w+!\((.*?)\);", text, re.MULTILINE | re.DOTALL):
            of = re.search(rf", ({tier}),", line)
            for row in re.findall(r"(?<!\")\b[A-Z][A-Z0-9_]+\b", line[: of.start()]) if of else []:
                found[path.stem, row] = of[1]
        for of, function in re.findall(rf"^({tier})! \{{.*?unsafe fn (\w+)", text, re.MULTILINE | re.DOTALL):
            found[path.stem, function] = of
    return found


def disassembly(program):
    """{function: {what it needs: [instructions]}}, of those that need something."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", "--demangle", str(program)]
    found, name = defaultdict(lambda: defaultdict(list)), None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as objdump:
        for line in objdump.stdout:
            symbol = SYMBOL.match(line)
            if symbol:
                name = symbol[1]
                continue
            _, tab, instruction = line.partition("\t")
            instruction = instruction.strip()
            need = needs(instruction) if tab and instruction else None
            if need:
                found[name][need].append(" ".join(instruction.split()))
    if objdump.returncode:
        sys.exit(2)
    return found


def check_disassembly(program):
    """How many functions are wrong."""
    gated, found = rows(), disassembly(program)
    wrong, seen, foreign = 0, set(), defaultdict(int)
    for name, needed in sorted(found.items()):
        if re.match(INTRINSIC, name):
            continue
        crate = re.search(r"\w+", name)[0]
        own = OWN.match(name)
        tier = gated.get((own[1], own[2])) if own else None
        if crate in FOREIGN:
            foreign[crate] += 1
            continue
        if tier:
            seen.add((own[1], own[2]))
        for need in sorted(set(needed) - TIERS.get(tier, set())):
            instructions = needed[need]
            where = f"is of the tier {tier}" if tier else "is not gated"
            print(f"check-gating: {name} {where}, and has {len(instructions)} of {need}: {instructions[0]}")
            wrong += 1
    print(f"check-gating: {len(found)} functions have more than SSE: of {len(seen)} rows, and of " +
          ", ".join(f"{crate} {count}" for crate, count in sorted(foreign.items())))
    if not seen:
        print("check-gating: no function of any row was found")
        sys.exit(2)
    # A row that another crate of the workspace does not link may be missing, a whole tier may not.
    for tier in sorted(set(TIERS) - {gated[row] for row in seen}):
        print(f"check-gating: no function of the tier {tier} was found")
        wrong += 1
    return wrong


def output(command):
    """What it prints, as JSON; None if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DWSEP_")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    print(f"check-gating: {' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr.strip()}")
    return None


def check_emulation(program):
    """How many CPUs are wrong."""
    kernels = ["kernels", "--json"]
    classify = ["classify", "--json", "--dtype", "int8", str(PHOTO)]

    def top(found):
        return [(row["index"], row["probability"]) for row in found[0]["top"]] if found else None

    expected, wrong = top(output([program, *classify])), 0
    for cpu, tier in CPUS.items():
        qemu = ["qemu-x86_64", "-cpu", cpu, program]
        found = output([*qemu, *kernels])
        chosen = sorted({row["isa"] for row in found if row["chosen"]}) if found else None
        checked = [row for row in found or () if row["self_check"] == "passed"]
        same = expected is not None and top(output([*qemu, *classify])) == expected
        if chosen != [tier] or not same:
            wrong += 1
            print(f"check-gating: {cpu}: expected {tier}, found {chosen}; a photograph's probabilities are " +
                  ("the same" if same else "others"))
        else:
            print(f"check-gating: {cpu}: {tier} is chosen, {len(checked)} kernels pass, a photograph's probabilities are the same")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--no-emulation", action="store_true", help="read the disassembly only")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    if not program.is_file():
        print(f"check-gating: there is no {program}")
        sys.exit(2)
    wrong = check_disassembly(program)
    if not arguments.no_emulation:
        wrong += check_emulation(program)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
