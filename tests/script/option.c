/* SPDX-License-Identifier: BSD-3-Clause */
/* setsockopt NAME VALUE ... [= result], getsockopt NAME = VALUE ... */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "call.h"
#include "constants.h"
#include "number.h"
#include "print.h"

#define VALUE_MAX 256

enum value_kind {
	VALUE_INT,
	VALUE_LINGER, /* ON SECONDS */
	VALUE_TEXT,
	VALUE_HEX,
};

struct value {
	uint8_t bytes[VALUE_MAX];
	size_t len;
};

#define OPTION(level, name)                                                                        \
	{                                                                                          \
#name, level, name, VALUE_INT                                                      \
	}

static const struct option {
	const char *name;
	int level, number;
	enum value_kind kind;
} options[] = {
	OPTION(SOL_SOCKET, SO_ACCEPTCONN),
	OPTION(SOL_SOCKET, SO_BROADCAST),
	OPTION(SOL_SOCKET, SO_DOMAIN),
	OPTION(SOL_SOCKET, SO_ERROR),
	OPTION(SOL_SOCKET, SO_KEEPALIVE),
	{"SO_LINGER", SOL_SOCKET, SO_LINGER, VALUE_LINGER},
	OPTION(SOL_SOCKET, SO_OOBINLINE),
	OPTION(SOL_SOCKET, SO_PROTOCOL),
	OPTION(SOL_SOCKET, SO_RCVBUF),
	OPTION(SOL_SOCKET, SO_RCVLOWAT),
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_REUSEPORT),
	OPTION(SOL_SOCKET, SO_SNDBUF),
	OPTION(SOL_SOCKET, SO_TYPE),
	OPTION(SOL_SOCKET, SO_DEBUG),
	OPTION(IPPROTO_IP, IP_TOS),
	OPTION(IPPROTO_IP, IP_TTL),
	{"TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION, VALUE_TEXT},
	OPTION(IPPROTO_TCP, TCP_CORK),
	OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	OPTION(IPPROTO_TCP, TCP_FASTOPEN),
	OPTION(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
	{"TCP_FASTOPEN_KEY", IPPROTO_TCP, TCP_FASTOPEN_KEY, VALUE_HEX},
	OPTION(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE),
	OPTION(IPPROTO_TCP, TCP_INQ),
	OPTION(IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(IPPROTO_TCP, TCP_LINGER2),
	OPTION(IPPROTO_TCP, TCP_MAXSEG),
	OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(IPPROTO_TCP, TCP_QUICKACK),
	OPTION(IPPROTO_TCP, TCP_SYNCNT),
	OPTION(IPPROTO_TCP, TCP_TIMESTAMP),
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
	OPTION(IPPROTO_TCP, TCP_MD5SIG),
};

static const struct option *find_option(const struct call *c)
{
	for (size_t i = 0; c->arg_count && i < sizeof(options) / sizeof(*options); i++)
		if (strcmp(options[i].name, c->args[0]) == 0)
			return &options[i];
	world_fail(c->w, "unknown option");
}

static void put_ints(const struct call *c, struct value *v, char *const *words, unsigned count)
{
	for (unsigned i = 0; i < count && v->len + sizeof(int) <= VALUE_MAX; i++) {
		int64_t number;
		int n;

		if (!constants_parse(words[i], &number))
			world_fail(c->w, "not a number: %s", words[i]);
		n = (int)number;
		memcpy(v->bytes + v->len, &n, sizeof(n));
		v->len += sizeof(n);
	}
}

static void make_value(const struct call *c, const struct option *o, struct value *v,
		       char *const *words, unsigned count)
{
	int n;

	v->len = 0;
	switch (o->kind) {
	case VALUE_TEXT:
		if (count == 1)
			v->len = (size_t)snprintf((char *)v->bytes, VALUE_MAX, "%s", words[0]);
		break;
	case VALUE_HEX:
		n = count == 1 ? number_hex(words[0], v->bytes, VALUE_MAX) : -1;
		if (n < 0)
			world_fail(c->w, "no hexadecimal digits");
		v->len = (size_t)n;
		break;
	default:
		put_ints(c, v, words, count);
	}
}

void call_setsockopt(const struct call *c)
{
	const struct option *o = find_option(c);
	struct value v;

	make_value(c, o, &v, c->args + 1, c->arg_count - 1);
	call_result(c,
		    rill_stack_setsockopt(c->w->stack, c->socket ? c->socket->fd : -1, o->level,
					  o->number, v.bytes, v.len),
		    0);
}

static void print_value(const struct option *o, const struct value *v, char *out, size_t size)
{
	size_t used = 0;

	*out = 0;
	if (o->kind == VALUE_TEXT)
		snprintf(out, size, "%.*s", (int)v->len, (const char *)v->bytes);
	for (size_t i = 0; o->kind == VALUE_HEX && i < v->len && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%02x", v->bytes[i]);
	for (size_t i = 0; o->kind < VALUE_TEXT && i + 4 <= v->len && used < size; i += 4) {
		int n;

		memcpy(&n, v->bytes + i, sizeof(n));
		used += (size_t)snprintf(out + used, size - used, "%s%d", i ? " " : "", n);
	}
}

static bool value_is(const struct option *o, const struct value *got, const struct value *want)
{
	size_t len = want->len;

	/* Texts come with all the zeros of their field. */
	if (o->kind == VALUE_TEXT)
		return strncmp((const char *)got->bytes, (const char *)want->bytes, VALUE_MAX) == 0;
	return got->len == len && memcmp(got->bytes, want->bytes, len) == 0;
}

void call_getsockopt(const struct call *c)
{
	const struct option *o = find_option(c);
	struct value got = {.len = o->kind == VALUE_INT ? sizeof(int) : VALUE_MAX - 1}, want = {0};
	char text[2 * VALUE_MAX + 1];
	struct number_range range;
	int err = rill_stack_getsockopt(c->w->stack, c->socket ? c->socket->fd : -1, o->level,
					o->number, got.bytes, &got.len);

	/* A negative result is the call's, others are values. */
	if (err < 0 || (c->result_count == 1 && c->results[0][0] == '-' && o->kind < VALUE_TEXT)) {
		call_result(c, err, 0);
		return;
	}
	print_value(o, &got, text, sizeof(text));
	if (o->kind == VALUE_INT && c->result_count == 1 && number_range(c->results[0], &range)) {
		int n;

		memcpy(&n, got.bytes, sizeof(n));
		if (got.len != sizeof(n) || !number_in(range, n))
			world_fail(c->w, "it is %s", text);
		return;
	}
	make_value(c, o, &want, c->results, c->result_count);
	if (!value_is(o, &got, &want))
		world_fail(c->w, "it is %s", text);
}
