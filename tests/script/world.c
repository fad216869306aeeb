/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include "print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Not 0, so that a time that was never set shows. */
#define START (1000 * RILL_SEC)
/* A stack that has more to do than this at one moment will never be done. */
#define TIMER_RUNS_MAX 1000

void world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->message, sizeof(w->message), format, args);
	va_end(args);
	longjmp(w->failed, 1);
}

/* ---- what the stack is given ---- */

static uint64_t op_now(void *ctx)
{
	return ((struct world *)ctx)->now;
}

static void op_output(void *ctx, const void *packet, size_t len)
{
	struct world *w = ctx;
	struct world_packet *p = malloc(sizeof(*p) + len);

	if (!p)
		abort();
	*p = (struct world_packet){.at = w->now, .len = (unsigned)len, .bytes = (uint8_t *)(p + 1)};
	memcpy(p->bytes, packet, len);
	*w->last = p;
	w->last = &p->next;
	w->trace = w->trace * 1099511628211u + w->now;
	for (size_t i = 0; i < len; i++)
		w->trace = (w->trace ^ p->bytes[i]) * 1099511628211u;
}

#define ALLOC_ALIGN 64

static void *op_alloc(void *ctx, size_t size)
{
	struct world *w = ctx;
	size_t whole = (size + 2 * ALLOC_ALIGN - 1) / ALLOC_ALIGN * ALLOC_ALIGN;
	char *p = w->no_memory ? NULL : aligned_alloc(ALLOC_ALIGN, whole);

	if (!p)
		return NULL;
	memcpy(p, &size, sizeof(size));
	w->allocated += size;
	w->allocations++;
	return p + ALLOC_ALIGN;
}

/* Called from within the stack, where world_fail() must not jump: a mistake here ends the run. */
static void op_free(void *ctx, void *memory, size_t size)
{
	struct world *w = ctx;
	char *p = (char *)memory - ALLOC_ALIGN;
	size_t asked;

	if (!memory)
		return;
	memcpy(&asked, p, sizeof(asked));
	if (asked != size) {
		fprintf(stderr, "free() of %zu bytes that were allocated as %zu\n", size, asked);
		abort();
	}
	w->allocated -= size;
	w->allocations--;
	free(p);
}

static void op_ready(void *ctx, int fd)
{
	struct world_socket *s = world_socket_by_fd(ctx, fd);

	if (s)
		s->ready = true;
}

/* ---- the stack ---- */

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->start = w->now = w->at = START;
	w->tolerance = RILL_MS;
	w->last = &w->first;
	w->ops = (struct rill_stack_ops){op_now, op_output, op_alloc, op_free, op_ready};
	rill_stack_profile_init(&w->profile);
	/* Times in scripts are those of the protocol. Cases about pacing switch it on. */
	w->profile.pacing = false;
	w->options = (struct rill_stack_options){RILL_OPTIONS(w->options),
						 .ops = &w->ops,
						 .ctx = w,
						 .layer = RILL_STACK_L3,
						 .addr = "198.18.0.1/24,198.18.0.33/24",
						 .seed = 1,
						 .profile = &w->profile};
	for (unsigned n = 1; n < WORLD_FLOWS_MAX; n++)
		world_flow_reset(&w->flows[n], n);
}

struct rill_stack *world_stack(struct world *w)
{
	int err;

	if (w->stack)
		return w->stack;
	err = rill_stack_create(&w->options, &w->stack);
	if (err)
		world_fail(w, "rill_stack_create(): %s", print_errno(err));
	return w->stack;
}

/* Sockets with more to say than before must have been announced. */
static void check_readiness(struct world *w)
{
	for (int i = 0; i < WORLD_SOCKETS_MAX; i++) {
		struct world_socket *s = &w->sockets[i];
		int before = s->polled;

		if (s->fd < 0 || !s->name[0])
			continue;
		s->polled = rill_stack_poll(w->stack, s->fd);
		if ((s->polled & ~before) && !s->ready)
			world_fail(w, "poll of %s went from 0x%x to 0x%x without ready()", s->name,
				   before, s->polled);
		s->ready = false;
	}
}

/* The user's own calls may change readiness without a word. */
static void note_readiness(struct world *w)
{
	for (int i = 0; i < WORLD_SOCKETS_MAX; i++) {
		struct world_socket *s = &w->sockets[i];

		s->ready = false;
		if (s->fd >= 0 && s->name[0])
			s->polled = rill_stack_poll(w->stack, s->fd);
	}
}

