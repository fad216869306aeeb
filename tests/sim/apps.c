/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/apps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/stream.h"

#define PORT 80
#define PORT_NOBODY 81

/* An address may not be resolved while the link is bad: the client tries again. */
#define CONNECT_TRIES 200
#define CONNECT_PAUSE_NS (200 * RILL_MS)

/* What a client says first. */
struct hello {
	uint32_t index;
	uint32_t round;
	uint32_t check;
};

/* ---- both directions at once ---- */

struct sender {
	struct stream *s;
	uint64_t pattern, len;
	int result;
};

static void *sender_task(void *arg)
{
	struct sender *sender = arg;

	sender->result = stream_send(sender->s, sender->pattern, 0, sender->len);
	if (sender->result == 0)
		sender->result = rill_tcp_shutdown(sender->s->c, RILL_SHUT_WR);
	return NULL;
}

static int both_ways(struct stream *s, uint64_t out, uint64_t out_len, uint64_t in, uint64_t in_len)
{
	struct sender sender = {
		.s = stream_new(s->w, s->plan, s->side, s->c, 1),
		.pattern = out,
		.len = out_len,
	};
	struct rill_task *task;
	int r = rill_spawn(sender_task, &sender, &task);

	RILL_ASSERT_CMP(r, ==, 0);
	r = stream_recv(s, in, 0, in_len);
	if (r == 0)
		r = stream_recv_end(s);
	struct rill_scope shield;

	rill_scope_begin_shield(&shield);
	if (r < 0)
		rill_abort(task);
	RILL_ASSERT_CMP(rill_join(task, NULL), >=, 0);
	rill_scope_end(&shield);
	stream_free(sender.s);
	return r < 0 ? r : sender.result;
}

/* ---- the client's part ---- */

static int send_then_take(struct stream *s, uint64_t send_len, uint64_t recv_len)
{
	struct plan *p = s->plan;
	int r = stream_send(s, stream_pattern(p, BED_CLIENT), 0, send_len);

	if (r == 0)
		r = rill_tcp_shutdown(s->c, RILL_SHUT_WR);
	if (r == 0)
		r = stream_recv(s, stream_pattern(p, BED_SERVER), 0, recv_len);
	return r ? r : stream_recv_end(s);
}

static int take_all(struct stream *s)
{
	int r = stream_recv(s, stream_pattern(s->plan, BED_SERVER), 0, s->plan->down);

	return r ? r : stream_recv_end(s);
}

static int request(struct stream *s, unsigned round)
{
	struct plan *p = s->plan;
	int r = stream_send(s, stream_pattern(p, BED_CLIENT), round * p->up, p->up);

	return r ? r : stream_recv(s, stream_pattern(p, BED_SERVER), round * p->down, p->down);
}

static int requests(struct stream *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->plan->rounds && r == 0; i++)
		r = request(s, i);
	return r;
}

static int client_part(struct stream *s, unsigned round)
{
	struct plan *p = s->plan;
	uint64_t up = stream_pattern(p, BED_CLIENT), down = stream_pattern(p, BED_SERVER);
	int r;

	switch (p->kind) {
	case PLAN_UP:
	case PLAN_SLOW_READER:
		return send_then_take(s, p->up, 0);
	case PLAN_DOWN:
		return send_then_take(s, 0, p->down);
	case PLAN_HALF_CLOSE:
		return send_then_take(s, p->up, p->down);
	case PLAN_BOTH:
		return both_ways(s, up, p->up, down, p->down);
	case PLAN_ECHO:
		return both_ways(s, up, p->up, up, p->up);
	case PLAN_RPC:
		return requests(s);
	case PLAN_SHORT:
		r = request(s, round);
		return r || round % 2 == 0 ? r : stream_recv_end(s);
	case PLAN_SERVER_FIRST:
		return take_all(s);
	case PLAN_ABORT_CLIENT:
		return stream_send(s, up, 0, p->up);
	case PLAN_ABORT_SERVER:
		return stream_recv_until_error(s, down);
	default:
		return -EINVAL;
	}
}

/* ---- the server's part ---- */

static int take_then_send(struct stream *s, uint64_t recv_len, uint64_t send_len)
{
	struct plan *p = s->plan;
	int r = stream_recv(s, stream_pattern(p, BED_CLIENT), 0, recv_len);

	if (r == 0)
		r = stream_recv_end(s);
	return r ? r : stream_send(s, stream_pattern(p, BED_SERVER), 0, send_len);
}

