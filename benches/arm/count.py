"""Instructions executed per vector FMA, for whole layers under qemu: a Markdown table.

    count.py PLUGIN PROGRAM QEMU...

PROGRAM is the example `layer`. A layer is what two runs of it execute more than one, so that start-up and packing cancel out.
"""

import re
import subprocess
import sys

KERNELS = {"pw": ["pw_f32_8x8__neon", "pw_f32_8x8__neon_in_order"],
           "dw": ["dw3x3_f32_4c__neon", "dw3x3_f32_4c__neon_in_order"]}
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


def main():
    plugin, program, *qemu = sys.argv[1:]
    print("| layer | vector FMAs | `neon` | `neon_in_order` |")
    print("|---|---|---|---|")
    for op, label, shape in LAYERS:
        cells = []
        for kernel in KERNELS[op]:
            once, twice = (count(plugin, qemu, program, [kernel, *shape.split(), n]) for n in "12")
            instructions, fmas = (b - a for a, b in zip(once, twice))
            cells.append(f"{instructions / fmas:.3f}")
        print(f"| {op} {label} | {fmas} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
