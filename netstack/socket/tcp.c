/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving, sending and ending: the calls on a connection. */
#include "netstack/socket/tcp.h"

#include <errno.h>
#include <rill/time.h>

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
	rill_store_relaxed(&run->aw->granted, false);
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
	/* relaxed: granted under the shard */
	if (!rill_load_relaxed(&aw->granted))
		rill_wait_ring_remove(ring_of(aw->obj, aw->arg), aw);
}

/* Nothing is ever handed to a waiter here: it is told to look again. */
static int call_disarm(struct rill_await *aw, bool take)
{
	struct rill_tcp *c = aw->obj;

	(void)take;
	/* acquire: pairs with the release in wake_all(): the waker is done with the node */
	if (rill_load_acquire(&aw->granted))
		return -EAGAIN;
	rill_shard_call(rill_tcp_shard(c), unlink_held, aw);
	return -EAGAIN;
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
	return rill_await_on(call->direction == RILL_TCP_READ ? &recv_ops : &send_ops, c, call);
}

int rill_tcp_call_now(struct rill_tcp *c, struct rill_tcp_call *call)
{
	struct run run = {.c = c, .call = call};

	rill_shard_call(rill_tcp_shard(c), run_held, &run);
	return run.result;
}

/* ---- receiving ---- */

static int op_recv(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	ssize_t n = rill_tcb_recv(&c->conn.tcb, &sh->core.env, call->data, call->len);

	/* reading may be what the peer's window waits for */
	if (n > 0)
		rill_conn_touch(&c->conn);
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

/* The others' turn. */
static void end_send(struct rill_tcp *c)
{
	c->conn.user = NULL;
	c->conn.tcb.events |= RILL_TCB_WRITABLE;
}

static int op_send(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (c->conn.user && c->conn.user != call->sender)
		return -EAGAIN;
	ssize_t n = rill_tcb_send(&c->conn.tcb, &sh->core.env, call->data, call->len);

	if (n <= 0)
		return (int)n;
	if ((size_t)n < call->len)
		c->conn.user = (void *)(uintptr_t)call->sender;
	else if (c->conn.user)
		end_send(c);
	rill_conn_touch(&c->conn);
	return (int)n;
}

/* Some was taken, and the rest is given up. */
static int op_give_up_send(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (c->conn.user != call->sender)
		return 0;
	end_send(c);
	rill_conn_touch(&c->conn);
	return 0;
}

ssize_t rill_tcp_send(struct rill_tcp *c, const void *buf, size_t len)
{
	size_t done = 0;

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
			call.op = op_give_up_send;
			rill_tcp_call_now(c, &call);
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

	e->end(&e->c->conn.tcb, &sh->core.env, sh->core.now_ns);
	rill_conn_let_go(&e->c->conn);
}

void rill_tcp_let_go(struct rill_tcp *c,
		     void (*end)(struct rill_tcb *, struct rill_tcp_env *, uint64_t))
{
	struct ending e = {.c = c, .end = end};

	rill_shard_call(rill_tcp_shard(c), end_held, &e);
}

void rill_tcp_close(struct rill_tcp *c)
{
	if (c)
		rill_tcp_let_go(c, rill_tcb_close);
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

/* ---- facts and options ---- */

struct rill_addr rill_tcp_local(const struct rill_tcp *c)
{
	return c->conn.tcb.local;
}

struct rill_addr rill_tcp_peer(const struct rill_tcp *c)
{
	return c->conn.tcb.remote;
}

static int op_nodelay(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (call->len)
		c->conn.tcb.flags |= RILL_TCB_NODELAY;
	else
		c->conn.tcb.flags &= ~(uint32_t)RILL_TCB_NODELAY;
	/* what Nagle held back may go now */
	rill_conn_touch(&c->conn);
	return 0;
}

int rill_tcp_set_nodelay(struct rill_tcp *c, bool on)
{
	struct rill_tcp_call call = {.op = op_nodelay, .len = on};

	return rill_tcp_call_now(c, &call);
}

static int op_info(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	rill_tcb_info(&c->conn.tcb, call->data);
	return 0;
}

int rill_tcp_info(struct rill_tcp *c, struct rill_tcp_info *ret_info)
{
	struct rill_tcp_call call = {.op = op_info, .data = ret_info};

	return rill_tcp_call_now(c, &call);
}
