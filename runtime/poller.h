/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker polls besides its tasks: a shard of a network interface, for instance. Each poller
 * has a home worker, which polls it on every turn of its loop and sleeps on its fd. When the home
 * is stuck in a long task, another worker polls it instead, so poll() must cope with being called
 * from any worker.
 */
#ifndef RILL_RUNTIME_POLLER_H
#define RILL_RUNTIME_POLLER_H

#include <stdio.h>

#include "base/atomic.h"

struct rill_dump_visitor;
struct rill_poller;
struct rill_runtime;

struct rill_poller_ops {
	/* One bounded pass. True when it found work. Wakes what it has to. Any worker, no lock
	 * held. */
	bool (*poll)(struct rill_poller *p, uint64_t now);
	/* Before sleeping: make fd readable from now on when there is work; false: there is some
	 * now. */
	bool (*arm)(struct rill_poller *p);
	void (*disarm)(struct rill_poller *p);
	/*
	 * Prints the samples of OpenMetrics family number family, its TYPE and HELP lines first
	 * when header is set; false when there are not that many families. Pollers with the same
	 * function print in turn, so that a family stays together. Optional. Any thread.
	 */
	bool (*print_family)(struct rill_poller *p, FILE *out, unsigned family, bool header);
	/*
	 * Calls v->trouble for what it has, holding nothing. -EBUSY: somebody else kept it for
	 * 20 ms; -ENOMEM. Optional. Any thread.
	 */
	int (*visit_troubles)(struct rill_poller *p, const struct rill_dump_visitor *v);
};

struct rill_poller {
	const struct rill_poller_ops *ops;
	int fd;			 /* to sleep on; -1: none */
	unsigned home;		 /* index of its worker; set by rill_poller_add() */
	struct rill_runtime *rt; /* set by rill_poller_add() */
	/* Poll me then at the latest; see rill_poller_set_deadline(). */
	RILL_ATOMIC(uint64_t) deadline_ns;
};

#define RILL_POLLERS_MAX 256

/* Gives p a home, in turn, and has it polled from now on. -ENOSPC. */
int rill_poller_add(struct rill_runtime *rt, struct rill_poller *p);

/* The same, for one whose home is a certain worker. */
int rill_poller_add_at(struct rill_runtime *rt, struct rill_poller *p, unsigned home);

/* Takes p away and waits until no worker can be in it any more. Not from inside poll(). */
void rill_poller_remove(struct rill_poller *p);

/* When the poller must be polled although nothing arrives. Wakes its home if that sleeps for
 * longer. */
void rill_poller_set_deadline(struct rill_poller *p, uint64_t deadline_ns);

#endif
