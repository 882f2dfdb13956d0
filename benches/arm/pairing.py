"""Cycles of a loop on an in-order core that issues two instructions at a time, by the rules that hand-written kernels for the
Cortex-A53 and A55 go by, because llvm-mca's models of the two leave these rules out:

- instructions issue in program order, two a cycle, once their operands are there;
- one of the two may be of the vector unit: 128 bits take both of its pipes;
- one of the two may be a load or a store, of at most 64 bits;
- what loads or stores more goes alone, and keeps the port for a cycle per 64 bits.

No board has confirmed the numbers.
"""

import re

LATENCY = {"fma": 8, "vector": 4, "load": 4, "store": 1, "other": 1}
# What adds to its first operand.
ACCUMULATES = ("fmla", "smlal", "smlal2", "sadalp", "sdot", "smmla")
ROUNDS = 8


def registers(text):
    """Each once, whatever part of it is named."""
    found = []
    for kind, number in re.findall(r"\b([vqdsxw])(\d+)\b", text):
        found.append(("v" if kind in "vqds" else "x") + number)
    return found


class Instruction:
    def __init__(self, op, args):
        operands = registers(args)
        pair = op in ("ldp", "stp")
        width = {"q": 128, "d": 64, "x": 64, "w": 32, "s": 32}.get(args[:1], 128)
        self.bits = width * (2 if pair else 1)
        if re.match(r"ld|st|prfm", op):
            self.kind = "load" if op.startswith("ld") else "store"
        elif re.search(r"\bv\d", args):
            self.kind = "fma" if op == "fmla" else "vector"
        else:
            self.kind = "other"
        targets = (2 if pair else 1) if self.kind == "load" else 0 if self.kind == "store" else 1
        if op in ("cmp", "cbz", "cbnz", "tbz", "tbnz", "prfm"):
            targets = 0
        self.writes = {register: LATENCY[self.kind] for register in operands[:targets]}
        # An accumulator, or a vector of which a half is replaced.
        reads_target = op in ACCUMULATES or "[1]" in args.split(",")[0]
        self.reads = operands[0 if reads_target else targets :]
        if (moves := re.search(r"\[(x\d+)\],", args)) is not None:
            self.writes[moves[1]] = LATENCY["other"]

    def pairs_with(self, first):
        """Whether it can be issued in the cycle of `first`, which stands before it."""
        memory = [x for x in (first, self) if x.kind in ("load", "store")]
        vectors = [x for x in (first, self) if x.kind in ("fma", "vector")]
        return len(memory) < 2 and len(vectors) < 2 and all(x.bits <= 64 for x in memory)


def cycles(loop):
    """Of one iteration, once the loop is running."""
    instructions = [Instruction(op, args) for _, op, args in loop.instructions]
    ready, cycle, first, ends = {}, 0, None, []
    port = 0
    for _ in range(ROUNDS):
        for this in instructions:
            start = max([cycle, *(ready.get(register, 0) for register in this.reads)])
            memory = this.kind in ("load", "store")
            if memory:
                start = max(start, port)
            if start == cycle and first is not None and this.pairs_with(first):
                first = None
                at, cycle = cycle, cycle + 1
            else:
                if first is not None:
                    start = max(start, cycle + 1)
                at, cycle, first = start, start, this
            if memory:
                port = at + -(-this.bits // 64)
            for register, latency in this.writes.items():
                ready[register] = at + latency
        ends.append(cycle)
    return (ends[-1] - ends[1]) / (ROUNDS - 2)
