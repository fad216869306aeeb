#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a compiler does not check about the source tree.

    tidy.py [ROOT]

Each test names every offender as file:line.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest

ROOT = os.path.abspath(
    sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../.."))

# The layers: what a folder may include besides itself and the public headers. An entry is a folder, or
# one file. docs/design.md has the reasons.
BUF = "drivers/buf.h"
PROTOCOLS = ["netstack/wire", "netstack/ip", "netstack/udp", "netstack/tcp"]
MAY_INCLUDE = {
    "include/rill": [],
    "base": [],
    "drivers": ["base"],
    "runtime": ["base", "drivers/driver.h"],
    "sync": ["base", "runtime"],
    "io": ["base", "runtime"],
    "fs": ["base", "runtime", "io"],
    "netstack/wire": ["base", BUF],
    "netstack/ip": ["base", BUF, "netstack/wire"],
    "netstack/udp": ["base", BUF, "netstack/wire", "netstack/ip"],
    "netstack/tcp": ["base", BUF, "netstack/wire", "netstack/ip"],
    "netstack/core": ["base", BUF] + PROTOCOLS,
    "netstack/bare": ["base", BUF, "netstack/core"] + PROTOCOLS,
    "netstack/stack": ["base", "drivers", "runtime", "io", "netstack/core", "netstack/socket"] + PROTOCOLS,
    "netstack/socket": ["base", "drivers", "runtime", "io", "netstack/core", "netstack/stack"] + PROTOCOLS,
    "ports": ["base", "drivers", "runtime", "netstack/wire"],
    "cli": [],
    "examples": [],
    "bench": [],
}
# See the public headers only, and so bring their own atomics.
USERS = ["cli", "examples", "bench"]
# Tests look wherever they must.
UNLAYERED = ["tests"]

ORDERED = re.compile(
    r"\brill_(?:load|store|exchange|cas|cas_weak|fetch_\w+?)_(?:acquire|release|acq_rel|seq_cst)\s*\("
    r"|\brill_publish\s*\(")
RAW_ATOMIC = re.compile(r"\b__(?:atomic|sync)_\w+\s*\(|<stdatomic\.h>")
# A BPF program is dual-licensed, for the kernel's sake.
LICENCE = re.compile(r"SPDX-License-Identifier: (?:BSD-3-Clause|\(GPL-2\.0-only OR BSD-3-Clause\))")
COMMENT = re.compile(r"/\*|\*/|^\s*\* |//")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')

COLUMNS = 100
COMMENT_REACH = 4


def walk():
    """Every source file, by its path from the root."""
    for folder, folders, files in os.walk(ROOT):
        inside = os.path.relpath(folder, ROOT)
        folders[:] = sorted(
            d for d in folders
            if not (d.startswith(".git") or d in ("target", "__pycache__") or
                    inside == "." and d.startswith("build")))
        for name in sorted(files):
            yield os.path.normpath(os.path.join(inside, name))


FILES = list(walk())
C_FILES = [f for f in FILES if f.endswith((".c", ".h"))]


def lines(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read().split("\n")


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def layer(path):
    """The folder of MAY_INCLUDE in which path lies, or None."""
    found = [f for f in MAY_INCLUDE if inside(path, f)]
    return max(found, key=len) if found else None


def include_target(kind, name):
    """The path of an included file of ours, or None for a system header."""
    if kind == "<":
        return "include/" + name if name.startswith("rill/") else None
    # Generated from a BPF program of the same folder.
    return None if name.endswith(".skel.h") else name


def code(line):
    """The line without its comments and strings, as far as one line tells."""
    return re.sub(r'/\*.*?(?:\*/|$)|//.*|^\s*\*.*|"(?:[^"\\]|\\.)*"', "", line)


class Tidy(unittest.TestCase):
    def report(self, offenders):
        if offenders:
            self.fail(f"{len(offenders)} found:\n" + "\n".join(offenders))

    def test_includes_go_downwards(self):
        bad = []
        for path in C_FILES:
            if any(inside(path, f) for f in UNLAYERED):
                continue
            own = layer(path)
            if own is None:
                bad.append(f"{path}:1: lies in no folder of the layer table")
                continue
            for n, line in enumerate(lines(path), 1):
                m = INCLUDE.match(line)
                target = include_target(*m.groups()) if m else None
                if target is None:
                    continue
                allowed = MAY_INCLUDE[own] + [own, "include/rill"]
                if layer(target) is None:
                    bad.append(f"{path}:{n}: \"{target}\" is not a path from the root")
                elif not any(inside(target, a) for a in allowed):
                    bad.append(f"{path}:{n}: {own} may not include {target}")
        self.report(bad)

    def test_public_headers_compile_alone(self):
        compilers = [
            (cc, args) for cc, args in (
                ("gcc", ["-x", "c", "-std=c17"]), ("clang", ["-x", "c", "-std=c17"]),
                ("g++", ["-x", "c++", "-std=c++17"]), ("clang++", ["-x", "c++", "-std=c++17"]))
            if shutil.which(cc)]
        for language in ("c", "c++"):
            self.assertTrue(any(args[1] == language for _, args in compilers),
                            f"no compiler for {language}")
        bad = []
        for path in C_FILES:
            if not (inside(path, "include/rill") and path.endswith(".h")):
                continue
            source = f"#include <{path[len('include/'):]}>\ntypedef int not_empty;\n"
            for cc, args in compilers:
                run = subprocess.run(
                    [cc, *args, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                     "-I", os.path.join(ROOT, "include"), "-"],
                    input=source, capture_output=True, text=True, check=False)
                if run.returncode != 0:
                    bad.append(f"{path}:1: alone, with {cc}:\n{run.stderr.rstrip()}")
        self.report(bad)

    def test_ordered_atomics_say_why(self):
        bad = []
        for path in C_FILES:
            if path == "base/atomic.h" or inside(path, "tests"):
                continue
            text = lines(path)
            for n, line in enumerate(text, 1):
                if ORDERED.search(code(line)) and not any(
                        COMMENT.search(near) for near in text[max(0, n - 1 - COMMENT_REACH):n]):
                    bad.append(f"{path}:{n}: no comment names the partner: {line.strip()}")
        self.report(bad)

    def test_atomics_go_through_base(self):
        self.report([
            f"{path}:{n}: {line.strip()}"
            for path in C_FILES
            if path != "base/atomic.h" and not any(inside(path, f) for f in USERS + UNLAYERED)
            for n, line in enumerate(lines(path), 1) if RAW_ATOMIC.search(code(line))])

    def test_lines_fit(self):
        self.report([
            f"{path}:{n}: {len(line.expandtabs(8))} columns"
            for path in C_FILES
            for n, line in enumerate(lines(path), 1) if len(line.expandtabs(8)) > COLUMNS])

    def test_files_name_their_licence(self):
        suffixes = (".c", ".h", ".S", ".py", ".sh", ".rs", ".toml", ".build", "meson_options.txt")
        self.report([
            f"{path}:1: no SPDX line"
            for path in FILES
            if (path.endswith(suffixes) or lines(path)[0].startswith("#!"))
            and not any(LICENCE.search(line) for line in lines(path)[:3])])


if __name__ == "__main__":
    unittest.main()
