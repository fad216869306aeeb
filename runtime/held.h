/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds a thing that one task holds at a time, so that dumps can name it and find circles: an
 * awaitable whose ops->what is one of these names has an obj that begins with a struct rill_held.
 */
#ifndef RILL_RUNTIME_HELD_H
#define RILL_RUNTIME_HELD_H

#include "base/atomic.h"

struct rill_held {
	RILL_ATOMIC(uint64_t) task_id; /* of the holder; 0: nobody, many, or it is not known */
};

extern const char rill_what_mutex[];
extern const char rill_what_rwlock_read[];
extern const char rill_what_rwlock_write[];

#endif
