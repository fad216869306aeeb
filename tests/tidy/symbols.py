#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""librill.so exports exactly the functions that the public headers declare."""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY = sys.argv.pop(1)
HEADERS = pathlib.Path(sys.argv.pop(1))


def exported():
    out = subprocess.run(['nm', '-D', '--defined-only', LIBRARY], check=True, capture_output=True,
                         text=True).stdout
    return {line.split()[-1].split('@')[0] for line in out.splitlines()}


def declared():
    names = set()
    for header in HEADERS.glob('*.h'):
        text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
        names |= set(re.findall(r'RILL_API[^;{]*?\b(rill_\w+)\s*\(', text))
    return names


class Symbols(unittest.TestCase):
    def test_nothing_hidden_is_exported(self):
        self.assertEqual(exported() - declared(), set())

    def test_everything_declared_is_exported(self):
        self.assertEqual(declared() - exported(), set())


if __name__ == '__main__':
    unittest.main(verbosity=2)
