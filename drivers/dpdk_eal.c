/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/dpdk_eal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/driver.h"

#define ARGS_MAX 64
#define ARGS_LEN 1024
#define CPUS_LEN 512
/* Without hugepages memory is set aside at start, by address only: pages come when touched. */
#define MEMORY_MB "1024"
/* With fewer free, a NIC or two would not fit. */
#define HUGE_BYTES_MIN (UINT64_C(64) << 20)

/* ---- messages ---- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_first[160];
static bool log_is_error; /* else it is a warning, and gives way */
static bool log_aloud;

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	int level = rte_log_cur_msg_loglevel();
	bool is_error = level <= (int)RTE_LOG_ERR;

	if (log_aloud)
		fwrite(text, 1, len, stderr);
	if (level > (int)RTE_LOG_WARNING || len < 2)
		return (ssize_t)len;
	pthread_mutex_lock(&log_lock);
	if (!log_first[0] || (is_error && !log_is_error)) {
		snprintf(log_first, sizeof(log_first), "%.*s", (int)len, text);
		log_first[strcspn(log_first, "\n")] = 0;
		log_is_error = is_error;
	}
	pthread_mutex_unlock(&log_lock);
	return (ssize_t)len;
}

void rill_dpdk_log_forget(void)
{
	pthread_mutex_lock(&log_lock);
	log_first[0] = 0;
	pthread_mutex_unlock(&log_lock);
}

void rill_dpdk_log_first(char *buf, size_t len)
{
	pthread_mutex_lock(&log_lock);
	snprintf(buf, len, "%s", log_first);
	pthread_mutex_unlock(&log_lock);
}

static void log_capture(void)
{
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});

	log_aloud = getenv("RILL_DPDK_LOG") != NULL;
	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, 0);
	rte_openlog_stream(f);
}

/* ---- arguments ---- */

struct eal {
	int state; /* 1: started; negative errno: could not be */
	bool huge;
	char failure[RILL_NIC_ERROR_LEN];
	char given[ARGS_LEN]; /* for comparison */
	char text[2 * ARGS_LEN];
	char *argv[ARGS_MAX + 1];
	char *args[ARGS_MAX + 1]; /* the same; EAL moves and replaces what is in argv */
	int argc;
};

static struct eal eal;

/* A copy, for EAL keeps it. */
static bool add_arg(const char *arg)
{
	if (!arg || eal.argc == ARGS_MAX)
		return false;
	eal.args[eal.argc] = strdup(arg);
	eal.argv[eal.argc] = eal.args[eal.argc];
	return eal.args[eal.argc++] != NULL;
}

/* Does what was given decide this already? word is the beginning of an option. */
static bool given(const char *word)
{
	for (int i = 1; i < eal.argc; i++)
		if (strncmp(eal.argv[i], word, strlen(word)) == 0)
			return true;
	return false;
}

static uint64_t free_huge_bytes(void)
{
	static const struct {
		const char *path;
		uint64_t bytes;
	} sizes[] = {
		{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", UINT64_C(2) << 20},
		{"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", UINT64_C(1) << 30},
		{"/sys/kernel/mm/hugepages/hugepages-524288kB/free_hugepages", UINT64_C(512) << 20},
	};
	uint64_t bytes = 0, count;

	for (size_t i = 0; i < RILL_ARRAY_SIZE(sizes); i++) {
		FILE *f = fopen(sizes[i].path, "re");

		if (f && fscanf(f, "%" SCNu64, &count) == 1)
			bytes += count * sizes[i].bytes;
		if (f)
			fclose(f);
	}
	return bytes;
}

/*
 * One lcore that may run anywhere: EAL's own threads then may, too, and the CPUs stay as they are
 * shared out. It has no work to do.
 */
static const char *lcores_arg(void)
{
	static char text[CPUS_LEN];
	cpu_set_t set;
	size_t at = (size_t)snprintf(text, sizeof(text), "--lcores=0@(");

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return NULL;
	for (int cpu = 0, sep = 0; cpu < RTE_MAX_LCORE && at < sizeof(text) - 8; cpu++)
		if (CPU_ISSET(cpu, &set))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d",
					       sep++ ? "," : "", cpu);
	snprintf(text + at, sizeof(text) - at, ")");
	return text;
}

static bool add_defaults(void)
{
	bool ok = true;

	if (!given("-l") && !given("-c") && !given("--lcores"))
		ok &= add_arg(lcores_arg());
	/* No NIC but those that specs name: the bus probes what is listed, and this is nowhere. */
	if (!given("-a") && !given("--allow") && !given("-b") && !given("--block") &&
	    !given("--no-pci"))
		ok &= add_arg("-a") && add_arg("ffff:ff:1f.7");
	if (!given("--telemetry") && !given("--no-telemetry"))
		ok &= add_arg("--no-telemetry");
	eal.huge = !given("--no-huge") && free_huge_bytes() >= HUGE_BYTES_MIN;
	/* Nothing for other processes, and nothing that stays behind; EAL has two words for it. */
	if (!given("--in-memory") && !given("--no-shconf") && !given("--proc-type") &&
	    !given("--file-prefix"))
		ok &= add_arg(eal.huge ? "--in-memory" : "--no-shconf");
	if (!eal.huge && !given("--no-huge"))
		ok &= add_arg("--no-huge");
	if (!eal.huge && !given("-m"))
		ok &= add_arg("-m") && add_arg(MEMORY_MB);
	/* What shares buffers with another process needs them in one file. */
	if (eal.huge && !given("--single-file-segments"))
		ok &= add_arg("--single-file-segments");
	return ok;
}

