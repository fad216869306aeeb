/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/crash.h"
#include "runtime/debuginfo.h"
#include "runtime/proc.h"
#include "runtime/runtime.h"

#define DEFAULT_SIGNAL_OFFSET 7 /* from SIGRTMIN */
#define LOOK_AGAIN_NS 20000

/* One who looks at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int chosen_signal; /* 0: the default */
static bool installed;	  /* lock */

int rill_dump_unblock_signal(void)
{
	int chosen = rill_load_relaxed(&chosen_signal);

	return chosen ? chosen : SIGRTMIN + DEFAULT_SIGNAL_OFFSET;
}

static bool has_handler(int signo)
{
	struct sigaction old;

	return sigaction(signo, NULL, &old) == 0 &&
	       ((old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_DFL);
}

int rill_dump_set_signal(int signo)
{
	if (signo < 1 || signo > SIGRTMAX || signo == SIGKILL || signo == SIGSTOP)
		return -EINVAL;
	if (has_handler(signo))
		return -EBUSY;
	rill_store_relaxed(&chosen_signal, signo);
	return 0;
}

/* ---- on the worker's thread, in the handler ---- */

static void copy_stack(struct rill_peek *p, struct rill_stack_bounds b)
{
	uintptr_t sp = p->cpu.sp & ~(uintptr_t)7;
	uintptr_t from = RILL_MAX(b.low, sp - RILL_RED_ZONE);
	size_t bytes = rill_stack_holds(b, sp) ? b.high - from : 0;

	p->copied = RILL_MIN(bytes, (size_t)RILL_PEEK_STACK) & ~(size_t)7;
	p->copied_at = from;
	rill_copy_racy(p->stack, (const void *)from, p->copied);
}

/* Of the stack that sp is in: the task's, or the thread's own. */
static struct rill_stack_bounds bounds_at(struct rill_task *t, uintptr_t sp, bool *ret_in_task)
{
	struct rill_stack_bounds b = {0};

	if (t)
		b = rill_task_bounds(t);
	*ret_in_task = t && rill_stack_holds(b, sp);
	if (*ret_in_task)
		return b;
	b = rill_crash_thread_bounds();
	return rill_stack_holds(b, sp) ? b : (struct rill_stack_bounds){0};
}

static void answer(struct rill_worker *w, struct rill_peek *p, const void *ucontext)
{
	struct rill_task *t = w->current;
	bool in_task;

	rill_cpu_of_signal(ucontext, &p->cpu);
	struct rill_stack_bounds b = bounds_at(t, p->cpu.sp, &in_task);

	p->task = in_task ? t : NULL;
	p->task_id = in_task ? t->id : 0;
	p->frame_count = rill_frames_walk(p->cpu.pc, p->cpu.fp, b, p->frames, RILL_DUMP_FRAMES);
	copy_stack(p, b);
}

static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
	struct rill_worker *w = rill_worker_current();
	/* acquire: pairs with the release in peek_of() */
	struct rill_peek *p = w ? rill_load_acquire(&w->peek) : NULL;

	if (!p)
		return;
	/* acquire: pairs with the release in ask(): the last answer has been read */
	uint32_t asked = rill_load_acquire(&p->asked);

	if (asked == rill_load_relaxed(&p->answered))
		return;
	answer(w, p, ucontext);
	/* release: pairs with the acquire in await_answer() */
	rill_store_release(&p->answered, asked);
}

/* ---- on the asker's ---- */

static bool install_locked(void)
{
	struct sigaction sa = {.sa_sigaction = on_signal};
	int signo = rill_dump_unblock_signal();

	if (installed)
		return true;
	if (has_handler(signo))
		return false;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigemptyset(&sa.sa_mask);
	installed = sigaction(signo, &sa, NULL) == 0;
	return installed;
}

static struct rill_peek *peek_of(struct rill_worker *w)
{
	struct rill_peek *p = rill_load_relaxed(&w->peek);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	/* release: pairs with the acquire in on_signal(): the fields are zero */
	rill_store_release(&w->peek, p);
	return p;
}

void rill_peek_fini(struct rill_worker *w)
{
	free(w->peek);
	w->peek = NULL;
}

static struct rill_stack_copy copy_of(const struct rill_peek *p)
{
	return (struct rill_stack_copy){
		.at = p->copied_at,
		.bytes = (const uint8_t *)p->stack,
		.len = p->copied,
	};
}

static void set_task(struct rill_sighting *s, struct rill_task *t, uint64_t id)
{
	s->task = t;
	s->task_id = id;
	memset(s->task_name, 0, sizeof(s->task_name));
	if (t)
		rill_copy_racy(s->task_name, t->name, sizeof(s->task_name) - 1);
}

static void read_answer(const struct rill_peek *p, struct rill_sighting *s)
{
	s->answered = true;
	set_task(s, p->task, p->task_id);
	unsigned n = rill_debuginfo_unwind(&p->cpu, copy_of(p), s->frames, NULL, RILL_DUMP_FRAMES);

	s->frame_count =
		rill_debuginfo_merge(s->frames, n, p->frames, p->frame_count, RILL_DUMP_FRAMES);
}

