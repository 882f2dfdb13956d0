"""What benches/arm/loops.py and benches/x86/loops.py share: the loops of a linked program's kernels, and llvm-mca."""

import re
import subprocess
import sys

ITERATIONS = 200
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")


def disassemble(objdump, program):
    command = [objdump, "-d", "-C", "--no-show-raw-insn", program]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def kernels(text, kernel, instruction):
    """The instructions of each function that the expression `kernel` finds by name, as (address, operation, operands); the key is its groups."""
    found, current = {}, None
    for line in text.splitlines():
        if header := FUNCTION.match(line):
            name = kernel.search(re.sub(r"::h[0-9a-f]{16}$", "", header[1]))
            current = found.setdefault(name.groups(), []) if name else None
        elif current is not None and (fields := instruction.match(line)):
            current.append((int(fields[1], 16), fields[2], fields[3].strip()))
    return found


def innermost_loops(instructions, backwards):
    """The instructions of each loop that holds no other. It ends in a branch that `backwards` matches, whose last operand is the target."""
    index = {address: i for i, (address, _, _) in enumerate(instructions)}
    spans = []
    for i, (address, op, args) in enumerate(instructions):
        if backwards.match(op):
            target = int(args.split(",")[-1].strip(), 16)
            if target <= address and target in index:
                spans.append((index[target], i))
    for first, last in spans:
        if not any((a, z) != (first, last) and first <= a and z <= last for a, z in spans):
            yield instructions[first : last + 1]


def mca(options, assembly):
    """What llvm-mca prints; `options` begins with the program."""
    command = [*options, f"-iterations={ITERATIONS}"]
    run = subprocess.run(command, input=assembly, text=True, capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(f"loops: {' '.join(command)}: {run.stderr}")
    return run.stdout


def cycles(options, assembly):
    """Cycles of one iteration, as llvm-mca models the core."""
    return int(re.search(r"^Total Cycles:\s+(\d+)", mca(options, assembly), re.M)[1]) / ITERATIONS
