#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The judge itself: recordings made by hand, each with one fault, or none."""

import itertools
import os
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from wire import ACK, FIN, RST, SYN, Judge, rows  # noqa: E402

US, THEM = "198.18.9.1", "198.18.9.2"
PORTS = itertools.count(4000)	# each talk has its own
ISN = {US: 0xfffff000, THEM: 5000}	# ours wraps within the test
MSS_OPTION, SACK_OK = b"\2\4\5\264", b"\4\2"
NOPS = b"\1\1"


def total(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def stamp(val, ecr):
    return NOPS + b"\10\12" + struct.pack("!II", val, ecr)


class Talk:
    """A recording; sequence numbers count from each side's SYN."""

    def __init__(self):
        self.frames, self.now, self.port = [], 0, next(PORTS)
        self.clock = {US: 100, THEM: 900}

    def say(self, src, seq, ack, data=b"", flags=ACK, window=1000, options=b"", stamps=None,
            sum_error=0, bare=False):
        dst = THEM if src == US else US
        self.now += 1000
        self.clock[src] += 1
        if not bare:
            options += stamp(*(stamps or (self.clock[src], self.clock[dst])))
        options += b"\0" * (-len(options) % 4)
        ports = (7, self.port) if src == US else (self.port, 7)
        seq, ack = (ISN[src] + seq) % 2**32, (ISN[dst] + ack) % 2**32 if flags & ACK else 0
        ends = bytes(int(x) for x in (src + "." + dst).split("."))
        head = struct.pack("!HHIIBBHHH", *ports, seq, ack, (20 + len(options)) // 4 << 4, flags,
                           window, 0, 0)
        segment = head + options + data
        check = total(ends + struct.pack("!HH", 6, len(segment)) + segment) ^ sum_error
        segment = segment[:16] + struct.pack("!H", check) + segment[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + struct.pack("!H", total(ip)) + ip[12:]
        self.frames.append((self.now, b"\2" * 12 + b"\10\0" + ip + segment))
        return self

    def shake(self):
        self.say(THEM, 0, 0, flags=SYN, options=MSS_OPTION + SACK_OK)
        self.say(US, 0, 1, flags=SYN | ACK, options=MSS_OPTION + SACK_OK)
        return self.say(THEM, 1, 1)

    def sack(self, src, seq, ack, left, right):
        dst = THEM if src == US else US
        edges = struct.pack("!II", *((ISN[dst] + n) % 2**32 for n in (left, right)))
        return self.say(src, seq, ack, options=NOPS + b"\5\12" + edges)


def right():
    talk = Talk().shake()
    for at in range(1, 5001, 500):
        talk.say(US, at, 1, b"x" * 500).say(THEM, 1, at + 500)
    talk.say(THEM, 1, 5001, b"y" * 100).say(US, 5001, 101)
    talk.say(US, 5001, 101, flags=FIN | ACK).say(THEM, 101, 5002, flags=FIN | ACK)
    talk.say(US, 5002, 102)
    # Late and without a connection: a RST is due.
    return talk.say(THEM, 101, 5002).say(US, 5002, 0, flags=RST, bare=True)


def acknowledged():
    talk = Talk().shake().say(US, 1, 1, b"x" * 500).say(US, 501, 1, b"x" * 500)
    talk.say(THEM, 1, 501).say(THEM, 1, 501)
    return talk.say(US, 1, 1, b"x" * 500)


def crossed():
    talk = Talk().shake().say(US, 1, 1, b"x" * 500).say(US, 501, 1, b"x" * 500)
    return talk.say(THEM, 1, 501).say(US, 1, 1, b"x" * 500, stamps=(104, 901))


def sacked():
    talk = Talk().shake().say(US, 1, 1, b"x" * 300).say(US, 301, 1, b"x" * 300)
    return talk.sack(THEM, 1, 1, 301, 601).say(THEM, 1, 1).say(US, 301, 1, b"x" * 300)


def needless():
    talk = Talk().shake().say(US, 1, 1, b"x" * 300).say(US, 301, 1, b"x" * 300)
    for _ in range(11):
        talk.say(US, 1, 1, b"x" * 300, stamps=(104, 901))
    return talk


def ack_over_a_hole():
    return Talk().shake().say(THEM, 101, 1, b"y" * 100).say(US, 1, 201)


def ack_back():
    talk = Talk().shake().say(THEM, 1, 1, b"y" * 100).say(US, 1, 101)
    return talk.say(US, 1, 1, window=1100)


def another_syn_ack():
    talk = Talk().say(US, 0, 0, flags=SYN, options=MSS_OPTION + SACK_OK)
    for isn in (0, 7777):
        talk.say(THEM, isn, 1, flags=SYN | ACK, options=MSS_OPTION + SACK_OK)
    return talk.say(US, 1, 7778).say(THEM, 7778, 1, b"y" * 100).say(US, 1, 7878)


RESET = Talk().shake().say(US, 1, 1, flags=RST | ACK)
NEEDLESS = needless()
# A talk, how it is judged, what must be found, if anything.
CASES = {
    "what is right": (right(), {}, None),
    "a repeat of what was acknowledged": (acknowledged(), {}, "had acknowledged"),
    "a repeat that crossed its ACK": (crossed(), {}, None),
    "a repeat of what a SACK covered": (sacked(), {}, "SACK of 0.002 s before had covered"),
    "needless repeats": (NEEDLESS, {}, "repeated on a clean wire"),
    "repeats where loss is to be expected": (NEEDLESS, {"lossy": True}, None),
    "data beyond the window":
        (Talk().shake().say(US, 1, 1, b"x" * 1001), {}, "1 bytes beyond the peer's window"),
    "an ACK of what never came": (Talk().shake().say(US, 1, 2), {}, "an ACK of what has not"),
    "an ACK over a hole": (ack_over_a_hole(), {}, "an ACK of what has not"),
    "an ACK that goes back": (ack_back(), {}, "the ACK goes back by 100"),
    "a SACK of what never came": (Talk().shake().sack(US, 1, 1, 101, 201), {}, "a SACK of 101..201"),
    "a window that shrinks": (Talk().shake().say(US, 1, 1).say(US, 1, 1, window=500), {},
                              "right edge goes back by 500"),
    "no timestamp": (Talk().shake().say(US, 1, 1, bare=True), {}, "no timestamp"),
    "an old timestamp": (Talk().shake().say(US, 1, 1, stamps=(99, 902)), {}, "timestamp goes back"),
    "an echo of nothing": (Talk().shake().say(US, 1, 1, stamps=(103, 7)), {}, "TSecr 7"),
    "a listener that began anew": (another_syn_ack(), {}, None),
    "a reset": (RESET, {}, "a RST"),
    "a reset that is due": (RESET, {"resets": True}, None),
    "a wrong check sum": (Talk().shake().say(US, 1, 1, sum_error=1), {}, "Bad checksum"),
    "a malformed option":
        (Talk().shake().say(US, 1, 1, options=b"\2\1\0\0"), {}, "tshark says"),
    "an empty recording": (Talk(), {}, "nothing was recorded"),
}


def dissect():
    """All talks through one tshark: its rows by port."""
    by_port = {}
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        f.write(struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for talk in {id(case[0]): case[0] for case in CASES.values()}.values():
            for us, frame in talk.frames:
                f.write(struct.pack("=IIII", us // 10**6, us % 10**6, len(frame), len(frame)))
                f.write(frame)
        f.flush()
        for row in rows(f.name):
            by_port.setdefault(max(int(row[3]), int(row[5])), []).append(row)
    return by_port


class TheJudge(unittest.TestCase):
    def test_every_case(self):
        dissected = dissect()
        for name, (talk, how, what) in CASES.items():
            with self.subTest(name):
                judge = Judge(US, **how)
                for row in dissected.get(talk.port, []):
                    judge.frame(row)
                judge.sum_up()
                self.assertEqual(judge.problem_count > 0, what is not None, judge.problems)
                self.assertTrue(what is None or what in judge.problems[0], judge.problems)


if __name__ == "__main__":
    unittest.main()
