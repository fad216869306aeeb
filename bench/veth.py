# SPDX-License-Identifier: BSD-3-Clause
"""Round trips over a veth pair between two network namespaces.

A kernel client which spins, on CPU 1, asks a server on CPU 0: rill on AF_XDP, or the kernel itself. Both
servers sit at the same end of the same pair, one after the other: rill's program leaves the interface
when rill ends. The namespaces carry the number of this process and are deleted at exit; what a killed
run left behind goes at the next start.
"""

import atexit
import os
import re
import subprocess

from programs import Failed

PREFIX = "rill-bench-"
CLIENT_IP = "198.18.0.1"
KERNEL_IP = "198.18.0.2"
RILL_IP = "198.18.0.3"
PORT = "7"
SERVER_CPU, CLIENT_CPU = "0", "1"
CLIENT_WITHIN_S = 20
STOP_WITHIN_S = 5


def sh(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: {run.stderr.strip() or run.returncode}")
    return run.stdout


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def delete_leftovers():
    for name in re.findall(rf"^{PREFIX}\d+-\w+", sh("ip", "netns", "list"), re.M):
        if not alive(name.split("-")[2]):
            sh("ip", "netns", "delete", name)


class Veth:
    """Two namespaces joined by a veth pair: cli0 in one, srv0 in the other."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Failed("needs root, for network namespaces")
        if os.cpu_count() < 2:
            raise Failed("needs two CPUs")
        delete_leftovers()
        self.client = f"{PREFIX}{os.getpid()}-client"
        self.server = f"{PREFIX}{os.getpid()}-server"
        atexit.register(self.close)
        for netns in (self.client, self.server):
            sh("ip", "netns", "add", netns)
            sh("ip", "-n", netns, "link", "set", "lo", "up")
        sh("ip", "link", "add", "cli0", "netns", self.client, "type", "veth",
           "peer", "name", "srv0", "netns", self.server)
        for netns, nic, ip in ((self.client, "cli0", CLIENT_IP), (self.server, "srv0", KERNEL_IP)):
            sh("ip", "-n", netns, "addr", "add", ip + "/24", "dev", nic)
            sh("ip", "-n", netns, "link", "set", nic, "up")
        # What AF_XDP hands up carries no "checksum not made" mark, so it must be made.
        sh("ip", "netns", "exec", self.client, "ethtool", "-K", "cli0", "tx", "off")

    def close(self):
        for netns in (self.client, self.server):
            subprocess.run(["ip", "netns", "delete", netns], capture_output=True, check=False)

    def round_trip(self, build, server, ip):
        """Starts the server and asks it; the client's figure."""
        # A server that spins must not outlive this process, however that ends.
        prefix = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec"]
        process = subprocess.Popen([*prefix, self.server, "taskset", "-c", SERVER_CPU, *server],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            return float(sh(*prefix, self.client, "timeout", str(CLIENT_WITHIN_S),
                            "taskset", "-c", CLIENT_CPU,
                            os.path.join(build, "bench/kernel_rr"), "client", ip, PORT))
        except Failed as e:
            process.terminate()
            # The server's own complaint explains why its client found nobody.
            complaint = process.communicate(timeout=STOP_WITHIN_S)[1].strip()
            raise Failed(complaint or str(e)) from e
        finally:
            self.stop(process)

    @staticmethod
    def stop(process):
        process.terminate()
        try:
            process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


_veth = None


def pair():
    global _veth
    if _veth is None:
        _veth = Veth()
    return _veth


def rill_rr(build):
    rill = os.path.join(build, "cli/rill")
    if not os.path.exists(rill):
        raise Failed("cli/rill was not built")
    return pair().round_trip(build, [rill, "echo", "--nic", "af_xdp:srv0", "--addr", RILL_IP + "/24",
                                     "--port", PORT, "--workers", "1", "--idle", "spin",
                                     "--quiet"], RILL_IP)


def kernel_rr(build):
    return pair().round_trip(build, [os.path.join(build, "bench/kernel_rr"), "server", KERNEL_IP, PORT],
                             KERNEL_IP)
