/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarder between two switches in memory, each with a host on rill's own stack: no privilege.
 * Frames made by hand come from ports.
 */
#include <errno.h>
#include <rill/rill.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "cli/fwd.h"

#define A_IP "198.18.1.2"
#define B_IP "198.18.2.2"
#define BYTES 300000u
#define ICMP_TIME_EXCEEDED 11
#define ICMP_UNREACHABLE 3

struct lab {
	struct rill_runtime *rt;
	struct fwd fwd;
	struct rill_net *a, *b;
	struct rill_port *raw; /* beside host A, its own station */
	struct rill_port_info raw_info;
	char spec[3][32];
};

static struct rill_net *host(struct lab *lab, unsigned side, const char *addr, const char *gateway)
{
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = lab->spec[side], .addr = addr,
				     .gateway = gateway, .queues = 1};
	struct rill_net *net = NULL;

	assert_int_equal(rill_net_open(lab->rt, &o, &net), 0);
	return net;
}

static void set_ip(struct fwd_port *p, const char *addr)
{
	struct rill_ip ip;

	assert_int_equal(rill_cidr_parse(addr, &ip, &p->prefix), 0);
	p->ip = fwd_get_ip(ip.bytes);
}

static void open_lab(struct lab *lab, unsigned ports, bool bridge, bool route, unsigned workers)
{
	static unsigned number;
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = workers, .no_pin = true,
					 .seed = 1};
	struct rill_port_options raw = {RILL_OPTIONS(raw), .nic = lab->spec[0], .queues = 1};

	memset(lab, 0, sizeof(*lab));
	assert_int_equal(rill_runtime_create(&o, &lab->rt), 0);
	lab->fwd.port_count = ports;
	lab->fwd.bridge = bridge;
	for (unsigned i = 0; i < ports; i++) {
		snprintf(lab->spec[i], sizeof(lab->spec[i]), "mem:fwd%u,ring=1024", number++);
		lab->fwd.ports[i] =
			(struct fwd_port){.fwd = &lab->fwd, .index = i, .spec = lab->spec[i]};
	}
	if (route) {
		set_ip(&lab->fwd.ports[0], "198.18.1.1/24");
		set_ip(&lab->fwd.ports[1], "198.18.2.1/24");
	}
	assert_int_equal(rill_fwd_open(&lab->fwd, lab->rt, workers), 0);
	assert_int_equal(rill_port_open(lab->rt, &raw, &lab->raw), 0);
	rill_port_info(lab->raw, &lab->raw_info);
}

static void close_lab(struct lab *lab)
{
	rill_net_close(lab->a);
	rill_net_close(lab->b);
	rill_port_close(lab->raw);
	rill_fwd_close(&lab->fwd);
	rill_runtime_destroy(lab->rt);
}

static unsigned long long counted(const struct lab *lab, size_t offset)
{
	unsigned long long n = 0;

	for (unsigned lane = 0; lane < RILL_PORT_QUEUES_MAX; lane++)
		for (unsigned i = 0; i < lab->fwd.port_count; i++)
			n += *(const atomic_ullong *)(const void *)((const char *)&lab->fwd
									    .lanes[lane]
									    .counters[i] +
								    offset);
	return n;
}

#define COUNTED(lab, name) counted(lab, offsetof(struct fwd_counters, name))

/* ---- hosts ---- */

static void *serve(void *arg)
{
	struct rill_listener *l = arg;
	static uint8_t chunk[4096];
	struct rill_tcp *c;

	RILL_ASSERT_CMP(rill_tcp_accept(l, &c), ==, 0);
	for (ssize_t n; (n = rill_tcp_recv(c, chunk, sizeof(chunk))) > 0;)
		RILL_ASSERT_CMP(rill_tcp_send(c, chunk, (size_t)n), ==, n);
	rill_tcp_close(c);
	return NULL;
}

