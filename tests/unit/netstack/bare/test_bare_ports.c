/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets what comes to a port: groups (SO_REUSEPORT), and several own addresses. */
#include "world.h"

#include <errno.h>
#include <sys/socket.h>

#include "netstack/bare/socket.h"
#include "netstack/wire/ip4.h"

#define MEMBERS 3
#define ROUNDS 240

static const char *const three_each[SIDES] = {"198.18.0.1/24,198.18.0.11/24,198.18.1.1/24",
					      "198.18.0.2/24,198.18.0.12/24,198.18.0.22/24"};

static struct rill_addr at(const char *text)
{
	struct rill_addr a;

	assert_int_equal(rill_addr_parse(text, &a), 0);
	return a;
}

static int bound(struct world *w, int type, const char *text, bool shared)
{
	struct rill_addr a = at(text);
	int fd = rill_stack_socket(server(w), type);

	if (shared)
		assert_int_equal(set_int(server(w), fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	assert_int_equal(rill_stack_bind(server(w), fd, &a), 0);
	return fd;
}

static int listening(struct world *w, const char *text, bool shared)
{
	int fd = bound(w, SOCK_STREAM, text, shared);

	assert_int_equal(rill_stack_listen(server(w), fd, ROUNDS), 0);
	return fd;
}

static int refused(struct world *w, int type, const char *text, bool shared)
{
	struct rill_addr a = at(text);
	int fd = rill_stack_socket(server(w), type);
	int r;

	assert_int_equal(set_int(server(w), fd, SOL_SOCKET, SO_REUSEPORT, shared), 0);
	r = rill_stack_bind(server(w), fd, &a);
	assert_int_equal(rill_stack_close(server(w), fd), 0);
	return r;
}

/* The socket, on its way to text. */
static int begin(struct world *w, const char *text)
{
	struct rill_addr to = at(text);
	int fd = rill_stack_socket(client(w), SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(rill_stack_connect(client(w), fd, &to), -EINPROGRESS);
	return fd;
}

static unsigned accept_all(struct world *w, int l)
{
	unsigned n = 0;

	while (rill_stack_accept(server(w), l, NULL) >= 0)
		n++;
	return n;
}

/* All of them must have said so, whichever came first; the address counts. */
static void all_must_share(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .addr = three_each});
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		bound(&w, type, ":80", true);
		bound(&w, type, ":80", true);
		bound(&w, type, "198.18.0.2:80", true);
		assert_int_equal(refused(&w, type, ":80", false), -EADDRINUSE);
		assert_int_equal(refused(&w, type, "198.18.0.2:80", false), -EADDRINUSE);
		bound(&w, type, "198.18.0.2:81", false);
		assert_int_equal(refused(&w, type, "198.18.0.2:81", true), -EADDRINUSE);
		assert_int_equal(refused(&w, type, ":81", true), -EADDRINUSE);
		bound(&w, type, "198.18.0.12:81", false);
		assert_int_equal(refused(&w, type, "198.18.0.3:82", false), -EADDRNOTAVAIL);
	}
	world_close(&w);
}

/* Each member gets its share, and the same peers again. */
static void a_group_shares_connections(void **state)
{
	struct world w;
	int l[MEMBERS];
	unsigned got[MEMBERS], sum = 0;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	for (unsigned i = 0; i < MEMBERS; i++)
		l[i] = listening(&w, ":80", true);
	for (unsigned i = 0; i < ROUNDS; i++)
		begin(&w, "198.18.0.2:80");
	world_run(&w, 10 * RILL_MS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		got[i] = accept_all(&w, l[i]);
		assert_in_range(got[i], ROUNDS / MEMBERS / 2, ROUNDS / MEMBERS * 2);
		sum += got[i];
		assert_int_equal(rill_socket_of(server(&w), l[i])->acceptor.opened, got[i]);
	}
	assert_int_equal(sum, ROUNDS);
	world_close(&w);
}

