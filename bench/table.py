# SPDX-License-Identifier: BSD-3-Clause
"""The table of benchmarks: what is run for each side of each one. bench/README.md says what they mean."""

import functools
import os
import subprocess

import fio
import instructions
import memif
import programs
import trace_cost
import veth
from programs import BUILD, TARGET, Failed, built

RUN_WITHIN_S = 120

# How the README calls them.
PEER_NAMES = {"tokio": "Tokio", "go": "Go", "boost": "Boost.Fiber", "boost_context": "Boost.Context",
              "lwip": "lwIP raw API", "kernel": "the kernel's TCP",
              "fio": "fio (io_uring)", "few": "rill, 100 connections"}
PROGRAMS = {
    "rill": built("rill-bench"),
    "tokio": [os.path.join(TARGET, "tokio/release/tokio-peer")],
    "go": [os.path.join(TARGET, "go-peer")],
    "boost": built("boost_peer"),
    "boost_context": built("boost_peer"),
    "lwip": built("lwip_pair"),
}
# These take NAME [WORKERS [SIZE]]; the others, NAME.
SIZED = ("rill", "tokio", "go")


class Bench:
    """One benchmark, of one or more figures; the name of a figure is appended to the benchmark's."""

    def __init__(self, name, rill=None, peers=None, limit=None, unit="ns", figures=("",), workers=1,
                 cpus=None, size=None, rounds_per_round=1):
        self.name, self.unit = name, unit
        self.figures = [f"{name}_{f}" if f else name for f in figures]
        self.cpus = cpus or workers
        self.rounds_per_round = rounds_per_round
        # Name of the side: a command, or a function which returns the figures. The first peer is the
        # one that counts.
        sides = {"rill": rill or name, **({"tokio": name} if peers is None else peers)}
        self.sides = {}
        for side, program in sides.items():
            if isinstance(program, str):
                program = PROGRAMS[side] + [program]
                if side in SIZED:
                    program += [str(workers)] + ([str(size)] if size else [])
            self.sides[side] = program
        if limit:
            self.sides["limit"] = limit if callable(limit) else built(limit)

    def peers(self):
        return [s for s in self.sides if s not in ("rill", "limit")]

    def measure(self, side):
        """The figures of one run of one side."""
        program = self.sides[side]
        figures = program() if callable(program) else self.run(program)
        if len(figures) != len(self.figures):
            raise Failed(f"{len(figures)} figures instead of {len(self.figures)}")
        return figures

    def run(self, command):
        cpus = sorted(os.sched_getaffinity(0))[-self.cpus:]
        if len(cpus) < self.cpus:
            raise Failed(f"needs {self.cpus} CPUs")
        if not os.path.exists(command[0]):
            raise Failed(f"{command[0]} was not built")
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False,
                                 preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        except subprocess.TimeoutExpired as e:
            raise Failed(f"no figure within {RUN_WITHIN_S} s") from e
        if run.returncode != 0:
            raise Failed(run.stderr.strip() or f"exit code {run.returncode}")
        return [float(f) for f in run.stdout.split()]


def same(name, *peers):
    """The peers whose program has the benchmark under the same name."""
    return {p: name for p in peers}


def on_one_and_two(name):
    """The same on one worker and on two, beside Tokio."""
    return [Bench(f"{name}_w{n}", name, same(name, "tokio"), workers=n) for n in (1, 2)]


def also_on_two(name, **more):
    """The same on one worker, under its own name, and on two."""
    return [Bench(name, **more), Bench(f"{name}_w2", name, same(name, "tokio"), workers=2)]


@functools.cache
def counted(side, *names):
    """Instructions per operation: hardly any noise, so one count is enough."""
    return [instructions.per_op(PROGRAMS[side] + [name]) for name in names]


def turnaround_counted():
    """What a datagram through the stack and a task takes more than a frame through a port's handler."""
    return [counted("rill", "port_rr_udp_mem")[0] - counted("rill", "port_rr_mem")[0]]


@functools.cache
def input_counted():
    # Calls are counted, so that they must be there: the link-time optimizer makes some vanish.
    programs.build_rill(programs.PLAIN, "-Db_lto=false")
    return instructions.tcp_input(built("rill-bench", "tcp_input_profile", build=programs.PLAIN))


# So that the ratio is what many connections cost.
FEW_CONNECTIONS = {"few": built("rill-bench", "tcp_rr_100")}
LATENESS = {"unit": "us", "figures": ("p50", "p99")}

