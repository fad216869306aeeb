/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/options.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rand.h"

#define WORKERS_MAX 1024
#define STACK_DEFAULT (64u << 10)
#define STACK_MIN (16u << 10)
#define STACK_MAX (1u << 30)
#define BUDGET_DEFAULT 128
#define SPIN_NS_DEFAULT (50 * RILL_US)
#define BLOCKING_DEFAULT 512
#define KEEP_ALIVE_NS_DEFAULT (10 * RILL_SEC)
#define STUCK_NS_DEFAULT (10 * RILL_MS)
#define HISTOGRAM_MIN_NS_DEFAULT 100
#define HISTOGRAM_MAX_NS_DEFAULT (60 * RILL_SEC)
#define HISTOGRAM_PRECISION_DEFAULT 2
#define HISTOGRAM_PRECISION_MAX 6
#define TRACE_RECORDS_DEFAULT 4096
#define RING_ENTRIES_DEFAULT 256u
#define RING_ENTRIES_MAX 32768u
#define TCP_MEMORY_MIN (UINT64_C(1) << 20)
#define TRACE_RECORDS_MIN 64
#define TRACE_RECORDS_MAX (1u << 20)

#define ERROR_LEN 256

static __thread char tls_error[ERROR_LEN];

/* Not inlined, as those of current.c: a task's next call may be on another thread. */
RILL_NOINLINE const char *rill_runtime_error(void)
{
	__asm__ volatile("");
	return tls_error;
}

RILL_NOINLINE int rill_options_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(tls_error, sizeof(tls_error), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- CPUs ---- */

static unsigned allowed_cpus(cpu_set_t *set)
{
	CPU_ZERO(set);
	if (sched_getaffinity(0, sizeof(*set), set) != 0)
		return 0;
	return (unsigned)CPU_COUNT(set);
}

/* The i-th CPU that the process may use. */
static int nth_cpu(const cpu_set_t *set, unsigned i)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && i-- == 0)
			return cpu;
	return -1;
}

/* The set as the kernel prints it: "0-3,8". */
static const char *print_cpus(const cpu_set_t *set, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		at += (size_t)snprintf(buf + at, len - at, last > cpu ? "%s%d-%d" : "%s%d",
				       at ? "," : "", cpu, last);
		if (at >= len)
			break;
		cpu = last;
	}
	return buf;
}

static int check_cpus(const struct rill_runtime_options *o, const cpu_set_t *allowed)
{
	char list[96];

	for (unsigned i = 0; i < o->cpu_count; i++) {
		int cpu = o->cpus[i];

		if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, allowed))
			return rill_options_fail("cpus[%u] is %d, which this process may not run "
						 "on: choose from %s, or widen the process's "
						 "affinity",
						 i, cpu, print_cpus(allowed, list, sizeof(list)));
	}
	return 0;
}

/* One CPU per worker, or none at all. */
static int fill_cpus(struct rill_runtime_options *o)
{
	cpu_set_t allowed;
	unsigned count = allowed_cpus(&allowed);
	bool given = o->cpus != NULL;

	if (given != (o->cpu_count > 0))
		return rill_options_fail("cpus and cpu_count go together: cpus is %s, and "
					 "cpu_count is %u",
					 given ? "set" : "NULL", o->cpu_count);
	if (given && o->flavor == RILL_CURRENT_THREAD)
		return rill_options_fail("cpus: a CURRENT_THREAD runtime has no thread of its own "
					 "to pin; pin the thread that calls rill_block_on()");
	/* An affinity that cannot be read allows what it will, when the threads are pinned. */
	if (given && count > 0) {
		int r = check_cpus(o, &allowed);

		if (r < 0)
			return r;
	}
	/* More workers than CPUs: the kernel places them better than a rule would. */
	if (!given && (o->no_pin || o->workers > count || o->flavor == RILL_CURRENT_THREAD))
		return 0;
	int *cpus = malloc(o->workers * sizeof(*cpus));

	if (!cpus) {
		rill_options_fail("no memory for the list of CPUs");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < o->workers; i++)
		cpus[i] = given ? o->cpus[i % o->cpu_count] : nth_cpu(&allowed, i);
	o->cpus = cpus;
	o->cpu_count = o->workers;
	return 0;
}

void rill_options_release(struct rill_runtime_options *o)
{
	free((void *)(uintptr_t)o->cpus);
	o->cpus = NULL;
	o->cpu_count = 0;
}

