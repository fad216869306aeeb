/* SPDX-License-Identifier: BSD-3-Clause */
/* Listeners under load and attack, and clients that run out of ports. */
#include "world.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/rand.h"
#include "netstack/bare/socket.h"
#include "netstack/tcp/seg.h"
#include "netstack/wire/checksum.h"
#include "netstack/wire/ip4.h"

#define PACKET_LEN (RILL_IP4_LEN + RILL_TCP_HEADER_LEN)
#define PAYLOAD_MAX 64
#define PEER_ISN 5000u

/* A segment without options, to the server's port 80. */
struct forged {
	uint32_t src; /* host order */
	uint16_t port;
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t len; /* of the payload, zeroes */
};

static void forge(struct world *w, const struct forged *f)
{
	uint8_t p[PACKET_LEN + PAYLOAD_MAX] = {0}, *t = p + RILL_IP4_LEN;
	uint16_t len = (uint16_t)(RILL_TCP_HEADER_LEN + f->len);
	struct rill_ip4 h = {
		.src = f->src,
		.dst = rill_ip4_get(&w->addr[SERVER].ip),
		.total_len = (uint16_t)(PACKET_LEN + f->len),
		.ttl = 64,
		.proto = RILL_IP_TCP,
	};
	struct rill_ip src;
	uint32_t sum;

	rill_ip4_set(&src, f->src);
	rill_ip4_emit(p, &h);
	rill_store_be16(t, f->port);
	rill_store_be16(t + 2, 80);
	rill_store_be32(t + 4, f->seq);
	rill_store_be32(t + 8, f->ack);
	t[12] = 5 << 4;
	t[13] = f->flags;
	rill_store_be16(t + 14, 8000);
	sum = rill_csum_pseudo(&src, &w->addr[SERVER].ip, RILL_IP_TCP, len);
	rill_store_raw16(t + 16, rill_csum_fold(rill_csum_add(sum, t, len)));
	assert_int_equal(rill_stack_input(server(w), p, PACKET_LEN + f->len), 0);
}

/* How many packets are on their way to the client; the last one's TCP header. */
static unsigned on_the_way(struct world *w, const uint8_t **ret_last)
{
	unsigned n = 0;

	for (struct wire_packet *p = w->ends[CLIENT].first; p; p = p->next, n++)
		*ret_last = p->bytes + RILL_IP4_LEN;
	return n;
}

/* They were sent to somebody who is not there. */
static void forget_packets(struct world *w)
{
	struct end *e = &w->ends[CLIENT];

	while (e->first) {
		struct wire_packet *p = e->first;

		e->first = p->next;
		free(p);
	}
	e->last = &e->first;
}

static struct rill_core *core(struct world *w)
{
	return &server(w)->core;
}

static size_t memory(struct world *w)
{
	struct rill_stack_stats stats;

	rill_stack_stats(server(w), &stats);
	return stats.memory;
}

/* Without the half-open ones. */
static uint32_t connections(struct world *w)
{
	return core(w)->conns.used;
}

static void close_both(struct world *w, const int fd[SIDES])
{
	struct linger hard = {.l_onoff = 1};

	assert_int_equal(rill_stack_setsockopt(client(w), fd[CLIENT], SOL_SOCKET, SO_LINGER, &hard,
					       sizeof(hard)),
			 0);
	assert_int_equal(rill_stack_close(client(w), fd[CLIENT]), 0);
	world_run(w, 2 * RILL_MS);
	assert_int_equal(rill_stack_close(server(w), fd[SERVER]), 0);
}

