/* SPDX-License-Identifier: BSD-3-Clause */
/* Dies in the way that its argument says, for test_crash.c. */
#include <rill/dump.h>
#include <rill/time.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

static RILL_NOINLINE unsigned dig(unsigned depth)
{
	volatile char room[512];

	/* Deeper than any stack is. */
	if (depth == UINT32_MAX)
		return 0;
	room[0] = (char)depth;
	return dig(depth + 1) + (unsigned char)room[0];
}

static void *overflow(void *arg)
{
	return (void *)(uintptr_t)dig(1);
}

/* Without UBSan, which would not let it come to the fault. */
static RILL_NOINLINE __attribute__((no_sanitize("undefined", "address", "thread"))) void
store_to(volatile int *at)
{
	*at = 1;
	__asm__ volatile("");
}

static void *null(void *arg)
{
	store_to((volatile int *)arg);
	return NULL;
}

static void *assertion(void *arg)
{
	RILL_ASSERT(arg != NULL);
	return NULL;
}

static void *divide(void *arg)
{
	raise(SIGFPE);
	return NULL;
}

static void on_segv(int signo)
{
	static const char text[] = "the program's own handler\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		_exit(7);
}

static const struct {
	const char *name;
	void *(*fn)(void *);
	size_t stack_size; /* 0: the runtime's */
} ways[] = {
	{"overflow", overflow, 0},
	{"overflow-small", overflow, 16 << 10},
	{"overflow-large", overflow, 300 << 10}, /* and what is made of it */
	{"null", null, 0},
	{"assert", assertion, 0},
	{"fpe", divide, 0},
};

static void *wait_long(void *arg)
{
	rill_sleep(3600 * RILL_SEC);
	return NULL;
}

static void die_in_task(struct rill_runtime *rt, const char *how)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .name = "victim"};
	struct rill_spawn_options other = {RILL_OPTIONS(other), .runtime = rt, .name = "bystander"};
	struct rill_task *t;

	if (rill_spawn_with(&other, wait_long, NULL, NULL) != 0)
		return;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(ways); i++) {
		o.stack_size = ways[i].stack_size;
		if (strcmp(ways[i].name, how) == 0 &&
		    rill_spawn_with(&o, ways[i].fn, NULL, &t) == 0)
			rill_join(t, NULL);
	}
}

/* crash_child default|install|chain overflow[-small|-large]|null|assert|fpe|thread */
int main(int argc, char **argv)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 2, .no_pin = true};
	struct rill_runtime *rt;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "chain") == 0)
		signal(SIGSEGV, on_segv);
	if (strcmp(argv[1], "default") != 0 && rill_crash_install() != 0)
		return 3;
	if (rill_runtime_create(&o, &rt) != 0)
		return 4;
	if (strcmp(argv[2], "thread") == 0)
		store_to(NULL);
	die_in_task(rt, argv[2]);
	return 5;
}
