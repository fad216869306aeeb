#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What docs/rfc.md and the links of the documents promise, against the tree.

    docs.py [ROOT]

Each test names every offender as file:line.
"""

import fnmatch
import glob
import os
import re
import sys
import unittest

ROOT = os.path.abspath(
    sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../.."))

RFC = "docs/rfc.md"
# Where a test file named FILE may lie; net_FILE is tests/integration/test_FILE.c, as in meson.
TEST_FILES = ["tests/script/FILE.script", "tests/unit/*/FILE.c", "tests/unit/*/*/FILE.c",
              "tests/sim/FILE.c"]
# RFC 9293, appendix B.
MUSTS = 69
SHOULDS = 31

CASE = re.compile(r"^case (\S+)", re.M)
FUNCTION = re.compile(r"^static void (\w+)\(void \*\*", re.M)
# A column of tests: `-`, or `file: case, case; file`, the cases in backquotes.
NAMES = r"`[^`]+`(?:, `[^`]+`)*"
TESTS = re.compile(rf"^(?:-|\w+(?:: {NAMES})?(?:; \w+(?:: {NAMES})?)*)$")
ENTRY = re.compile(rf"(\w+)(?:: ({NAMES}))?")
STATUS = re.compile(r"^(?:yes\b|partly: \S|no: \S|not needed: \S)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def documents():
    for pattern in ("*.md", "docs/*.md", "tests/*/*.md", "bench/*.md"):
        for path in sorted(glob.glob(pattern, root_dir=ROOT)):
            yield path


def rows():
    """Each row of docs/rfc.md that has four columns: line, cells."""
    for n, line in enumerate(read(RFC).split("\n"), 1):
        if line.startswith("| ") and not line.startswith("| id "):
            yield n, [c.strip() for c in line.strip().strip("|").split(" | ")]


def test_files(name):
    """The files of tests that name stands for: one, if all is well."""
    if name.startswith("net_"):
        return glob.glob(f"tests/integration/test_{name[len('net_'):]}.c", root_dir=ROOT)
    return [f for p in TEST_FILES for f in glob.glob(p.replace("FILE", name), root_dir=ROOT)]


def cases_of(path):
    return (CASE if path.endswith(".script") else FUNCTION).findall(read(path))


def numbers(text, word):
    """MUST-5, 6 and MUST-8 to 10: {5, 6, 8, 9, 10}."""
    found = set()
    for run in re.findall(rf"{word}-(\d+(?:(?:, | to )\d+)*)", text):
        first = 0
        for sep, n in re.findall(r"(, | to |^)(\d+)", run):
            found |= set(range(first, int(n) + 1)) if sep == " to " else {int(n)}
            first = int(n)
    return found


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", read(path)), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


class Docs(unittest.TestCase):
    def report(self, offenders):
        if offenders:
            self.fail(f"{len(offenders)} found:\n" + "\n".join(offenders))

    def test_rows_are_whole(self):
        bad = []
        for n, cells in rows():
            if len(cells) != 4:
                bad.append(f"{RFC}:{n}: {len(cells)} columns, not 4")
            elif not STATUS.match(cells[2]):
                bad.append(f"{RFC}:{n}: none of yes, partly: what, no: why, not needed: why")
            elif not TESTS.match(cells[3]):
                bad.append(f"{RFC}:{n}: not a list of tests: {cells[3]}")
            elif cells[2].startswith("yes") and cells[3] == "-":
                bad.append(f"{RFC}:{n}: kept, and no test shows it")
        self.report(bad)

    def test_named_tests_exist(self):
        bad = []
        for n, cells in rows():
            if cells[-1] == "-":
                continue
            for name, names in ENTRY.findall(cells[-1]):
                files = test_files(name)
                if len(files) != 1:
                    bad.append(f"{RFC}:{n}: {len(files)} files are called {name}")
                    continue
                there = cases_of(files[0])
                bad += [f"{RFC}:{n}: {files[0]} has no {case}"
                        for case in re.findall(r"`([^`]+)`", names)
                        if not any(fnmatch.fnmatchcase(t, case) for t in there)]
        self.report(bad)

    def test_every_clause_of_rfc9293_has_a_row(self):
        ids = " ; ".join(cells[0] for _, cells in rows())
        self.report([
            f"{RFC}:1: no row for {word}-{i}"
            for word, last in (("MUST", MUSTS), ("SHLD", SHOULDS))
            for i in range(1, last + 1) if i not in numbers(ids, word)])

    def test_links_lead_somewhere(self):
        bad = []
        for path in documents():
            for n, line in enumerate(read(path).split("\n"), 1):
                for target in LINK.findall(line):
                    if re.match(r"\w+:", target):
                        continue
                    file, _, anchor = target.partition("#")
                    to = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file \
                        else path
                    if not os.path.exists(os.path.join(ROOT, to)):
                        bad.append(f"{path}:{n}: there is no {to}")
                    elif anchor and to.endswith(".md") and anchor not in anchors(to):
                        bad.append(f"{path}:{n}: {to} has no heading #{anchor}")
        self.report(bad)


if __name__ == "__main__":
    unittest.main()