/* One in each hundred thousand is a guest, who gets in. */
static void syn_flood_rfc4987(void **state)
{
	struct rill_rand rand;
	struct world w;
	int fd[SIDES], l;
	size_t bytes = 0;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 64);
	rill_rand_init(&rand, 1);
	for (unsigned i = 0; i < 1000000; i++) {
		struct forged syn = {
			.src = 0x0a000000 | (rill_rand_below(&rand, 1 << 24)),
			.port = (uint16_t)(1 + rill_rand_below(&rand, 65535)),
			.flags = RILL_TCP_SYN,
			.seq = (uint32_t)rill_rand_next(&rand),
		};

		forge(&w, &syn);
		if (i % 100 == 99) {
			forget_packets(&w);
			world_run(&w, RILL_MS);
		}
		if (i == 100000)
			bytes = memory(&w);
		if (i % 100000 != 99999)
			continue;
		world_connect(&w, l, fd);
		assert_int_equal(put(client(&w), fd[CLIENT], "hello", 5), 5);
		world_run(&w, 10 * RILL_MS);
		assert_int_equal(rill_stack_unread(server(&w), fd[SERVER]), 5);
		close_both(&w, fd);
	}
	assert_in_range(rill_syncache_count(&core(&w)->syns), 1, 8192);
	assert_true(memory(&w) <= bytes + bytes / 8);
	assert_true(core(&w)->env.stats.syn_cookies_out > 100000);
	assert_int_equal(connections(&w), 0);
	forget_packets(&w);
	world_run(&w, 64 * RILL_SEC);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	assert_int_equal(rill_stack_next_deadline(server(&w)), RILL_FOREVER);
	world_connect(&w, l, fd);
	world_close(&w);
}

/* The same against a listener whose queue nobody empties: no answer, and no state. */
static void flood_of_a_full_listener(void **state)
{
	struct world w;
	int l, fd[2];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct rill_addr to = w.addr[SERVER];

		to.port = 80;
		fd[i] = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_connect(client(&w), fd[i], &to), -EINPROGRESS);
		world_run(&w, 10 * RILL_MS);
	}
	for (unsigned i = 0; i < 1000; i++) {
		const uint8_t *last;

		forge(&w,
		      &(struct forged){.src = 0x0a000000 + i, .port = 9, .flags = RILL_TCP_SYN});
		assert_int_equal(on_the_way(&w, &last), 0);
	}
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	assert_true(rill_stack_accept(server(&w), l, NULL) >= 0);
	world_close(&w);
}

static void backlog_overflow_recovers(void **state)
{
	struct world w;
	int l, fd[20];
	unsigned accepted = 0;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 2);
	for (unsigned i = 0; i < 20; i++) {
		struct rill_addr to = w.addr[SERVER];

		to.port = 80;
		fd[i] = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_connect(client(&w), fd[i], &to), -EINPROGRESS);
	}
	/* All twenty SYNs are answered, and three connections fit. */
	world_run(&w, 100 * RILL_MS);
	assert_int_equal(connections(&w), 3);
	assert_int_equal(core(&w)->env.stats.accept_overflows, 17);
	/* Each accept makes room, which one more takes a round trip later. */
	for (unsigned i = 0; i < 20; i++) {
		accepted += rill_stack_accept(server(&w), l, NULL) >= 0;
		world_run(&w, 5 * RILL_MS);
	}
	assert_int_equal(accepted, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(put(client(&w), fd[i], "x", 1), 1);
	world_run(&w, 10 * RILL_SEC);
	for (int s = 1; s <= 20; s++)
		assert_int_equal(rill_stack_unread(server(&w), s), 1);
	world_close(&w);
}

/* Who was put off sends a FIN next, which shows no cookie: it was reset for that. */
static void a_full_queue_reset_peers_with_cookies(void **state)
{
	struct world w;
	unsigned taken = 0;
	int l, fd[20], s;
	char byte;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	core(&w)->env.params.syn_cookies_always = true;
	l = world_listen(&w, 2);
	for (unsigned i = 0; i < 20; i++) {
		struct rill_addr to = w.addr[SERVER];

		to.port = 80;
		fd[i] = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_connect(client(&w), fd[i], &to), -EINPROGRESS);
	}
	world_run(&w, 10 * RILL_MS);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(put(client(&w), fd[i], "x", 1), 1);
		world_run(&w, 2 * RILL_MS);
		assert_int_equal(rill_stack_shutdown(client(&w), fd[i], SHUT_WR), 0);
	}
	for (unsigned i = 0; i < 600 && taken < 20; i++) {
		world_run(&w, 100 * RILL_MS);
		s = rill_stack_accept(server(&w), l, NULL);
		taken += s >= 0;
	}
	assert_int_equal(taken, 20);
	world_run(&w, RILL_SEC);
	for (s = 1; s <= 20; s++) {
		assert_int_equal(get(server(&w), s, &byte, 1), 1);
		assert_int_equal(get(server(&w), s, &byte, 1), 0);
	}
	world_close(&w);
}

