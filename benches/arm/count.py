"""Instructions executed, for whole layers under qemu: a Markdown table, of f32 per vector FMA, or of 8-bit integers per multiply-add.

    count.py f32|int8 PLUGIN PROGRAM QEMU...

PROGRAM is the example `layer`. A layer is what two runs of it execute more than one, so that start-up and packing cancel out.
"""

import re
import subprocess
import sys

KERNELS = {"pw": ["pw_f32_8x8__neon", "pw_f32_8x8__neon_in_order"],
           "dw": ["dw3x3_f32_4c__neon", "dw3x3_f32_4c__neon_in_order"]}
# f32 is there to compare with.
INT8 = ["f32__neon", "qs8__neon", "qs8__neon_dotprod", "qs8__neon_i8mm"]
INT8_KERNELS = {"pw": ["pw_f32_8x8__neon", "pw_qs8_2x8__neon", "pw_qs8_8x8__neon_dotprod", "pw_qs8_8x8__neon_i8mm"],
                "dw": ["dw3x3_f32_4c__neon", "dw3x3_qs8_8c__neon"]}
# MobileNetV1 1.0/224, except for the layers with most pixels, whose rows are cut.
LAYERS = [
    ("pw", "pixels 1568, 32 to 64", "1568 32 64"),
    ("pw", "pixels 784, 128 to 256", "784 128 256"),
    ("pw", "pixels 196, 512 to 512", "196 512 512"),
    ("pw", "pixels 49, 1024 to 1024", "49 1024 1024"),
    ("dw", "56x56x128, stride 1", "56 128 1"),
    ("dw", "14x14x512, stride 1", "14 512 1"),
    ("dw", "7x7x1024, stride 1", "7 1024 1"),
    ("dw", "56x56x128, stride 2", "56 128 2"),
    ("dw", "14x14x512, stride 2", "14 512 2"),
]


def count(plugin, qemu, program, arguments):
    command = [*qemu, "-plugin", plugin, "-d", "plugin", program, *arguments]
    run = subprocess.run(command, text=True, capture_output=True, check=False)
    found = re.search(r"instructions (\d+) fmas (\d+)", run.stderr + run.stdout)
    if run.returncode != 0 or not found:
        sys.exit(f"count: {' '.join(command)}: {run.stderr or 'no count'}")
    return int(found[1]), int(found[2])


def multiply_adds(op, shape):
    a, b, c = map(int, shape.split())
    return a * b * c if op == "pw" else 9 * b * (-(-a // c)) ** 2


def f32(counted):
    print("| layer | vector FMAs | `neon` | `neon_in_order` |")
    print("|---|---|---|---|")
    for op, label, shape in LAYERS:
        cells = []
        for kernel in KERNELS[op]:
            instructions, fmas = counted(kernel, shape)
            cells.append(f"{instructions / fmas:.3f}")
        print(f"| {op} {label} | {fmas} | " + " | ".join(cells) + " |")


def int8(counted):
    print("| layer | multiply-adds | " + " | ".join(f"`{name}`" for name in INT8) + " |")
    print("|---|---|" + "---|" * len(INT8))
    for op, label, shape in LAYERS:
        all_of_it = multiply_adds(op, shape)
        cells = [f"{counted(kernel, shape)[0] / all_of_it:.3f}" for kernel in INT8_KERNELS[op]]
        cells += ["as `neon`"] * (len(INT8) - len(cells))
        print(f"| {op} {label} | {all_of_it} | " + " | ".join(cells) + " |")


def main():
    dtype, plugin, program, *qemu = sys.argv[1:]

    def counted(kernel, shape):
        """Instructions and FMAs of one run."""
        once, twice = (count(plugin, qemu, program, [kernel, *shape.split(), n]) for n in "12")
        return tuple(b - a for a, b in zip(once, twice))

    {"f32": f32, "int8": int8}[dtype](counted)


if __name__ == "__main__":
    main()
