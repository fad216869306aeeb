#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""rill fwd between two kernels, each in a network namespace of its own.

    test_fwd.py RILL [test...]

A forwarder in a third namespace sits on two veth pairs (af_xdp) or on two taps. What must come through is
judged by the kernels' own programs: ping, iperf3, curl.
"""

import json
import os
import re
import shutil
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../real"))

import lab  # noqa: E402  pylint: disable=wrong-import-position

RILL = os.path.realpath(sys.argv.pop(1)) if len(sys.argv) > 1 else "rill"
A_IP, B_IP = "198.18.1.2", "198.18.2.2"
A_GATEWAY, B_GATEWAY = "198.18.1.1", "198.18.2.1"
B_BRIDGED = "198.18.1.3"
BEHIND = "198.19.7.1"


class Site:
    """Kernels A and B and the forwarder between them."""

    def __init__(self, driver):
        self.driver = driver
        self.work = lab.Work()
        self.a, self.b, self.f = lab.Namespace(), lab.Namespace(), lab.Namespace()
        self.program = None
        if driver == "af_xdp":
            self.veth(self.a, "a0", "fa")
            self.veth(self.b, "b0", "fb")

    def veth(self, end, name, peer):
        self.f.inside("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
        self.f.inside("ip", "link", "set", name, "netns", end.pid)
        for where, nic in ((end, name), (self.f, peer)):
            # What XDP hands out has no "checksum not made" mark, and no frame of many.
            where.inside("ethtool", "-K", nic, "tx", "off", "tso", "off", "gso", "off")
            where.inside("ip", "link", "set", nic, "up")

    def spec(self, side):
        if self.driver == "af_xdp":
            return f"af_xdp:f{side}"
        end = self.a if side == "a" else self.b
        return f"tap:{side}0,netns=/proc/{end.pid}/ns/net"

    def start(self, *options, addrs=(None, None)):
        command = [RILL, "fwd", "--workers", "1"]
        for side, addr in zip("ab", addrs):
            command += ["--port", self.spec(side)]
            if addr:
                command += ["--addr", addr]
        self.program = self.f.start(self.work.file("fwd.log"), *command, *options)
        self.program.until("forwarding between")

    def configure(self, end, name, addr, gateway=None):
        end.inside("ip", "link", "set", name, "up")
        end.inside("ip", "addr", "add", addr + "/24", "dev", name)
        if gateway:
            end.inside("ip", "route", "add", "default", "via", gateway)

    def bridged(self, *options):
        self.start(*options)
        self.configure(self.a, "a0", A_IP)
        self.configure(self.b, "b0", B_BRIDGED)

    def routed(self, *options):
        self.start(*options, addrs=(A_GATEWAY + "/24", B_GATEWAY + "/24"))
        self.configure(self.a, "a0", A_IP, A_GATEWAY)
        self.configure(self.b, "b0", B_IP, B_GATEWAY)

    def ping(self, to, *options, count=20):
        """How many answers came, and all that ping said."""
        run = self.a.inside("sh", "-c", f"ping -n -i 0.01 -c {count} -W 5 {' '.join(options)} {to} || true")
        return int(re.search(r"(\d+) received", run)[1]), run

    def reach(self, to):
        """Until the first answer, by when everybody has learnt where everybody is."""
        self.a.inside("ping", "-n", "-c", "1", "-w", "50", to)

    def iperf(self, to, amount, *options):
        server = self.b.start(self.work.file("iperf.log"), "iperf3", "-s", "-1", "--forceflush")
        server.until("listening")
        said = json.loads(self.a.inside("iperf3", "-c", to, "-n", amount, "-J", *options, within=120))
        server.wait(60)
        return said["end"]

    def curl(self, to):
        body = os.urandom(3_000_000)
        with open(self.work.file("body"), "wb") as f:
            f.write(body)
        server = self.b.start(self.work.file("http.log"), sys.executable, "-u", "-m", "http.server", "8000",
                              "--directory", self.work.path)
        server.until("Serving")
        got = self.a.inside("curl", "-sS", "--max-time", "120", f"http://{to}:8000/body", text=False,
                            within=150)
        server.stop()
        return got == body

    def close(self):
        said = self.program.stop() if self.program else ""
        for namespace in (self.a, self.b, self.f):
            namespace.close()
        self.work.close()
        return said


class Fwd(unittest.TestCase):
    def each(self, check):
        for driver in ("af_xdp", "tap"):
            with self.subTest(driver=driver):
                site = Site(driver)
                try:
                    check(site)
                except lab.Failed as e:
                    self.fail(f"{e}\n{site.program.said() if site.program else ''}")
                finally:
                    said = site.close()
                self.assertNotIn("Sanitizer", said)
                self.assertRegex(said, r"forwarded +\d+")

    def carries(self, site, to):
        site.reach(to)
        self.assertEqual(site.ping(to)[0], 20)
        self.assertEqual(site.ping(to, "-s", "1472", "-M", "do")[0], 20)
        self.assertTrue(site.curl(to))
        for direction in ([], ["-R"]):
            self.assertGreater(site.iperf(to, "3M", *direction)["sum_received"]["bytes"], 1_000_000)
        datagrams = site.iperf(to, "500K", "-u", "-b", "5M")["sum"]
        self.assertGreater(datagrams["packets"], datagrams["lost_packets"])

    def test_patch(self):
        def check(site):
            site.bridged()
            self.carries(site, B_BRIDGED)
        self.each(check)

    def test_bridge_learns(self):
        def check(site):
            site.bridged("--bridge")
            self.carries(site, B_BRIDGED)
            site.program.process.send_signal(signal.SIGUSR1)
            site.program.until("forwarded ")
            flooded = re.search(r"flooded to all ports +(\d+)", site.program.said())
            self.assertLess(int(flooded[1]), 100)
        self.each(check)

    def test_routes(self):
        def check(site):
            site.routed()
            self.carries(site, B_IP)
            # a station that nobody answers for
            self.assertEqual(site.ping("198.18.2.77", count=3)[0], 0)
            self.assertEqual(site.ping(B_IP)[0], 20)
        self.each(check)

    def test_router_answers(self):
        def check(site):
            site.routed()
            site.reach(B_IP)
            self.assertEqual(site.ping(A_GATEWAY)[0], 20)
            self.assertEqual(site.ping(B_GATEWAY)[0], 20)
            self.assertEqual(site.ping(B_IP)[0], 20)
            for ttl, count in ((1, 0), (2, 5)):
                got, said = site.ping(B_IP, "-t", str(ttl), count=5)
                self.assertEqual(got, count)
                if ttl == 1:
                    self.assertIn(f"From {A_GATEWAY} icmp_seq=1 Time to live exceeded", said)
            self.assertIn(f"From {A_GATEWAY} icmp_seq=1 Destination Net Unreachable",
                          site.ping("203.0.113.1", count=1)[1])
        self.each(check)

    def test_static_route(self):
        def check(site):
            site.routed("--route", f"198.19.0.0/16,{B_IP}")
            site.b.inside("ip", "addr", "add", BEHIND + "/32", "dev", "lo")
            site.reach(BEHIND)
            self.assertEqual(site.ping(BEHIND)[0], 20)
        self.each(check)

    def test_path_mtu(self):
        def check(site):
            if site.driver == "tap":
                site.routed()
                site.reach(B_IP)
                self.assertEqual(site.ping(B_IP)[0], 20)
                return
            site.f.inside("ip", "link", "set", "fb", "mtu", "1300")
            site.b.inside("ip", "link", "set", "b0", "mtu", "1300")
            site.routed()
            site.reach(B_IP)
            said = site.ping(B_IP, "-s", "1400", "-M", "do", count=2)[1]
            self.assertIn("mtu = 1300", said.replace("mtu=", "mtu = "))
            self.assertTrue(site.curl(B_IP))
        self.each(check)

    def test_bad_options(self):
        for options in (["--port", "mem:a"], ["--port", "mem:a", "--port", "mem:a", "--addr", "198.18.0.1/24"],
                        ["--port", "mem:a", "--port", "mem:b", "--route", "0.0.0.0/0,198.18.0.1"],
                        ["--addr", "198.18.0.1/24"], ["--nic", "mem:a"], ["--port", "mem:a", "--addr", "x"]):
            run = lab.subprocess.run([RILL, "fwd", *options], capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("rill", run.stderr)
        run = lab.subprocess.run([RILL, "fwd", "--port", "mem:a", "--port", "nothing:b"], capture_output=True,
                                 text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("nothing:b", run.stderr)


if __name__ == "__main__":
    for tool in ("ip", "ethtool", "ping", "iperf3", "curl", "nsenter", "setpriv"):
        if not shutil.which(tool):
            print(f"skipped: no {tool} here")
            sys.exit(77)
    try:
        lab.Namespace().close()
    except lab.Skip as e:
        print(f"skipped: {e}")
        sys.exit(77)
    unittest.main(verbosity=2)
