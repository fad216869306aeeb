#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What taking in a segment may cost, in instructions (callgrind), checksums included:

    bench/budget.py RILL-BENCH

A test of the ordinary build (gcc, -O2). Who makes it dearer on purpose raises the budget, and says why in
the commit; who makes it cheaper lowers it.
"""

import sys

import instructions

# Measured in that build, plus a tenth.
BUDGET = {"a full segment in order": 2500, "a pure ACK for two segments": 2400}


def main():
    within = True
    for (what, budget), cost in zip(BUDGET.items(), instructions.tcp_input([sys.argv[1], "tcp_input_profile"])):
        print(f"{what}: {cost:.0f} instructions, budget {budget}")
        within &= cost <= budget
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
