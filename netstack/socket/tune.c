/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a connection, one call for each. */
#include <errno.h>
#include <string.h>

#include "netstack/ip/l3.h"
#include "netstack/socket/options.h"
#include "netstack/socket/tcp.h"
#include "netstack/tcp/autotune.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/tune.h"

/* ---- settings ---- */

static int op_tune(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	int r = rill_tcb_tune(&c->conn.tcb, &sh->core.env, call->data, (unsigned)call->len,
			      sh->core.now_ns);

	if (r == 0)
		rill_conn_touch(&c->conn);
	return r;
}

static int tune_all(struct rill_tcp *c, struct rill_tcp_change *changes, size_t count)
{
	struct rill_tcp_call call = {.op = op_tune, .data = changes, .len = count};

	return rill_tcp_call_now(c, &call);
}

static int tune(struct rill_tcp *c, enum rill_tcp_tunable what, uint64_t value)
{
	struct rill_tcp_change change = {what, value};

	return tune_all(c, &change, 1);
}

int rill_tcp_set_keepalive(struct rill_tcp *c, const struct rill_tcp_keepalive *k)
{
	struct rill_tcp_change changes[RILL_TCP_KEEPALIVE_CHANGES];

	if (!k)
		return tune(c, RILL_TUNE_KEEPALIVE, false);
	return tune_all(c, changes, rill_tcp_keepalive_changes(k, changes));
}

int rill_tcp_set_user_timeout(struct rill_tcp *c, uint32_t ms)
{
	return tune(c, RILL_TUNE_USER_TIMEOUT_MS, ms);
}

int rill_tcp_set_user_timeout_option(struct rill_tcp *c, uint32_t ms)
{
	return tune(c, RILL_TUNE_UTO_MS, ms);
}

int rill_tcp_set_max_pacing_rate(struct rill_tcp *c, uint64_t rate)
{
	return tune(c, RILL_TUNE_MAX_PACING_RATE, rate);
}

int rill_tcp_set_notsent_lowat(struct rill_tcp *c, uint32_t bytes)
{
	return tune(c, RILL_TUNE_NOTSENT_LOWAT, bytes);
}

int rill_tcp_set_window_clamp(struct rill_tcp *c, uint32_t bytes)
{
	return tune(c, RILL_TUNE_WINDOW_CLAMP, bytes);
}

int rill_tcp_set_max_segment(struct rill_tcp *c, uint16_t bytes)
{
	return tune(c, RILL_TUNE_MSS_CLAMP, bytes);
}

int rill_tcp_set_tos(struct rill_tcp *c, uint8_t tos)
{
	return tune(c, RILL_TUNE_TOS, tos);
}

int rill_tcp_set_ttl(struct rill_tcp *c, uint8_t ttl)
{
	return tune(c, RILL_TUNE_TTL, ttl);
}

int rill_tcp_set_oob_inline(struct rill_tcp *c, bool on)
{
	return tune(c, RILL_TUNE_OOB_INLINE, on);
}

/* ---- flags ---- */

static void put_flag(struct rill_tcp *c, uint32_t flag, bool on)
{
	struct rill_tcb *tcb = &c->conn.tcb;

	tcb->flags = on ? tcb->flags | flag : tcb->flags & ~flag;
	/* what was held back may go now */
	rill_conn_touch(&c->conn);
}

static int op_nodelay(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	put_flag(c, RILL_TCB_NODELAY, call->len != 0);
	return 0;
}

int rill_tcp_set_nodelay(struct rill_tcp *c, bool on)
{
	struct rill_tcp_call call = {.op = op_nodelay, .len = on};

	return rill_tcp_call_now(c, &call);
}

static int op_cork(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	put_flag(c, RILL_TCB_CORK, call->len != 0);
	return 0;
}

int rill_tcp_set_cork(struct rill_tcp *c, bool on)
{
	struct rill_tcp_call call = {.op = op_cork, .len = on};

	return rill_tcp_call_now(c, &call);
}

static int op_quickack(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	rill_tcb_set_quickack(&c->conn.tcb, call->len != 0);
	rill_conn_touch(&c->conn);
	return 0;
}

int rill_tcp_set_quickack(struct rill_tcp *c, bool on)
{
	struct rill_tcp_call call = {.op = op_quickack, .len = on};

	return rill_tcp_call_now(c, &call);
}

static int op_linger(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	int32_t ms = *(const int32_t *)call->data;
	struct rill_tcp_change change = {RILL_TUNE_LINGER_MS, (uint64_t)RILL_MAX(ms, 0)};
	int r = rill_tcb_tune(&c->conn.tcb, &sh->core.env, &change, 1, sh->core.now_ns);

	if (r == 0)
		put_flag(c, RILL_TCB_LINGER, ms >= 0);
	return r;
}