static void *send_all(void *arg)
{
	uint8_t chunk[1000];

	for (uint32_t at = 0; at < BYTES; at += sizeof(chunk)) {
		for (uint32_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (uint8_t)((at + i) * 7);
		RILL_ASSERT_CMP(rill_tcp_send(arg, chunk, sizeof(chunk)), ==,
				(ssize_t)sizeof(chunk));
	}
	return NULL;
}

/* There and back through the forwarder, whole. */
static void *echo_through(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr to = {.ip = rill_net_ip(lab->b), .port = 7};
	struct rill_task *server, *sender;
	struct rill_listener *l;
	struct rill_tcp *c;
	uint8_t chunk[1000];

	RILL_ASSERT_CMP(rill_tcp_listen(lab->b, &to, NULL, &l), ==, 0);
	RILL_ASSERT_CMP(rill_spawn(serve, l, &server), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_connect(lab->a, NULL, &to, NULL, &c), ==, 0);
	RILL_ASSERT_CMP(rill_spawn(send_all, c, &sender), ==, 0);
	for (uint32_t at = 0; at < BYTES; at += sizeof(chunk)) {
		RILL_ASSERT_CMP(rill_tcp_recv_all(c, chunk, sizeof(chunk)), ==,
				(ssize_t)sizeof(chunk));
		for (uint32_t i = 0; i < sizeof(chunk); i++)
			RILL_ASSERT_CMP(chunk[i], ==, (uint8_t)((at + i) * 7));
	}
	rill_join(sender, NULL);
	rill_tcp_close(c);
	rill_join(server, NULL);
	rill_listener_close(l);
	return NULL;
}

static void run(struct lab *lab, void *(*fn)(void *))
{
	assert_int_equal(rill_block_on(lab->rt, fn, lab, NULL), 0);
}

static void check_bridged(unsigned ports, bool bridge, unsigned workers)
{
	struct lab lab;

	open_lab(&lab, ports, bridge, false, workers);
	lab.a = host(&lab, 0, "198.18.1.2/24", NULL);
	lab.b = host(&lab, 1, "198.18.1.3/24", NULL);
	run(&lab, echo_through);
	assert_true(COUNTED(&lab, forwarded) > BYTES / 1460 * 2);
	if (bridge || ports > 2)
		assert_in_range(COUNTED(&lab, flooded), 1, 20);
	close_lab(&lab);
}

static void test_patch(void **state)
{
	check_bridged(2, false, 1);
	check_bridged(2, false, 2);
}

static void test_bridge(void **state)
{
	check_bridged(2, true, 1);
	check_bridged(3, false, 2);
}

static void test_routes(void **state)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct lab lab;

		open_lab(&lab, 2, false, true, workers);
		lab.a = host(&lab, 0, A_IP "/24", "198.18.1.1");
		lab.b = host(&lab, 1, B_IP "/24", "198.18.2.1");
		run(&lab, echo_through);
		assert_true(COUNTED(&lab, forwarded) > BYTES / 1460 * 2);
		assert_true(COUNTED(&lab, answered) >= 2);
		assert_int_equal(COUNTED(&lab, malformed), 0);
		close_lab(&lab);
	}
}

/* ---- packets by hand, from the station beside A ---- */

static const uint8_t raw_ip[4] = {198, 18, 1, 9};

/* An IPv4 packet with 8 bytes of UDP header; ttl and checksum as they should be, or not. */
static struct rill_pkt *make_ip(struct lab *lab, const uint8_t *dst, uint8_t ttl, uint32_t len)
{
	struct rill_pkt *p;

	RILL_ASSERT_CMP(rill_port_alloc(lab->raw, 0, &p, 1), ==, 1u);
	uint8_t *frame = rill_pkt_append(p, FWD_ETH_LEN + len), *ip = frame + FWD_ETH_LEN;

	memset(frame, 0, FWD_ETH_LEN + len);
	memcpy(frame, lab->fwd.ports[0].info.mac, FWD_MAC_LEN);
	memcpy(frame + FWD_MAC_LEN, lab->raw_info.mac, FWD_MAC_LEN);
	fwd_put16(frame + 12, FWD_ETHERTYPE_IP4);
	ip[0] = 0x45;
	fwd_put16(ip + 2, (uint16_t)len);
	ip[8] = ttl;
	ip[9] = 17;
	memcpy(ip + 12, raw_ip, 4);
	memcpy(ip + 16, dst, 4);
	fwd_put16(ip + 10, rill_fwd_checksum(ip, 20));
	return p;
}