static int respond(struct stream *s, unsigned round)
{
	struct plan *p = s->plan;
	int r = stream_recv(s, stream_pattern(p, BED_CLIENT), round * p->up, p->up);

	return r ? r : stream_send(s, stream_pattern(p, BED_SERVER), round * p->down, p->down);
}

static int responses(struct stream *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->plan->rounds && r == 0; i++)
		r = respond(s, i);
	return r ? r : stream_recv_end(s);
}

static int server_part(struct stream *s, unsigned round)
{
	struct plan *p = s->plan;
	uint64_t up = stream_pattern(p, BED_CLIENT), down = stream_pattern(p, BED_SERVER);
	int r;

	switch (p->kind) {
	case PLAN_UP:
	case PLAN_SLOW_READER:
		s->slow = p->kind == PLAN_SLOW_READER;
		return take_then_send(s, p->up, 0);
	case PLAN_DOWN:
		return take_then_send(s, 0, p->down);
	case PLAN_HALF_CLOSE:
		return take_then_send(s, p->up, p->down);
	case PLAN_BOTH:
		return both_ways(s, down, p->down, up, p->up);
	case PLAN_ECHO:
		r = stream_echo(s, up, p->up);
		return r ? r : stream_recv_end(s);
	case PLAN_RPC:
		return responses(s);
	case PLAN_SHORT:
		r = respond(s, round);
		return r || round % 2 ? r : stream_recv_end(s);
	case PLAN_SERVER_FIRST:
	case PLAN_ABORT_SERVER:
		return stream_send(s, down, 0, p->down);
	case PLAN_ABORT_CLIENT:
		return stream_recv_until_error(s, up);
	default:
		return -EINVAL;
	}
}

/* ---- how it ends ---- */

static bool aborts(const struct plan *p, enum bed_side side)
{
	return p->kind == (side == BED_CLIENT ? PLAN_ABORT_CLIENT : PLAN_ABORT_SERVER);
}

/* Whose peer aborts sees just that; or nothing at all, when the RST was lost. */
static bool as_planned(const struct plan *p, enum bed_side side, int r)
{
	if (aborts(p, !side))
		return r == -ECONNRESET || r == -ETIMEDOUT;
	return r == 0;
}

/* Whether it was as planned. */
static bool finish(struct stream *s, int r)
{
	bool ok = as_planned(s->plan, s->side, r);
	struct plan_end *end = &s->plan->ends[s->side];

	end->error = r;
	end->conn = NULL;
	end->connections++;
	if (!ok)
		world_fail(s->w, "plan %u (%s): the %s's connection ended with %s", s->plan->index,
			   plan_kind_name(s->plan->kind),
			   s->side == BED_CLIENT ? "client" : "server",
			   r ? strerror(-r) : "the end of the stream");
	if (r || aborts(s->plan, s->side))
		rill_tcp_abort(s->c);
	else
		rill_tcp_close(s->c);
	return ok;
}

/* The application waits for an abort in vain when its RST is lost. */
static int in_time(struct stream *s, int (*part)(struct stream *s, unsigned round), unsigned round)
{
	uint64_t patience = aborts(s->plan, !s->side) ? s->w->plan.patience_ns / 2 : RILL_FOREVER;
	struct rill_scope scope;

	rill_scope_begin(&scope, patience == RILL_FOREVER ? RILL_FOREVER : rill_after(patience),
			 NULL);
	int r = part(s, round);

	rill_scope_end(&scope);
	return r;
}

/* ---- the client ---- */

static int connect_to(struct app *app, uint16_t port, struct rill_tcp **ret_conn)
{
	struct bed *bed = app->w->bed;
	struct rill_addr remote = {rill_net_ip(bed->net[BED_SERVER]), port};
	int r = -EHOSTUNREACH;

	for (unsigned i = 0; i < CONNECT_TRIES && r == -EHOSTUNREACH; i++) {
		r = rill_tcp_connect(bed->net[BED_CLIENT], NULL, &remote, &app->plan->options,
				     ret_conn);
		if (r == -EHOSTUNREACH && rill_sleep(CONNECT_PAUSE_NS) < 0)
			return -ECANCELED;
	}
	return r;
}

