/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Figures of a set of tasks; see rill_task_monitor_create(). Tasks of all workers count into one
 * place, by atomic additions. Each task holds a reference.
 */
#ifndef RILL_RUNTIME_TASK_MONITOR_H
#define RILL_RUNTIME_TASK_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct rill_task_monitor;

/* For a task that begins, and has ended. */
void rill_task_monitor_get(struct rill_task_monitor *m);
void rill_task_monitor_put(struct rill_task_monitor *m);

/* A parked task was woken after so long. */
void rill_task_monitor_idled(struct rill_task_monitor *m, uint64_t ns);
/* A runnable task runs after so long; for the first time. */
void rill_task_monitor_scheduled(struct rill_task_monitor *m, uint64_t ns, bool first);
/* A slice was so long. */
void rill_task_monitor_ran(struct rill_task_monitor *m, uint64_t ns);

#endif
