/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of IPPROTO_TCP. */
#include "netstack/bare/option.h"
#include "netstack/tcp/cc.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

#define CC_NAME_MAX 16		/* TCP_CA_NAME_MAX */
#define MSS_MIN 88		/* TCP_MIN_MSS */
#define MSS_MAX 32767		/* MAX_TCP_WINDOW */
#define KEEP_SECONDS_MAX 32767	/* MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL */
#define KEEP_COUNT_MAX 127	/* MAX_TCP_KEEPCNT */
#define SYN_COUNT_MAX 127	/* MAX_TCP_SYNCNT */
#define LINGER2_SECONDS_MAX 120 /* TCP_FIN_TIMEOUT_MAX */

/* A change of settings. */
#define CHANGE(so, field, value)                                                                   \
	({                                                                                         \
		struct rill_tcp_settings *change_ = rill_socket_settings_own(so);                  \
		if (change_)                                                                       \
			change_->field = (value);                                                  \
		rill_socket_settings_changed(so);                                                  \
		change_ ? 0 : -ENOMEM;                                                             \
	})

/* ---- flags ---- */

static int get_nodelay(struct rill_socket *so)
{
	return rill_socket_flag(so, RILL_TCB_NODELAY);
}

static int set_nodelay(struct rill_socket *so, int value)
{
	rill_socket_set_flag(so, RILL_TCB_NODELAY, value != 0);
	return 0;
}

static int get_cork(struct rill_socket *so)
{
	return rill_socket_flag(so, RILL_TCB_CORK);
}

static int set_cork(struct rill_socket *so, int value)
{
	rill_socket_set_flag(so, RILL_TCB_CORK, value != 0);
	return 0;
}

static int get_quickack(struct rill_socket *so)
{
	return rill_socket_flag(so, RILL_TCB_QUICK) || (so->conn && so->conn->tcb.quick_acks > 0);
}

/* Turned on it also answers what is waiting. */
static int set_quickack(struct rill_socket *so, int value)
{
	rill_socket_set_flag(so, RILL_TCB_QUICK, value != 0);
	if (!so->conn)
		return 0;
	if (!value)
		so->conn->tcb.quick_acks = 0;
	else if (so->conn->tcb.ack_at != RILL_FOREVER)
		so->conn->tcb.flags |= RILL_TCB_ACK_NOW;
	return 0;
}

/* ---- settings ---- */

static int get_keep_idle(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->keep_idle_ms / 1000);
}

static int set_keep_idle(struct rill_socket *so, int value)
{
	if (value < 1 || value > KEEP_SECONDS_MAX)
		return -EINVAL;
	return CHANGE(so, keep_idle_ms, (uint32_t)value * 1000);
}

static int get_keep_interval(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->keep_intvl_ms / 1000);
}

static int set_keep_interval(struct rill_socket *so, int value)
{
	if (value < 1 || value > KEEP_SECONDS_MAX)
		return -EINVAL;
	return CHANGE(so, keep_intvl_ms, (uint32_t)value * 1000);
}

static int get_keep_count(struct rill_socket *so)
{
	return rill_socket_settings(so)->keep_count;
}

static int set_keep_count(struct rill_socket *so, int value)
{
	if (value < 1 || value > KEEP_COUNT_MAX)
		return -EINVAL;
	return CHANGE(so, keep_count, (uint8_t)value);
}

static int get_syn_count(struct rill_socket *so)
{
	uint8_t retries = rill_socket_settings(so)->syn_retries;

	return retries ? retries : so->stack->core.env.params.syn_retries;
}

static int set_syn_count(struct rill_socket *so, int value)
{
	if (value < 1 || value > SYN_COUNT_MAX)
		return -EINVAL;
	return CHANGE(so, syn_retries, (uint8_t)value);
}

static int get_linger2(struct rill_socket *so)
{
	uint32_t ms = rill_socket_settings(so)->linger2_ms;

	return (int)(ms ? ms / 1000 : so->stack->core.env.params.fin_wait2_us / (1000 * 1000));
}

/* 0 is the default again. */
static int set_linger2(struct rill_socket *so, int value)
{
	if (value < 0 || value > LINGER2_SECONDS_MAX)
		return -EINVAL;
	return CHANGE(so, linger2_ms, (uint32_t)value * 1000);
}

static int get_defer_accept(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->defer_accept_ms / 1000);
}

static int set_defer_accept(struct rill_socket *so, int value)
{
	uint32_t seconds = (uint32_t)RILL_MIN(RILL_MAX(value, 0), KEEP_SECONDS_MAX);

	return CHANGE(so, defer_accept_ms, seconds * 1000);
}

static int get_window_clamp(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->window_clamp;
}

