"""The inner loops of the AVX2, AVX-512 and VNNI kernels, out of a linked program, through llvm-mca: a Markdown table.

    loops.py OBJDUMP LLVM_MCA PROGRAM f32|int8|slots

`slots` is what the models of the cores know of multiplications. Of the kernels of 8-bit integers those of i8: u8 differs before and after
the loop. Fails where there is no loop to be found, and says where a pointwise loop of AVX-512 uses less of the slots than GOAL.
"""

import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import assembly

CORES = ["znver4", "znver5", "icelake-server", "sapphirerapids"]
# A stand-in for what no model has, a core of two FMAs and two loads of 512 bits a cycle: that of 256 bits, which has these, for the same loop.
TWO = "icelake-server"
GOAL = 95

# All functions of a pointwise row, whatever they are called; those of a depthwise row by the stride, which is their second parameter.
KERNEL = re.compile(r"\bdwsep::arch::x86_64::(\w+)::((?:PW|DW)_(?!QU8)\w+)\b(?:.*::stripes::<\d+, ([12]),)?")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t((?:\{\w+\} )?\S+)\s*([^<#]*)")
BACKWARDS = re.compile(r"^j(?!mp)")
MULTIPLIES = re.compile(r"^(\{vex\} )?(vfmadd\d+ps|vpdpbusd|vpdpwssd|vpmaddwd)$")
# Products of a multiplication in each lane of 32 bits.
PRODUCTS = {"vfmadd": 1, "vpdpbusd": 4, "vpdpwssd": 2, "vpmaddwd": 2}
# Loops with fewer multiplications are those of tails.
HOT = 8
# The name of a row's kernel, which ends in its tier, stands behind the row's in the source.
ROW = re.compile(r'\b((?:PW|DW)_\w+),? "(\w+__\w+)"')


class Loop:
    def __init__(self, instructions):
        self.instructions = instructions
        self.multiplications = [each for each in instructions if MULTIPLIES.match(each[1])]
        self.straight = not any(op.startswith(("call", "jmp")) for _, op, _ in instructions)
        self.broadcasts = sum("broadcast" in op or "{1to" in args for _, op, args in instructions)
        self.products = sum(map(products, self.multiplications))
        # Words are added before they are multiplied where one multiplication makes two products of each (pw_qs8_4x16__avx2_fma).
        if self.broadcasts and any(op == "vpaddw" for _, op, _ in instructions):
            self.products *= 2

    def assembly(self, only_multiplications=False, change=lambda line: line):
        """As llvm-mca takes it: where a branch goes does not matter."""
        lines = []
        for _, op, args in self.multiplications if only_multiplications else self.instructions:
            lines.append(change(f"{op} {'.+8' if op.startswith('j') else args}"))
        return "\n".join(lines) + "\n"


def products(instruction):
    _, op, args = instruction
    lanes = {"x": 4, "y": 8, "z": 16}[re.search(r"%([xyz])mm\d+$", args)[1]]
    return lanes * next(n for start, n in PRODUCTS.items() if start in op)


def names(source=HERE.parent.parent / "kernels/src/arch/x86_64"):
    """The kernel's name for each (module, row)."""
    found = {}
    for file in source.glob("*.rs"):
        for row, name in ROW.findall(file.read_text(encoding="utf-8")):
            found[file.stem, row] = name
    return found


def full_tile(name, loops):
    """The loop of most of the work, or None."""
    loops = [loop for loop in loops if loop.straight and len(loop.multiplications) >= HOT]
    if name.startswith("pw"):
        # A broadcast for each row. Tails of columns and panels with a mark take more instructions a product.
        rows = int(re.search(r"_(\d+)x\d+__", name)[1])
        loops = [loop for loop in loops if loop.broadcasts >= rows]
        order = lambda loop: len(loop.instructions) / loop.products
    else:
        order = lambda loop: (-len(loop.multiplications), len(loop.instructions))
    return min(loops, key=order, default=None)


class Core:
    """A core by its model, which may be told to take another instruction for one."""

    def __init__(self, mca, name, change=lambda line: line):
        self.options = [mca, "-mtriple=x86_64-linux-gnu", f"-mcpu={name}", "-mattr=+avxvnni,+avx512vnni"]
        self.change = change

    def cycles(self, loop):
        return assembly.cycles(self.options, loop.assembly(change=self.change))

    def least(self, loop):
        """Cycles that the multiplications would take if there were nothing else."""
        return self.throughput(loop.assembly(only_multiplications=True, change=self.change))

    def throughput(self, text):
        return float(re.search(r"^Block RThroughput:\s+([\d.]+)", assembly.mca(self.options, text), re.M)[1])


def as_256(line):
    return re.sub(r"%zmm", "%ymm", line).replace("{1to16}", "{1to8}")


def as_fma(line):
    return re.sub(r"^(\{vex\} )?vpdp\w+", "vfmadd231ps", line)


def cores(mca, dtype):
    """Columns of a table."""
    changes = {core: as_fma if dtype == "int8" and core.startswith("znver") else lambda line: line for core in CORES}
    columns = {core: Core(mca, core, change) for core, change in changes.items()}
    columns["two of 512 bits"] = Core(mca, TWO, as_256)
    return columns


def slots(mca):
    print("| a cycle | " + " | ".join(CORES) + " |")
    print("|---|" + "---|" * len(CORES))
    for op in ("vfmadd231ps", "vpdpbusd", "vpmaddwd"):
        for width in ("zmm", "ymm"):
            # Enough that they do not wait for each other.
            text = "".join(f"{op} %{width}0, %{width}1, %{width}{2 + i}\n" for i in range(12))
            cells = [f"{12 / Core(mca, core).throughput(text):g}" for core in CORES]
            print(f"| `{op}`, {512 if width == 'zmm' else 256} bits | " + " | ".join(cells) + " |")


def main():
    objdump, mca, program, dtype = sys.argv[1:]
    if dtype == "slots":
        slots(mca)
        return
    known = names()
    found = assembly.kernels(assembly.disassemble(objdump, program), KERNEL, INSTRUCTION)
    columns = cores(mca, dtype)
    print("| kernel | loop | multiplications | other | " + " | ".join(columns) + " |")
    print("|---|---|---|---|" + "---|" * len(columns))
    below = []
    tiers = collections.Counter()
    order = lambda item: (item[0][1][:2], item[0][2] or "", known[item[0][:2]].split("__")[1], item[0][1])
    for (module, row, stride), instructions in sorted(found.items(), key=order):
        name = known[module, row]
        if row.startswith("DW") and stride is None:
            continue
        if ("_f32_" in name) != (dtype == "f32"):
            continue
        loop = full_tile(name, map(Loop, assembly.innermost_loops(instructions, BACKWARDS)))
        if loop is None:
            sys.exit(f"loops: {name} {stride or ''}: no loop of a full tile")
        pointwise = name.startswith("pw")
        wide = "%zmm" in loop.assembly()
        tiers[name.split("__")[1]] += 1
        cells = []
        for label, core in columns.items():
            if label not in CORES and not wide:
                cells.append("")
                continue
            cycles = core.cycles(loop)
            share = 100 * core.least(loop) / cycles
            cells.append(f"{loop.products / cycles:.1f} ({share:.0f} %)")
            if pointwise and "avx512" in name and share < GOAL:
                below.append(f"{name}: {share:.1f} % on {label}")
        what = f"{loop.broadcasts} broadcasts" if pointwise else f"stride {stride}"
        other = len(loop.instructions) - len(loop.multiplications)
        print(f"| `{name}` | {what} | {len(loop.multiplications)} | {other} | " + " | ".join(cells) + " |")
    if not any("avx512" in tier for tier in tiers) and dtype == "int8":
        sys.exit("loops: no kernel of AVX-512 in the program")
    if below:
        print(f"loops: pointwise below {GOAL} %:\n" + "\n".join(below), file=sys.stderr)


if __name__ == "__main__":
    main()