/* A full member's peers wait; the others' do not. */
static void backlogs_are_their_own(void **state)
{
	struct world w;
	int l[2];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	for (unsigned i = 0; i < 2; i++)
		l[i] = listening(&w, ":80", true);
	assert_int_equal(rill_stack_listen(server(&w), l[0], 3), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		begin(&w, "198.18.0.2:80");
	world_run(&w, 10 * RILL_MS);
	assert_true(rill_socket_of(server(&w), l[0])->acceptor.overflows > 0);
	assert_int_equal(rill_socket_of(server(&w), l[1])->acceptor.overflows, 0);
	assert_int_equal(accept_all(&w, l[0]), 4);
	assert_true(accept_all(&w, l[1]) > ROUNDS / 4);
	world_close(&w);
}

/* Handshakes under way go on with the others; with cookies there is not even an entry. */
static void handshakes_outlive_a_member(bool cookies)
{
	struct world w;
	int l[MEMBERS];
	unsigned sum = 0;

	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	server(&w)->core.env.params.syn_cookies_always = cookies;
	for (unsigned i = 0; i < MEMBERS; i++)
		l[i] = listening(&w, ":80", true);
	for (unsigned i = 0; i < ROUNDS; i++)
		begin(&w, "198.18.0.2:80");
	/* The SYNs are there, and the ACKs are not. */
	world_run(&w, DELAY_NS + DELAY_NS / 2);
	assert_int_equal(rill_syncache_count(&server(&w)->core.syns), cookies ? 0 : ROUNDS);
	assert_int_equal(rill_stack_close(server(&w), l[0]), 0);
	world_run(&w, 10 * RILL_MS);
	for (unsigned i = 1; i < MEMBERS; i++)
		sum += accept_all(&w, l[i]);
	assert_int_equal(sum, ROUNDS);
	/* The last one has no heir. */
	begin(&w, "198.18.0.2:80");
	world_run(&w, DELAY_NS + DELAY_NS / 2);
	assert_int_equal(rill_stack_close(server(&w), l[1]), 0);
	assert_int_equal(rill_stack_close(server(&w), l[2]), 0);
	assert_int_equal(rill_syncache_count(&server(&w)->core.syns), 0);
	world_close(&w);
}

static void handshakes_move(void **state)
{
	(void)state;
	handshakes_outlive_a_member(false);
}

static void cookies_move(void **state)
{
	(void)state;
	handshakes_outlive_a_member(true);
}

/* What waits to be accepted by the member that goes is reset, and nothing else. */
static void what_waited_is_reset(void **state)
{
	struct world w;
	int l[2], fd[ROUNDS];
	unsigned waiting, resets = 0;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	for (unsigned i = 0; i < 2; i++)
		l[i] = listening(&w, ":80", true);
	for (unsigned i = 0; i < ROUNDS; i++)
		fd[i] = begin(&w, "198.18.0.2:80");
	world_run(&w, 10 * RILL_MS);
	waiting = rill_socket_of(server(&w), l[0])->acceptor.ready_count;
	assert_in_range(waiting, 1, ROUNDS - 1);
	assert_int_equal(rill_stack_close(server(&w), l[0]), 0);
	world_run(&w, 10 * RILL_MS);
	for (unsigned i = 0; i < ROUNDS; i++)
		resets += get_int(client(&w), fd[i], SOL_SOCKET, SO_ERROR) == ECONNRESET;
	assert_int_equal(resets, waiting);
	assert_int_equal(accept_all(&w, l[1]), ROUNDS - waiting);
	world_close(&w);
}

static void the_most_specific_wins(void **state)
{
	struct world w;
	int any, one;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .addr = three_each});
	one = listening(&w, "198.18.0.12:80", true);
	any = listening(&w, ":80", true);
	for (unsigned i = 0; i < 8; i++) {
		begin(&w, "198.18.0.2:80");
		begin(&w, "198.18.0.12:80");
		begin(&w, "198.18.0.12:80");
	}
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(accept_all(&w, any), 8);
	assert_int_equal(accept_all(&w, one), 16);
	/* With it gone its address is one of any. */
	assert_int_equal(rill_stack_close(server(&w), one), 0);
	begin(&w, "198.18.0.12:80");
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(accept_all(&w, any), 1);
	world_close(&w);
}

/* ---- datagrams ---- */