static bool run_client(struct app *app, unsigned round)
{
	struct hello hello = {app->plan->index, round, ~(app->plan->index ^ round)};
	struct rill_tcp *c;
	int r = connect_to(app, PORT, &c);

	if (r < 0) {
		world_fail(app->w, "plan %u: connect gave %s", app->plan->index, strerror(-r));
		return false;
	}
	struct stream *s = stream_new(app->w, app->plan, BED_CLIENT, c, 2 * round);

	app->plan->ends[BED_CLIENT].conn = c;
	ssize_t n = rill_tcp_send(c, &hello, sizeof(hello));

	r = n == sizeof(hello) ? in_time(s, client_part, round) : (int)n;
	bool ok = finish(s, r);

	stream_free(s);
	return ok;
}

static bool run_refused(struct app *app)
{
	struct rill_tcp *c;
	int r = connect_to(app, PORT_NOBODY, &c);

	if (r == 0)
		rill_tcp_abort(c);
	if (r != -ECONNREFUSED)
		world_fail(app->w, "plan %u: connecting to nobody gave %s", app->plan->index,
			   strerror(-r));
	return r == -ECONNREFUSED;
}

void *app_client(void *arg)
{
	struct app *app = arg;
	enum plan_kind kind = app->plan->kind;
	unsigned connections = kind == PLAN_SHORT ? app->plan->rounds : 1;

	if (rill_sleep_until(BED_START_NS + app->plan->start_ns) < 0)
		return NULL;
	for (unsigned i = 0; i < connections; i++) {
		if (!(kind == PLAN_REFUSED ? run_refused(app) : run_client(app, i)))
			return NULL;
	}
	app->plan->ends[BED_CLIENT].done = true;
	return NULL;
}

/* ---- the server ---- */

struct service {
	struct world *w;
	struct rill_tcp *c;
};

/* A connection that was reset before it said whose it is can only be one that its client aborts. */
static void stranger(struct world *w, ssize_t n)
{
	for (unsigned i = 0; i < w->plan.plan_count; i++) {
		if (w->plan.plans[i].kind == PLAN_ABORT_CLIENT)
			return;
	}
	world_fail(w, "server: a connection ended with %zd before its client said anything", n);
}

static void *service_task(void *arg)
{
	struct service service = *(struct service *)arg;
	struct world *w = service.w;
	struct hello hello;
	struct rill_scope scope;

	/* Whose client has aborted already, and its RST was lost, says nothing any more. */
	rill_scope_begin(&scope, rill_after(w->plan.patience_ns / 2), NULL);
	ssize_t n = rill_tcp_recv_all(service.c, &hello, sizeof(hello));

	rill_scope_end(&scope);
	free(arg);
	if (n != sizeof(hello)) {
		stranger(w, n);
		rill_tcp_abort(service.c);
		return NULL;
	}
	if (hello.check != ~(hello.index ^ hello.round) || hello.index >= w->plan.plan_count) {
		world_fail(w, "server: the first bytes of a connection are not what was sent");
		rill_tcp_abort(service.c);
		return NULL;
	}
	struct plan *p = &w->plan.plans[hello.index];
	struct stream *s = stream_new(w, p, BED_SERVER, service.c, 2 * hello.round);

	p->ends[BED_SERVER].conn = service.c;
	finish(s, in_time(s, server_part, hello.round));
	p->ends[BED_SERVER].done = true;
	stream_free(s);
	return NULL;
}

/* Joins all; aborts them first when the caller is aborted itself, which may be while it joins. */
static void join_all(struct rill_task **tasks, size_t count)
{
	struct rill_scope shield;
	size_t joined = 0;

	while (joined < count && rill_join(tasks[joined], NULL) >= 0)
		joined++;
	for (size_t i = joined; i < count; i++)
		rill_abort(tasks[i]);
	rill_scope_begin_shield(&shield);
	for (size_t i = joined; i < count; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), >=, 0);
	rill_scope_end(&shield);
}

void *app_server(void *arg)
{
	struct world *w = arg;
	struct rill_task **tasks = NULL;
	size_t count = 0;
	struct rill_tcp *c;

	while (rill_tcp_accept(w->listener, &c) == 0) {
		struct service *service = malloc(sizeof(*service));

		*service = (struct service){w, c};
		tasks = realloc(tasks, (count + 1) * sizeof(*tasks));
		RILL_ASSERT_CMP(rill_spawn(service_task, service, &tasks[count++]), ==, 0);
	}
	join_all(tasks, count);
	free(tasks);
	return NULL;
}
