/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks and channels. Each works between tasks of any workers and runtimes and plain threads; a
 * plain thread blocks where a task would park. Blocking calls honour scopes: -ECANCELED,
 * -ETIMEDOUT. What waits in a queue is served in the order of its coming.
 */
#ifndef RILL_SYNC_H
#define RILL_SYNC_H

#include <rill/barrier.h>
#include <rill/broadcast.h>
#include <rill/channel.h>
#include <rill/cond.h>
#include <rill/lock_stats.h>
#include <rill/mutex.h>
#include <rill/notify.h>
#include <rill/once.h>
#include <rill/oneshot.h>
#include <rill/rwlock.h>
#include <rill/semaphore.h>
#include <rill/stream.h>
#include <rill/watch.h>

#endif
