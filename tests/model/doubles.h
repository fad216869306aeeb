/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbours of the code under test, as small as they can be. See doubles.c. */
#ifndef RILL_MODEL_DOUBLES_H
#define RILL_MODEL_DOUBLES_H

#include "runtime/runtime.h"
#include "tests/model/engine/model.h"

/* In setup: every thread is a plain one, with a new waiter. */
void rill_doubles_reset(void);

/* The calling thread is a worker from now on. */
void rill_doubles_be_worker(struct rill_worker *w);

/* The waiter of a plain thread of the test (1 and up). */
struct rill_waiter *rill_doubles_waiter(unsigned thread);

#endif
