# SPDX-License-Identifier: BSD-3-Clause
"""Measurements over DPDK's shared-memory ports: net_memif between two programs, net_ring in one.

The first program, which runs until it is killed, has CPU 0, the second, which prints the figure, CPU 1; both
spin. The memif server is the first, except where the second receives. Needs neither root nor hugepages.
"""

import itertools
import os
import subprocess

from programs import Failed

SERVER_IP, CLIENT_IP = "198.18.0.1", "198.18.0.2"
PORT = "7777"
SERVER_MAC = "02:00:00:00:00:01"
FIRST_CPU, SECOND_CPU = "0", "1"
WITHIN_S = 30
numbers = itertools.count()


def device(role):
    """Both ends of the wire that memif() begins anew."""
    mac = f",mac={SERVER_MAC}" if role == "server" else ""
    return f"net_memif0,role={role},socket=rill-bench-{os.getpid()}-{device.wire}{mac}"


device.wire = 0


def on(cpu, command):
    # A program that spins must not outlive this process, however that ends.
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cpu, *command]


def program(build, name):
    path = os.path.join(build, name)
    if not os.path.exists(path):
        raise Failed(f"{name} was not built")
    return path


def ask(command):
    run = subprocess.run(on(SECOND_CPU, command), capture_output=True, text=True, check=False, timeout=WITHIN_S)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: {run.stderr.strip() or run.returncode}")
    return float(run.stdout)


def measure(make_first, make_second):
    """The second program's figure; each is made for a wire of its own."""
    device.wire = next(numbers)
    first = subprocess.Popen(on(FIRST_CPU, make_first()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return ask(make_second())
    except subprocess.TimeoutExpired as e:
        raise Failed("nothing came in time") from e
    finally:
        first.kill()
        first.wait()


def limit(build, mode, role):
    return lambda: [program(build, "bench/limit_dpdk"), mode, device(role)]


def port(build, mode, role):
    return lambda: [program(build, "bench/rill-port-nic"), mode, "dpdk:" + device(role)]


def rill_echo(build):
    return lambda: [program(build, "cli/rill"), "echo", "--nic", "dpdk:" + device("server"), "--addr",
                    SERVER_IP + "/24", "--port", PORT, "--workers", "1", "--idle", "spin", "--quiet"]


def over_nic(build, mode, role, addr, peer):
    return lambda: [program(build, "bench/rill-over-nic"), mode, "dpdk:" + device(role), addr + "/24", peer]


def rill_rr(build):
    return measure(rill_echo(build), over_nic(build, "rr", "client", CLIENT_IP, f"{SERVER_IP}:{PORT}"))


def rill_bulk(build):
    return measure(over_nic(build, "source", "server", SERVER_IP, f":{PORT}"),
                   over_nic(build, "sink", "client", CLIENT_IP, f"{SERVER_IP}:{PORT}"))


def rill_udp(build):
    return measure(rill_echo(build), limit(build, "load", "client"))


def raw_rr(build):
    return measure(limit(build, "echo", "server"), limit(build, "rr", "client"))


def raw_echo(build):
    return measure(limit(build, "echo", "server"), limit(build, "load", "client"))


def rill_l2fwd(build):
    return measure(port(build, "echo", "server"), limit(build, "load", "client"))


def rill_drop(build):
    return measure(limit(build, "flood", "server"), port(build, "drop", "client"))


def raw_drop(build):
    return measure(limit(build, "flood", "server"), limit(build, "drop", "client"))


def rill_ring(build):
    return ask([program(build, "bench/rill-port-nic"), "loop", "dpdk:net_ring0"])


def raw_ring(build):
    return ask([program(build, "bench/limit_dpdk"), "loop", "net_ring0"])
