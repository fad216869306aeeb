/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- what the stacks are given ---- */

static uint64_t op_now(void *ctx)
{
	const struct end *e = ctx;

	return e->w->now_ns;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3);
}

static void op_output(void *ctx, const void *packet, size_t len)
{
	struct end *from = ctx;
	struct end *to = &from->w->ends[1 - from->side];
	struct wire_packet *p;

	from->sent_hash = mix(from->sent_hash, from->w->now_ns);
	for (size_t i = 0; i < len; i++)
		from->sent_hash = mix(from->sent_hash, ((const uint8_t *)packet)[i]);
	if (to->drop_every && ++to->count % to->drop_every == 0)
		return;
	p = malloc(sizeof(*p) + len);
	*p = (struct wire_packet){.due_ns = from->w->now_ns + DELAY_NS, .len = len};
	memcpy(p->bytes, packet, len);
	*to->last = p;
	to->last = &p->next;
}

static void *op_alloc(void *ctx, size_t size)
{
	struct end *e = ctx;

	if (e->alloc_limit && e->allocated + size > e->alloc_limit)
		return NULL;
	if (e->alloc_fails && e->alloc_fails_after == 0)
		return NULL;
	e->alloc_fails_after -= e->alloc_fails;
	e->allocated += size;
	e->allocations++;
	return aligned_alloc(64, (size + 63) & ~(size_t)63);
}

static void op_free(void *ctx, void *p, size_t size)
{
	struct end *e = ctx;

	assert_true(e->allocated >= size && e->allocations > 0);
	e->allocated -= size;
	e->allocations--;
	free(p);
}

static void op_ready(void *ctx, int fd)
{
	struct end *e = ctx;

	e->ready_calls++;
	e->ready_fd = fd;
}

static const struct rill_stack_ops ops = {op_now, op_output, op_alloc, op_free, op_ready};

const struct rill_stack_ops *world_ops(void)
{
	return &ops;
}

/* ---- the world ---- */

void world_open(struct world *w, const struct world_options *o)
{
	static const char *const addr[SIDES] = {"198.18.0.1/24", "198.18.0.2/24"};

	memset(w, 0, sizeof(*w));
	w->now_ns = 1000 * RILL_SEC;
	for (enum side i = 0; i < SIDES; i++) {
		struct end *e = &w->ends[i];
		struct rill_stack_options options = {
			RILL_OPTIONS(options),
			.ops = &ops,
			.ctx = e,
			.layer = o->layer,
			.addr = o->addr ? o->addr[i] : addr[i],
			.seed = o->seed ? o->seed + i : 1 + i,
			.profile = o->profile,
			.sockets = o->sockets,
			.packets = o->packets,
			.connections = o->connections,
			.recv_buffer = o->recv_buffer,
		};

		e->w = w;
		e->side = i;
		e->last = &e->first;
		assert_int_equal(rill_stack_create(&options, &e->stack), 0);
		assert_int_equal(
			rill_addr_parse(i == CLIENT ? "198.18.0.1" : "198.18.0.2", &w->addr[i]), 0);
	}
}

void world_close(struct world *w)
{
	for (enum side i = 0; i < SIDES; i++) {
		struct end *e = &w->ends[i];
		struct rill_stack_stats stats;

		rill_stack_stats(e->stack, &stats);
		assert_int_equal(stats.memory, e->allocated);
		rill_stack_destroy(e->stack);
		assert_int_equal(e->allocated, 0);
		assert_int_equal(e->allocations, 0);
		while (e->first) {
			struct wire_packet *p = e->first;

			e->first = p->next;
			free(p);
		}
	}
}

static void deliver(struct end *e)
{
	while (e->first && e->first->due_ns <= e->w->now_ns) {
		struct wire_packet *p = e->first;

		e->first = p->next;
		if (!e->first)
			e->last = &e->first;
		int r = rill_stack_input(e->stack, p->bytes, p->len);

		assert_true(r == 0 || (r == -ENOBUFS && e->w->lossy));
		free(p);
	}
}

static uint64_t next_event(struct world *w)
{
	uint64_t next = RILL_FOREVER;

	for (enum side i = 0; i < SIDES; i++) {
		uint64_t timer = rill_stack_next_deadline(w->ends[i].stack);

		next = timer < next ? timer : next;
		if (w->ends[i].first && w->ends[i].first->due_ns < next)
			next = w->ends[i].first->due_ns;
	}
	return next;
}

void world_run(struct world *w, uint64_t ns)
{
	uint64_t until = w->now_ns + ns;

	for (;;) {
		uint64_t next = next_event(w);

		if (next > until)
			break;
		w->now_ns = next > w->now_ns ? next : w->now_ns;
		for (enum side i = 0; i < SIDES; i++) {
			deliver(&w->ends[i]);
			rill_stack_run_timers(w->ends[i].stack);
		}
	}
	w->now_ns = until;
}

void world_run_lossy(struct world *w, uint64_t ns)
{
	w->lossy = true;
	world_run(w, ns);
	w->lossy = false;
}

/* ---- shorthands ---- */

int world_listen(struct world *w, int backlog)
{
	struct rill_addr port = {.port = 80};
	int fd = rill_stack_socket(server(w), SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(rill_stack_bind(server(w), fd, &port), 0);
	assert_int_equal(rill_stack_listen(server(w), fd, backlog), 0);
	return fd;
}

void world_connect(struct world *w, int listener, int ret_fd[SIDES])
{
	struct rill_addr to = w->addr[SERVER];
	struct rill_addr peer, local;

	to.port = 80;
	ret_fd[CLIENT] = rill_stack_socket(client(w), SOCK_STREAM);
	assert_true(ret_fd[CLIENT] >= 0);
	assert_int_equal(rill_stack_connect(client(w), ret_fd[CLIENT], &to), -EINPROGRESS);
	world_run(w, 10 * RILL_MS);
	assert_int_equal(rill_stack_connect(client(w), ret_fd[CLIENT], &to), 0);
	ret_fd[SERVER] = rill_stack_accept(server(w), listener, &peer);
	assert_true(ret_fd[SERVER] >= 0);
	assert_int_equal(rill_stack_local(client(w), ret_fd[CLIENT], &local), 0);
	assert_memory_equal(&local.ip, &peer.ip, sizeof(peer.ip));
	assert_int_equal(local.port, peer.port);
}

ssize_t put(struct rill_stack *s, int fd, const void *data, size_t len)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

	return rill_stack_send(s, fd, &iov, 1, 0, NULL);
}

ssize_t get(struct rill_stack *s, int fd, void *data, size_t len)
{
	struct iovec iov = {.iov_base = data, .iov_len = len};

	return rill_stack_recv(s, fd, &iov, 1, 0, NULL, NULL);
}

int get_int(struct rill_stack *s, int fd, int level, int name)
{
	int value = -12345;
	size_t len = sizeof(value);

	assert_int_equal(rill_stack_getsockopt(s, fd, level, name, &value, &len), 0);
	assert_int_equal(len, sizeof(value));
	return value;
}

int set_int(struct rill_stack *s, int fd, int level, int name, int value)
{
	return rill_stack_setsockopt(s, fd, level, name, &value, sizeof(value));
}
