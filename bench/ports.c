/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets through ports on a software wire, all on one worker:
 *
 *   port_rr_mem      a frame to a port whose handler sends it back
 *   port_rr_udp_mem  a datagram to an interface with a task that sends it back
 *   udp_turnaround   what the second takes more than the first: from packet in, by
 *                    the stack and a task that is woken, to packet out
 *   port_rx_drop_mem a burst to a port whose handler drops it, by packet
 */
#include "bench/bench.h"

#include <rill/net.h>
#include <rill/port.h>
#include <rill/runtime.h>
#include <rill/task.h>
#include <rill/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NIC "mem:bench-ports"
#define SERVER "198.18.0.1/24"
#define UDP_PORT 7
#define ROUND_TRIPS 1000
#define PAYLOAD_BYTES 64
#define ETH_LEN 14
#define ARP_LEN 28
#define HEADERS_LEN (ETH_LEN + 20 + 8)
#define FRAME_LEN (HEADERS_LEN + PAYLOAD_BYTES)
/* The two are measured in turns, so that the machine treats them alike. */
#define TURNS 20

static const uint8_t client_ip[4] = {198, 18, 0, 9}, server_ip[4] = {198, 18, 0, 1};

struct lab {
	struct rill_port *client;
	struct rill_port_info info;
	/* what sends back */
	struct rill_port *reflector;
	struct rill_net *net;
	struct rill_udp *udp;
	struct rill_task *server;
	uint8_t frame[FRAME_LEN];
};

static void lab_close(void *state)
{
	struct lab *lab = state;

	if (lab->server) {
		rill_abort(lab->server);
		rill_join(lab->server, NULL);
	}
	if (lab->udp)
		rill_udp_close(lab->udp);
	if (lab->net)
		rill_net_close(lab->net);
	rill_port_close(lab->client);
	rill_port_close(lab->reflector);
	free(lab);
}

static int open_client(struct lab **ret_lab)
{
	const struct rill_port_options o = {RILL_OPTIONS(o), .nic = NIC, .queues = 1};
	struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	if (!lab)
		return -ENOMEM;
	err = rill_port_open(NULL, &o, &lab->client);
	if (err < 0) {
		free(lab);
		return err;
	}
	rill_port_info(lab->client, &lab->info);
	*ret_lab = lab;
	return 0;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- the reflector ---- */

static unsigned reflect(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
			void *ctx)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t mac[6];

		memcpy(mac, pkts[i]->data, sizeof(mac));
		memcpy(pkts[i]->data, pkts[i]->data + 6, 6);
		memcpy(pkts[i]->data + 6, mac, sizeof(mac));
	}
	rill_port_send(port, queue, pkts, n, RILL_PORT_DROP);
	return n;
}

static unsigned drop(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		     void *ctx)
{
	rill_pkt_free(pkts, n);
	return n;
}

static int open_handler(void **ret_state,
			unsigned (*handler)(struct rill_port *port, unsigned queue,
					    struct rill_pkt **pkts, unsigned n, void *ctx))
{
	const struct rill_port_options o = {RILL_OPTIONS(o), .nic = NIC, .queues = 1,
					    .handler = handler};
	struct rill_port_info info;
	struct lab *lab;
	int err = open_client(&lab);

	if (err < 0)
		return err;
	err = rill_port_open(NULL, &o, &lab->reflector);
	if (err < 0) {
		lab_close(lab);
		return err;
	}
	rill_port_info(lab->reflector, &info);
	memcpy(lab->frame, info.mac, sizeof(info.mac));
	memcpy(lab->frame + 6, lab->info.mac, sizeof(lab->info.mac));
	put16(lab->frame + 12, 0x88b5); /* for experiments (IEEE 802) */
	*ret_state = lab;
	return 0;
}

static int raw_open(struct rill_runtime *rt, void **ret_state)
{
	return open_handler(ret_state, reflect);
}

