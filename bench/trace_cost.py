# SPDX-License-Identifier: BSD-3-Clause
"""What traces and metrics cost, and the event trace of TCP: a build without them against the usual one.

Percent by which the usual build takes longer, and executes more instructions. A difference of 3 % is smaller
than what one run differs from the next by, so the two builds take turns, many times, and the order
changes; the instructions are counted once.
"""

import functools
import itertools
import os
import subprocess

import instructions
from programs import BUILD, Failed, build_rill, built

RUNTIME = ("-notrace", "-Dtrace=disabled", ("notify_pingpong", "spawn_join", "tcp_rr_mem"))
TCP = ("-notcptrace", "-Dtcp_trace=false", ("tcp_rr_mem", "tcp_bulk_mem"))
RUN_WITHIN_S = 30

_turn = itertools.count()


def figures(cost):
    _, _, names = cost
    return names + tuple(f"{n}_instructions" for n in names)


@functools.cache
def build_without(cost):
    """The directory of the build without it."""
    suffix, option, _ = cost
    build_rill(BUILD + suffix, option)
    return BUILD + suffix


def nanoseconds(name, build):
    cpu = max(os.sched_getaffinity(0))
    run = subprocess.run(built("rill-bench", name, build=build), capture_output=True, text=True, check=False,
                         timeout=RUN_WITHIN_S, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if run.returncode != 0:
        raise Failed(run.stderr.strip() or f"exit code {run.returncode}")
    return float(run.stdout)


def percent(usual, without):
    return 100 * (usual / without - 1)


def time_percent(name, without):
    builds = [BUILD, without]
    if next(_turn) % 2:
        builds.reverse()
    took = {build: nanoseconds(name, build) for build in builds}
    return percent(took[BUILD], took[without])


@functools.cache
def instructions_percent(name, without):
    return percent(*(instructions.per_op(built("rill-bench", name, build=b)) for b in (BUILD, without)))


def measure(cost):
    """One pair of runs of each."""
    without = build_without(cost)
    _, _, names = cost
    return [time_percent(n, without) for n in names] + [instructions_percent(n, without) for n in names]


def main():
    """The instructions alone, of the event trace of TCP."""
    without = build_without(TCP)
    for name in TCP[2]:
        print(f"{name}: {instructions_percent(name, without):+.2f} % of instructions")


if __name__ == "__main__":
    main()
