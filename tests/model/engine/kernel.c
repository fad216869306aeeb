/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's side. Its locks make each call a read-modify-write of all that it looks at, so calls
 * on the same object see, and order, one another.
 */
#include "tests/model/engine/kernel.h"

#undef read
#undef write
#undef ppoll
#undef syscall
#undef free

#include <errno.h>
#include <string.h>

#include "tests/model/engine/engine.h"

/* ---- time ---- */

static uint64_t now_ns;

uint64_t rill_model_now(void)
{
	return now_ns;
}

static void timed_out(void)
{
	now_ns += 1000000;
}

/* ---- eventfds ---- */

#define FD_FIRST 1000

static uint64_t counters[RILL_MODEL_FDS];
static int fds_used;

int rill_model_eventfd(void)
{
	if (fds_used == RILL_MODEL_FDS)
		rill_model_fail("engine", "too many eventfds");
	return FD_FIRST + fds_used++;
}

static uint64_t *counter(int fd)
{
	if (fd < FD_FIRST || fd >= FD_FIRST + fds_used)
		rill_model_fail("engine", "fd %d is no model's", fd);
	return &counters[fd - FD_FIRST];
}

ssize_t rill_model_fd_write(int fd, const void *buf, size_t n, const struct rill_model_site *site)
{
	uint64_t add;

	memcpy(&add, buf, sizeof(add));
	rill_model_rmw(counter(fd), sizeof(uint64_t), RILL_MODEL_ADD, add, __ATOMIC_ACQ_REL, site);
	return (ssize_t)n;
}

ssize_t rill_model_fd_read(int fd, void *buf, size_t n, const struct rill_model_site *site)
{
	uint64_t v = rill_model_rmw(counter(fd), sizeof(uint64_t), RILL_MODEL_EXCHANGE, 0,
				    __ATOMIC_ACQ_REL, site);

	memcpy(buf, &v, sizeof(v));
	if (v == 0)
		errno = EAGAIN;
	return v == 0 ? -1 : (ssize_t)n;
}

struct poll_set {
	struct pollfd *fds;
	nfds_t n;
	bool timeout;
};

static bool poll_ready(const void *arg)
{
	const struct poll_set *set = arg;

	for (nfds_t i = 0; i < set->n; i++)
		if (rill_model_peek(counter(set->fds[i].fd), sizeof(uint64_t)) > 0)
			return true;
	return set->timeout;
}

int rill_model_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		     const struct rill_model_site *site)
{
	struct poll_set set = {fds, n, timeout != NULL};
	int r = 0;

	rill_model_wait(poll_ready, &set, site);
	for (nfds_t i = 0; i < n; i++) {
		/* the same step reads the counters: nobody else can run in between */
		uint64_t v = rill_model_sync(counter(fds[i].fd), sizeof(uint64_t));

		fds[i].revents = v > 0 ? POLLIN : 0;
		r += v > 0;
	}
	if (r == 0)
		timed_out();
	return r;
}

/* ---- futexes ---- */

static struct {
	volatile uint32_t *word; /* NULL: does not wait */
	bool timeout;
} sleepers[RILL_MODEL_CLOCKS];

static bool futex_ready(const void *arg)
{
	unsigned self = *(const unsigned *)arg;

	return !sleepers[self].word || sleepers[self].timeout;
}

static long futex_wait(volatile uint32_t *word, uint32_t v, bool timeout,
		       const struct rill_model_site *site)
{
	unsigned self = rill_model.self;

	/* comparing and lying down are one step */
	if (rill_model_rmw(word, sizeof(*word), RILL_MODEL_OR, 0, __ATOMIC_RELAXED, site) != v) {
		errno = EAGAIN;
		return -1;
	}
	sleepers[self].word = word;
	sleepers[self].timeout = timeout;
	rill_model_wait(futex_ready, &self, site);
	if (sleepers[self].word)
		timed_out();
	sleepers[self].word = NULL;
	return 0;
}

static long futex_wake(volatile uint32_t *word, uint32_t n, const struct rill_model_site *site)
{
	long woken = 0;

	if (!rill_model_wake_begin(word, sizeof(*word), site))
		return 0;
	for (unsigned i = 1; i < RILL_MODEL_CLOCKS && woken < (long)n; i++) {
		if (sleepers[i].word != word)
			continue;
		sleepers[i].word = NULL;
		woken++;
	}
	return woken;
}

long rill_model_futex(volatile uint32_t *word, int op, uint32_t v, const struct timespec *timeout,
		      const struct rill_model_site *site)
{
	switch (op) {
	case FUTEX_WAIT_BITSET_PRIVATE:
	case FUTEX_WAIT_PRIVATE:
		return futex_wait(word, v, timeout != NULL, site);
	case FUTEX_WAKE_PRIVATE:
		return futex_wake(word, v, site);
	default:
		rill_model_fail("engine", "futex operation %d is not modelled", op);
	}
}

/* ---- memory ---- */

void *rill_model_malloc(size_t align, size_t n)
{
	size_t head = RILL_MAX(align, sizeof(size_t));
	uint8_t *p = rill_model_alloc(n + 2 * head);

	p = (uint8_t *)(((uintptr_t)p + 2 * head - 1) & ~(uintptr_t)(align - 1));
	memcpy(p - sizeof(n), &n, sizeof(n));
	return p;
}

void rill_model_free(void *p)
{
	size_t n;

	if (!p)
		return;
	memcpy(&n, (uint8_t *)p - sizeof(n), sizeof(n));
	rill_model_plain(p, n, true, __builtin_return_address(0), NULL);
}

void rill_model_kernel_reset(void)
{
	memset(sleepers, 0, sizeof(sleepers));
	memset(counters, 0, sizeof(counters));
	fds_used = 0;
	now_ns = RILL_MODEL_START_NS;
}

/* ---- mutexes ---- */

/* The first word of an unlocked one is 0. */
int rill_model_mutex_lock(pthread_mutex_t *m, const struct rill_model_site *site)
{
	rill_model_lock((volatile uint32_t *)(void *)m, site);
	return 0;
}

int rill_model_mutex_unlock(pthread_mutex_t *m, const struct rill_model_site *site)
{
	rill_model_store((volatile uint32_t *)(void *)m, sizeof(uint32_t), 0, __ATOMIC_RELEASE,
			 site);
	return 0;
}