static int set_window_clamp(struct rill_socket *so, int value)
{
	if (value < 0)
		return -EINVAL;
	return CHANGE(so, window_clamp, (uint32_t)value);
}

static int get_user_timeout(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->user_timeout_ms;
}

static int set_user_timeout(struct rill_socket *so, int value)
{
	if (value < 0)
		return -EINVAL;
	return CHANGE(so, user_timeout_ms, (uint32_t)value);
}

static int get_notsent_lowat(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->notsent_lowat;
}

static int set_notsent_lowat(struct rill_socket *so, int value)
{
	return CHANGE(so, notsent_lowat, (uint32_t)value);
}

/* Of a connection, what it sends; else what was set, or Linux's word for nothing. */
static int get_maxseg(struct rill_socket *so)
{
	uint16_t clamp = rill_socket_settings(so)->mss_clamp;

	if (so->conn && so->conn->tcb.state > RILL_TCP_SYN_RCVD)
		return so->conn->tcb.snd_mss;
	return clamp ? clamp : TCP_MSS_DEFAULT;
}

static int set_maxseg(struct rill_socket *so, int value)
{
	if (value != 0 && (value < MSS_MIN || value > MSS_MAX))
		return -EINVAL;
	return CHANGE(so, mss_clamp, (uint16_t)value);
}

/* ---- the rest ---- */

static int get_timestamp(struct rill_socket *so)
{
	if (!so->conn)
		return 0;
	/* RFC 7323, 5.4: of a millisecond clock, with the connection's own offset. */
	return (int)((uint32_t)(so->stack->core.now_ns / RILL_MS) + so->conn->tcb.ts_offset);
}

static int get_inq(struct rill_socket *so)
{
	return so->inq;
}

static int set_inq(struct rill_socket *so, int value)
{
	if (value != 0 && value != 1)
		return -EINVAL;
	so->inq = value == 1;
	return 0;
}

static const struct rill_tcp_cc *congestion_of(const struct rill_socket *so)
{
	if (so->conn)
		return so->conn->tcb.cc;
	return so->options.cc ? so->options.cc : so->stack->core.env.cc;
}

static int get_congestion(struct rill_socket *so, void *value, size_t *len)
{
	char name[CC_NAME_MAX] = "";

	memccpy(name, congestion_of(so)->name, '\0', sizeof(name) - 1);
	return rill_option_put(name, sizeof(name), value, len);
}

static int set_congestion(struct rill_socket *so, const void *value, size_t len)
{
	char name[CC_NAME_MAX] = "";
	const struct rill_tcp_cc *cc;

	if (len < 1)
		return -EINVAL;
	memcpy(name, value, RILL_MIN(len, sizeof(name) - 1));
	cc = rill_tcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	/* What one algorithm keeps means nothing to another. */
	if (so->conn && so->conn->tcb.x && so->conn->tcb.cc != cc)
		return -EBUSY;
	so->options.cc = cc;
	if (so->role == RILL_SOCKET_LISTENER)
		so->acceptor.options.cc = cc;
	if (so->conn)
		so->conn->tcb.cc = cc;
	return 0;
}

const struct rill_option rill_options_tcp[] = {
	{TCP_CONGESTION, .get_raw = get_congestion, .set_raw = set_congestion},
	{TCP_CORK, .get = get_cork, .set = set_cork},
	{TCP_DEFER_ACCEPT, .get = get_defer_accept, .set = set_defer_accept},
	{TCP_INFO, .get_raw = rill_socket_info},
	{TCP_INQ, .get = get_inq, .set = set_inq},
	{TCP_KEEPCNT, .get = get_keep_count, .set = set_keep_count},
	{TCP_KEEPIDLE, .get = get_keep_idle, .set = set_keep_idle},
	{TCP_KEEPINTVL, .get = get_keep_interval, .set = set_keep_interval},
	{TCP_LINGER2, .get = get_linger2, .set = set_linger2},
	{TCP_MAXSEG, .get = get_maxseg, .set = set_maxseg},
	{TCP_NODELAY, .get = get_nodelay, .set = set_nodelay},
	{TCP_NOTSENT_LOWAT, .get = get_notsent_lowat, .set = set_notsent_lowat},
	{TCP_QUICKACK, .get = get_quickack, .set = set_quickack},
	{TCP_SYNCNT, .get = get_syn_count, .set = set_syn_count},
	{TCP_TIMESTAMP, .get = get_timestamp},
	{TCP_USER_TIMEOUT, .get = get_user_timeout, .set = set_user_timeout},
	{TCP_WINDOW_CLAMP, .get = get_window_clamp, .set = set_window_clamp},
	{0},
};
