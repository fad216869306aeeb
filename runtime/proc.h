/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel tells of a thread of this process. Any thread; a few microseconds. */
#ifndef RILL_RUNTIME_PROC_H
#define RILL_RUNTIME_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* Where a thread blocks in the kernel. */
struct rill_proc_blocked {
	uintptr_t pc;
	uintptr_t sp;
};

/* The letter of proc(5), as 'R' or 'S'; 0 when there is no such thread. */
char rill_proc_state(int tid);

/* False when it does not block, or the kernel does not say. */
bool rill_proc_blocked(int tid, struct rill_proc_blocked *ret_blocked);

/* CPU time that the thread has used, to the moment; 0 when there is no such thread. */
uint64_t rill_proc_cpu_ns(int tid);

#endif
