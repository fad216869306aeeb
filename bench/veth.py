# SPDX-License-Identifier: BSD-3-Clause
"""Measurements between two programs over a veth pair between two network namespaces.

The server has CPU 0, the client, which prints the figure, CPU 1; both spin. A program on AF_XDP leaves its
interface when it ends, so that all programs sit at the same two ends, one after the other. The namespaces
carry the number of this process and are deleted at exit; what a killed run left behind goes at the next
start.
"""

import atexit
import functools
import os
import re
import subprocess

from programs import Failed

PREFIX = "rill-bench-"
CLIENT_IP = "198.18.0.1"
KERNEL_IP = "198.18.0.2"
RILL_IP = "198.18.0.3"
RILL_CLIENT_IP = "198.18.0.4"
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

    def __init__(self, name, offloads):
        if os.geteuid() != 0:
            raise Failed("needs root, for network namespaces")
        if os.cpu_count() < 2:
            raise Failed("needs two CPUs")
        delete_leftovers()
        self.client = f"{PREFIX}{os.getpid()}-{name}client"
        self.server = f"{PREFIX}{os.getpid()}-{name}server"
        atexit.register(self.close)
        for netns in (self.client, self.server):
            sh("ip", "netns", "add", netns)
            sh("ip", "-n", netns, "link", "set", "lo", "up")
        sh("ip", "link", "add", "cli0", "netns", self.client, "type", "veth",
           "peer", "name", "srv0", "netns", self.server)
        for netns, nic, ip in ((self.client, "cli0", CLIENT_IP), (self.server, "srv0", KERNEL_IP)):
            sh("ip", "-n", netns, "addr", "add", ip + "/24", "dev", nic)
            sh("ip", "-n", netns, "link", "set", nic, "up")
            if not offloads:
                sh("ip", "netns", "exec", netns, "ethtool", "-K", nic, "tx", "off", "rx", "off", "tso", "off",
                   "gso", "off", "gro", "off", "sg", "off")
        # What AF_XDP hands up carries no "checksum not made" mark, so it must be made.
        sh("ip", "netns", "exec", self.client, "ethtool", "-K", "cli0", "tx", "off")

    def close(self):
        for netns in (self.client, self.server):
            subprocess.run(["ip", "netns", "delete", netns], capture_output=True, check=False)

    def measure(self, server, client):
        """Starts the server and then the client; the client's figure."""
        process = subprocess.Popen([*self.inside(self.server, SERVER_CPU), *server],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            return self.ask(client)
        except Failed as e:
            process.terminate()
            # The server's own complaint explains why its client found nobody.
            complaint = process.communicate(timeout=STOP_WITHIN_S)[1].strip()
            raise Failed(complaint or str(e)) from e
        finally:
            self.stop(process)

    def ask(self, client):
        return float(sh(*self.inside(self.client, CLIENT_CPU), "timeout", str(CLIENT_WITHIN_S), *client))

    @staticmethod
    def inside(netns, cpu):
        # A program that spins must not outlive this process, however that ends.
        return ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", netns, "taskset", "-c", cpu]

    @staticmethod
    def stop(process):
        process.terminate()
        try:
            process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@functools.cache
def pair():
    return Veth("", offloads=True)


@functools.cache
def bare_pair():
    """A pair whose kernel ends segment and check by themselves, as AF_XDP's must."""
    return Veth("bare", offloads=False)


def program(build, name):
    path = os.path.join(build, name)
    if not os.path.exists(path):
        raise Failed(f"{name} was not built")
    return path


def rill_echo(build):
    return [program(build, "cli/rill"), "echo", "--nic", "af_xdp:srv0", "--addr", RILL_IP + "/24", "--port", PORT,
            "--workers", "1", "--idle", "spin", "--quiet"]


def rill_client(build, mode):
    return [program(build, "bench/rill-over-nic"), mode, "af_xdp:cli0", RILL_CLIENT_IP + "/24", f"{RILL_IP}:{PORT}"]


def kernel(build, name, mode, ip):
    return [program(build, f"bench/{name}"), mode, ip, PORT]


def rill_rr(build):
    return pair().measure(rill_echo(build), kernel(build, "kernel_rr", "client", RILL_IP))


def kernel_rr(build):
    return pair().measure(kernel(build, "kernel_rr", "server", KERNEL_IP),
                          kernel(build, "kernel_rr", "client", KERNEL_IP))


def rill_both_rr(build):
    return pair().measure(rill_echo(build), rill_client(build, "rr"))


def xsk_rr(build):
    """Needs no stack at either end."""
    limit = program(build, "bench/limit_xsk")
    return pair().measure([limit, "server", "srv0"], [limit, "client", "cli0"])


def rill_bulk(build):
    source = [program(build, "bench/rill-over-nic"), "source", "af_xdp:srv0", RILL_IP + "/24", f":{PORT}"]
    return bare_pair().measure(source, rill_client(build, "sink"))


def kernel_bulk(build):
    return bare_pair().measure(kernel(build, "kernel_bulk", "server", KERNEL_IP),
                               kernel(build, "kernel_bulk", "client", KERNEL_IP))


def kernel_crr(build):
    """Over the loopback interface of a namespace of its own."""
    return pair().ask([program(build, "bench/kernel_crr")])
