/* SPDX-License-Identifier: BSD-3-Clause */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "constants.h"
#include "number.h"
#include "print.h"

#define DATA_MAX (16 << 20)

/* ---- arguments and results ---- */

int64_t call_number(const struct call *c, unsigned i)
{
	int64_t value;

	if (i >= c->arg_count)
		world_fail(c->w, "an argument is missing");
	if (!constants_parse(c->args[i], &value))
		world_fail(c->w, "not a number: %s", c->args[i]);
	return value;
}

void call_result(const struct call *c, int64_t got, int64_t otherwise)
{
	struct number_range range;
	int64_t want = otherwise;

	if (c->result_count > 1)
		world_fail(c->w, "one result, please");
	if (c->result_count == 1 && number_range(c->results[0], &range)) {
		if (number_in(range, got))
			return;
	} else if (c->result_count == 1 && !constants_parse(c->results[0], &want)) {
		world_fail(c->w, "not a result: %s", c->results[0]);
	} else if (got == want) {
		return;
	}
	if (got < 0)
		world_fail(c->w, "returned %s", print_errno((int)got));
	world_fail(c->w, "returned %lld", (long long)got);
}

/* A file descriptor that is no socket when there is none: calls on it get -EBADF. */
static int fd_of(const struct call *c)
{
	return c->socket ? c->socket->fd : -1;
}

static bool has_word(const struct call *c, const char *word)
{
	for (unsigned i = 0; i < c->arg_count; i++)
		if (strcmp(c->args[i], word) == 0)
			return true;
	return false;
}

static int flags_of(const struct call *c)
{
	static const struct {
		const char *word;
		int flag;
	} words[] = {{"more", MSG_MORE},	 {"oob", MSG_OOB},
		     {"fastopen", MSG_FASTOPEN}, {"peek", MSG_PEEK},
		     {"trunc", MSG_TRUNC},	 {"waitall", MSG_WAITALL},
		     {"eor", MSG_EOR},		 {"dontroute", MSG_DONTROUTE}};
	int flags = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (has_word(c, words[i].word))
			flags |= words[i].flag;
	return flags;
}

static struct rill_addr make_addr(uint32_t ip, uint16_t port)
{
	struct rill_addr a = {.ip.family = RILL_AF_IP4, .port = port};

	packet_put32(a.ip.bytes, ip);
	return a;
}

/* @2, or 198.18.0.2:80, or none; flow 1 without any. */
static struct rill_addr remote_of(const struct call *c)
{
	const struct world_flow *f = &c->w->flows[1];
	struct rill_addr a;
	int64_t n;

	for (unsigned i = 0; i < c->arg_count; i++) {
		if (strcmp(c->args[i], "none") == 0)
			return (struct rill_addr){0};
		if (strchr(c->args[i], '.') && rill_addr_parse(c->args[i], &a) == 0)
			return a;
		if (c->args[i][0] == '@' && number_whole(c->args[i] + 1, &n))
			f = world_flow(c->w, n);
	}
	return make_addr(f->peer_ip, f->peer_port);
}

/* ---- calls ---- */

/* A new socket, which keeps the name that the script has for it. */
static void begin_socket(struct world_socket *s, int fd)
{
	s->fd = fd >= 0 ? fd : -1;
	s->written = s->read = 0;
	s->polled = 0;
	s->ready = false;
}

static void call_socket(const struct call *c)
{
	int type = has_word(c, "dgram") ? SOCK_DGRAM : has_word(c, "raw") ? SOCK_RAW : SOCK_STREAM;
	int fd = rill_stack_socket(c->w->stack, type);

	begin_socket(c->socket, fd);
	call_result(c, fd, fd >= 0 ? fd : 0);
}

static void call_bind(const struct call *c)
{
	struct rill_addr a = make_addr(0, 0);

	if (c->arg_count > 1 && !rill_addr_parse(c->args[1], &a))
		a.ip.family = RILL_AF_IP4;
	a.port = (uint16_t)call_number(c, 0);
	if (c->arg_count == 1)
		a.ip.family = RILL_AF_NONE;
	call_result(c, rill_stack_bind(c->w->stack, fd_of(c), &a), 0);
}

static void call_listen(const struct call *c)
{
	call_result(c, rill_stack_listen(c->w->stack, fd_of(c), (int)call_number(c, 0)), 0);
}

