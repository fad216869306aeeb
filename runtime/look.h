/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at a task from outside, without stopping it. Tasks' memory stays mapped and stays tasks,
 * so it may be read at any time; what was read twice in a row the same was true in between.
 */
#ifndef RILL_RUNTIME_LOOK_H
#define RILL_RUNTIME_LOOK_H

#include <rill/dump.h>

#include "runtime/peek.h"

struct rill_runtime;
struct rill_task;

/*
 * What t is and does. frames: with its stack; that of a running one comes from seen, one for each
 * worker, which may be NULL. False when there is no task in t.
 */
bool rill_task_look(struct rill_runtime *rt, struct rill_task *t, bool frames,
		    const struct rill_sighting *seen, struct rill_dump_task *ret_task);

#endif
