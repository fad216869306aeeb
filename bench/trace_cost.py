# SPDX-License-Identifier: BSD-3-Clause
"""What traces and metrics cost: a build without them against the usual one.

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

WITHOUT = BUILD + "-notrace"
NAMES = ("notify_pingpong", "spawn_join", "tcp_rr_mem")
FIGURES = NAMES + tuple(f"{n}_instructions" for n in NAMES)
RUN_WITHIN_S = 30

_turn = itertools.count()


@functools.cache
def build_without():
    build_rill(WITHOUT, "-Dtrace=disabled")


def nanoseconds(name, build):
    cpu = max(os.sched_getaffinity(0))
    run = subprocess.run(built("rill-bench", name, build=build), capture_output=True, text=True, check=False,
                         timeout=RUN_WITHIN_S, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if run.returncode != 0:
        raise Failed(run.stderr.strip() or f"exit code {run.returncode}")
    return float(run.stdout)


def percent(usual, without):
    return 100 * (usual / without - 1)


def time_percent(name):
    builds = [BUILD, WITHOUT]
    if next(_turn) % 2:
        builds.reverse()
    took = {build: nanoseconds(name, build) for build in builds}
    return percent(took[BUILD], took[WITHOUT])


@functools.cache
def instructions_percent(name):
    usual, without = (instructions.per_op(built("rill-bench", name, build=b)) for b in (BUILD, WITHOUT))
    return percent(usual, without)


def measure():
    """One pair of runs of each."""
    build_without()
    return [time_percent(n) for n in NAMES] + [instructions_percent(n) for n in NAMES]
