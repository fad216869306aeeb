/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * USDT probes, for bpftrace, perf and gdb: rill:spawn, run, park, yield, wake, terminate (id of the
 * task, index of the worker) and rill:steal (how many tasks, index of the worker). Each is a nop
 * and a note in the ELF file, until somebody attaches.
 */
#ifndef RILL_RUNTIME_PROBES_H
#define RILL_RUNTIME_PROBES_H

#if defined(RILL_HAVE_SDT) && !defined(RILL_NO_TRACE)
#include <sys/sdt.h>
#define RILL_PROBE(name, arg, worker) DTRACE_PROBE2(rill, name, arg, worker)
#else
#define RILL_PROBE(name, arg, worker) ((void)(arg), (void)(worker))
#endif

#endif