static struct rill_pkt *next_of(struct lab *lab, struct rill_port *port, uint16_t type)
{
	for (;;) {
		struct rill_pkt *p;
		int n = rill_port_recv(port, 0, &p, 1);

		if (n < 0)
			return NULL;
		if (fwd_get16(p->data + 12) == type)
			return p;
		rill_pkt_free(&p, 1);
	}
}

static void send_raw(struct lab *lab, struct rill_pkt *p)
{
	RILL_ASSERT_CMP(rill_port_send(lab->raw, 0, &p, 1, 0), ==, 1);
}

/* Answers the forwarder's question for raw_ip. */
static void answer_arp(struct lab *lab)
{
	struct rill_pkt *p = next_of(lab, lab->raw, FWD_ETHERTYPE_ARP);
	uint8_t *arp = p->data + FWD_ETH_LEN;

	RILL_ASSERT(memcmp(arp + 24, raw_ip, 4) == 0);
	RILL_ASSERT_CMP(arp[7], ==, 1);
	memcpy(p->data, arp + 8, 6);
	memcpy(p->data + 6, lab->raw_info.mac, 6);
	memcpy(arp + 18, arp + 8, 10);
	arp[7] = 2;
	memcpy(arp + 8, lab->raw_info.mac, 6);
	memcpy(arp + 14, raw_ip, 4);
	/* what the forwarder sent is ours now, and goes back to it */
	send_raw(lab, p);
}

static void expect_error(struct lab *lab, uint8_t type, uint8_t code, uint32_t mtu)
{
	struct rill_pkt *p = next_of(lab, lab->raw, FWD_ETHERTYPE_IP4);
	const uint8_t *ip = p->data + FWD_ETH_LEN, *icmp = ip + 20;
	uint32_t len = fwd_get16(ip + 2);

	RILL_ASSERT_CMP(ip[9], ==, 1);
	RILL_ASSERT(memcmp(ip + 16, raw_ip, 4) == 0);
	RILL_ASSERT_CMP(rill_fwd_checksum(ip, 20), ==, 0);
	RILL_ASSERT_CMP(rill_fwd_checksum(icmp, len - 20), ==, 0);
	RILL_ASSERT_CMP(icmp[0], ==, type);
	RILL_ASSERT_CMP(icmp[1], ==, code);
	RILL_ASSERT_CMP(fwd_get16(icmp + 6), ==, mtu);
	/* the packet that it is about */
	RILL_ASSERT(memcmp(icmp + 8 + 12, raw_ip, 4) == 0);
	rill_pkt_free(&p, 1);
}

static void *errors(void *arg)
{
	static const uint8_t b[4] = {198, 18, 2, 2}, nowhere[4] = {203, 0, 113, 1};
	struct lab *lab = arg;
	struct rill_scope scope;
	struct rill_pkt *p;

	send_raw(lab, make_ip(lab, b, 1, 28));
	answer_arp(lab);
	expect_error(lab, ICMP_TIME_EXCEEDED, 0, 0);
	send_raw(lab, make_ip(lab, nowhere, 64, 28));
	expect_error(lab, ICMP_UNREACHABLE, 0, 0);
	lab->fwd.ports[1].info.mtu = 1000;
	send_raw(lab, make_ip(lab, b, 64, 1001));
	expect_error(lab, ICMP_UNREACHABLE, 4, 1000);
	lab->fwd.ports[1].info.mtu = 1500;
	/* nor is it longer than what it goes out of takes */
	lab->fwd.ports[0].info.mtu = 100;
	send_raw(lab, make_ip(lab, b, 1, 128));
	p = next_of(lab, lab->raw, FWD_ETHERTYPE_IP4);
	RILL_ASSERT_CMP(fwd_get16(p->data + FWD_ETH_LEN + 2), ==, 100);
	RILL_ASSERT_CMP(p->len, ==, FWD_ETH_LEN + 100u);
	RILL_ASSERT_CMP(rill_fwd_checksum(p->data + FWD_ETH_LEN + 20, 80), ==, 0);
	rill_pkt_free(&p, 1);
	lab->fwd.ports[0].info.mtu = 1500;
	/* no more than so many in a while */
	rill_fwd_tick(&lab->fwd);
	unsigned long long before = COUNTED(lab, answered);

	for (unsigned i = 0; i < 300; i++)
		send_raw(lab, make_ip(lab, b, 1, 28));
	rill_scope_begin(&scope, rill_after(20 * RILL_MS), NULL);
	while ((p = next_of(lab, lab->raw, FWD_ETHERTYPE_IP4)))
		rill_pkt_free(&p, 1);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(COUNTED(lab, answered) - before, ==, 100u);
	return NULL;
}