void world_input(struct world *w, const struct iovec *packets, unsigned count)
{
	struct rill_stack *stack = world_stack(w);
	unsigned taken;
	int err = 0;

	note_readiness(w);
	if (count == 1) {
		err = rill_stack_input(stack, packets->iov_base, packets->iov_len);
		if (err && !(w->no_memory && err == -ENOBUFS))
			world_fail(w, "rill_stack_input(): %s", print_errno(err));
	} else {
		taken = rill_stack_input_burst(stack, packets, count);
		if (taken != count)
			world_fail(w, "rill_stack_input_burst() took %u", taken);
	}
	check_readiness(w);
}

static void run_timers(struct world *w, uint64_t then, bool to_packet)
{
	unsigned runs = 0;

	for (;;) {
		uint64_t deadline = rill_stack_next_deadline(w->stack);

		if (deadline > then || (to_packet && w->first))
			return;
		runs = deadline > w->now ? 0 : runs + 1;
		if (runs == TIMER_RUNS_MAX)
			world_fail(w, "timers that are always due");
		if (deadline > w->now)
			w->now = deadline;
		note_readiness(w);
		rill_stack_run_timers(w->stack);
		check_readiness(w);
	}
}

void world_advance(struct world *w, uint64_t then)
{
	if (w->stack)
		run_timers(w, then, false);
	if (then > w->now)
		w->now = then;
}

void world_advance_to_packet(struct world *w, uint64_t then)
{
	world_stack(w);
	run_timers(w, then, true);
	if (!w->first && then > w->now)
		w->now = then;
}

void world_expect_quiet(struct world *w)
{
	/* What it was is told with the failure. */
	if (w->first)
		world_fail(w, "something was sent that no line expected");
}

void world_drop_packet(struct world *w)
{
	struct world_packet *p = w->first;

	w->first = p->next;
	if (!w->first)
		w->last = &w->first;
	free(p);
}

/* ---- the end ---- */

static void abort_sockets(struct world *w)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	for (int i = 0; i < WORLD_SOCKETS_MAX; i++) {
		struct world_socket *s = &w->sockets[i];

		if (!s->name[0] || s->fd < 0)
			continue;
		rill_stack_setsockopt(w->stack, s->fd, SOL_SOCKET, SO_LINGER, &linger,
				      sizeof(linger));
		rill_stack_close(w->stack, s->fd);
		s->fd = -1;
	}
}

static const char *check_stats(struct world *w)
{
	struct rill_stack_stats stats;

	rill_stack_stats(w->stack, &stats);
	if (stats.sockets != 0)
		return "a socket is left after all were closed";
	if (stats.connections == 0 && stats.packet_buffers != 0)
		return "packet buffers are left after all connections are gone";
	if (stats.memory != w->allocated)
		return "rill_stack_stats() counts other memory than was allocated";
	return NULL;
}

const char *world_end(struct world *w)
{
	const char *wrong;

	if (!w->stack)
		return "the case does nothing";
	w->no_memory = false;
	abort_sockets(w);
	while (w->first)
		world_drop_packet(w);
	wrong = check_stats(w);
	rill_stack_destroy(w->stack);
	w->stack = NULL;
	if (!wrong && w->first)
		wrong = "rill_stack_destroy() sent something";
	if (!wrong && w->allocations)
		wrong = "memory is left after rill_stack_destroy()";
	return wrong;
}

void world_fini(struct world *w)
{
	if (w->stack)
		rill_stack_destroy(w->stack);
	while (w->first)
		world_drop_packet(w);
}

/* ---- sockets ---- */

struct world_socket *world_socket(struct world *w, const char *name, bool create)
{
	struct world_socket *free_one = NULL;

	for (int i = 0; i < WORLD_SOCKETS_MAX; i++) {
		struct world_socket *s = &w->sockets[i];

		if (strcmp(s->name, name) == 0)
			return s;
		if (!free_one && !s->name[0])
			free_one = s;
	}
	if (!create || !free_one || strlen(name) >= sizeof(free_one->name))
		return NULL;
	strcpy(free_one->name, name);
	free_one->fd = -1;
	return free_one;
}

struct world_socket *world_socket_by_fd(struct world *w, int fd)
{
	for (int i = 0; i < WORLD_SOCKETS_MAX; i++)
		if (w->sockets[i].name[0] && w->sockets[i].fd == fd)
			return &w->sockets[i];
	return NULL;
}
