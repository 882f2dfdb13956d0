"""The inner loops of the NEON kernels, out of a linked program, through llvm-mca: a Markdown table.

    loops.py OBJDUMP LLVM_MCA PROGRAM f32|int8

Fails if a loop of a kernel reads or writes the stack. Of the kernels of 8-bit integers those of i8: u8 differs before and after the loop.
"""

import pathlib
import re
import sys

import pairing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import assembly

# Each core with the cycles that a multiplication of 128 bits takes of it: two pipes of 64 bits make one FMA a cycle, two of 128 bits two.
# In order: llvm-mca's models of these two are unfit for loads among FMAs (the page says why), so no share is printed.
IN_ORDER = ["cortex-a53", "cortex-a55"]
OUT_OF_ORDER = {"cortex-a72": {"fmla": 1}, "neoverse-n1": {"fmla": 0.5}}
LONG = {"smull": 1, "smull2": 1, "smlal": 1, "smlal2": 1}
OUT_OF_ORDER_INT8 = {
    "cortex-a72": LONG,
    "neoverse-n1": {**LONG, "sdot": 0.5},
    "neoverse-n2": {**LONG, "smull": 0.5, "smull2": 0.5, "sdot": 0.5, "smmla": 0.5},
}
# Products of each multiplication; those of `smlal` are as many as its target has lanes.
PRODUCTS = {"fmla": 4, "smull": 8, "smull2": 8, "smlal": None, "smlal2": None, "sdot": 16, "smmla": 32}
# Loops with fewer multiplications are those of tails: partial vectors, single rows, corners.
HOT = 16

# The functions of a row: of a depthwise one by the stride, which is their second parameter.
FUNCTION = r"::(?:run$|Loops .*::tiles::|Loops .*::stripes::<\d+, (?P<stride>[12]),)"
KERNEL = {
    "f32": re.compile(r"::neon_f32::(?P<row>(?:PW|DW)_\w+)" + FUNCTION),
    "int8": re.compile(r"::(?:neon|i8mm)_q8::(?P<row>(?:PW|DW)_QS8_\w+)" + FUNCTION),
}
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*([^/<]*)")
# A loop ends in a conditional branch backwards.
BACKWARDS = re.compile(r"^(b\.\w+|cbn?z|tbn?z)$")


class Loop:
    def __init__(self, instructions):
        self.instructions = instructions
        self.multiplications = [(op, args.split(",")[0]) for _, op, args in instructions if op in PRODUCTS]
        # Where products of bytes are summed by another instruction, its targets are the accumulators.
        sums = [args.split(",")[0] for _, op, args in instructions if op == "sadalp"]
        self.fmas = len(self.multiplications)
        # A panel with a mark: rare, and slower.
        self.marked = len(sums) == self.fmas
        # Partial vectors of integers are loaded by a call.
        self.calls = any(op == "bl" for _, op, _ in instructions)
        # Those of f32 lane by lane, with a branch for each (depthwise).
        self.straight = sum(bool(re.match(r"^(b|b\.\w+|cbn?z|tbn?z)$", op)) for _, op, _ in instructions) == 1
        self.outputs = len(set(sums or [target for _, target in self.multiplications]))
        self.products = sum(PRODUCTS[op] or int(re.search(r"\.(\d)", target)[1]) for op, target in self.multiplications)

    def stack(self):
        """Through the stack pointer or the frame pointer."""
        return [f"{op} {args}" for _, op, args in self.instructions if "[sp" in args or "[x29" in args]

    def slots(self, core):
        """Cycles that the multiplications take at least; None where the core lacks one of them."""
        if any(op not in core for op, _ in self.multiplications):
            return None
        return sum(core[op] for op, _ in self.multiplications)

    def assembly(self):
        """As llvm-mca takes it: where a branch goes does not matter."""
        lines = []
        for _, op, args in self.instructions:
            if re.match(r"^(b|b\.\w+|cbn?z|tbn?z)$", op):
                args = re.sub(r"[0-9a-f]+$", ".+8", args)
            lines.append(f"{op} {args}")
        return "\n".join(lines) + "\n"


def simulate(mca, core, loop):
    """Cycles of one iteration, as llvm-mca models the core."""
    return assembly.cycles([mca, "-mtriple=aarch64-linux-gnu", f"-mcpu={core}", "-mattr=+dotprod,+i8mm"], loop.assembly())


def main():
    objdump, mca, program, dtype = sys.argv[1:]
    found = assembly.kernels(assembly.disassemble(objdump, program), KERNEL[dtype], INSTRUCTION)
    if not found:
        sys.exit("loops: no NEON kernel in the program")
    table = {"f32": f32, "int8": int8}[dtype]
    spilled = []
    table(mca, None, None, None)
    for (row, stride), instructions in sorted(found.items()):
        loops = map(Loop, assembly.innermost_loops(instructions, BACKWARDS))
        hot = [loop for loop in loops if loop.fmas >= HOT and (loop.straight or row.startswith("PW")) and not (loop.marked or loop.calls)]
        if not hot:
            sys.exit(f"loops: {row}: no loop has {HOT} multiplications")
        # That of a full tile: the most outputs, then the most work, then the fewest instructions besides.
        loop = min(hot, key=lambda loop: (-loop.outputs, -loop.products, len(loop.instructions)))
        table(mca, row, stride, loop)
        spilled += [f"{row} {stride or ''}: {line}" for line in loop.stack()]
    if spilled:
        sys.exit("loops: stack traffic in a kernel's loop:\n" + "\n".join(spilled))


def f32(mca, row, stride, loop):
    """A line of the table, or its head."""
    if row is None:
        columns = [*OUT_OF_ORDER, "in order, by pairing", *IN_ORDER]
        print("| kernel | loop | FMAs | other | " + " | ".join(columns) + " |")
        print("|---|---|---|---|" + "---|" * len(columns))
        return
    if row.startswith("PW"):
        unit = loop.fmas // loop.outputs
        what = f"{unit} k, {loop.outputs} accumulators"
    else:
        what, unit = f"{loop.outputs} outputs, stride {stride}", 1
    share = lambda cycles, least: f"{cycles / unit:.1f} ({100 * least / cycles:.0f} %)"
    cells = [share(simulate(mca, core, loop), loop.slots(each)) for core, each in OUT_OF_ORDER.items()]
    cells.append(share(pairing.cycles(loop), loop.fmas))
    cells += [f"{simulate(mca, core, loop) / unit:.1f}" for core in IN_ORDER]
    other = len(loop.instructions) - loop.fmas
    print(f"| `{row.lower()}` | {what} | {loop.fmas} | {other} | " + " | ".join(cells) + " |")


def int8(mca, row, stride, loop):
    """As `f32`, in products a cycle: a step is not the same for all."""
    if row is None:
        columns = [*OUT_OF_ORDER_INT8, "in order, by pairing"]
        print("| kernel | loop | products | multiplications | other | " + " | ".join(columns) + " |")
        print("|---|---|---|---|---|" + "---|" * len(columns))
        return
    what = f"{loop.outputs} accumulators" if row.startswith("PW") else f"stride {stride}"
    rate = lambda cycles, least: f"{loop.products / cycles:.1f} ({100 * least / cycles:.0f} %)"
    cells = []
    for core, each in OUT_OF_ORDER_INT8.items():
        least = loop.slots(each)
        cells.append("" if least is None else rate(simulate(mca, core, loop), least))
    cells.append(rate(pairing.cycles(loop), loop.fmas))
    other = len(loop.instructions) - loop.fmas
    print(f"| `{row.lower()}` | {what} | {loop.products} | {loop.fmas} | {other} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
