/* SPDX-License-Identifier: BSD-3-Clause */
/* getsockopt, setsockopt, and the options of SOL_SOCKET and IPPROTO_IP. */
#include "netstack/bare/option.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Linux's SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF, halved as what is set is doubled. */
#define RECV_BUFFER_MIN 1152
#define SEND_BUFFER_MIN 2304
#define BUFFER_MAX (1 << 29)

/* ---- where values live ---- */

const struct rill_tcp_settings *rill_socket_settings(const struct rill_socket *so)
{
	if (so->conn)
		return so->conn->tcb.settings;
	return so->options.settings ? so->options.settings : &so->stack->core.env.settings;
}

struct rill_tcp_settings *rill_socket_settings_own(struct rill_socket *so)
{
	struct rill_core *core = &so->stack->core;
	struct rill_conn_options *o = &so->options;

	if (so->conn)
		return rill_tcp_settings_own(&so->conn->tcb, &core->env);
	if (so->role == RILL_SOCKET_LISTENER)
		o = &so->acceptor.options;
	struct rill_tcp_settings *own = rill_conn_options_own(core, o);

	/* Of a listener, both: the one is what the user reads, the other what accepting uses. */
	if (own && o != &so->options) {
		rill_conn_options_put(core, &so->options);
		so->options.settings = rill_tcp_settings_get(own);
	}
	return own;
}

void rill_socket_settings_changed(struct rill_socket *so)
{
	struct rill_core *core = &so->stack->core;

	if (!so->conn)
		return;
	rill_tcb_settings_changed(&so->conn->tcb, &core->env, core->now_ns);
	rill_conn_touch(so->conn);
}

bool rill_socket_flag(const struct rill_socket *so, uint32_t flag)
{
	return ((so->conn ? so->conn->tcb.flags : so->options.flags) & flag) != 0;
}

static void put_flag(uint32_t *flags, uint32_t flag, bool on)
{
	*flags = on ? *flags | flag : *flags & ~flag;
}

void rill_socket_set_flag(struct rill_socket *so, uint32_t flag, bool on)
{
	put_flag(&so->options.flags, flag, on);
	if (so->role == RILL_SOCKET_LISTENER)
		put_flag(&so->acceptor.options.flags, flag, on);
	if (!so->conn)
		return;
	put_flag(&so->conn->tcb.flags, flag, on);
	/* what was held back may go now */
	rill_conn_touch(so->conn);
}

int rill_option_put(const void *from, size_t n, void *value, size_t *len)
{
	*len = RILL_MIN(*len, n);
	memcpy(value, from, *len);
	return 0;
}

/* ---- SOL_SOCKET ---- */

static int get_accept_conn(struct rill_socket *so)
{
	return so->role == RILL_SOCKET_LISTENER;
}

static int get_broadcast(struct rill_socket *so)
{
	return so->broadcast;
}

static int set_broadcast(struct rill_socket *so, int value)
{
	so->broadcast = value != 0;
	return 0;
}

static int get_domain(struct rill_socket *so)
{
	(void)so;
	return AF_INET;
}

static int get_error(struct rill_socket *so)
{
	return -rill_socket_take_error(so);
}

static int get_keepalive(struct rill_socket *so)
{
	return rill_socket_settings(so)->keepalive;
}

static int set_keepalive(struct rill_socket *so, int value)
{
	struct rill_tcp_settings *s = rill_socket_settings_own(so);

	if (!s)
		return -ENOMEM;
	s->keepalive = value != 0;
	rill_socket_settings_changed(so);
	return 0;
}

static int get_linger(struct rill_socket *so, void *value, size_t *len)
{
	struct linger linger = {
		.l_onoff = rill_socket_flag(so, RILL_TCB_LINGER),
		.l_linger = (int)(rill_socket_settings(so)->linger_ms / 1000),
	};

	return rill_option_put(&linger, sizeof(linger), value, len);
}