static int drop_open(struct rill_runtime *rt, void **ret_state)
{
	return open_handler(ret_state, drop);
}

/* ---- the interface with a task ---- */

static void *serve(void *arg)
{
	uint8_t buf[PAYLOAD_BYTES];
	struct rill_addr from;
	ssize_t n;

	while ((n = rill_udp_recv(arg, buf, sizeof(buf), &from)) >= 0)
		rill_udp_send(arg, buf, (size_t)n, &from);
	return NULL;
}

static int send_frame(struct lab *lab, const uint8_t *frame, uint32_t len)
{
	struct rill_pkt *p;

	if (rill_port_alloc(lab->client, 0, &p, 1) == 0)
		return -ENOBUFS;
	memcpy(rill_pkt_append(p, len), frame, len);
	return rill_port_send(lab->client, 0, &p, 1, 0);
}

/* Asks for the server's address, by which the server learns ours. */
static int resolve(struct lab *lab)
{
	static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t frame[ETH_LEN + ARP_LEN] = {0}, *arp = frame + ETH_LEN;
	struct rill_pkt *p;
	bool answered = false;
	int n;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, lab->info.mac, 6);
	put16(frame + 12, 0x0806);
	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, lab->info.mac, 6);
	memcpy(arp + 14, client_ip, 4);
	memcpy(arp + 24, server_ip, 4);
	n = send_frame(lab, frame, sizeof(frame));
	/* The server may announce itself first. */
	while (n >= 0 && !answered) {
		n = rill_port_recv(lab->client, 0, &p, 1);
		if (n < 0)
			break;
		answered = p->data[ETH_LEN + 7] == 2 && memcmp(p->data, lab->info.mac, 6) == 0;
		memcpy(lab->frame, p->data + 6, 6);
		rill_pkt_free(&p, 1);
	}
	return n < 0 ? n : 0;
}

/* A datagram without a checksum of its own (RFC 768). */
static void make_datagram(struct lab *lab)
{
	uint8_t *ip = lab->frame + ETH_LEN, *udp = ip + 20;
	uint32_t sum = 0;

	memcpy(lab->frame + 6, lab->info.mac, 6);
	put16(lab->frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, 20 + 8 + PAYLOAD_BYTES);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, client_ip, 4);
	memcpy(ip + 16, server_ip, 4);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
	put16(udp, 9999);
	put16(udp + 2, UDP_PORT);
	put16(udp + 4, 8 + PAYLOAD_BYTES);
}

static int udp_open(struct rill_runtime *rt, void **ret_state)
{
	const struct rill_net_options o = {RILL_OPTIONS(o), .nic = NIC, .addr = SERVER,
					   .queues = 1};
	struct rill_addr addr = {.port = UDP_PORT};
	struct lab *lab;
	int err = open_client(&lab);

	if (err < 0)
		return err;
	err = rill_net_open(NULL, &o, &lab->net);
	if (err == 0)
		err = rill_udp_bind(lab->net, &addr, NULL, &lab->udp);
	if (err == 0)
		err = rill_spawn(serve, lab->udp, &lab->server);
	if (err == 0)
		err = resolve(lab);
	if (err < 0) {
		lab_close(lab);
		return err;
	}
	make_datagram(lab);
	*ret_state = lab;
	return 0;
}

/* ---- rounds ---- */

/* The server asks now and then whether its client is still there: its question becomes the answer.
 */
static int answer_arp(struct lab *lab, struct rill_pkt *p)
{
	uint8_t *arp = p->data + ETH_LEN;

	memcpy(p->data, p->data + 6, 6);
	memcpy(p->data + 6, lab->info.mac, 6);
	arp[7] = 2;
	memcpy(arp + 18, arp + 8, 10);
	memcpy(arp + 8, lab->info.mac, 6);
	memcpy(arp + 14, client_ip, 4);
	return rill_port_send(lab->client, 0, &p, 1, 0);
}

