/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/crash.h"

#include <errno.h>
#include <pthread.h>
#include <rill/dump.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/crash_text.h"
#include "runtime/debuginfo.h"
#include "runtime/runtime.h"

/* The crashed thread waits so long for the names, and others so long for its report. */
#define ASSIST_WAIT_MS 3000
#define OTHERS_WAIT_MS 5000

/* A handler of the program's that returns and mends nothing brings us back for ever. */
#define REPORTS_MAX 4

enum mode {
	MODE_NONE,
	MODE_TASKS, /* installed by a runtime: faults in tasks are reported */
	MODE_ALL,
};

static const struct {
	int signo;
	const char *name;
} signals[] = {
	{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
	{SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"},
};
#define SIGNALS RILL_ARRAY_SIZE(signals)

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static RILL_ATOMIC(int) modes[SIGNALS];	   /* enum mode */
static struct sigaction previous[SIGNALS]; /* before the mode says that there is one */

enum assist {
	ASSIST_NONE,
	ASSIST_WANTED, /* report is there */
	ASSIST_TAKEN,
	ASSIST_DONE,
};

static RILL_ATOMIC(int) reporter; /* tid of the thread that reports; 0: none */
static RILL_ATOMIC(int) reports;
static RILL_ATOMIC(int) assist;	    /* enum assist */
static RILL_ATOMIC(int) assistants; /* threads that call rill_crash_assist() */
static RILL_ATOMIC(int) assist_pid; /* theirs: a forked child has none */

/* The reporter's, until it wants assistance. */
static struct {
	struct rill_cpu cpu;
	struct rill_stack_bounds bounds;
	const void *spawn_site;
	unsigned frame_count;
	const void *frames[RILL_DUMP_FRAMES];
	struct rill_runtime *rt; /* of which all tasks are wanted; NULL: none */
} report;

/* ---- the half in the handler ---- */

static unsigned index_of(int signo)
{
	unsigned i = 0;

	while (i < SIGNALS - 1 && signals[i].signo != signo)
		i++;
	return i;
}

/* The same as put_task() says of the stack, in whole pages. */
static size_t stack_size(const struct rill_task *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((uintptr_t)(t + 1) - (uintptr_t)t->stack_low + page - 1) & ~(page - 1);
}

/* By the address, or by a stack pointer that has stepped over the guard. */
static bool overflowed(const struct rill_task *t, uintptr_t address, uintptr_t sp)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t low = (uintptr_t)t->stack_low;

	return (address < low && address >= low - page) || (sp < low && sp >= low - 16 * page);
}

static void put_task(struct rill_crash_text *text, const struct rill_task *t)
{
	rill_crash_put(text, "task ");
	rill_crash_put_number(text, t->id);
	rill_crash_put(text, " '");
	rill_crash_put_name(text, t->name, RILL_TASK_NAME);
	rill_crash_put(text, "'");
}

static void write_head(int signo, const siginfo_t *info, const struct rill_worker *w,
		       const struct rill_task *t)
{
	struct rill_crash_text text = {.len = 0};

	rill_crash_put(&text, "rill: ");
	rill_crash_put(&text, signals[index_of(signo)].name);
	if (info->si_code > 0) {
		rill_crash_put(&text, " at address ");
		rill_crash_put_hex(&text, (uintptr_t)info->si_addr);
	}
	if (t) {
		rill_crash_put(&text, " in ");
		put_task(&text, t);
	}
	if (w) {
		rill_crash_put(&text, " on worker ");
		rill_crash_put_number(&text, w->index);
		rill_crash_put(&text, " of runtime '");
		rill_crash_put_name(&text, w->rt->name, sizeof(w->rt->name));
		rill_crash_put(&text, "'");
	} else {
		rill_crash_put(&text, " on a thread that is no worker");
	}
	rill_crash_flush(&text);
}

static void write_overflow(const struct rill_task *t)
{
	struct rill_crash_text text = {.len = 0};

	rill_crash_put(&text, "rill: ");
	put_task(&text, t);
	rill_crash_put(&text, " overflowed its stack of ");
	rill_crash_put_number(&text, stack_size(t) >> 10);
	rill_crash_put(&text, " KiB: give it more by stack_size in rill_spawn_options or "
			      "rill_runtime_options");
	rill_crash_flush(&text);
}

static void write_frames(void)
{
	struct rill_crash_text text = {.len = 0};

	for (unsigned i = 0; i < report.frame_count; i++) {
		rill_crash_put(&text, "rill:   ");
		rill_crash_put_pc(&text, report.frames[i]);
		rill_crash_flush(&text);
	}
	if (!report.spawn_site)
		return;
	rill_crash_put(&text, "rill: spawned at ");
	rill_crash_put_pc(&text, report.spawn_site);
	rill_crash_flush(&text);
}

static void sleep_ms(void)
{
	struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

static void await_assistance(void)
{
	if (rill_load_relaxed(&assistants) == 0 || rill_load_relaxed(&assist_pid) != getpid())
		return;
	/* release: pairs with the acquire in rill_crash_assist(): the report is whole */
	rill_store_release(&assist, ASSIST_WANTED);
	for (unsigned ms = 0; ms < ASSIST_WAIT_MS; ms++) {
		/* acquire: pairs with the release in rill_crash_assist() */
		if (rill_load_acquire(&assist) == ASSIST_DONE)
			break;
		sleep_ms();
	}
}

static void write_report(int signo, const siginfo_t *info, const void *ucontext)
{
	struct rill_worker *w = rill_worker_current();
	struct rill_task *t = w ? w->current : NULL;
	struct rill_stack_bounds thread = rill_crash_thread_bounds();

	rill_cpu_of_signal(ucontext, &report.cpu);
	if (t && rill_stack_holds(thread, report.cpu.sp))
		t = NULL; /* on its way to or from the task */
	report.bounds = t ? rill_task_bounds(t) : thread;
	report.rt = w && rill_load_relaxed(&modes[index_of(signo)]) != MODE_TASKS ? w->rt : NULL;
	report.spawn_site = t && t->spawn_site ? (const char *)t->spawn_site - 1 : NULL;
	report.frame_count = rill_frames_walk(report.cpu.pc, report.cpu.fp, report.bounds,
					      report.frames, RILL_DUMP_FRAMES);
	write_head(signo, info, w, t);
	if (t && info->si_code > 0 && overflowed(t, (uintptr_t)info->si_addr, report.cpu.sp))
		write_overflow(t);
	write_frames();
	await_assistance();
}

/* What the signal did before us. */
static void chain(int signo, siginfo_t *info, void *ucontext)
{
	const struct sigaction *p = &previous[index_of(signo)];
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	bool sent = info->si_code <= 0;

	if (p->sa_flags & SA_SIGINFO) {
		p->sa_sigaction(signo, info, ucontext);
		return;
	}
	if (p->sa_handler != SIG_DFL && p->sa_handler != SIG_IGN) {
		p->sa_handler(signo);
		return;
	}
	if (p->sa_handler == SIG_IGN && sent)
		return;
	sigaction(signo, &dfl, NULL);
	/* A fault happens again when we return; what was sent is sent again. */
	if (sent)
		syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), signo);
}