/* ---- workers ---- */

static int workers_of_environment(unsigned *ret_workers)
{
	const char *text = getenv("RILL_WORKERS");
	char *end;

	if (!text || !*text)
		return 0;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);

	/* strtoul() takes blanks and signs too */
	if (*text < '0' || *text > '9' || *end || errno || n == 0 || n > WORKERS_MAX)
		return rill_options_fail("RILL_WORKERS of the environment is \"%.32s\": make it a "
					 "number from 1 to %d, or unset it",
					 text, WORKERS_MAX);
	*ret_workers = (unsigned)n;
	return 0;
}

static int fill_workers(struct rill_runtime_options *o)
{
	cpu_set_t allowed;

	/* As in Tokio: the number is for the other flavour. */
	if (o->flavor == RILL_CURRENT_THREAD) {
		o->workers = 1;
		return 0;
	}
	if (o->workers > WORKERS_MAX)
		return rill_options_fail("workers is %u: at most %d", o->workers, WORKERS_MAX);
	if (o->workers == 0) {
		int r = workers_of_environment(&o->workers);

		if (r < 0)
			return r;
	}
	if (o->workers == 0)
		o->workers = RILL_MIN(RILL_MAX(allowed_cpus(&allowed), 1u), (unsigned)WORKERS_MAX);
	return 0;
}

/* ---- the rest ---- */

/* By the sizes on both sides: fields that the caller's header does not have are 0. */
static int copy_in(struct rill_runtime_options *o, const struct rill_runtime_options *in)
{
	memset(o, 0, sizeof(*o));
	if (!in)
		return 0;
	if (in->size < sizeof(in->size))
		return rill_options_fail("size is %zu: begin the options with RILL_OPTIONS()",
					 in->size);
	/* One that this library does not have must not be set: it could not be obeyed. */
	for (size_t i = sizeof(*o); i < in->size; i++)
		if (((const uint8_t *)in)[i] != 0)
			return rill_options_fail("size is %zu, and the byte at %zu is set: the "
						 "program was built for a newer rill than this, "
						 "whose options end at %zu",
						 in->size, i, sizeof(*o));
	memcpy(o, in, RILL_MIN(in->size, sizeof(*o)));
	o->size = sizeof(*o);
	return 0;
}

static int check_enum(const char *field, unsigned value, unsigned last)
{
	if (value <= last)
		return 0;
	return rill_options_fail("%s is %u, which is none of its values (0 to %u)", field, value,
				 last);
}

static int check_enums(const struct rill_runtime_options *o)
{
	int r = check_enum("flavor", o->flavor, RILL_CURRENT_THREAD);

	if (r == 0)
		r = check_enum("idle", o->idle, RILL_IDLE_SPIN);
	if (r == 0)
		r = check_enum("on_failure", o->on_failure, RILL_FAILURE_CRASH);
	if (r == 0)
		r = check_enum("trace", o->trace, RILL_TRACE_OFF);
	return r;
}

/* Options that only go together with others. */
static int check_combinations(const struct rill_runtime_options *o)
{
	bool current = o->flavor == RILL_CURRENT_THREAD;

	if (o->start_paused && !current)
		return rill_options_fail("start_paused: several threads share no virtual clock; "
					 "choose CURRENT_THREAD");
	if (o->start_paused && o->idle == RILL_IDLE_SPIN)
		return rill_options_fail("start_paused: a paused clock jumps when the worker would "
					 "sleep, and with idle SPIN it never does; choose "
					 "ADAPTIVE");
	if (o->shuffle && !current)
		return rill_options_fail("shuffle: the order of several threads is not to be "
					 "drawn by seed; choose CURRENT_THREAD");
	return 0;
}

static int fill_stacks(struct rill_runtime_options *o)
{
	if (o->stack_size == 0)
		o->stack_size = STACK_DEFAULT;
	if (o->stack_size < STACK_MIN || o->stack_size > STACK_MAX)
		return rill_options_fail("stack_size is %zu: from %u to %u bytes, or 0 for %u",
					 o->stack_size, STACK_MIN, STACK_MAX, STACK_DEFAULT);
	/* one that is too small for threads is rounded up (thread.c) */
	if (o->thread_stack_size > STACK_MAX)
		return rill_options_fail("thread_stack_size is %zu: at most %u bytes",
					 o->thread_stack_size, STACK_MAX);
	return 0;
}

