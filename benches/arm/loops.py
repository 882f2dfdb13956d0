"""The inner loops of the NEON kernels, out of a linked program, through llvm-mca: a Markdown table.

    loops.py OBJDUMP LLVM_MCA PROGRAM

Fails if a loop of a kernel reads or writes the stack.
"""

import re
import subprocess
import sys

import pairing

# Each core with the cycles that an FMA of 128 bits takes of it: two pipes of 64 bits make one a cycle, two of 128 bits two.
# In order: llvm-mca's models of these two are unfit for loads among FMAs (the page says why), so no share is printed.
IN_ORDER = ["cortex-a53", "cortex-a55"]
OUT_OF_ORDER = {"cortex-a72": 1, "neoverse-n1": 0.5}
ITERATIONS = 200
# Loops with fewer FMAs are those of tails: partial vectors, single rows, corners.
HOT = 24

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
KERNEL = re.compile(r"::neon_f32::(?P<row>(?:PW|DW)_\w+)::(?P<function>run|stride[12])$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*([^/<]*)")
# A loop ends in a conditional branch backwards.
BACKWARDS = re.compile(r"^(b\.\w+|cbn?z|tbn?z)$")


class Loop:
    def __init__(self, instructions):
        self.instructions = instructions
        targets = [args.split(",")[0] for _, op, args in instructions if op == "fmla"]
        self.fmas, self.outputs = len(targets), len(set(targets))

    def stack(self):
        return [f"{op} {args}" for _, op, args in self.instructions if "[sp" in args]

    def assembly(self):
        """As llvm-mca takes it: where a branch goes does not matter."""
        lines = []
        for _, op, args in self.instructions:
            if re.match(r"^(b|b\.\w+|cbn?z|tbn?z)$", op):
                args = re.sub(r"[0-9a-f]+$", ".+8", args)
            lines.append(f"{op} {args}")
        return "\n".join(lines) + "\n"


def kernels(text):
    """The instructions of each kernel's function, as (address, operation, operands)."""
    found, current = {}, None
    for line in text.splitlines():
        if header := FUNCTION.match(line):
            kernel = KERNEL.search(re.sub(r"::h[0-9a-f]{16}$", "", header[1]))
            current = found.setdefault((kernel["row"], kernel["function"]), []) if kernel else None
        elif current is not None and (instruction := INSTRUCTION.match(line)):
            current.append((int(instruction[1], 16), instruction[2], instruction[3].strip()))
    return found


def innermost_loops(instructions):
    index = {address: i for i, (address, _, _) in enumerate(instructions)}
    spans = []
    for i, (address, op, args) in enumerate(instructions):
        if BACKWARDS.match(op):
            target = int(args.split(",")[-1].strip(), 16)
            if target <= address and target in index:
                spans.append((index[target], i))
    for first, last in spans:
        if not any((a, z) != (first, last) and first <= a and z <= last for a, z in spans):
            yield Loop(instructions[first : last + 1])


def simulate(mca, core, loop):
    """Cycles of one iteration, as llvm-mca models the core."""
    command = [mca, "-mtriple=aarch64-linux-gnu", f"-mcpu={core}", f"-iterations={ITERATIONS}"]
    run = subprocess.run(command, input=loop.assembly(), text=True, capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(f"loops: {' '.join(command)}: {run.stderr}")
    return int(re.search(r"^Total Cycles:\s+(\d+)", run.stdout, re.M)[1]) / ITERATIONS


def main():
    objdump, mca, program = sys.argv[1:]
    command = [objdump, "-d", "-C", "--no-show-raw-insn", program]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    found = kernels(text)
    if not found:
        sys.exit("loops: no NEON kernel in the program")

    columns = [*OUT_OF_ORDER, "in order, by pairing", *IN_ORDER]
    print("| kernel | loop | FMAs | other | " + " | ".join(columns) + " |")
    print("|---|---|---|---|" + "---|" * len(columns))
    spilled = []
    for (row, function), instructions in sorted(found.items()):
        hot = [loop for loop in innermost_loops(instructions) if loop.fmas >= HOT]
        if not hot:
            sys.exit(f"loops: {row}: no loop has {HOT} FMAs")
        # That of a full tile: the most outputs, then the most work, then the fewest instructions besides.
        loop = min(hot, key=lambda loop: (-loop.outputs, -loop.fmas, len(loop.instructions)))
        if row.startswith("PW"):
            unit = loop.fmas // loop.outputs
            what = f"{unit} k, {loop.outputs} accumulators"
        else:
            what, unit = f"{loop.outputs} outputs, stride {function[-1]}", 1
        share = lambda cycles, each: f"{cycles / unit:.1f} ({100 * loop.fmas * each / cycles:.0f} %)"
        cells = [share(simulate(mca, core, loop), each) for core, each in OUT_OF_ORDER.items()]
        cells.append(share(pairing.cycles(loop), 1))
        cells += [f"{simulate(mca, core, loop) / unit:.1f}" for core in IN_ORDER]
        other = len(loop.instructions) - loop.fmas
        print(f"| `{row.lower()}` | {what} | {loop.fmas} | {other} | " + " | ".join(cells) + " |")
        spilled += [f"{row} {function}: {line}" for line in loop.stack()]
    if spilled:
        sys.exit("loops: stack traffic in a kernel's loop:\n" + "\n".join(spilled))


if __name__ == "__main__":
    main()
