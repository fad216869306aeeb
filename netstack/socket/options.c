/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/socket/options.h"

#include <errno.h>
#include <string.h>

#include "netstack/tcp/cc.h"

/* MUST-28 and what Linux has. */
#define KEEP_IDLE_MS (2 * 60 * 60 * 1000)
#define KEEP_INTERVAL_MS (75 * 1000)
#define KEEP_COUNT 9

/* Keep-alive, and five more. */
#define CHANGES_MAX (RILL_TCP_KEEPALIVE_CHANGES + 5)

static uint32_t either(uint32_t set, uint32_t otherwise)
{
	return set ? set : otherwise;
}

unsigned rill_tcp_keepalive_changes(const struct rill_tcp_keepalive *k,
				    struct rill_tcp_change *ret_changes)
{
	const struct rill_tcp_change changes[RILL_TCP_KEEPALIVE_CHANGES] = {
		{RILL_TUNE_KEEPALIVE, true},
		{RILL_TUNE_KEEP_IDLE_MS, either(k->idle_ms, KEEP_IDLE_MS)},
		{RILL_TUNE_KEEP_INTVL_MS, either(k->interval_ms, KEEP_INTERVAL_MS)},
		{RILL_TUNE_KEEP_COUNT, either(k->count, KEEP_COUNT)},
	};

	memcpy(ret_changes, changes, sizeof(changes));
	return RILL_TCP_KEEPALIVE_CHANGES;
}

static unsigned changes_of(const struct rill_tcp_options *o, struct rill_tcp_change *changes)
{
	const struct rill_tcp_change single[] = {
		{RILL_TUNE_MSS_CLAMP, o->max_segment},
		{RILL_TUNE_TOS, o->tos},
		{RILL_TUNE_TTL, o->ttl},
		{RILL_TUNE_USER_TIMEOUT_MS, o->user_timeout_ms},
	};
	unsigned n = o->keepalive ? rill_tcp_keepalive_changes(o->keepalive, changes) : 0;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(single); i++)
		if (single[i].value != 0)
			changes[n++] = single[i];
	return n;
}

static bool buffers_good(const struct rill_tcp_options *o)
{
	return o->send_buffer <= RILL_TCP_BUFFER_MAX && o->recv_buffer <= RILL_TCP_BUFFER_MAX;
}

int rill_tcp_options_read(const struct rill_tcp_options *in, struct rill_tcp_options *ret_o,
			  struct rill_conn_options *ret_conn)
{
	struct rill_tcp_change changes[CHANGES_MAX];
	struct rill_tcp_options o = {0};
	const struct rill_tcp_cc *cc = NULL;

	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!buffers_good(&o) || (!o.early && o.early_len > 0))
		return -EINVAL;
	if (rill_tcp_tune_check(changes, changes_of(&o, changes)) < 0)
		return -EINVAL;
	if (o.congestion) {
		cc = rill_tcp_cc_find(o.congestion);
		if (!cc)
			return -ENOENT;
	}
	if (o.backlog == 0)
		o.backlog = RILL_TCP_BACKLOG_DEFAULT;
	*ret_o = o;
	*ret_conn = (struct rill_conn_options){
		.send_buffer = o.send_buffer,
		.recv_buffer = o.recv_buffer,
		.flags = o.nodelay ? RILL_TCB_NODELAY : 0,
		.cc = cc,
	};
	return 0;
}

int rill_tcp_options_settle(const struct rill_tcp_options *o, struct rill_core *core,
			    struct rill_conn_options *conn)
{
	struct rill_tcp_change changes[CHANGES_MAX];
	unsigned n = changes_of(o, changes);
	struct rill_tcp_settings *s;

	if (n == 0)
		return 0;
	s = rill_conn_options_own(core, conn);
	if (!s)
		return -ENOMEM;
	rill_tcp_tune_apply(s, changes, n);
	return 0;
}