static int fill_histogram(const char *field, struct rill_histogram_options *h)
{
	if (h->min_ns == 0)
		h->min_ns = HISTOGRAM_MIN_NS_DEFAULT;
	if (h->max_ns == 0)
		h->max_ns = HISTOGRAM_MAX_NS_DEFAULT;
	if (h->precision == 0)
		h->precision = HISTOGRAM_PRECISION_DEFAULT;
	if (h->precision > HISTOGRAM_PRECISION_MAX)
		return rill_options_fail("%s.precision is %u: at most %d", field, h->precision,
					 HISTOGRAM_PRECISION_MAX);
	if (h->min_ns >= h->max_ns)
		return rill_options_fail("%s.min_ns is %" PRIu64 " and max_ns %" PRIu64
					 ": min_ns has to be the smaller",
					 field, h->min_ns, h->max_ns);
	return 0;
}

static int fill_memory(struct rill_runtime_options *o)
{
	uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	if (o->tcp_memory == 0)
		o->tcp_memory = RILL_MAX(machine / 4, TCP_MEMORY_MIN);
	if (o->tcp_memory < TCP_MEMORY_MIN)
		return rill_options_fail("tcp_memory is %" PRIu64 ": at least %" PRIu64
					 " bytes, or 0 for a quarter of the machine's",
					 o->tcp_memory, TCP_MEMORY_MIN);
	return 0;
}

static int fill_ring(struct rill_runtime_options *o)
{
	if (o->ring_entries == 0)
		o->ring_entries = RING_ENTRIES_DEFAULT;
	if (o->ring_entries > RING_ENTRIES_MAX)
		return rill_options_fail("ring_entries is %u: at most %u, or 0 for %u",
					 o->ring_entries, RING_ENTRIES_MAX, RING_ENTRIES_DEFAULT);
	return 0;
}

static int fill_trace(struct rill_runtime_options *o)
{
	unsigned n = TRACE_RECORDS_MIN;

	if (o->trace_records == 0)
		o->trace_records = TRACE_RECORDS_DEFAULT;
	if (o->trace_records > TRACE_RECORDS_MAX)
		return rill_options_fail("trace_records is %u: at most %u per worker, or 0 for %d",
					 o->trace_records, TRACE_RECORDS_MAX,
					 TRACE_RECORDS_DEFAULT);
	while (n < o->trace_records)
		n <<= 1;
	o->trace_records = n;
	return 0;
}

/* Fields of which any value will do. */
static void fill_plain(struct rill_runtime_options *o)
{
	if (o->budget == 0)
		o->budget = BUDGET_DEFAULT;
	if (o->spin_ns == 0)
		o->spin_ns = SPIN_NS_DEFAULT;
	if (o->max_blocking == 0)
		o->max_blocking = BLOCKING_DEFAULT;
	if (o->keep_alive_ns == 0)
		o->keep_alive_ns = KEEP_ALIVE_NS_DEFAULT;
	if (o->stuck_ns == 0)
		o->stuck_ns = STUCK_NS_DEFAULT;
	if (!o->name)
		o->name = "rill";
	/* a woken task that jumps the queue would be an order which is not drawn */
	o->no_lifo |= o->shuffle;
	while (o->seed == 0)
		rill_rand_secret(&o->seed, sizeof(o->seed));
}

int rill_options_fill(struct rill_runtime_options *o, const struct rill_runtime_options *in)
{
	struct rill_runtime_options new;
	int r = copy_in(&new, in);

	if (r == 0)
		r = check_enums(&new);
	if (r == 0)
		r = check_combinations(&new);
	if (r == 0)
		r = fill_workers(&new);
	if (r == 0)
		r = fill_stacks(&new);
	if (r == 0)
		r = fill_histogram("run_histogram", &new.run_histogram);
	if (r == 0)
		r = fill_histogram("latency_histogram", &new.latency_histogram);
	if (r == 0)
		r = fill_trace(&new);
	if (r == 0)
		r = fill_ring(&new);
	if (r == 0)
		r = fill_memory(&new);
	/* last: it allocates */
	if (r == 0)
		r = fill_cpus(&new);
	if (r < 0)
		return r;
	fill_plain(&new);
	*o = new;
	return 0;
}
