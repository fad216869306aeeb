/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls and locks that lock-free code meets, as steps of the model; and memory that is
 * new in each execution. Included before every file under test (-include).
 */
#ifndef RILL_MODEL_KERNEL_H
#define RILL_MODEL_KERNEL_H

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/model/engine/model.h"

/* An eventfd. Its counter starts at 0; at most RILL_MODEL_FDS in an execution. */
#define RILL_MODEL_FDS 8
int rill_model_eventfd(void);
/* The clock, in ns. Time passes when a sleep times out, a millisecond each. */
#define RILL_MODEL_START_NS 1000
uint64_t rill_model_now(void);

ssize_t rill_model_fd_write(int fd, const void *buf, size_t n, const struct rill_model_site *site);
ssize_t rill_model_fd_read(int fd, void *buf, size_t n, const struct rill_model_site *site);
/* With a timeout it may return at any time. */
int rill_model_ppoll(struct pollfd *set, nfds_t n, const struct timespec *timeout,
		     const struct rill_model_site *site);
/* FUTEX_WAIT_BITSET and FUTEX_WAKE; with a timeout a wait may return at any time. */
long rill_model_futex(volatile uint32_t *word, int op, uint32_t v, const struct timespec *timeout,
		      const struct rill_model_site *site);
int rill_model_mutex_lock(pthread_mutex_t *m, const struct rill_model_site *site);
int rill_model_mutex_unlock(pthread_mutex_t *m, const struct rill_model_site *site);

void *rill_model_malloc(size_t align, size_t n);
/* To the race detector a write: whoever still uses the memory races with it. */
void rill_model_free(void *p);

#define malloc(n) rill_model_malloc(16, n)
#define calloc(n, size) rill_model_malloc(16, (n) * (size))
#define aligned_alloc(align, n) rill_model_malloc(align, n)
#define free(p) rill_model_free(p)
#define mmap(at, len, prot, flags, fd, offset) rill_model_malloc(4096, len)
#define munmap(at, len) ((void)(at), (void)(len), 0)
#define madvise(at, len, what) ((void)(at), (void)(len), 0)
#define process_madvise(pid, vec, n, what, flags) ((void)(vec), -1)
#define eventfd(v, flags) rill_model_eventfd()
#define close(fd) ((void)(fd), 0)
#define write(fd, buf, n) rill_model_fd_write(fd, buf, n, RILL_MODEL_SITE("write"))
#define read(fd, buf, n) rill_model_fd_read(fd, buf, n, RILL_MODEL_SITE("read"))
#define ppoll(set, n, timeout, mask) rill_model_ppoll(set, n, timeout, RILL_MODEL_SITE("ppoll"))
#define syscall(number, word, op, v, timeout, word2, v3)                                           \
	rill_model_futex(word, op, v, timeout, RILL_MODEL_SITE("futex"))
#define pthread_mutex_lock(m) rill_model_mutex_lock(m, RILL_MODEL_SITE(#m))
#define pthread_mutex_unlock(m) rill_model_mutex_unlock(m, RILL_MODEL_SITE(#m))
/* thread is the number of one of the test's. */
#define pthread_join(thread, ret) (rill_model_join((unsigned)(thread)), 0)
#define sched_yield() (rill_model_relax(RILL_MODEL_SITE("sched_yield")), 0)

#endif