/* 35,000 handshakes at once, whose peers repeat themselves; the queue is full nearly always. */
static void thousands_through_one_listener(void **state)
{
	const unsigned count = 35000;
	struct world w;
	unsigned accepted = 0, rounds = 0;
	int l;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 511);
	while (accepted < count && rounds++ < 400) {
		for (unsigned i = 0; i < count && accepted < count; i++) {
			struct forged f = {0x0a000000 + i, 1000, RILL_TCP_SYN, PEER_ISN, 0};
			const uint8_t *last;
			struct rill_ip ip;
			struct rill_flow_key key = {&ip, &server(&w)->ip, 1000, 80};

			rill_ip4_set(&ip, f.src);
			if (rill_conn_find(core(&w), &key))
				continue;
			forge(&w, &f);
			if (on_the_way(&w, &last) > 0) {
				f.flags = RILL_TCP_ACK;
				f.seq++;
				f.ack = rill_load_be32(last + 4) + 1;
				forget_packets(&w);
				forge(&w, &f);
			}
			forget_packets(&w);
			if (core(&w)->acceptors.count && i % 600 == 599)
				while (rill_stack_accept(server(&w), l, NULL) >= 0)
					accepted++;
		}
		while (rill_stack_accept(server(&w), l, NULL) >= 0)
			accepted++;
	}
	assert_int_equal(accepted, count);
	assert_int_equal(connections(&w), count);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	world_close(&w);
}

static void deferred_accept(void **state)
{
	struct rill_addr to;
	struct world w;
	int l, c, s;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = rill_stack_socket(server(&w), SOCK_STREAM);
	assert_int_equal(set_int(server(&w), l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5), 0);
	to = w.addr[SERVER];
	to.port = 80;
	assert_int_equal(rill_stack_bind(server(&w), l, &to), 0);
	assert_int_equal(rill_stack_listen(server(&w), l, 5), 0);
	c = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	world_run(&w, 2 * RILL_SEC);
	assert_int_equal(rill_stack_poll(client(&w), c), POLLOUT | POLLWRNORM);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EAGAIN);
	assert_int_equal(connections(&w), 0);
	assert_int_equal(put(client(&w), c, "now", 3), 3);
	world_run(&w, 5 * RILL_MS);
	s = rill_stack_accept(server(&w), l, NULL);
	assert_true(s >= 0);
	assert_int_equal(rill_stack_unread(server(&w), s), 3);
	/* Without data it is accepted in the end. */
	c = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	world_run(&w, 4 * RILL_SEC);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EAGAIN);
	world_run(&w, 4 * RILL_SEC);
	assert_true(rill_stack_accept(server(&w), l, NULL) >= 0);
	world_close(&w);
}

/* Opened from src; whether the server answered. */
static bool handshake(struct world *w, uint32_t src, uint16_t port)
{
	struct forged f = {src, port, RILL_TCP_SYN, PEER_ISN, 0};
	const uint8_t *last;

	forget_packets(w);
	forge(w, &f);
	if (on_the_way(w, &last) == 0)
		return false;
	f = (struct forged){src, port, RILL_TCP_ACK, PEER_ISN + 1, rill_load_be32(last + 4) + 1};
	forge(w, &f);
	forget_packets(w);
	return true;
}

static void limits_by_listener_and_network(void **state)
{
	struct rill_acceptor *a;
	struct world w;
	int l, s;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 100);
	a = &rill_socket_of(server(&w), l)->acceptor;
	a->conn_max = 10;
	a->prefix_max = 4;
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(handshake(&w, 0x0a000001 + i, 1000), i < 4);
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(handshake(&w, 0x0a000101, (uint16_t)(1000 + i)), i < 4);
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(handshake(&w, 0x0a000201 + i * 256u, 1000), i < 2);
	assert_int_equal(connections(&w), 10);
	/* Accepted ones count until they are gone. */
	s = rill_stack_accept(server(&w), l, NULL);
	assert_false(handshake(&w, 0x0a000009, 1000));
	rill_stack_close(server(&w), s);
	forge(&w, &(struct forged){0x0a000001, 1000, RILL_TCP_RST, PEER_ISN + 1, 0});
	assert_int_equal(connections(&w), 9);
	assert_true(handshake(&w, 0x0a000009, 1000));
	assert_false(handshake(&w, 0x0a00000a, 1000));
	/* Without a limit from here on, and then without a listener: the count comes out even. */
	a->conn_max = 0;
	a->prefix_max = 0;
	assert_true(handshake(&w, 0x0a00000a, 1000));
	rill_stack_close(server(&w), l);
	forget_packets(&w);
	world_run(&w, RILL_MS);
	assert_int_equal(connections(&w), 0);
	assert_int_equal(core(&w)->conn_counts.count, 0);
	world_close(&w);
}

