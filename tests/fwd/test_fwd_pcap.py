#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""rill fwd between recordings: no network and no privilege.

    test_fwd_pcap.py RILL [test...]
"""

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

RILL = os.path.realpath(sys.argv.pop(1)) if len(sys.argv) > 1 else "rill"
PATIENCE_S = 30
GAP_US = 100
LENS = [64, 9000, 128, 1500, 65, 4096]
MAC_A, MAC_B = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"


def frames(count):
    for i in range(count):
        head = MAC_B + MAC_A + b"\x88\xb5" + struct.pack(">I", i)
        yield head + bytes(LENS[i % len(LENS)] - len(head))


def write_pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, packet in enumerate(packets):
            us = i * GAP_US
            f.write(struct.pack("<IIII", 1700000000 + us // 1000000, us % 1000000, len(packet), len(packet)))
            f.write(packet)


def read_pcapng(path):
    """Times in ns and packets, by the format's letter."""
    with open(path, "rb") as f:
        data = f.read()
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and length == struct.unpack_from("<I", data, at + length - 4)[0]
        if kind == 6:
            _, high, low, have, whole = struct.unpack_from("<IIIII", data, at + 8)
            assert have == whole
            found.append((high << 32 | low, data[at + 28:at + 28 + have]))
        at += length
    return found


class FwdPcap(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rill-fwd-pcap-")
        self.path = lambda name: os.path.join(self.folder.name, name)

    def tearDown(self):
        self.folder.cleanup()

    def forward(self, sent, ports, *options):
        """Runs until so many were forwarded; what the forwarder said."""
        command = [RILL, "fwd", "--workers", "1", *options]
        for port in ports:
            command += ["--port", port]
        log = self.path("log")
        with open(log, "wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            end = time.monotonic() + PATIENCE_S
            forwarded = []
            while time.monotonic() < end and (not forwarded or int(forwarded[-1]) < sent):
                time.sleep(0.1)
                with open(log, encoding="utf-8") as f:
                    said = f.read()
                if "forwarding between" in said:
                    process.send_signal(signal.SIGUSR1)
                forwarded = re.findall(r"^  forwarded +(\d+)", said, re.M)
            process.terminate()
            self.assertEqual(process.wait(PATIENCE_S), 0)
        with open(log, encoding="utf-8") as f:
            return f.read()

    def test_patch_keeps_order_and_gaps(self):
        packets = list(frames(2000))
        write_pcap(self.path("in"), packets)
        said = self.forward(len(packets), [f"pcap:in={self.path('in')}", f"pcap:out={self.path('out')}"])
        got = read_pcapng(self.path("out"))
        self.assertEqual([p for _, p in got], packets)
        # How late they are is a matter of the machine, and told.
        times = [ns for ns, _ in got]
        self.assertEqual(times, sorted(times))
        for counter in ("mean", "p50", "p99", "max"):
            self.assertRegex(said, rf"replay_error_{counter}_ns +\d+")
        self.assertRegex(said, r"replay_packets +2000")
        print(" ".join(re.findall(r"replay_error_\w+ +\d+", said)[-4:]), file=sys.stderr)

    def test_bridge_floods_and_learns(self):
        packets = list(frames(100))
        write_pcap(self.path("in"), packets)
        outs = [self.path("out1"), self.path("out2")]
        self.forward(200, [f"pcap:in={self.path('in')},pace=max", *(f"pcap:out={o}" for o in outs)])
        for out in outs:
            self.assertEqual([p for _, p in read_pcapng(out)], packets)

    def test_between_a_recording_and_memory(self):
        write_pcap(self.path("in"), frames(50))
        said = self.forward(50, [f"pcap:in={self.path('in')},pps=100000", "mem:nobody,mtu=9216"])
        self.assertRegex(said[-2000:], r"mem:nobody,mtu=9216: received 0 packets, 0 bytes, lost 0; sent 50 packets")


if __name__ == "__main__":
    unittest.main(verbosity=2)
