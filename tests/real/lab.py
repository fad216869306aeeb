# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces and the programs in them.

A namespace belongs to a process that sleeps in it, and goes with it. All processes are killed by the
kernel when this one ends, however it ends: nothing is left behind but, after a kill, the work folder,
which the next run removes.
"""

import contextlib
import os
import re
import select
import shutil
import subprocess
import tempfile
import time

PREFIX = "rill-real-"
RILL_IP = "198.18.9.1"
KERNEL_IP = "198.18.9.2"
READY_WITHIN_S = 60
STOP_WITHIN_S = 20
RECORDER_KIB = 65536
FRAME_MAX = 2048
OFFLOADS = ("tx", "rx", "tso", "gso", "gro", "sg")
SETTINGS = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
            "net.ipv4.ip_local_port_range=2048 65000", "net.core.somaxconn=16384",
            "net.ipv4.tcp_max_syn_backlog=16384")


class Failed(Exception):
    """What a scenario expected did not happen."""


class Skip(Exception):
    """The machine cannot run this."""


def guarded(command):
    return ["setpriv", "--pdeathsig", "KILL", *map(str, command)]


def call(*command, within=60, text=True):
    """Runs to the end and must succeed; its stdout."""
    try:
        run = subprocess.run(guarded(command), capture_output=True, text=text, timeout=within,
                             check=False)
    except subprocess.TimeoutExpired as e:
        raise Failed(f"{' '.join(map(str, command))}: not done within {within} s") from e
    if run.returncode != 0:
        said = run.stderr if text else run.stderr.decode(errors="replace")
        raise Failed(f"{' '.join(map(str, command))}: exit code {run.returncode}: {said.strip()}")
    return run.stdout


class Work:
    """A folder for what a run makes."""

    def __init__(self):
        for name in os.listdir(tempfile.gettempdir()):
            pid = re.match(rf"{PREFIX}(\d+)-", name)
            if pid and not os.path.exists(f"/proc/{pid[1]}"):
                shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
        self.path = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")

    def file(self, name):
        return os.path.join(self.path, name)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Program:
    """Runs beside this one."""

    def __init__(self, command, log):
        self.command = [str(word) for word in command]
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(guarded(self.command), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def until(self, text, within=READY_WITHIN_S):
        end = time.monotonic() + within
        while text not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{' '.join(self.command)}: never said '{text}': {self.said()}")
            time.sleep(0.02)
        return self

    def stop(self):
        """By SIGTERM; whatever it said."""
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.said()

    def wait(self, within):
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"{' '.join(self.command)}: not done within {within} s: "
                         f"{self.said()}") from e
        if code != 0:
            raise Failed(f"{' '.join(self.command)}: exit code {code}: {self.said()}")
        return self.said()


class Namespace:
    def __init__(self):
        # See look_at_netns() of scripts/lib.sh.
        if os.environ.get("RILL_NO_NETNS"):
            raise Skip(os.environ["RILL_NO_NETNS"])
        self.holder = subprocess.Popen(
            guarded(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not select.select([self.holder.stdout], [], [], READY_WITHIN_S)[0] or \
                not self.holder.stdout.read(1):
            self.close()
            raise Skip("no network namespace can be made")
        self.inside("sysctl", "-qw", *SETTINGS)
        self.inside("ip", "link", "set", "lo", "up")

    @property
    def pid(self):
        return self.holder.pid

    def entry(self, *command):
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]

    def inside(self, *command, **how):
        return call(*self.entry(*command), **how)

    def start(self, log, *command):
        return Program(self.entry(*command), log)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


def join(near, near_name, far, far_name):
    """A veth pair, without anything that a wire would not do."""
    call("ip", "link", "add", near_name, "netns", near.pid, "type", "veth",
         "peer", "name", far_name, "netns", far.pid)
    for ns, name in ((near, near_name), (far, far_name)):
        ns.inside("ethtool", "-K", name, *(word for o in OFFLOADS for word in (o, "off")))
        ns.inside("ip", "link", "set", name, "up")


class Bed:
    """rill's namespace and the kernel's, with a cable or a middle between them, being recorded.

    nic is what rill opens. The recording is as seen from the kernel's end, or with a middle from
    rill's.
    """

    def __init__(self, lab, name, kind="af_xdp", impair=None):
        self.lab, self.kind, self.impair = lab, kind, impair
        self.pcap = lab.work.file(name + ".pcap")
        self.name = name
        self.ended = contextlib.ExitStack()
        self.count = 0
        self.seen = {}
        self.rill, self.kernel = self.namespace(), self.namespace()
        try:
            self.connect()
        except BaseException:
            self.ended.close()
            raise

    def namespace(self):
        ns = Namespace()
        self.ended.callback(ns.close)
        return ns

    def connect(self):
        if self.kind == "tap":
            # rill makes the interface in the kernel's namespace, which it shares.
            self.rill, self.nic = self.kernel, "tap:tap0"
            self.kernel.inside("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue")
            port = "tap0"
            self.kernel.inside("ip", "link", "set", port, "up")
        else:
            self.nic = "af_xdp:near0"
            port = "far0"
            if self.impair:
                middle = self.namespace()
                join(self.rill, "near0", middle, "near1")
                join(middle, "far1", self.kernel, port)
            else:
                join(self.rill, "near0", self.kernel, port)
        self.kernel.inside("ip", "addr", "add", KERNEL_IP + "/24", "dev", port)
        if self.impair:
            self.recorder = self.start(middle, self.lab.program("real-middle"), "near1", "far1",
                                       self.pcap, *self.impair).until("ready")
            return
        self.recorder = self.start(
            self.kernel, "tcpdump", "-Z", "root", "-i", port, "-U", "-n", "-p", "-s", FRAME_MAX,
            "--immediate-mode", "-B", RECORDER_KIB,
            "--time-stamp-precision", "nano", "-w", self.pcap).until("listening on")

    def start(self, ns, *command):
        self.count += 1
        program = ns.start(self.lab.work.file(f"{self.name}.{self.count}.log"), *command)
        self.ended.callback(program.stop)
        return program

    def rill_starts(self, *command):
        return self.start(self.rill, *command)

    def kernel_starts(self, *command):
        return self.start(self.kernel, *command)

    def kernel_runs(self, *command, **how):
        return self.kernel.inside(*command, **how)

    def rill_runs(self, *command, **how):
        return self.rill.inside(*command, **how)

    def end_recording(self):
        # What has been sent must have been written as well.
        size = -1
        while size != (size := os.path.getsize(self.pcap)):
            time.sleep(0.3)
        said = self.recorder.stop()
        lost = re.findall(r"(\d+) packets dropped by kernel|missed=(\d+)", said)
        self.seen = {
            side: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", rest)}
            for side, rest in re.findall(r"^(near|far) (.*)$", said, re.M)}
        return sum(int(a or b) for a, b in lost)

    def close(self):
        self.ended.close()
