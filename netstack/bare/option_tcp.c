/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of IPPROTO_TCP. */
#include "netstack/bare/option.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/tune.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

#define CC_NAME_MAX 16 /* TCP_CA_NAME_MAX */
/* Who asks for more of TCP_DEFER_ACCEPT gets this. */
#define DEFER_SECONDS_MAX 32767

static int change_to(struct rill_socket *so, enum rill_tcp_tunable what, uint64_t value)
{
	struct rill_tcp_change c = {what, value};
	struct rill_tcp_settings *s;

	if (rill_tcp_tune_check(&c, 1) < 0)
		return -EINVAL;
	s = rill_socket_settings_own(so);
	if (!s)
		return -ENOMEM;
	rill_tcp_tune_apply(s, &c, 1);
	rill_socket_settings_changed(so);
	return 0;
}

/* An option of Linux's in units of scale. Nothing negative is in any bounds. */
static int change(struct rill_socket *so, enum rill_tcp_tunable what, int value, uint32_t scale)
{
	return value < 0 ? -EINVAL : change_to(so, what, (uint64_t)value * scale);
}

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
	if (so->conn)
		rill_tcb_set_quickack(&so->conn->tcb, value != 0);
	return 0;
}

/* ---- settings ---- */

static int get_keep_idle(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->keep_idle_ms / 1000);
}

static int set_keep_idle(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_KEEP_IDLE_MS, value, 1000);
}

static int get_keep_interval(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->keep_intvl_ms / 1000);
}

static int set_keep_interval(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_KEEP_INTVL_MS, value, 1000);
}

static int get_keep_count(struct rill_socket *so)
{
	return rill_socket_settings(so)->keep_count;
}

static int set_keep_count(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_KEEP_COUNT, value, 1);
}

static int get_syn_count(struct rill_socket *so)
{
	uint8_t retries = rill_socket_settings(so)->syn_retries;

	return retries ? retries : so->stack->core.env.params.syn_retries;
}

static int set_syn_count(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_SYN_RETRIES, value, 1);
}

static int get_linger2(struct rill_socket *so)
{
	uint32_t ms = rill_socket_settings(so)->linger2_ms;

	return (int)(ms ? ms / 1000 : so->stack->core.env.params.fin_wait2_us / (1000 * 1000));
}

/* 0 is the default again. */
static int set_linger2(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_LINGER2_MS, value, 1000);
}

static int get_defer_accept(struct rill_socket *so)
{
	return (int)(rill_socket_settings(so)->defer_accept_ms / 1000);
}

static int set_defer_accept(struct rill_socket *so, int value)
{
	value = RILL_MIN(RILL_MAX(value, 0), DEFER_SECONDS_MAX);
	return change(so, RILL_TUNE_DEFER_ACCEPT_MS, value, 1000);
}

static int get_window_clamp(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->window_clamp;
}

static int set_window_clamp(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_WINDOW_CLAMP, value, 1);
}

static int get_user_timeout(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->user_timeout_ms;
}

static int set_user_timeout(struct rill_socket *so, int value)
{
	return change(so, RILL_TUNE_USER_TIMEOUT_MS, value, 1);
}

static int get_notsent_lowat(struct rill_socket *so)
{
	return (int)rill_socket_settings(so)->notsent_lowat;
}

/* Linux takes its bits for unsigned ones. */
static int set_notsent_lowat(struct rill_socket *so, int value)
{
	return change_to(so, RILL_TUNE_NOTSENT_LOWAT, (uint32_t)value);
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
	return change(so, RILL_TUNE_MSS_CLAMP, value, 1);
}

/* ---- Fast Open (RFC 7413) ---- */

static int get_fast_open(struct rill_socket *so)
{
	return so->fast_open_queue;
}

/* Of a listener: how many connections with early data may be without a handshake. */
static int set_fast_open(struct rill_socket *so, int value)
{
	if (value < 0 || so->role == RILL_SOCKET_CONNECTION)
		return -EINVAL;
	so->fast_open_queue = value;
	if (so->role == RILL_SOCKET_LISTENER)
		so->acceptor.early_max = (uint32_t)value;
	return 0;
}

static int get_fast_open_no_cookie(struct rill_socket *so)
{
	return rill_socket_settings(so)->fast_open_no_cookie;
}

static int set_fast_open_no_cookie(struct rill_socket *so, int value)
{
	if (so->role == RILL_SOCKET_CONNECTION)
		return -EINVAL;
	return change(so, RILL_TUNE_FAST_OPEN_NO_COOKIE, value, 1);
}

static int get_fast_open_connect(struct rill_socket *so)
{
	return so->fast_open_connect;
}

static int set_fast_open_connect(struct rill_socket *so, int value)
{
	if (value != 0 && value != 1)
		return -EINVAL;
	if (!so->stack->core.env.params.fast_open_client)
		return -EOPNOTSUPP;
	if (so->role != RILL_SOCKET_IDLE)
		return -EINVAL;
	so->fast_open_connect = value == 1;
	return 0;
}

static int get_fast_open_key(struct rill_socket *so, void *value, size_t *len)
{
	const struct rill_fast_open *fo = &so->stack->core.fast_open;

	return rill_option_put(fo->keys, fo->key_count * sizeof(fo->keys[0]), value, len);
}

/* Of the whole stack: one key, or two of which the first makes cookies. */
static int set_fast_open_key(struct rill_socket *so, const void *value, size_t len)
{
	struct rill_fast_open *fo = &so->stack->core.fast_open;

	if (len != sizeof(fo->keys[0]) && len != sizeof(fo->keys))
		return -EINVAL;
	memcpy(fo->keys, value, len);
	fo->key_count = (uint32_t)(len / sizeof(fo->keys[0]));
	return 0;
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
	so->options.cc = cc;
	if (so->role == RILL_SOCKET_LISTENER)
		so->acceptor.options.cc = cc;
	if (so->conn)
		rill_tcp_cc_switch(&so->conn->tcb, &so->stack->core.env, cc,
				   so->stack->core.now_ns);
	return 0;
}

const struct rill_option rill_options_tcp[] = {
	{TCP_CONGESTION, .get_raw = get_congestion, .set_raw = set_congestion},
	{TCP_CORK, .get = get_cork, .set = set_cork},
	{TCP_DEFER_ACCEPT, .get = get_defer_accept, .set = set_defer_accept},
	{TCP_FASTOPEN, .get = get_fast_open, .set = set_fast_open},
	{TCP_FASTOPEN_CONNECT, .get = get_fast_open_connect, .set = set_fast_open_connect},
	{TCP_FASTOPEN_NO_COOKIE, .get = get_fast_open_no_cookie, .set = set_fast_open_no_cookie},
	{TCP_FASTOPEN_KEY, .get_raw = get_fast_open_key, .set_raw = set_fast_open_key},
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