/* A handshake that was begun below the limit and completed above it waits, and gets in later. */
static void limit_reached_by_another(void **state)
{
	struct forged f = {0x0a000001, 1000, RILL_TCP_SYN, PEER_ISN, 0};
	struct rill_acceptor *a;
	const uint8_t *last = NULL;
	struct world w;
	int l, s;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 100);
	a = &rill_socket_of(server(&w), l)->acceptor;
	a->conn_max = 1;
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	f = (struct forged){f.src, f.port, RILL_TCP_ACK, PEER_ISN + 1,
			    rill_load_be32(last + 4) + 1};
	assert_true(handshake(&w, 0x0a000002, 1000));
	forge(&w, &f);
	assert_int_equal(connections(&w), 1);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 1);
	s = rill_stack_accept(server(&w), l, NULL);
	rill_stack_close(server(&w), s);
	forge(&w, &(struct forged){0x0a000002, 1000, RILL_TCP_RST, PEER_ISN + 1, 0});
	forge(&w, &f);
	assert_int_equal(connections(&w), 1);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	forget_packets(&w);
	world_close(&w);
}

static void half_open_goes_with_its_listener(void **state)
{
	struct forged f = {0x0a000001, 1000, RILL_TCP_SYN, PEER_ISN, 0};
	const uint8_t *last = NULL;
	struct world w;
	int l;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	l = world_listen(&w, 100);
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	f = (struct forged){f.src, f.port, RILL_TCP_ACK, PEER_ISN + 1,
			    rill_load_be32(last + 4) + 1};
	forget_packets(&w);
	rill_stack_close(server(&w), l);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	assert_int_equal(last[13], RILL_TCP_RST);
	forget_packets(&w);
	world_close(&w);
}

static void half_open_hears_icmp(void **state)
{
	struct forged f = {0x0a000001, 1000, RILL_TCP_SYN, PEER_ISN, 0};
	struct rill_icmp_error e = {.type = 3, .code = 1, .proto = RILL_IP_TCP};
	const uint8_t *last = NULL;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_listen(&w, 100);
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	e.local = w.addr[SERVER].ip;
	e.local_port = 80;
	rill_ip4_set(&e.remote, f.src);
	e.remote_port = f.port;
	e.tcp_seq = rill_load_be32(last + 4);
	core(&w)->l3.ops->icmp_error(core(&w), &e); /* host unreachable is soft */
	e.code = 3;
	e.tcp_seq++;
	core(&w)->l3.ops->icmp_error(core(&w), &e); /* not about what was sent */
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 1);
	e.tcp_seq--;
	core(&w)->l3.ops->icmp_error(core(&w), &e);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	forget_packets(&w);
	world_close(&w);
}

/* Connections made of cookies alone are as good as any. */
static void transfer_over_cookies(void **state)
{
	struct world w;
	int l, fd[SIDES];
	char data[10000], back[10000];

	(void)state;
	memset(data, 'x', sizeof(data));
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	core(&w)->env.params.syn_cookies_always = true;
	l = world_listen(&w, 5);
	for (unsigned i = 0; i < 20; i++) {
		struct rill_conn *c;

		world_connect(&w, l, fd);
		c = rill_socket_of(server(&w), fd[SERVER])->conn;
		assert_true(c->tcb.flags & RILL_TCB_TIMESTAMPS);
		assert_true(c->tcb.flags & RILL_TCB_SACK);
		assert_true(c->tcb.snd_wscale > 0);
		assert_int_equal(put(client(&w), fd[CLIENT], data, sizeof(data)), sizeof(data));
		assert_int_equal(put(server(&w), fd[SERVER], data, sizeof(data)), sizeof(data));
		world_run(&w, 3 * RILL_SEC);
		assert_int_equal(get(server(&w), fd[SERVER], back, sizeof(back)), sizeof(back));
		assert_memory_equal(data, back, sizeof(data));
		assert_int_equal(get(client(&w), fd[CLIENT], back, sizeof(back)), sizeof(back));
		close_both(&w, fd);
	}
	assert_int_equal(core(&w)->env.stats.syn_cookies_in, 20);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	world_close(&w);
}