static bool wanted(int signo)
{
	struct rill_worker *w = rill_worker_current();

	/* acquire: pairs with the release in install_locked() */
	if (rill_load_acquire(&modes[index_of(signo)]) == MODE_TASKS && !(w && w->current))
		return false;
	return rill_fetch_add_relaxed(&reports, 1) < REPORTS_MAX;
}

static void await_reporter(void)
{
	for (unsigned ms = 0; ms < OTHERS_WAIT_MS && rill_load_relaxed(&reporter) != 0; ms++)
		sleep_ms();
}

static void on_crash(int signo, siginfo_t *info, void *ucontext)
{
	int tid = (int)syscall(SYS_gettid);
	int saved = errno;
	int none = 0;

	if (wanted(signo)) {
		/* acq_rel: one report at a time has the report struct */
		if (rill_cas_acq_rel(&reporter, &none, tid)) {
			write_report(signo, info, ucontext);
			/* release: as above */
			rill_store_release(&reporter, 0);
		} else {
			await_reporter();
		}
	}
	errno = saved;
	chain(signo, info, ucontext);
}

/* ---- the half with names, on a helper's thread ---- */

static void write_symbols(struct rill_crash_text *text, const void *pc)
{
	struct rill_symbol s[8];
	unsigned n = rill_symbolize(pc, s, RILL_ARRAY_SIZE(s));

	for (unsigned i = 0; i < n; i++) {
		rill_crash_put(text, i ? "rill:       inlined into " : "");
		if (s[i].function[0]) {
			rill_crash_put(text, s[i].function);
		} else {
			rill_crash_put(text, s[i].module);
			rill_crash_put(text, "+");
			rill_crash_put_hex(text, s[i].offset);
		}
		if (s[i].file[0]) {
			rill_crash_put(text, " at ");
			rill_crash_put(text, s[i].file);
			rill_crash_put(text, ":");
			rill_crash_put_number(text, s[i].line);
		}
		rill_crash_flush(text);
	}
}

