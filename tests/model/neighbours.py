#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes functions for what the parts of a model test refer to and do not have.

    neighbours.py OUTPUT SILENT,... LIBRARY...

Those named do nothing. A call of any other fails the test: no path of it was meant to go there.
"""
import subprocess
import sys

output, silent, libraries = sys.argv[1], sys.argv[2].split(','), sys.argv[3:]


def names(*options):
    out = subprocess.run(['nm', '--format=posix', *options, *libraries], check=True,
                         capture_output=True, text=True).stdout
    return {line.split()[0] for line in out.splitlines() if line.startswith('rill_')}


with open(output, 'w', encoding='utf-8') as f:
    f.write('#include "tests/model/engine/engine.h"\n')
    for name in sorted(names('--undefined-only') - names('--defined-only')):
        body = '' if name in silent else (
            f'\trill_model_fail("engine", "{name}() is not a part of this test");\n')
        f.write(f'\nvoid {name}(void);\nvoid {name}(void)\n{{\n{body}}}\n')
