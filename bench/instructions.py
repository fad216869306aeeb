#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions per operation, by callgrind: what the noise of a shared machine cannot move.

    bench/instructions.py NAME...    rill's and Tokio's, on one worker

A program is run for a few rounds and for more; the difference is free of what starting it costs. Counts
only what happens in user space, on all threads.
"""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from programs import Failed  # noqa: E402

FEW, MORE = 2, 6
# Slices are some fifty times longer than at speed, and rill would look at its NICs and timers after each:
# the interval that it comes to by itself with short ones.
AS_AT_SPEED = {"BENCH_POLL_INTERVAL": "64"}
RUN_WITHIN_S = 300


def count(command, rounds):
    """Instructions and operations of a run of so many rounds."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
                         capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False,
                         env={**os.environ, "BENCH_ROUNDS": str(rounds), **AS_AT_SPEED})
    counted = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not counted:
        raise Failed("callgrind: " + run.stderr.strip()[-500:])
    return int(counted[1]), float(run.stdout)


def per_op(command):
    few, few_ops = count(command, FEW)
    more, more_ops = count(command, MORE)
    return (more - few) / (more_ops - few_ops)


def main():
    import table
    for name in sys.argv[1:]:
        for side in ("rill", "tokio"):
            try:
                print(f"{name}.{side} {per_op(table.PROGRAMS[side] + [name]):.1f} instructions", flush=True)
            except Failed as e:
                sys.exit(f"{name}.{side}: {e}")


if __name__ == "__main__":
    main()
