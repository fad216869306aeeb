/* SPDX-License-Identifier: BSD-3-Clause */
/* What a thread needs before its crashes can be reported. */
#include "runtime/crash.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/peek.h"
#include "runtime/runtime.h"

/* For our handlers; the kernel's own part, with all vector registers, comes on top. */
#define ALTSTACK_BYTES ((size_t)48 << 10)

struct thread {
	int tid; /* 0: not set up */
	struct rill_stack_bounds bounds;
	char *altstack; /* ours, its guard page first; or NULL */
	size_t altstack_bytes;
};

static __thread struct thread self __attribute__((tls_model("initial-exec")));
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void thread_end(void *arg)
{
	struct thread *t = arg;
	stack_t current;

	if (!t->altstack)
		return;
	/* The program may have put another in its place. */
	if (sigaltstack(NULL, &current) == 0 && (char *)current.ss_sp > t->altstack &&
	    (char *)current.ss_sp < t->altstack + t->altstack_bytes)
		sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	munmap(t->altstack, t->altstack_bytes);
	t->altstack = NULL;
}

static void make_key(void)
{
	pthread_key_create(&key, thread_end);
}

/* Unless the thread has one already, a sanitizer's perhaps. */
static void set_altstack(struct thread *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (ALTSTACK_BYTES + (size_t)sysconf(_SC_MINSIGSTKSZ) + page - 1) & ~(page - 1);
	stack_t current;

	if (sigaltstack(NULL, &current) != 0 || !(current.ss_flags & SS_DISABLE))
		return;
	char *at = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (at == MAP_FAILED)
		return;
	mprotect(at, page, PROT_NONE);
	t->altstack = at;
	t->altstack_bytes = page + bytes;
	sigaltstack(&(stack_t){.ss_sp = at + page, .ss_size = bytes}, NULL);
}

static void set_bounds(struct thread *t)
{
	pthread_attr_t attr;
	size_t size = 0;
	void *low = NULL;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &low, &size) == 0)
		t->bounds = (struct rill_stack_bounds){(uintptr_t)low, (uintptr_t)low + size};
	pthread_attr_destroy(&attr);
}

/* A fault that is blocked kills without asking any handler. */
static void unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	sigaddset(&set, SIGFPE);
	sigaddset(&set, SIGILL);
	sigaddset(&set, SIGABRT);
	sigaddset(&set, rill_dump_unblock_signal());
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

RILL_NOINLINE void rill_crash_thread_init(void)
{
	struct rill_worker *w = rill_worker_current();

	if (!self.tid) {
		self.tid = (int)syscall(SYS_gettid);
		set_bounds(&self);
		set_altstack(&self);
		unblock();
		pthread_once(&key_once, make_key);
		pthread_setspecific(key, &self);
	}
	if (w)
		rill_store_relaxed(&w->tid, self.tid);
}

void rill_crash_thread_leave(void)
{
	rill_store_relaxed(&rill_worker_current()->tid, 0);
}

RILL_NOINLINE struct rill_stack_bounds rill_crash_thread_bounds(void)
{
	return self.bounds;
}