static bool build_args(const char *args)
{
	/* Not for programs that have more rights than who starts them: -d loads a library. */
	const char *environment = secure_getenv("RILL_DPDK_EAL");
	char *save = NULL;

	snprintf(eal.text, sizeof(eal.text), "%s %s", environment ? environment : "",
		 args ? args : "");
	snprintf(eal.given, sizeof(eal.given), "%s", args ? args : "");
	eal.argc = 0;
	add_arg("rill");
	for (const char *w = strtok_r(eal.text, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
		if (!add_arg(w))
			return false;
	return add_defaults();
}

/* ---- start ---- */

/*
 * EAL prints its usage, and some of its errors, past its log. While it starts, what its thread
 * writes to the standard streams is kept from them; what others write goes where it should.
 */
static pthread_t init_thread_id;

static ssize_t filter_write(void *fd, const char *text, size_t len)
{
	if (pthread_equal(pthread_self(), init_thread_id))
		return (ssize_t)len;
	return write((int)(intptr_t)fd, text, len);
}

static FILE *filter_on(FILE **stream, int fd)
{
	FILE *old = *stream;
	FILE *f = log_aloud ? NULL
			    : fopencookie((void *)(intptr_t)fd, "w",
					  (cookie_io_functions_t){.write = filter_write});

	if (!f)
		return old;
	setvbuf(f, NULL, _IONBF, 0);
	*stream = f;
	return old;
}

/* EAL binds the thread that calls it to an lcore: so not the caller's. */
static void *init_thread(void *arg)
{
	int *err = arg;

	init_thread_id = pthread_self();
	FILE *out = filter_on(&stdout, 1), *errors = filter_on(&stderr, 2);

	*err = rte_eal_init(eal.argc, eal.argv) < 0 ? -RILL_MAX(rte_errno, 1) : 0;
	/* The filters are never closed: another thread may be about to write to one. */
	stdout = out;
	stderr = errors;
	return NULL;
}

static int start(const char *args, char *error)
{
	pthread_t thread;
	char why[160];
	int err = 0;

	if (!build_args(args))
		return rill_nic_fail(error, -EINVAL, "dpdk: too many EAL options: at most %d",
				     ARGS_MAX);
	log_capture();
	rill_dpdk_log_forget();
	if (pthread_create(&thread, NULL, init_thread, &err) != 0)
		return rill_nic_fail(error, -EAGAIN, "dpdk: no thread to start EAL on");
	pthread_join(thread, NULL);
	if (err == 0)
		return 0;
	rill_dpdk_log_first(why, sizeof(why));
	return rill_nic_fail(error, err,
			     "dpdk: EAL does not start%s%.60s%s: %.140s (RILL_DPDK_LOG=1 shows "
			     "all of it)",
			     eal.given[0] ? " with '" : "", eal.given, eal.given[0] ? "'" : "",
			     why[0] ? why : strerror(-err));
}

int rill_dpdk_eal_start(const char *args, char *error)
{
	if (eal.state < 0)
		return rill_nic_fail(error, eal.state, "%s", eal.failure);
	if (eal.state > 0) {
		if (args && strcmp(args, eal.given) != 0)
			return rill_nic_fail(error, -EBUSY,
					     "dpdk: EAL runs already, with rill.eal='%.60s': it "
					     "starts once per process",
					     eal.given);
		return 0;
	}
	int err = start(args, error);

	/* EAL does not try twice, either. */
	eal.state = err ? err : 1;
	if (err)
		snprintf(eal.failure, sizeof(eal.failure), "%s", error);
	return err;
}

const char *rill_dpdk_eal_memory(void)
{
	return eal.huge ? "hugepages" : "no hugepages";
}

/* ---- threads ---- */

static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static __thread bool thread_tried;

static void thread_gone(void *registered)
{
	rte_thread_unregister();
}

static void make_key(void)
{
	RILL_ASSERT(pthread_key_create(&thread_key, thread_gone) == 0);
}

void rill_dpdk_thread_register(void)
{
	/* There are RTE_MAX_LCORE places. Whoever finds none goes without caches. */
	if (thread_tried)
		return;
	thread_tried = true;
	pthread_once(&thread_once, make_key);
	if (rte_thread_register() == 0)
		pthread_setspecific(thread_key, &thread_key);
}