static void write_stack(void)
{
	uintptr_t from = RILL_MAX(report.cpu.sp - RILL_RED_ZONE, report.bounds.low);
	struct rill_stack_copy stack = {.at = from, .bytes = (const uint8_t *)from};
	struct rill_crash_text text = {.len = 0};
	const void *frames[RILL_DUMP_FRAMES];

	/* Not a copy: the thread stands still. */
	stack.len = from < report.bounds.high ? report.bounds.high - from : 0;
	unsigned n = rill_debuginfo_unwind(&report.cpu, stack, frames, NULL, RILL_DUMP_FRAMES);

	n = rill_debuginfo_merge(frames, n, report.frames, report.frame_count, RILL_DUMP_FRAMES);
	for (unsigned i = 0; i < n; i++) {
		rill_crash_put(&text, "rill: #");
		rill_crash_put_number(&text, i);
		rill_crash_put(&text, " ");
		write_symbols(&text, frames[i]);
	}
	if (!report.spawn_site)
		return;
	rill_crash_put(&text, "rill: spawned by ");
	write_symbols(&text, report.spawn_site);
}

void rill_crash_assist_begin(void)
{
	rill_store_relaxed(&assist_pid, getpid());
	rill_fetch_add_relaxed(&assistants, 1);
}

void rill_crash_assist_end(void)
{
	rill_fetch_sub_relaxed(&assistants, 1);
}

bool rill_crash_wants_assistance(void)
{
	return RILL_UNLIKELY(rill_load_relaxed(&assist) == ASSIST_WANTED);
}

void rill_crash_assist(void)
{
	int state = ASSIST_WANTED;

	/* acquire: pairs with the release in await_assistance() */
	if (!rill_cas_acq_rel(&assist, &state, ASSIST_TAKEN))
		return;
	write_stack();
	/* What the others were at is often why. Whatever it waits for, the crashed thread does not
	 * wait for long. */
	if (report.rt)
		rill_runtime_dump(report.rt, stderr, RILL_DUMP_TEXT);
	/* release: pairs with the acquire in await_assistance() */
	rill_store_release(&assist, ASSIST_DONE);
}

/* ---- installing ---- */

static int install_locked(unsigned i, enum mode mode)
{
	struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct sigaction old;

	if (sigaction(signals[i].signo, NULL, &old) != 0)
		return -errno;
	bool ours = (old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_crash;
	bool taken = (old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_DFL;

	/* Once is enough for a runtime: who has replaced us since wants it so. */
	if (mode == MODE_TASKS && (taken || rill_load_relaxed(&modes[i]) != MODE_NONE))
		return 0;
	if (!ours)
		previous[i] = old;
	/* release: pairs with the acquire in wanted(): previous is there */
	rill_store_release(&modes[i], (int)mode);
	/* Nothing may come in between, another dump's question least of all. */
	sigfillset(&sa.sa_mask);
	return ours || sigaction(signals[i].signo, &sa, NULL) == 0 ? 0 : -errno;
}

int rill_crash_install(void)
{
	int r = 0;

	pthread_mutex_lock(&install_lock);
	for (unsigned i = 0; i < SIGNALS && r == 0; i++)
		r = install_locked(i, MODE_ALL);
	pthread_mutex_unlock(&install_lock);
	return r;
}

void rill_crash_install_default(void)
{
	pthread_mutex_lock(&install_lock);
	for (unsigned i = 0; i < SIGNALS; i++)
		if (signals[i].signo == SIGSEGV || signals[i].signo == SIGBUS)
			install_locked(i, MODE_TASKS);
	pthread_mutex_unlock(&install_lock);
}