/* listener.accept NAME [@flow]: also checks whom it came from. */
static void call_accept(const struct call *c)
{
	const char *name = c->arg_count ? c->args[0] : "c";
	struct world_socket *to = world_socket(c->w, name, true);
	struct rill_addr peer = {0}, want;
	int fd;

	if (!to)
		world_fail(c->w, "too many sockets");
	fd = rill_stack_accept(c->w->stack, fd_of(c), &peer);
	if (fd >= 0) {
		begin_socket(to, fd);
		want = remote_of(c);
		if (has_word(c, "any"))
			want = peer;
		if (memcmp(&peer.ip, &want.ip, sizeof(want.ip)) != 0 || peer.port != want.port)
			world_fail(c->w, "accepted a connection from port %u", peer.port);
	}
	call_result(c, fd, fd >= 0 ? fd : 0);
}

static void call_connect(const struct call *c)
{
	struct rill_addr to = remote_of(c);

	call_result(c, rill_stack_connect(c->w->stack, fd_of(c), &to), 0);
}

static uint8_t *pattern(const struct call *c, uint64_t from, int64_t len)
{
	uint8_t *data;

	if (len < 0 || len > DATA_MAX)
		world_fail(c->w, "0 to %d bytes", DATA_MAX);
	data = malloc((size_t)len + 1);
	if (!data)
		abort();
	for (int64_t i = 0; i < len; i++)
		data[i] = world_pattern(from + (uint64_t)i);
	return data;
}

static void call_write(const struct call *c)
{
	int64_t len = call_number(c, 0);
	uint8_t *data = pattern(c, c->socket ? c->socket->written : 0, len);
	/* Two parts, so that vectors are used. */
	struct iovec iov[2] = {{data, (size_t)len / 2}, {data + len / 2, (size_t)(len - len / 2)}};
	int flags = flags_of(c);
	struct rill_addr to = remote_of(c);
	ssize_t n = rill_stack_send(c->w->stack, fd_of(c), iov, 2, flags,
				    flags & MSG_FASTOPEN ? &to : NULL);

	free(data);
	if (n > 0)
		c->socket->written += (uint64_t)n;
	call_result(c, n, len);
}

static const char *check_read(const struct call *c, const uint8_t *data, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (data[i] != world_pattern(c->socket->read + (uint64_t)i))
			return "the bytes are not what the peer sent";
	return NULL;
}

static void call_read(const struct call *c)
{
	int64_t len = call_number(c, 0);
	uint8_t *data = pattern(c, 0, len);
	int flags = flags_of(c);
	bool discard = flags & MSG_TRUNC;
	struct iovec iov[2] = {{discard ? NULL : data, (size_t)len / 2},
			       {discard ? NULL : data + len / 2, (size_t)(len - len / 2)}};
	ssize_t n = rill_stack_recv(c->w->stack, fd_of(c), iov, 2, flags, NULL, NULL);
	const char *wrong = NULL;

	/* The urgent byte is out of the stream: its place in the pattern is what "skip" is for. */
	if (n > 0 && !discard && !(flags & MSG_OOB))
		wrong = check_read(c, data, n);
	if (n > 0 && !(flags & (MSG_PEEK | MSG_OOB)))
		c->socket->read += (uint64_t)n;
	free(data);
	call_result(c, n, len);
	if (wrong)
		world_fail(c->w, "%s", wrong);
}

/* The urgent byte; "oob N": it must be the peer's byte number N. */
static void call_oob(const struct call *c)
{
	uint8_t byte = 0;
	struct iovec iov = {&byte, 1};
	ssize_t n = rill_stack_recv(c->w->stack, fd_of(c), &iov, 1, MSG_OOB, NULL, NULL);

	if (n == 1 && byte != world_pattern((uint64_t)call_number(c, 0) - 1))
		world_fail(c->w, "another byte");
	call_result(c, n, 1);
}

static void call_skip(const struct call *c)
{
	if (c->socket)
		c->socket->read += (uint64_t)call_number(c, 0);
}

/* The next byte that is written is not the next one of the pattern. */
static void call_skip_written(const struct call *c)
{
	if (c->socket)
		c->socket->written += (uint64_t)call_number(c, 0);
}

static void call_shutdown(const struct call *c)
{
	int how = has_word(c, "rd") ? SHUT_RD : has_word(c, "wr") ? SHUT_WR : SHUT_RDWR;

	if (has_word(c, "bad"))
		how = 77;
	call_result(c, rill_stack_shutdown(c->w->stack, fd_of(c), how), 0);
}

static void call_close(const struct call *c)
{
	int err = rill_stack_close(c->w->stack, fd_of(c));

	if (c->socket)
		c->socket->fd = -1;
	call_result(c, err, 0);
}