static void say(struct world *w, int fd, const char *text)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
	struct rill_addr to = at(text);

	assert_int_equal(rill_stack_send(client(w), fd, &iov, 1, 0, &to), 1);
}

static unsigned read_all(struct world *w, int fd)
{
	unsigned n = 0;
	char c;

	while (get(server(w), fd, &c, 1) == 1)
		n++;
	return n;
}

static void a_group_shares_peers(void **state)
{
	struct world w;
	int u[MEMBERS];
	unsigned got[MEMBERS] = {0};

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	for (unsigned i = 0; i < MEMBERS; i++)
		u[i] = bound(&w, SOCK_DGRAM, ":53", true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int fd = rill_stack_socket(client(&w), SOCK_DGRAM);
		unsigned sum = 0;

		for (unsigned k = 0; k < 4; k++)
			say(&w, fd, "198.18.0.2:53");
		world_run(&w, RILL_MS);
		for (unsigned k = 0; k < MEMBERS; k++) {
			unsigned n = read_all(&w, u[k]);

			/* All of a peer's or none. */
			assert_int_equal(n % 4, 0);
			got[k] += n / 4;
			sum += n;
		}
		assert_int_equal(sum, 4);
	}
	for (unsigned k = 0; k < MEMBERS; k++)
		assert_in_range(got[k], ROUNDS / MEMBERS / 2, ROUNDS / MEMBERS * 2);
	world_close(&w);
}

/* As udp(7) has it: connected, then the address, then any. */
static void a_connected_socket_comes_first(void **state)
{
	struct world w;
	int any, one, connected, fd, other;
	struct rill_addr peer;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .addr = three_each});
	connected = bound(&w, SOCK_DGRAM, ":53", true);
	one = bound(&w, SOCK_DGRAM, "198.18.0.12:53", true);
	any = bound(&w, SOCK_DGRAM, ":53", true);
	fd = rill_stack_socket(client(&w), SOCK_DGRAM);
	other = rill_stack_socket(client(&w), SOCK_DGRAM);
	say(&w, fd, "198.18.0.12:53");
	assert_int_equal(rill_stack_local(client(&w), fd, &peer), 0);
	assert_int_equal(rill_stack_connect(server(&w), connected, &peer), 0);
	world_run(&w, 10 * RILL_MS);
	say(&w, other, "198.18.0.12:53");
	say(&w, other, "198.18.0.22:53");
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(read_all(&w, connected), 1);
	assert_int_equal(read_all(&w, one), 1);
	assert_int_equal(read_all(&w, any), 1);
	world_close(&w);
}

/* ---- own addresses ---- */

static bool is_local(struct world *w, int fd, const char *text)
{
	struct rill_addr local, want = at(text);

	assert_int_equal(rill_stack_local(client(w), fd, &local), 0);
	return memcmp(&local.ip, &want.ip, sizeof(want.ip)) == 0;
}

static void the_route_chooses_the_source(void **state)
{
	struct world w;
	struct rill_addr from = at("198.18.0.11"), to = at("198.18.0.2:80");
	int fd;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2, .addr = three_each});
	listening(&w, ":80", false);
	assert_true(is_local(&w, begin(&w, "198.18.0.2:80"), "198.18.0.1"));
	assert_true(is_local(&w, begin(&w, "198.18.1.2:80"), "198.18.1.1"));
	fd = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_bind(client(&w), fd, &from), 0);
	assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EINPROGRESS);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_connect(client(&w), fd, &to), 0);
	assert_true(is_local(&w, fd, "198.18.0.11"));
	/* A port that somebody has on one address is free on another. */
	from.port = 1000;
	for (unsigned i = 0; i < 2; i++) {
		fd = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_bind(client(&w), fd, &from), 0);
		assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EINPROGRESS);
		world_run(&w, 10 * RILL_MS);
		assert_int_equal(rill_stack_connect(client(&w), fd, &to), 0);
		from = at("198.18.0.1:1000");
	}
	world_close(&w);
}