/* The task that w runs by its own word; it may have gone on to another. */
static struct rill_task *current_of(const struct rill_worker *w)
{
	struct rill_task *t;

	rill_copy_racy(&t, &w->current, sizeof(t));
	return t;
}

static uint64_t id_of(const struct rill_task *t)
{
	uint64_t id;

	rill_copy_racy(&id, &t->id, sizeof(id));
	return id;
}

/*
 * Of a thread in the kernel only pc and sp are to be had. The frame pointer is that of the first
 * function up the stack which has one. The unwinder finds it by stopping there, for want of a frame
 * pointer; the words below that function's stack pointer are left behind by earlier calls.
 */
static void guess_frame_pointer(struct rill_cpu *cpu, struct rill_stack_copy stack,
				struct rill_stack_bounds b)
{
	const void *frames[RILL_DUMP_FRAMES];
	uintptr_t sps[RILL_DUMP_FRAMES];

	cpu->fp = 0;
	rill_cpu_make_dwarf(cpu);
	unsigned n = rill_debuginfo_unwind(cpu, stack, frames, sps, RILL_DUMP_FRAMES);
	uintptr_t from = n > 0 && rill_stack_holds(b, sps[n - 1]) ? sps[n - 1] : cpu->sp;

	cpu->fp = rill_frames_guess(from, b);
	rill_cpu_make_dwarf(cpu);
}

/* False when it does not block, or went on meanwhile: then what was read is of no use. */
static bool look_blocked(struct rill_worker *w, int tid, struct rill_peek *p,
			 struct rill_sighting *s)
{
	struct rill_proc_blocked before, after;
	uint64_t slices = rill_load_relaxed(&w->metrics.slices);
	struct rill_task *t = current_of(w);

	if (!t || !rill_proc_blocked(tid, &before) ||
	    !rill_stack_holds(rill_task_bounds(t), before.sp))
		return false;
	struct rill_stack_bounds b = rill_task_bounds(t);

	/* The handler's half is idle: nobody has asked. */
	p->cpu = (struct rill_cpu){.pc = before.pc, .sp = before.sp};
	copy_stack(p, b);
	p->task = t;
	p->task_id = id_of(t);
	guess_frame_pointer(&p->cpu, copy_of(p), b);
	p->frame_count = rill_frames_walk(before.pc, p->cpu.fp, b, p->frames, RILL_DUMP_FRAMES);
	/* It was there all the while, if nothing has moved. */
	if (!rill_proc_blocked(tid, &after) || memcmp(&before, &after, sizeof(before)) != 0 ||
	    slices != rill_load_relaxed(&w->metrics.slices))
		return false;
	read_answer(p, s);
	return true;
}

/* Sends the question. False when there is nothing to wait for. */
static bool ask(struct rill_worker *w, struct rill_sighting *s)
{
	bool awake = rill_load_relaxed(&w->running) && rill_load_relaxed(&w->park_deadline) == 0;
	struct rill_peek *p = w->peek;
	int tid = rill_load_relaxed(&w->tid);

	*s = (struct rill_sighting){.looked = awake && tid != 0};
	if (!s->looked)
		return false;
	struct rill_task *t = current_of(w);

	/* For want of a better answer. */
	set_task(s, t, t ? id_of(t) : 0);
	/*
	 * An answer that is still due keeps the handler's half busy. And we are not blocked, even
	 * if the kernel says so: we are in the call that asks it.
	 */
	if (p->asked == rill_load_relaxed(&p->answered) && w != rill_worker_current() &&
	    look_blocked(w, tid, p, s))
		return false;
	if (!installed)
		return false;
	/* release: pairs with the acquire in on_signal() */
	rill_store_release(&p->asked, p->asked + 1);
	return syscall(SYS_tgkill, getpid(), tid, rill_dump_unblock_signal()) == 0;
}

static void await_answer(struct rill_worker *w, uint64_t until, struct rill_sighting *s)
{
	struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
	struct rill_peek *p = w->peek;

	/* acquire: pairs with the release in on_signal() */
	while (rill_load_acquire(&p->answered) != p->asked) {
		if (rill_clock_mono() >= until)
			return;
		nanosleep(&pause, NULL);
	}
	read_answer(p, s);
}

int rill_peek_workers(struct rill_worker *w, unsigned count, uint64_t wait_ns,
		      struct rill_sighting *sightings)
{
	bool *asked = calloc(count, sizeof(*asked));
	int r = asked ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	pthread_mutex_lock(&lock);
	install_locked();
	for (unsigned i = 0; i < count && r == 0; i++)
		r = peek_of(&w[i]) ? 0 : -ENOMEM;
	for (unsigned i = 0; i < count && r == 0; i++)
		asked[i] = ask(&w[i], &sightings[i]);
	uint64_t until = rill_clock_mono() + wait_ns;

	for (unsigned i = 0; i < count && r == 0; i++)
		if (asked[i])
			await_answer(&w[i], until, &sightings[i]);
	pthread_mutex_unlock(&lock);
	free(asked);
	return r;
}