static int set_linger(struct rill_socket *so, const void *value, size_t len)
{
	struct rill_tcp_settings *s;
	struct linger linger;

	if (len < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	s = rill_socket_settings_own(so);
	if (!s)
		return -ENOMEM;
	if (linger.l_onoff)
		s->linger_ms =
			(uint32_t)RILL_MIN(RILL_MAX(linger.l_linger, 0), INT32_MAX / 1000) * 1000;
	rill_socket_set_flag(so, RILL_TCB_LINGER, linger.l_onoff != 0);
	return 0;
}

static int get_oob_inline(struct rill_socket *so)
{
	return rill_socket_settings(so)->oob_inline;
}

static int set_oob_inline(struct rill_socket *so, int value)
{
	struct rill_tcp_settings *s = rill_socket_settings_own(so);

	if (!s)
		return -ENOMEM;
	s->oob_inline = value != 0;
	return 0;
}

static int get_protocol(struct rill_socket *so)
{
	return so->stream ? IPPROTO_TCP : IPPROTO_UDP;
}

static int get_type(struct rill_socket *so)
{
	return so->stream ? SOCK_STREAM : SOCK_DGRAM;
}

static uint32_t either(uint32_t set, uint32_t otherwise)
{
	return set ? set : otherwise;
}

static int get_recv_buffer(struct rill_socket *so)
{
	const struct rill_tcp_params *params = &so->stack->core.env.params;

	if (so->conn)
		return (int)so->conn->tcb.rcv_buf_max * 2;
	return (int)either(so->options.recv_buffer, params->recv_buffer) * 2;
}

static int set_recv_buffer(struct rill_socket *so, int value)
{
	uint32_t bytes = (uint32_t)RILL_MIN(RILL_MAX(value, RECV_BUFFER_MIN), BUFFER_MAX);

	so->options.recv_buffer = bytes;
	if (so->role == RILL_SOCKET_LISTENER)
		so->acceptor.options.recv_buffer = bytes;
	if (so->conn)
		rill_tcb_set_recv_buffer(&so->conn->tcb, bytes);
	if (!so->stream && so->bound)
		so->udp.queue.max = bytes;
	return 0;
}

static int get_send_buffer(struct rill_socket *so)
{
	const struct rill_tcp_params *params = &so->stack->core.env.params;

	if (so->conn)
		return (int)so->conn->tcb.snd_buf_max * 2;
	return (int)either(so->options.send_buffer, params->send_buffer) * 2;
}

static int set_send_buffer(struct rill_socket *so, int value)
{
	uint32_t bytes = (uint32_t)RILL_MIN(RILL_MAX(value, SEND_BUFFER_MIN), BUFFER_MAX);

	so->options.send_buffer = bytes;
	if (so->role == RILL_SOCKET_LISTENER)
		so->acceptor.options.send_buffer = bytes;
	if (so->conn)
		rill_tcb_set_send_buffer(&so->conn->tcb, bytes);
	return 0;
}

static int get_recv_low_water(struct rill_socket *so)
{
	return so->recv_low_water;
}

static int set_recv_low_water(struct rill_socket *so, int value)
{
	so->recv_low_water = value > 0 ? value : value < 0 ? INT32_MAX : 1;
	return 0;
}

static int get_reuse_addr(struct rill_socket *so)
{
	return so->reuse_addr;
}

static int set_reuse_addr(struct rill_socket *so, int value)
{
	so->reuse_addr = value != 0;
	return 0;
}

static int get_reuse_port(struct rill_socket *so)
{
	return so->reuse_port;
}

static int set_reuse_port(struct rill_socket *so, int value)
{
	so->reuse_port = value != 0;
	return 0;
}

const struct rill_option rill_options_socket[] = {
	{SO_ACCEPTCONN, .get = get_accept_conn},
	{SO_BROADCAST, .get = get_broadcast, .set = set_broadcast},
	{SO_DOMAIN, .get = get_domain},
	{SO_ERROR, .get = get_error},
	{SO_KEEPALIVE, .get = get_keepalive, .set = set_keepalive},
	{SO_LINGER, .get_raw = get_linger, .set_raw = set_linger},
	{SO_OOBINLINE, .get = get_oob_inline, .set = set_oob_inline},
	{SO_PROTOCOL, .get = get_protocol},
	{SO_RCVBUF, .get = get_recv_buffer, .set = set_recv_buffer},
	{SO_RCVLOWAT, .get = get_recv_low_water, .set = set_recv_low_water},
	{SO_REUSEADDR, .get = get_reuse_addr, .set = set_reuse_addr},
	{SO_REUSEPORT, .get = get_reuse_port, .set = set_reuse_port},
	{SO_SNDBUF, .get = get_send_buffer, .set = set_send_buffer},
	{SO_TYPE, .get = get_type},
	{0},
};

/* ---- IPPROTO_IP ---- */

static int get_tos(struct rill_socket *so)
{
	return rill_socket_settings(so)->tos;
}

/* The lowest two bits are TCP's own (ECN). */
static int set_tos(struct rill_socket *so, int value)
{
	struct rill_tcp_settings *s = rill_socket_settings_own(so);

	if (!s)
		return -ENOMEM;
	s->tos = (uint8_t)(so->stream ? value & ~3 : value);
	return 0;
}

static int get_ttl(struct rill_socket *so)
{
	uint8_t ttl = rill_socket_settings(so)->ttl;

	return ttl ? ttl : RILL_IP_TTL_DEFAULT;
}

static int set_ttl(struct rill_socket *so, int value)
{
	struct rill_tcp_settings *s;

	if (value != -1 && (value < 1 || value > UINT8_MAX))
		return -EINVAL;
	s = rill_socket_settings_own(so);
	if (!s)
		return -ENOMEM;
	s->ttl = value == -1 ? 0 : (uint8_t)value;
	return 0;
}

static const struct rill_option options_ip[] = {
	{IP_TOS, .get = get_tos, .set = set_tos},
	{IP_TTL, .get = get_ttl, .set = set_ttl},
	{0},
};

/* ---- the calls ---- */

static const struct rill_option *find(const struct rill_socket *so, int level, int name)
{
	const struct rill_option *o = level == SOL_SOCKET    ? rill_options_socket
				      : level == IPPROTO_TCP ? rill_options_tcp
				      : level == IPPROTO_IP  ? options_ip
							     : NULL;

	if (!o || (level == IPPROTO_TCP && !so->stream))
		return NULL;
	for (; o->get || o->get_raw || o->set; o++)
		if (o->name == name)
			return o;
	return NULL;
}

int rill_stack_getsockopt(const struct rill_stack *s, int fd, int level, int name, void *value,
			  size_t *len)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	const struct rill_option *o;
	int number;

	if (!so)
		return -EBADF;
	o = find(so, level, name);
	if (!o || (!o->get && !o->get_raw))
		return -ENOPROTOOPT;
	if (o->get_raw)
		return o->get_raw(so, value, len);
	number = o->get(so);
	return rill_option_put(&number, sizeof(number), value, len);
}

static int set_option(struct rill_socket *so, const struct rill_option *o, const void *value,
		      size_t len)
{
	int number;

	if (o->set_raw)
		return o->set_raw(so, value, len);
	if (!o->set)
		return -ENOPROTOOPT;
	if (len < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	return o->set(so, number);
}

int rill_stack_setsockopt(struct rill_stack *s, int fd, int level, int name, const void *value,
			  size_t len)
{
	struct rill_socket *so = rill_socket_of(s, fd);
	const struct rill_option *o;
	int r;

	if (!so)
		return -EBADF;
	o = find(so, level, name);
	if (!o)
		return -ENOPROTOOPT;
	rill_stack_enter(s);
	r = set_option(so, o, value, len);
	rill_stack_leave(s);
	return r;
}
