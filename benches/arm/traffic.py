"""Bytes read from memory by a whole network, at the caches of two boards, under cachegrind: a Markdown table.

    traffic.py PROGRAM

PROGRAM is the example `network`. A run is what two of them read more than one, so that start-up and packing cancel out. Valgrind
computes an FMA by a call for each lane: minutes for the largest network, on as many cores as there are.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

LINE = 64
# Size, ways, bytes of a line.
BOARDS = {
    "A53, 32 KB + 512 KB": ["--I1=32768,2,64", "--D1=32768,4,64", "--LL=524288,16,64"],
    "A72, 32 KB + 1 MB": ["--I1=49152,3,64", "--D1=32768,2,64", "--LL=1048576,16,64"],
}
NETWORKS = ["v1_1.0_224", "v1_0.5_160", "v1_0.25_128"]
WAYS = ["session", "fused", "apart"]


def run(program, board, arguments):
    """Lines that came from memory for reads and for writes, and the least bytes that the program names."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=yes", f"--cachegrind-out-file={out}",
                   *BOARDS[board], program, *arguments]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"traffic: {' '.join(command)}: {done.stderr}")
        with open(out, encoding="ascii") as file:
            text = file.read()
    names = re.search(r"^events: (.*)$", text, re.M)[1].split()
    counts = dict(zip(names, map(int, re.search(r"^summary: (.*)$", text, re.M)[1].split())))
    least = int(re.search(r"^least (\d+)$", done.stdout, re.M)[1])
    return counts["ILmr"] + counts["DLmr"], counts["DLmw"], least


def inference(program, board, network, way):
    """The cell of the table, and the least bytes."""
    once, twice = (run(program, board, [network, way, n]) for n in "12")
    read, written = ((b - a) * LINE for a, b in zip(once[:2], twice[:2]))
    least = once[2]
    return f"{read / 1e6:.2f} + {written / 1e6:.2f} ({(read + written) / least:.2f})", least


def main():
    (program,) = sys.argv[1:]
    print("| network | caches | least MB | " + " | ".join(f"{way} MB" for way in WAYS) + " |")
    print("|---|---|---|" + "---|" * len(WAYS))
    cases = [(board, network, way) for network in NETWORKS for board in BOARDS for way in WAYS]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        done = list(pool.map(lambda case: inference(program, *case), cases))
    for i in range(0, len(cases), len(WAYS)):
        board, network, _ = cases[i]
        cells = [cell for cell, _ in done[i : i + len(WAYS)]]
        print(f"| {network} | {board} | {done[i][1] / 1e6:.2f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
