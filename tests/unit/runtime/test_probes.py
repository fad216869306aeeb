#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""librill.so has a USDT probe wherever the runtime records an event that has one, and each is a nop.

    test_probes.py librill.so RUNTIME-SOURCES yes|no

no: the build had no sys/sdt.h, and there is nothing to look for.
"""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY, SOURCES, BUILT = sys.argv[1:4]
NOP = {"x86_64": b"\x90", "aarch64": b"\x1f\x20\x03\xd5"}

NOTE = re.compile(r"Provider: rill\s+Name: (\w+)\s+Location: 0x([0-9a-f]+),.*\s+Arguments: (.*)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def notes():
    """(name, address, arguments) of each place at which a probe fires."""
    return [(name, int(at, 16), args) for name, at, args in NOTE.findall(output("readelf", "-nW", LIBRARY))]


def wanted():
    """The probes of trace.h, as far as the runtime's files record their events."""
    text = {f.name: f.read_text() for f in pathlib.Path(SOURCES).glob("*.[ch]")}
    recorded = {event.lower() for name in text if not name.startswith("trace")
                for event in re.findall(r"\brill_trace(?:_fine)?\(\w+, RILL_TRACE_(\w+)", text[name])}
    if any("rill_trace_slice(" in t for name, t in text.items() if not name.startswith("trace")):
        recorded |= {"run", "park", "yield", "terminate"}
    return recorded & set(re.findall(r"RILL_PROBE\((\w+), arg", text["trace.h"]))


def code_at(address, length):
    """Bytes of the library as they are in memory."""
    for line in output("readelf", "-lW", LIBRARY).splitlines():
        word = line.split()
        if word[:1] != ["LOAD"]:
            continue
        offset, start, size = int(word[1], 16), int(word[2], 16), int(word[4], 16)
        if start <= address < start + size:
            with open(LIBRARY, "rb") as f:
                f.seek(offset + address - start)
                return f.read(length)
    raise ValueError(f"no segment has {address:#x}")


class Probes(unittest.TestCase):
    def test_all_are_there(self):
        self.assertLessEqual({"spawn", "run", "park", "terminate"}, wanted())
        self.assertEqual({name for name, _, _ in notes()}, wanted())

    def test_each_has_two_arguments(self):
        for name, _, args in notes():
            self.assertEqual(len(args.split()), 2, f"{name}: {args}")

    def test_each_is_a_nop(self):
        machine = "aarch64" if "AArch64" in output("readelf", "-hW", LIBRARY) else "x86_64"
        nop = NOP[machine]
        for name, address, _ in notes():
            self.assertEqual(code_at(address, len(nop)), nop, f"{name} at {address:#x}")


if __name__ == "__main__":
    if BUILT != "yes":
        print("no sys/sdt.h (systemtap-sdt-dev) at build time, so there are no probes")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