int rill_tcp_set_linger(struct rill_tcp *c, int32_t ms)
{
	struct rill_tcp_call call = {.op = op_linger, .data = &ms};

	return rill_tcp_call_now(c, &call);
}

/* ---- buffers, congestion control ---- */

static int op_send_buffer(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	rill_tcb_set_send_buffer(&c->conn.tcb, (uint32_t)call->len);
	if (rill_tcb_writable(&c->conn.tcb))
		c->conn.tcb.events |= RILL_TCB_WRITABLE;
	rill_conn_touch(&c->conn);
	return 0;
}

int rill_tcp_set_send_buffer(struct rill_tcp *c, uint32_t bytes)
{
	struct rill_tcp_call call = {.op = op_send_buffer, .len = bytes};

	if (bytes < RILL_TCP_BUFFER_MIN || bytes > RILL_TCP_BUFFER_MAX)
		return -EINVAL;
	return rill_tcp_call_now(c, &call);
}

static int op_recv_buffer(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	rill_tcb_set_recv_buffer(&c->conn.tcb, (uint32_t)call->len);
	rill_conn_touch(&c->conn);
	return 0;
}

int rill_tcp_set_recv_buffer(struct rill_tcp *c, uint32_t bytes)
{
	struct rill_tcp_call call = {.op = op_recv_buffer, .len = bytes};

	if (bytes < RILL_TCP_BUFFER_MIN || bytes > RILL_TCP_BUFFER_MAX)
		return -EINVAL;
	return rill_tcp_call_now(c, &call);
}

static int op_congestion(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	rill_tcp_cc_switch(&c->conn.tcb, &sh->core.env, call->sender, sh->core.now_ns);
	rill_conn_touch(&c->conn);
	return 0;
}

int rill_tcp_set_congestion(struct rill_tcp *c, const char *name)
{
	const struct rill_tcp_cc *cc = rill_tcp_cc_find(name);
	struct rill_tcp_call call = {.op = op_congestion, .sender = cc};

	return cc ? rill_tcp_call_now(c, &call) : -ENOENT;
}

/* ---- reading them back ---- */

static void read_flags(const struct rill_tcb *tcb, struct rill_tcp_values *v)
{
	bool lingers = (tcb->flags & RILL_TCB_LINGER) != 0;

	v->nodelay = (tcb->flags & RILL_TCB_NODELAY) != 0;
	v->cork = (tcb->flags & RILL_TCB_CORK) != 0;
	v->quickack = (tcb->flags & RILL_TCB_QUICK) != 0 || tcb->quick_acks > 0;
	v->linger_ms = lingers ? (int32_t)tcb->settings->linger_ms : -1;
	v->send_buffer = tcb->snd_buf_max;
	v->recv_buffer = tcb->rcv_buf_max;
	v->send_buffer_fixed = (tcb->buf_locks & RILL_TCP_SNDBUF_LOCK) != 0;
	v->recv_buffer_fixed = (tcb->buf_locks & RILL_TCP_RCVBUF_LOCK) != 0;
	v->congestion = tcb->cc->name;
}

static void read_settings(const struct rill_tcp_settings *s, struct rill_tcp_values *v)
{
	v->keepalive_on = s->keepalive;
	v->keepalive.idle_ms = s->keep_idle_ms;
	v->keepalive.interval_ms = s->keep_intvl_ms;
	v->keepalive.count = s->keep_count;
	v->user_timeout_ms = s->user_timeout_ms;
	v->max_pacing_rate = s->max_pacing_rate;
	v->notsent_lowat = s->notsent_lowat;
	v->window_clamp = s->window_clamp;
	v->max_segment = s->mss_clamp;
	v->tos = s->tos;
	v->ttl = s->ttl ? s->ttl : RILL_IP_TTL_DEFAULT;
	v->oob_inline = s->oob_inline;
}

static int op_values(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)sh;
	read_flags(&c->conn.tcb, call->data);
	read_settings(c->conn.tcb.settings, call->data);
	return 0;
}

int rill_tcp_get_options(struct rill_tcp *c, struct rill_tcp_values *ret_values)
{
	struct rill_tcp_values v = {.size = ret_values->size};
	struct rill_tcp_call call = {.op = op_values, .data = &v};

	if (v.size < sizeof(v.size))
		return -EINVAL;
	rill_tcp_call_now(c, &call);
	memcpy(ret_values, &v, RILL_MIN(v.size, sizeof(v)));
	return 0;
}
