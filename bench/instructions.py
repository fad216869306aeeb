#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions per operation, by callgrind: what the noise of a shared machine cannot move.

    bench/instructions.py NAME...    of each side of the benchmark that can be counted, on one worker

A program is run for a few rounds and for more; the difference is free of what starting it costs. Counts
only what happens in user space, on all threads.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from programs import Failed  # noqa: E402

FEW, MORE = 2, 6
# Slices are some fifty times longer than at speed, and rill would look at its NICs and timers after each:
# the interval that it comes to by itself with short ones.
AS_AT_SPEED = {"BENCH_POLL_INTERVAL": "64"}
RUN_WITHIN_S = 300


def callgrind(command, out, rounds, *options):
    """Runs it; what callgrind and the program said."""
    run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *options, *command],
                         capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False,
                         env={**os.environ, "BENCH_ROUNDS": str(rounds), **AS_AT_SPEED})
    if run.returncode != 0 or "Collected" not in run.stderr:
        raise Failed("callgrind: " + run.stderr.strip()[-500:])
    return run.stderr, run.stdout


def count(command, rounds):
    """Instructions and operations of a run of so many rounds."""
    said, ops = callgrind(command, "/dev/null", rounds)
    return int(re.search(r"Collected : (\d+)", said)[1]), float(ops)


def per_op(command):
    few, few_ops = count(command, FEW)
    more, more_ops = count(command, MORE)
    return (more - few) / (more_ops - few_ops)


def calls_in(profile, functions):
    """How often each of the functions was called in a profile of callgrind's, and what the calls took in all,
    with what they called."""
    names, called, found = {}, None, dict.fromkeys(functions, (0, 0))
    with open(profile, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if named := re.match(r"c?fn=\((\d+)\)(?: (\S+))?", line):
                # A name stands where its number comes first; the link-time optimizer adds to it.
                called = names.setdefault(named[1], named[2] and named[2].split(".")[0])
            elif counted := re.match(r"calls=(\d+)", line):
                cost = int(next(lines).split()[-1])
                if called in found:
                    found[called] = (found[called][0] + int(counted[1]), found[called][1] + cost)
    return found


# See bench/input.c.
DATA, ACK = "bench_take_segment", "bench_take_ack"


def tcp_input(command):
    """Instructions of taking in a full segment in order, and a pure ACK."""
    with tempfile.TemporaryDirectory() as out:
        callgrind(command, f"{out}/profile", 1)
        found = calls_in(f"{out}/profile", (DATA, ACK))
    if not all(calls for calls, _ in found.values()):
        raise Failed(f"{DATA} or {ACK} is not in the profile")
    return [cost / calls for calls, cost in (found[DATA], found[ACK])]


def main():
    import table
    benches = {b.name: b for b in table.BENCHES}
    for name in sys.argv[1:]:
        if name not in benches:
            sys.exit(f"unknown: {name}")
        for side in ("rill", "tokio", "lwip"):
            command = benches[name].sides.get(side)
            if command is None or callable(command):
                continue
            try:
                print(f"{name}.{side} {per_op(command):.1f} instructions", flush=True)
            except Failed as e:
                sys.exit(f"{name}.{side}: {e}")


if __name__ == "__main__":
    main()
