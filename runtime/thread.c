/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/thread.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/compiler.h"

/* What the C library accepts: whole pages, and not less than its minimum. */
static size_t stack_bytes(size_t wanted)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t least = (size_t)PTHREAD_STACK_MIN;

	return (RILL_MAX(wanted, least) + page - 1) & ~(page - 1);
}

int rill_thread_create(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;

	pthread_attr_init(&attr);
	if (stack_size > 0)
		pthread_attr_setstacksize(&attr, stack_bytes(stack_size));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(ret_thread, &attr, fn, arg);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static __thread struct rill_runtime *tls_runtime __attribute__((tls_model("initial-exec")));

RILL_NOINLINE struct rill_runtime *rill_thread_runtime(void)
{
	__asm__ volatile("");
	return tls_runtime;
}

RILL_NOINLINE void rill_thread_set_runtime(struct rill_runtime *rt)
{
	__asm__ volatile("");
	tls_runtime = rt;
}
