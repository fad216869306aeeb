/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding out what a worker does right now. One that blocks in the kernel is looked at through
 * /proc, for a signal would end its call with EINTR; one on a CPU is sent a signal, whose handler
 * leaves the registers and a piece of the stack in the worker's struct rill_peek.
 */
#ifndef RILL_RUNTIME_PEEK_H
#define RILL_RUNTIME_PEEK_H

#include <rill/dump.h>
#include <signal.h>

#include "base/atomic.h"
#include "runtime/backtrace.h"

struct rill_worker;

/* Bytes of stack from its pointer up: what lies further up is walked by frame pointers. */
#define RILL_PEEK_STACK 8192

/* A worker's, from its first time until its runtime goes. */
struct rill_peek {
	RILL_ATOMIC(uint32_t) asked;	/* by the one who looks */
	RILL_ATOMIC(uint32_t) answered; /* by the worker's thread, in the handler; then it is: */
	struct rill_task *task;		/* that its stack pointer is in the stack of; or NULL */
	uint64_t task_id;
	struct rill_cpu cpu;
	unsigned frame_count;
	const void *frames[RILL_DUMP_FRAMES];
	uintptr_t copied_at;
	size_t copied;
	uint64_t stack[RILL_PEEK_STACK / 8];
};

/* What was seen. */
struct rill_sighting {
	bool looked;   /* the worker was awake; task is what it says that it runs */
	bool answered; /* task is what it was seen in, and its frames are there */
	struct rill_task *task;
	uint64_t task_id;
	char task_name[RILL_TASK_NAME];
	unsigned frame_count;
	const void *frames[RILL_DUMP_FRAMES];
};

/*
 * Looks at the count workers from w on, and waits up to wait_ns for their answers. Any thread;
 * others who look are waited for. -ENOMEM.
 */
int rill_peek_workers(struct rill_worker *w, unsigned count, uint64_t wait_ns,
		      struct rill_sighting *sightings);

/* Frees what w was looked at with. No signal for it may be under way: its thread is gone. */
void rill_peek_fini(struct rill_worker *w);

/* The signal; worker threads let it through. */
int rill_dump_unblock_signal(void);

#endif