BENCHES = [
    Bench("switch", peers={**same("switch", "tokio", "go", "boost"), "boost_context": "context"},
          limit="limit_switch"),
    Bench("yield", peers=same("yield", "tokio", "go", "boost")),
    Bench("yield_many", peers=same("yield_many", "tokio", "go"), workers=2),
    Bench("spawn_join_w1", "spawn_join", same("spawn_join", "tokio", "go", "boost")),
    Bench("spawn_join_w2", "spawn_join", same("spawn_join", "tokio", "go"), workers=2),
    Bench("chained_spawn", peers=same("chained_spawn", "tokio", "go"), workers=2),
    Bench("spawn_many", peers=same("spawn_many", "tokio", "go"), workers=2),
    Bench("remote_spawn", workers=2),
    *also_on_two("notify_pingpong", peers=same("notify_pingpong", "tokio", "go", "boost")),
    *also_on_two("oneshot_pingpong"),
    Bench("ping_pong", peers=same("ping_pong", "tokio", "go"), workers=2),
    Bench("pingpong_cross", limit="limit_cacheline", workers=2),
    Bench("wakeup_latency", cpus=2, **LATENESS),
    Bench("wakeup_latency_same_cpu", "wakeup_latency", same("wakeup_latency", "tokio"), **LATENESS),
    Bench("mutex", limit="limit_mutex"),
    *on_one_and_two("mutex_1000"),
    Bench("semaphore"),
    *on_one_and_two("semaphore_1000"),
    *on_one_and_two("rwlock_read"),
    *also_on_two("mpsc1_pingpong"),
    *on_one_and_two("mpsc_1p1c"),
    *on_one_and_two("mpsc_4p1c"),
    *on_one_and_two("mpsc_unbounded_1p1c"),
    Bench("select_8"),
    *on_one_and_two("broadcast_1to8"),
    *on_one_and_two("watch"),
    Bench("timer_create_cancel", peers=same("timer_create_cancel", "tokio", "go")),
    Bench("timer_live_1m"),
    Bench("timeout_pingpong"),
    Bench("sleep_100k", peers=same("sleep_100k", "tokio", "go"), **LATENESS),
    Bench("sleep_100k_spin", peers=same("sleep_100k", "tokio", "go"), **LATENESS),
    Bench("task_rss", peers=same("task_rss", "tokio", "go"), unit="B"),
    Bench("idle_cpu", unit="%", workers=2),
    Bench("fs_rand4k", peers={"fio": lambda: fio.fio("randread", 4096, 64, False), **same("fs_rand4k", "tokio")}),
    Bench("fs_rand4k_direct", peers={"fio": lambda: fio.fio("randread", 4096, 64, True)}),
    Bench("fs_seq_read", peers={"fio": lambda: fio.fio("read", 131072, 1, False), **same("fs_seq_read", "tokio")}),
    Bench("fs_seq_write", peers={"fio": lambda: fio.fio("write", 131072, 1, False), **same("fs_seq_write", "tokio")}),
    Bench("fs_open_stat_close"),
    Bench("fs_create_10k"),
    Bench("udp_echo_mem", peers={"lwip": "udp"}),
    Bench("port_rr_mem", peers={}),
    Bench("port_rx_drop_mem", peers={}),
    Bench("udp_turnaround", peers={}),
    Bench("udp_turnaround_instr", turnaround_counted, {}, unit="instructions"),
    Bench("tcp_rr_mem", peers={"lwip": "tcp"}),
    Bench("tcp_bulk_mem", peers={"lwip": "bulk"}),
    Bench("tcp_bulk_mem_offload", peers={}),
    Bench("tcp_rr_instr", lambda: counted("rill", "tcp_rr_mem"), {"lwip": lambda: counted("lwip", "tcp")},
          unit="instructions"),
    Bench("tcp_bulk_instr", lambda: counted("rill", "tcp_bulk_mem"), {"lwip": lambda: counted("lwip", "bulk")},
          unit="instructions"),
    Bench("tcp_input_instr", input_counted, {}, unit="instructions", figures=("data", "ack")),
    Bench("tcp_rr_10k", peers=FEW_CONNECTIONS),
    Bench("tcp_conn_bytes", peers={}, unit="B"),
    Bench("tcp_crr", peers={"kernel": lambda: [veth.kernel_crr(BUILD)]}),
    Bench("tcp_rr_af_xdp", lambda: [veth.rill_rr(BUILD)], {"kernel": lambda: [veth.kernel_rr(BUILD)]},
          unit="us"),
    Bench("tcp_rr_af_xdp_both", lambda: [veth.rill_both_rr(BUILD)], {}, lambda: [veth.xsk_rr(BUILD)], unit="us"),
    Bench("tcp_bulk_af_xdp", lambda: [veth.rill_bulk(BUILD)], {"kernel": lambda: [veth.kernel_bulk(BUILD)]}),
    Bench("tcp_rr_memif", lambda: [memif.rill_rr(BUILD)], {}, lambda: [memif.raw_rr(BUILD)], unit="us"),
    Bench("tcp_bulk_memif", lambda: [memif.rill_bulk(BUILD)], {}),
    Bench("udp_echo_memif", lambda: [memif.rill_udp(BUILD)], {}, lambda: [memif.raw_echo(BUILD)]),
    Bench("l2fwd_memif", lambda: [memif.rill_l2fwd(BUILD)], {}, lambda: [memif.raw_echo(BUILD)]),
    Bench("rx_drop_memif", lambda: [memif.rill_drop(BUILD)], {}, lambda: [memif.raw_drop(BUILD)]),
    Bench("l2fwd_ring", lambda: [memif.rill_ring(BUILD)], {}, lambda: [memif.raw_ring(BUILD)]),
    Bench("trace_cost", lambda: trace_cost.measure(trace_cost.RUNTIME), {}, unit="%",
          figures=trace_cost.figures(trace_cost.RUNTIME), rounds_per_round=4),
    Bench("tcp_trace_cost", lambda: trace_cost.measure(trace_cost.TCP), {}, unit="%",
          figures=trace_cost.figures(trace_cost.TCP), rounds_per_round=4),
]

# Only when named: it takes gigabytes.
BIG_BENCHES = [
    Bench("task_rss_1m", "task_rss", same("task_rss", "tokio", "go"), unit="B", size=1000000),
    Bench("tcp_rr_1m", peers=FEW_CONNECTIONS),
    Bench("tcp_conn_bytes_1m", "tcp_conn_bytes", {}, unit="B", size=1000000),
]
