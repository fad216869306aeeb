# SPDX-License-Identifier: BSD-3-Clause
"""Where the programs of the benchmarks are, and how they are built."""

import os
import subprocess

BENCH = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(BENCH)
BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build-release"))
PLAIN = BUILD + "-plain"
TARGET = os.path.join(BENCH, "target")


class Failed(Exception):
    """A program did not give its figures; the text says why."""


def built(name, *args, build=BUILD):
    return [os.path.join(build, "bench", name), *args]


def step(what, command, **kwargs):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                         **kwargs)
    if run.returncode != 0:
        raise Failed(f"{what} failed\n{run.stdout}")


def build_rill(build=BUILD, *options):
    if not os.path.exists(os.path.join(build, "build.ninja")):
        step("meson setup", ["meson", "setup", "--buildtype=release", "-Db_lto=true", *options, build, ROOT])
    step("the build", ["ninja", "-C", build, "benchmarks", "cli/rill"])


def build_tokio():
    step("cargo build", ["cargo", "build", "--release", "--offline", "--locked"],
         cwd=os.path.join(BENCH, "peers/tokio"))


def build_go():
    step("go build", ["go", "build", "-o", os.path.join(TARGET, "go-peer"), "."],
         cwd=os.path.join(BENCH, "peers/go"), env={**os.environ, "GOPROXY": "off"})