static void test_errors(void **state)
{
	struct lab lab;

	open_lab(&lab, 2, false, true, 1);
	run(&lab, errors);
	close_lab(&lab);
}

/* What it must not pass on, each counted. */
static void *malformed(void *arg)
{
	static const uint8_t b[4] = {198, 18, 2, 2}, group[4] = {224, 0, 0, 1},
			     own[4] = {198, 18, 1, 1};
	struct lab *lab = arg;
	struct rill_pkt *p;

	p = make_ip(lab, b, 64, 28);
	p->data[FWD_ETH_LEN + 10] ^= 1; /* checksum */
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 28);
	p->data[FWD_ETH_LEN] = 0x44; /* header length below 20 */
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 28);
	p->len -= 1; /* shorter than it says */
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 20);
	p->data[FWD_ETH_LEN] = 0x4f; /* header past the end */
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 28);
	p->len = FWD_ETH_LEN;
	send_raw(lab, p);
	send_raw(lab, make_ip(lab, group, 64, 28));
	send_raw(lab, make_ip(lab, own, 64, 28));
	p = make_ip(lab, own, 64, 28);
	uint8_t *ip = p->data + FWD_ETH_LEN;

	memcpy(ip + 12, group, 4); /* an echo from a group, that nobody is to answer */
	ip[9] = 1;
	fwd_put16(ip + 10, 0);
	fwd_put16(ip + 10, rill_fwd_checksum(ip, 20));
	ip[20] = 8;
	fwd_put16(ip + 22, rill_fwd_checksum(ip + 20, 8));
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 28);
	fwd_put16(p->data + 12, 0x86dd);
	send_raw(lab, p);
	p = make_ip(lab, b, 64, 28);
	fwd_put16(p->data + 12, FWD_ETHERTYPE_ARP);
	send_raw(lab, p);
	rill_sleep(20 * RILL_MS);
	return NULL;
}

static void test_malformed(void **state)
{
	struct lab lab;

	open_lab(&lab, 2, false, true, 1);
	run(&lab, malformed);
	assert_int_equal(COUNTED(&lab, malformed), 6);
	assert_int_equal(COUNTED(&lab, not_ours), 2);
	assert_int_equal(COUNTED(&lab, answered), 0);
	assert_int_equal(COUNTED(&lab, to_self), 1);
	assert_int_equal(COUNTED(&lab, not_ip), 1);
	assert_int_equal(COUNTED(&lab, forwarded), 0);
	close_lab(&lab);
}

/* As it would come from a NIC that can more than memory. */
static void handle(struct lab *lab, struct rill_pkt *p, uint16_t flags)
{
	struct fwd_lane *lane = &lab->fwd.lanes[0];
	/* in its own memory, as it would be */
	struct rill_pkt *copy = rill_port_copy(lab->fwd.ports[0].port, 0, p);

	RILL_ASSERT(copy);
	rill_pkt_free(&p, 1);
	copy->flags |= flags;
	pthread_mutex_lock(&lane->lock);
	lab->fwd.handle(&lab->fwd.ports[0], lane, copy);
	pthread_mutex_unlock(&lane->lock);
}