static int round_trip(struct lab *lab)
{
	struct rill_pkt *p;
	int n = send_frame(lab, lab->frame, FRAME_LEN);

	while (n >= 0) {
		n = rill_port_recv(lab->client, 0, &p, 1);
		if (n < 0)
			return n;
		if (p->len == FRAME_LEN) {
			rill_pkt_free(&p, 1);
			return 0;
		}
		if (p->len < ETH_LEN + ARP_LEN || p->data[12] != 8 || p->data[13] != 6)
			return -EPROTO;
		n = answer_arp(lab, p);
	}
	return n;
}

static int rr_round(void *state, uint64_t *ret_ops)
{
	int err = 0;

	for (int i = 0; err == 0 && i < ROUND_TRIPS; i++)
		err = round_trip(state);
	*ret_ops = ROUND_TRIPS;
	return err;
}

static int drop_round(void *state, uint64_t *ret_ops)
{
	struct rill_pkt *pkts[RILL_PORT_BURST];
	struct rill_port_stats stats;
	struct lab *lab = state;
	uint64_t want;

	rill_port_stats(lab->reflector, 0, &stats);
	want = stats.rx_packets + (uint64_t)ROUND_TRIPS * RILL_PORT_BURST;
	while (stats.rx_packets < want) {
		unsigned n = rill_port_alloc(lab->client, 0, pkts, RILL_PORT_BURST);

		for (unsigned i = 0; i < n; i++)
			memcpy(rill_pkt_append(pkts[i], FRAME_LEN), lab->frame, FRAME_LEN);
		rill_port_send(lab->client, 0, pkts, n, RILL_PORT_DROP);
		rill_yield();
		rill_port_stats(lab->reflector, 0, &stats);
	}
	*ret_ops = (uint64_t)ROUND_TRIPS * RILL_PORT_BURST;
	return 0;
}

/* ---- the difference ---- */

struct turnaround {
	double ns;
	int err;
};

/* What a round trip takes at least, in ns: others on the machine only ever add. */
static int fastest(int (*open)(struct rill_runtime *rt, void **ret_state), uint64_t run_ns,
		   double *best)
{
	uint64_t begin = rill_now(), ops = 0;
	void *lab;
	int err = open(NULL, &lab);

	if (err < 0)
		return err;
	while (err == 0 && rill_now() - begin < run_ns) {
		uint64_t from = rill_now();

		err = rr_round(lab, &ops);
		double ns = (double)(rill_now() - from) / (double)ops;

		if (*best == 0 || ns < *best)
			*best = ns;
	}
	lab_close(lab);
	return err;
}

static void *measure_turnaround(void *arg)
{
	struct turnaround *t = arg;
	uint64_t run_ns = bench_run_ns() / TURNS;
	double raw = 0, udp = 0;

	for (unsigned i = 0; t->err == 0 && i < TURNS; i++) {
		t->err = fastest(raw_open, run_ns, &raw);
		if (t->err == 0)
			t->err = fastest(udp_open, run_ns, &udp);
	}
	t->ns = udp - raw;
	return NULL;
}

static int turnaround_figures(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct turnaround t = {0};
	int err = rill_block_on(rt, measure_turnaround, &t, NULL);

	if (err < 0 || t.err < 0)
		return err < 0 ? err : t.err;
	ret_figures[0] = t.ns;
	return 1;
}

const struct bench bench_ports[] = {
	{.name = "port_rr_mem", .round = rr_round, .open = raw_open, .close = lab_close},
	{.name = "port_rr_udp_mem", .round = rr_round, .open = udp_open, .close = lab_close},
	{.name = "port_rx_drop_mem", .round = drop_round, .open = drop_open, .close = lab_close},
	{.name = "udp_turnaround", .idle = RILL_IDLE_SPIN, .figures = turnaround_figures},
	{.name = NULL},
};