static int64_t poll_bits(const struct call *c)
{
	int64_t bits = 0, bit;

	for (unsigned i = 0; i < c->result_count; i++) {
		if (!constants_parse(c->results[i], &bit))
			world_fail(c->w, "not of poll: %s", c->results[i]);
		bits |= bit;
	}
	return bits;
}

/* Every bit counts. POLLRDNORM goes with POLLIN, POLLWRNORM with POLLOUT. */
static void call_poll(const struct call *c)
{
	int bits = rill_stack_poll(world_stack(c->w), fd_of(c));
	int normal = bits & (POLLRDNORM | POLLWRNORM);
	char text[128];

	bits &= ~normal;
	if (bits != poll_bits(c))
		world_fail(c->w, "poll says %s", constants_poll(bits, text));
	if (normal != (!!(bits & POLLIN) * POLLRDNORM | !!(bits & POLLOUT) * POLLWRNORM))
		world_fail(c->w, "POLLRDNORM or POLLWRNORM does not follow POLLIN or POLLOUT");
}

static void call_unread(const struct call *c)
{
	call_result(c, rill_stack_unread(c->w->stack, fd_of(c)), 0);
}

static void call_unacked(const struct call *c)
{
	call_result(c, rill_stack_unacked(c->w->stack, fd_of(c)), 0);
}

static void call_unsent(const struct call *c)
{
	call_result(c, rill_stack_unsent(c->w->stack, fd_of(c)), 0);
}

static void call_at_mark(const struct call *c)
{
	call_result(c, rill_stack_at_mark(c->w->stack, fd_of(c)), 1);
}

static void check_addr(const struct call *c, int err, const struct rill_addr *a)
{
	char text[RILL_ADDR_STRLEN];
	int64_t number;

	if (err < 0 || (c->result_count == 1 && constants_parse(c->results[0], &number))) {
		call_result(c, err, 0);
		return;
	}
	rill_addr_format(a, text);
	if (c->result_count == 1 && strcmp(c->results[0], "*") == 0)
		return;
	if (c->result_count != 1 || strcmp(text, c->results[0]) != 0)
		world_fail(c->w, "it is %s", text);
}

static void call_local(const struct call *c)
{
	struct rill_addr a = {0};
	int err = rill_stack_local(c->w->stack, fd_of(c), &a);

	check_addr(c, err, &a);
}

static void call_peer(const struct call *c)
{
	struct rill_addr a = {0};
	int err = rill_stack_peer(c->w->stack, fd_of(c), &a);

	check_addr(c, err, &a);
}

/* ---- which one ---- */

static const struct {
	const char *name;
	void (*run)(const struct call *c);
	bool creates;
} calls[] = {
	{"socket", call_socket, true},
	{"bind", call_bind, false},
	{"listen", call_listen, false},
	{"accept", call_accept, false},
	{"connect", call_connect, false},
	{"write", call_write, false},
	{"read", call_read, false},
	{"oob", call_oob, false},
	{"skip", call_skip, false},
	{"skip_written", call_skip_written, false},
	{"shutdown", call_shutdown, false},
	{"close", call_close, false},
	{"poll", call_poll, false},
	{"unread", call_unread, false},
	{"unacked", call_unacked, false},
	{"unsent", call_unsent, false},
	{"at_mark", call_at_mark, false},
	{"local", call_local, false},
	{"peer", call_peer, false},
	{"setsockopt", call_setsockopt, false},
	{"getsockopt", call_getsockopt, false},
	{"info", call_info, false},
	{"state", call_state, false},
	{"stats", call_stats, false},
	{"drops", call_drops, false},
	{"trouble", call_trouble, false},
	{"endpoints", call_endpoints, false},
};

static void take_apart(struct call *c, char *const *words, unsigned count)
{
	unsigned n = 1;

	c->args = words + 1;
	while (n < count && strcmp(words[n], "=") != 0)
		n++;
	c->arg_count = n - 1;
	c->results = words + n + 1;
	c->result_count = n < count ? count - n - 1 : 0;
}

static struct world_socket *find_socket(struct world *w, const char *word, bool create)
{
	const char *dot = strchr(word, '.');
	char name[sizeof(w->sockets[0].name)];

	snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - word) : 1, dot ? word : "c");
	return world_socket(w, name, create);
}

bool call_run(struct world *w, char *const *words, unsigned count)
{
	const char *dot = strchr(words[0], '.');
	const char *name = dot ? dot + 1 : words[0];

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct call c = {.w = w};

		if (strcmp(calls[i].name, name) != 0)
			continue;
		c.socket = find_socket(w, words[0], calls[i].creates);
		take_apart(&c, words, count);
		world_stack(w);
		calls[i].run(&c);
		return true;
	}
	return false;
}