/* RFC 6056 for each address: with the ports of one used up, those of the next on that subnet. */
static void addresses_multiply_ports(void **state)
{
	struct world w;
	struct rill_addr to = at("198.18.0.2:80"), from = at("198.18.0.1");
	int fd;

	(void)state;
	world_open(&w, &(struct world_options){
			       .layer = RILL_STACK_L3, .addr = three_each, .sockets = 70000});
	for (unsigned i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++)
		fd = begin(&w, "198.18.0.2:80");
	assert_true(is_local(&w, fd, "198.18.0.1"));
	for (unsigned i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++)
		fd = begin(&w, "198.18.0.2:80");
	assert_true(is_local(&w, fd, "198.18.0.11"));
	fd = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EADDRNOTAVAIL);
	/* One that was asked for does not become another one. */
	assert_int_equal(rill_stack_close(client(&w), fd - 1), 0);
	assert_int_equal(rill_stack_bind(client(&w), fd, &from), 0);
	assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EADDRNOTAVAIL);
	begin(&w, "198.18.0.2:80");
	world_close(&w);
}

static void del_addr(struct rill_stack *s, const char *text, int result)
{
	struct rill_addr a = at(text);

	rill_stack_enter(s);
	assert_int_equal(rill_core_del_addr(&s->core, &a.ip), result);
	rill_stack_leave(s);
}

/* Its connections end on both sides, those of the others go on, half-open ones are forgotten. */
static void an_address_goes_away(void **state)
{
	struct world w;
	int l, fd, other, late;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2, .addr = three_each});
	l = listening(&w, ":80", false);
	fd = begin(&w, "198.18.0.12:80");
	other = begin(&w, "198.18.0.22:80");
	world_run(&w, 10 * RILL_MS);
	late = begin(&w, "198.18.0.12:80");
	world_run(&w, DELAY_NS + DELAY_NS / 2);
	assert_int_equal(rill_syncache_count(&server(&w)->core.syns), 1);
	int s[2] = {rill_stack_accept(server(&w), l, NULL), rill_stack_accept(server(&w), l, NULL)};

	del_addr(server(&w), "198.18.0.12", 0);
	assert_int_equal(rill_syncache_count(&server(&w)->core.syns), 0);
	assert_int_equal(get_int(server(&w), s[0], SOL_SOCKET, SO_ERROR), EADDRNOTAVAIL);
	assert_int_equal(get_int(server(&w), s[1], SOL_SOCKET, SO_ERROR), 0);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_ERROR), ECONNRESET);
	assert_int_equal(get_int(client(&w), late, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(put(client(&w), other, "x", 1), 1);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_unread(server(&w), s[1]), 1);
	del_addr(server(&w), "198.18.0.12", -ENOENT);
	del_addr(server(&w), "198.18.0.2", -EBUSY);
	world_close(&w);
}

/* All their SYNs go as soon as the next hop is known, and none for the second time. */
static void connects_wait_for_arp(void **state)
{
	enum { CONNECTS = 5000 };
	struct world w;
	struct rill_stack_stats stats;
	int l;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2});
	l = listening(&w, ":80", false);
	assert_int_equal(rill_stack_listen(server(&w), l, CONNECTS), 0);
	for (unsigned i = 0; i < CONNECTS; i++)
		begin(&w, "198.18.0.2:80");
	/* Two round trips and a half. */
	world_run(&w, 6 * DELAY_NS);
	assert_int_equal(accept_all(&w, l), CONNECTS);
	rill_stack_stats(client(&w), &stats);
	assert_int_equal(stats.retransmits, 0);
	assert_int_equal(client(&w)->core.l3.drops[RILL_DROP_NEIGH_QUEUE_FULL],
			 CONNECTS - RILL_NEIGH_QUEUE_MAX);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_must_share),
		cmocka_unit_test(a_group_shares_connections),
		cmocka_unit_test(backlogs_are_their_own),
		cmocka_unit_test(handshakes_move),
		cmocka_unit_test(cookies_move),
		cmocka_unit_test(what_waited_is_reset),
		cmocka_unit_test(the_most_specific_wins),
		cmocka_unit_test(a_group_shares_peers),
		cmocka_unit_test(a_connected_socket_comes_first),
		cmocka_unit_test(the_route_chooses_the_source),
		cmocka_unit_test(addresses_multiply_ports),
		cmocka_unit_test(an_address_goes_away),
		cmocka_unit_test(connects_wait_for_arp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