static void *offloaded(void *arg)
{
	static const uint8_t b[4] = {198, 18, 2, 2}, own[4] = {198, 18, 1, 1};
	struct lab *lab = arg;
	struct rill_pkt *p = make_ip(lab, b, 64, 28);

	/* another net's, with the tag beside it */
	p->meta.vlan_tci = 7;
	handle(lab, p, RILL_PKT_VLAN);
	RILL_ASSERT_CMP(COUNTED(lab, not_ip), ==, 1u);
	/* one header for many, each of which fits; and each of which does not */
	lab->fwd.ports[1].info.mtu = 1000;
	p = make_ip(lab, b, 64, 1400);
	p->meta.gso_size = 1000 - 28;
	handle(lab, p, RILL_PKT_GSO);
	RILL_ASSERT_CMP(COUNTED(lab, too_big), ==, 0u);
	p = make_ip(lab, b, 64, 1400);
	p->meta.gso_size = 1001 - 28;
	handle(lab, p, RILL_PKT_GSO);
	RILL_ASSERT_CMP(COUNTED(lab, too_big), ==, 1u);
	/* what is to be sent goes with the next burst */
	send_raw(lab, make_ip(lab, own, 64, 28));
	answer_arp(lab);
	expect_error(lab, ICMP_UNREACHABLE, 4, 1000);
	return NULL;
}

static void test_offloaded(void **state)
{
	struct lab lab;

	open_lab(&lab, 2, false, true, 1);
	run(&lab, offloaded);
	close_lab(&lab);
}

/* Of packets for those who do not answer only so many are kept; for who comes late there is room.
 */
static void *ask_for_many(void *arg)
{
	uint8_t dst[4] = {198, 18, 2, 2};
	struct lab *lab = arg;

	for (dst[3] = 10; dst[3] < 250; dst[3]++)
		send_raw(lab, make_ip(lab, dst, 64, 28));
	dst[3] = 2;
	send_raw(lab, make_ip(lab, dst, 64, 28));
	while (COUNTED(lab, forwarded) == 0)
		rill_sleep(RILL_MS);
	RILL_ASSERT_CMP(COUNTED(lab, unresolved), ==, 241u - 128);
	return NULL;
}

static void test_nobody_there(void **state)
{
	struct lab lab;

	open_lab(&lab, 2, false, true, 1);
	lab.b = host(&lab, 1, B_IP "/24", "198.18.2.1");
	run(&lab, ask_for_many);
	close_lab(&lab);
}

/* For each TTL and protocol: the checksum stays right when the TTL goes down (RFC 1624). */
static void *every_ttl(void *arg)
{
	static const uint8_t back[4] = {198, 18, 1, 9};
	struct lab *lab = arg;

	send_raw(lab, make_ip(lab, back, 64, 28));
	answer_arp(lab);
	for (unsigned i = 0; i < 254 * 8; i++) {
		struct rill_pkt *p;

		if (i > 0) {
			p = make_ip(lab, back, (uint8_t)(2 + i / 8), 28);
			uint8_t *ip = p->data + FWD_ETH_LEN;

			ip[9] = (uint8_t)(i * 37);
			/* sums that end in 0 and ffff are in here, too */
			fwd_put16(ip + 4, (uint16_t)(i % 8 == 0 ? 0 : 0xfff8 + i));
			fwd_put16(ip + 10, 0);
			fwd_put16(ip + 10, rill_fwd_checksum(ip, 20));
			send_raw(lab, p);
		}
		p = next_of(lab, lab->raw, FWD_ETHERTYPE_IP4);
		RILL_ASSERT_CMP(rill_fwd_checksum(p->data + FWD_ETH_LEN, 20), ==, 0);
		RILL_ASSERT_CMP(p->data[FWD_ETH_LEN + 8], ==, i ? 1 + i / 8 : 63);
		rill_pkt_free(&p, 1);
	}
	return NULL;
}

static void test_checksum_update(void **state)
{
	struct lab lab;

	open_lab(&lab, 2, false, true, 1);
	run(&lab, every_ttl);
	close_lab(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patch),	  cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_routes),	  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_checksum_update),
		cmocka_unit_test(test_offloaded), cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
