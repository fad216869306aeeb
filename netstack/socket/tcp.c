/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving, sending and ending: the calls on a connection. */
#include "netstack/socket/tcp.h"

#include <errno.h>
#include <rill/time.h>

#include "netstack/stack/poll.h"
#include "netstack/tcp/timewait.h"

/* Waiting for packet buffers has no event to wait for; they come back with every ACK. */
#define NO_BUFFER_RETRY_NS (200 * RILL_US)

/* What one call takes at most: lengths travel as int. */
#define CALL_LEN_MAX ((size_t)1 << 30)

/* ---- the awaitable ---- */

struct run {
	struct rill_tcp *c;
	struct rill_tcp_call *call;
	struct rill_await *aw; /* to be queued on -EAGAIN; NULL: not */
	int result;
};

static struct rill_wait_ring *ring_of(struct rill_tcp *c, const struct rill_tcp_call *call)
{
	return call->direction == RILL_TCP_READ ? &c->readers : &c->writers;
}

static void run_held(struct rill_shard *sh, void *arg)
{
	struct run *run = arg;

	run->result = run->call->op(sh, run->c, run->call);
	if (run->result != -EAGAIN || !run->aw)
		return;
	rill_wait_ring_push(ring_of(run->c, run->call), run->aw);
}

static int call_run(struct rill_await *aw, bool arm)
{
	struct rill_tcp *c = aw->obj;
	struct run run = {.c = c, .call = aw->arg, .aw = arm ? aw : NULL};

	rill_shard_call(rill_tcp_shard(c), run_held, &run);
	return run.result;
}

static int call_try(struct rill_await *aw)
{
	return call_run(aw, false);
}

static int call_arm(struct rill_await *aw)
{
	return call_run(aw, true);
}

static void unlink_held(struct rill_shard *sh, void *arg)
{
	struct rill_await *aw = arg;

	(void)sh;
	if (!rill_await_granted(aw))
		rill_wait_ring_remove(ring_of(aw->obj, aw->arg), aw);
}

/* Not to take is for cases of a select, which only look: there is nothing to give back. */
static int call_disarm(struct rill_await *aw, bool take)
{
	struct rill_tcp *c = aw->obj;

	/* acquire: pairs with the release in run(): the holder is done with the node */
	if (!rill_load_acquire(&aw->granted))
		rill_shard_call(rill_tcp_shard(c), unlink_held, aw);
	return take && rill_await_granted(aw) ? (int)aw->value : -EAGAIN;
}

static const struct rill_await_ops recv_ops = {
	.what = "tcp recv",
	.arm_only = true,
	.try = call_try,
	.arm = call_arm,
	.disarm = call_disarm,
};

static const struct rill_await_ops send_ops = {
	.what = "tcp send",
	.arm_only = true,
	.try = call_try,
	.arm = call_arm,
	.disarm = call_disarm,
};

int rill_tcp_call_wait(struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct rill_await aw;

	rill_await_init(&aw, call->direction == RILL_TCP_READ ? &recv_ops : &send_ops, c, call);
	int r = rill_await(&aw, 0);

	/* 0: done at once with nothing to say, or by who held the shard, and then it is in value */
	return r == 0 ? (int)aw.value : r;
}

int rill_tcp_call_now(struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct run run = {.c = c, .call = call};

	rill_shard_call(rill_tcp_shard(c), run_held, &run);
	return run.result;
}

/* ---- receiving ---- */

void rill_tcp_settle_read(struct rill_tcp *c)
{
	if ((c->conn.tcb.flags & RILL_TCB_ACK_NOW) != 0)
		rill_conn_touch(&c->conn);
}

static int op_recv(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	ssize_t n = rill_tcb_recv(&c->conn.tcb, &sh->core.env, call->data, call->len);

	rill_tcp_settle_read(c);
	return (int)n;
}

ssize_t rill_tcp_recv(struct rill_tcp *c, void *buf, size_t len)
{
	struct rill_tcp_call call = {
		.op = op_recv,
		.direction = RILL_TCP_READ,
		.data = buf,
		.len = RILL_MIN(len, CALL_LEN_MAX),
	};

	return len == 0 ? 0 : rill_tcp_call_wait(c, &call);
}

