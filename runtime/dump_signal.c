/* SPDX-License-Identifier: BSD-3-Clause */
/* Dumps that a signal asks for: the handler leaves a mark, a monitor thread does the work. */
#include "runtime/dump.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "runtime/peek.h"
#include "runtime/runtime.h"

#define REQUESTS_MAX 16

struct request {
	RILL_ATOMIC(bool) wanted;	       /* by the handler; taken by the monitor */
	RILL_ATOMIC(int) signo;		       /* 0: the entry is free; lock */
	RILL_ATOMIC(struct rill_runtime *) rt; /* lock */
	char *path;			       /* NULL: stderr; lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct request requests[REQUESTS_MAX];

static void on_signal(int signo)
{
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		if (rill_load_relaxed(&requests[i].signo) == signo)
			rill_store_relaxed(&requests[i].wanted, true);
}

/* -EBUSY when the program has a handler there. */
static int install(int signo)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct sigaction old;

	if (sigaction(signo, NULL, &old) != 0)
		return -EINVAL;
	if (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == on_signal)
		return 0;
	if ((old.sa_flags & SA_SIGINFO) || (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN))
		return -EBUSY;
	return sigaction(signo, &sa, NULL) == 0 ? 0 : -EINVAL;
}

static struct request *find_locked(int signo, const struct rill_runtime *rt)
{
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		if (requests[i].signo == signo && requests[i].rt == rt)
			return &requests[i];
	return NULL;
}

static int add_locked(struct rill_runtime *rt, int signo, const char *path)
{
	struct request *free_one = find_locked(0, NULL);

	if (find_locked(signo, rt) || !free_one)
		return -EBUSY;
	char *copy = path ? strdup(path) : NULL;

	if (path && !copy)
		return -ENOMEM;
	int r = install(signo);

	if (r < 0) {
		free(copy);
		return r;
	}
	free_one->path = copy;
	rill_store_relaxed(&free_one->wanted, false);
	/* release: pairs with the acquire in is_wanted() */
	rill_store_release(&free_one->rt, rt);
	rill_store_relaxed(&free_one->signo, signo);
	return 0;
}

int rill_dump_on_signal(struct rill_runtime *rt, int signo, const char *path)
{
	if (signo < 1 || signo > SIGRTMAX || signo == rill_dump_unblock_signal())
		return -EINVAL;
	pthread_mutex_lock(&lock);
	int r = add_locked(rt, signo, path);

	pthread_mutex_unlock(&lock);
	return r;
}

static void write_to(struct rill_runtime *rt, const char *path)
{
	FILE *out = path ? fopen(path, "ae") : stderr;

	if (!out)
		return;
	rill_dump_write_text(rt, out);
	if (path)
		fclose(out);
	else
		fflush(out);
}

static bool is_wanted(const struct request *q, const struct rill_runtime *rt)
{
	/* acquire: pairs with the release in add_locked(): the path is there */
	return RILL_UNLIKELY(rill_load_relaxed(&q->wanted)) && rill_load_acquire(&q->rt) == rt;
}

bool rill_dump_signalled(const struct rill_runtime *rt)
{
	bool any = false;

	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		any |= is_wanted(&requests[i], rt);
	return any;
}

void rill_dump_serve_signals(struct rill_runtime *rt)
{
	for (unsigned i = 0; i < REQUESTS_MAX; i++) {
		if (!is_wanted(&requests[i], rt))
			continue;
		rill_store_relaxed(&requests[i].wanted, false);
		/* Only rt's own end takes the entry away, and that waits for this thread. */
		write_to(rt, requests[i].path);
	}
}

void rill_dump_forget_signals(struct rill_runtime *rt)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < REQUESTS_MAX; i++) {
		struct request *q = &requests[i];
		int signo = q->signo;

		if (q->rt != rt || signo == 0)
			continue;
		free(q->path);
		q->path = NULL;
		rill_store_relaxed(&q->signo, 0);
		rill_store_relaxed(&q->rt, NULL);
	}
	pthread_mutex_unlock(&lock);
}