static void data_in_the_syn_rfc7413(void **state)
{
	struct forged f = {0x0a000001, 1000, RILL_TCP_SYN, PEER_ISN, 0, 5};
	struct rill_acceptor *a;
	const uint8_t *last = NULL;
	struct world w;
	char data[16];
	int l, s;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	core(&w)->env.params.fast_open_server = true;
	core(&w)->env.params.fast_open_no_cookie = true;
	l = world_listen(&w, 5);
	a = &rill_socket_of(server(&w), l)->acceptor;
	/* Not of this listener: the data has to come again. */
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	assert_int_equal(rill_load_be32(last + 8), PEER_ISN + 1);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 1);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EAGAIN);
	forge(&w, &(struct forged){f.src, f.port, RILL_TCP_RST, PEER_ISN + 1, 0, 0});
	forget_packets(&w);
	a->early_max = 5;
	forge(&w, &f);
	assert_int_equal(on_the_way(&w, &last), 1);
	assert_int_equal(rill_load_be32(last + 8), PEER_ISN + 6);
	assert_int_equal(rill_syncache_count(&core(&w)->syns), 0);
	s = rill_stack_accept(server(&w), l, NULL);
	assert_true(s >= 0);
	assert_int_equal(get(server(&w), s, data, sizeof(data)), 5);
	f = (struct forged){f.src, f.port, RILL_TCP_ACK, PEER_ISN + 6, rill_load_be32(last + 4) + 1,
			    3};
	forge(&w, &f);
	assert_int_equal(get(server(&w), s, data, sizeof(data)), 3);
	forget_packets(&w);
	world_close(&w);
}

static int try_connect(struct world *w, const struct rill_addr *to)
{
	int fd = rill_stack_socket(client(w), SOCK_STREAM);
	int r;

	assert_true(fd >= 0);
	r = rill_stack_connect(client(w), fd, to);
	if (r == -EINPROGRESS)
		return fd;
	rill_stack_close(client(w), fd);
	return r;
}

static void ports_run_out_promptly_rfc6056(void **state)
{
	struct world w;
	struct rill_addr to;
	int fd = -1, other;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	to = w.addr[SERVER];
	to.port = 80;
	for (unsigned i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++)
		assert_true((fd = try_connect(&w, &to)) >= 0);
	for (unsigned i = 0; i < 200000; i++)
		assert_int_equal(try_connect(&w, &to), -EADDRNOTAVAIL);
	assert_int_equal(client(&w)->core.ephemeral->ports.exhausted, 200000);
	/* To another port there are as many again. */
	to.port = 81;
	assert_true((other = try_connect(&w, &to)) >= 0);
	/* And one that is free again is found. */
	to.port = 80;
	rill_stack_close(client(&w), fd);
	assert_true(try_connect(&w, &to) >= 0);
	assert_int_equal(try_connect(&w, &to), -EADDRNOTAVAIL);
	/* All are refused, and free. */
	world_run(&w, RILL_SEC);
	assert_int_equal(client(&w)->core.ephemeral->ports.used, 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_flood_rfc4987),
		cmocka_unit_test(flood_of_a_full_listener),
		cmocka_unit_test(backlog_overflow_recovers),
		cmocka_unit_test(a_full_queue_reset_peers_with_cookies),
		cmocka_unit_test(thousands_through_one_listener),
		cmocka_unit_test(deferred_accept),
		cmocka_unit_test(limits_by_listener_and_network),
		cmocka_unit_test(limit_reached_by_another),
		cmocka_unit_test(half_open_goes_with_its_listener),
		cmocka_unit_test(half_open_hears_icmp),
		cmocka_unit_test(transfer_over_cookies),
		cmocka_unit_test(data_in_the_syn_rfc7413),
		cmocka_unit_test(ports_run_out_promptly_rfc6056),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
