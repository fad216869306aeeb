/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flight recorder: each worker keeps its last trace_records turning points (tasks spawned, run,
 * parked, woken, stolen; its own sleeps, polls and timers), always, for about a nanosecond each.
 */
#ifndef RILL_TRACE_H
#define RILL_TRACE_H

#include <rill/base.h>
#include <rill/runtime.h>
#include <stdio.h>

RILL_BEGIN_DECLS

/*
 * From now on, on any thread. While the clock is paused, and where the processor's counter does not
 * run at one speed, PRECISE is COARSE.
 * -EINVAL: no such level; -ENOTSUP: the library was built without traces (-Dtrace=disabled).
 */
RILL_API int rill_trace_set_level(struct rill_runtime *rt, enum rill_trace_level level);
RILL_API enum rill_trace_level rill_trace_level(const struct rill_runtime *rt);

/*
 * Writes what is recorded as JSON for Perfetto (ui.perfetto.dev) and chrome://tracing: a track per
 * worker with a slice for each run of a task, arrows from spawns (at RILL_TRACE_PRECISE also from
 * wakes) to runs, and counters. Any thread, while the runtime works on: what is overwritten
 * meanwhile is left out. Tasks whose memory serves another by now go by their ids. -ENOMEM, -EIO,
 * or -ENOTSUP as above.
 */
RILL_API int rill_trace_export(struct rill_runtime *rt, FILE *out);

RILL_END_DECLS

#endif