ssize_t rill_tcp_recv_all(struct rill_tcp *c, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = rill_tcp_recv(c, (char *)buf + done, len - done);

		if (n <= 0)
			return done > 0 ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* ---- sending ---- */

void rill_tcp_end_send(struct rill_tcp *c)
{
	c->conn.user = NULL;
	c->conn.tcb.events |= RILL_TCB_WRITABLE;
}

static int op_send(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	rill_conn_prefetch_transfer(&c->conn);
	if (c->conn.user && c->conn.user != call->sender)
		return -EAGAIN;
	c->conn.tcb.flags &= ~(uint32_t)RILL_TCB_MORE;
	ssize_t n = rill_tcb_send(&c->conn.tcb, &sh->core.env, call->data, call->len);

	if (n <= 0)
		return (int)n;
	if ((size_t)n < call->len)
		c->conn.user = (void *)(uintptr_t)call->sender;
	else if (c->conn.user)
		rill_tcp_end_send(c);
	rill_conn_touch(&c->conn);
	return (int)n;
}

/* Some was taken, and the rest is given up. */
static int op_give_up_send(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (c->conn.user != call->sender)
		return 0;
	rill_tcp_end_send(c);
	rill_conn_touch(&c->conn);
	return 0;
}

void rill_tcp_give_up_send(struct rill_tcp *c, const void *sender)
{
	struct rill_tcp_call call = {.op = op_give_up_send, .sender = sender};

	rill_tcp_call_now(c, &call);
}

ssize_t rill_tcp_send(struct rill_tcp *c, const void *buf, size_t len)
{
	size_t done = 0;

	rill_conn_prefetch(&c->conn);
	while (done < len) {
		struct rill_tcp_call call = {
			.op = op_send,
			.direction = RILL_TCP_WRITE,
			.data = (char *)(uintptr_t)buf + done,
			.len = RILL_MIN(len - done, CALL_LEN_MAX),
			.sender = &done,
		};
		int n = rill_tcp_call_wait(c, &call);

		if (n == -ENOBUFS)
			n = rill_sleep(NO_BUFFER_RETRY_NS);
		if (n < 0 && done > 0) {
			rill_tcp_give_up_send(c, &done);
			return (ssize_t)done;
		}
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* ---- waiting only ---- */

static int op_readable(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	return rill_tcb_readable(&c->conn.tcb) ? 0 : -EAGAIN;
}

static int op_writable(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	return rill_tcb_writable(&c->conn.tcb) ? 0 : -EAGAIN;
}

void rill_case_tcp_readable(struct rill_case *c, struct rill_tcp *conn)
{
	static struct rill_tcp_call call = {.op = op_readable, .direction = RILL_TCP_READ};

	rill_await_init(rill_await_of(c), &recv_ops, conn, &call);
}

void rill_case_tcp_writable(struct rill_case *c, struct rill_tcp *conn)
{
	static struct rill_tcp_call call = {.op = op_writable, .direction = RILL_TCP_WRITE};

	rill_await_init(rill_await_of(c), &send_ops, conn, &call);
}

/* ---- ending ---- */

struct ending {
	struct rill_tcp *c;
	void (*end)(struct rill_tcb *, struct rill_tcp_env *, uint64_t);
};

static void end_held(struct rill_shard *sh, void *arg)
{
	struct ending *e = arg;

	rill_poll_forget_tcp(e->c);
	e->end(&e->c->conn.tcb, &sh->core.env, sh->core.now_ns);
	rill_conn_let_go(&e->c->conn);
}

void rill_tcp_let_go(struct rill_tcp *c,
		     void (*end)(struct rill_tcb *, struct rill_tcp_env *, uint64_t))
{
	struct ending e = {.c = c, .end = end};

	rill_shard_call(rill_tcp_shard(c), end_held, &e);
}

/* Whether there is something to wait for. */
static int op_close(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct rill_tcb *tcb = &c->conn.tcb;

	(void)call;
	rill_poll_forget_tcp(c);
	rill_tcb_close(tcb, &sh->core.env, sh->core.now_ns);
	if (!rill_tcp_lingers(tcb)) {
		rill_conn_let_go(&c->conn);
		return 0;
	}
	rill_conn_touch(&c->conn);
	return -EINPROGRESS;
}

static int op_lingered(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	const struct rill_tcb *tcb = &c->conn.tcb;

	(void)sh, (void)call;
	return rill_tcp_lingers(tcb) ? -EAGAIN : tcb->error;
}

static int op_let_go(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh, (void)call;
	rill_conn_let_go(&c->conn);
	return 0;
}

int rill_tcp_close(struct rill_tcp *c)
{
	struct rill_tcp_call close = {.op = op_close};
	struct rill_tcp_call lingered = {.op = op_lingered, .direction = RILL_TCP_WRITE};
	struct rill_tcp_call let_go = {.op = op_let_go};
	int r = c ? rill_tcp_call_now(c, &close) : 0;

	if (RILL_LIKELY(r != -EINPROGRESS))
		return r;
	r = rill_tcp_call_wait(c, &lingered);
	rill_tcp_call_now(c, &let_go);
	return r;
}

void rill_tcp_abort(struct rill_tcp *c)
{
	if (c)
		rill_tcp_let_go(c, rill_tcb_abort);
}

static int op_shutdown(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	int r = 0;

	if (call->len & RILL_SHUT_RD)
		rill_tcb_shutdown_recv(&c->conn.tcb, &sh->core.env);
	if (call->len & RILL_SHUT_WR)
		r = rill_tcb_shutdown_send(&c->conn.tcb);
	/* whoever waits to receive has to learn of it */
	c->conn.tcb.events |= RILL_TCB_READABLE | RILL_TCB_WRITABLE;
	rill_conn_touch(&c->conn);
	return r;
}

int rill_tcp_shutdown(struct rill_tcp *c, enum rill_shutdown how)
{
	struct rill_tcp_call call = {.op = op_shutdown, .len = (size_t)how};

	if (how < RILL_SHUT_RD || how > RILL_SHUT_RDWR)
		return -EINVAL;
	return rill_tcp_call_now(c, &call);
}
