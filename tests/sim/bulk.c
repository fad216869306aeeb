/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/bulk.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define PORT 5001
#define PIECE 65536u
#define QUEUE_FRAMES_MIN 20u
#define REORDERED 0.01

struct flow {
	struct bulk *b;
	struct bed *bed;
	unsigned index;
	struct rill_tcp *c;
};

static uint64_t frames_ns(unsigned frames)
{
	return frames * BULK_FRAME * 8 * BULK_SECOND / BULK_RATE;
}

static uint64_t bdp_bytes(const struct bulk *b)
{
	return BULK_RATE / 8 * (b->rtt_ns / 1000) / 1000000;
}

uint64_t bulk_queue_bytes(const struct bulk *b)
{
	uint64_t bytes = bdp_bytes(b) * b->queue_percent / 100;

	return RILL_MAX(bytes, (uint64_t)QUEUE_FRAMES_MIN * BULK_FRAME);
}

static struct rill_tcp_options tcp_options(const struct bulk *b)
{
	uint32_t bytes = (uint32_t)RILL_MAX(4 * bdp_bytes(b), UINT64_C(1) << 20);

	return (struct rill_tcp_options){
		.size = sizeof(struct rill_tcp_options),
		.send_buffer = bytes,
		.recv_buffer = bytes,
	};
}

/* ---- the receiver ---- */

static void *sink_task(void *arg)
{
	struct flow *flow = arg;
	uint8_t *buf = malloc(PIECE);
	uint32_t index;
	ssize_t n = rill_tcp_recv_all(flow->c, &index, sizeof(index));

	if (n == sizeof(index) && index < BULK_FLOWS_MAX) {
		while ((n = rill_tcp_recv(flow->c, buf, PIECE)) > 0) {
			uint64_t bucket = bed_now() / BULK_BUCKET_NS;

			if (bucket < BULK_BUCKETS)
				flow->b->received[index][bucket] += (uint64_t)n;
		}
	}
	rill_tcp_abort(flow->c);
	free(buf);
	free(flow);
	return NULL;
}

struct server {
	struct bulk *b;
	struct rill_listener *l;
};

static void *server_task(void *arg)
{
	struct server *server = arg;
	struct rill_task *tasks[BULK_FLOWS_MAX];
	unsigned count = 0;
	struct rill_tcp *c;

	while (count < BULK_FLOWS_MAX && rill_tcp_accept(server->l, &c) == 0) {
		struct flow *flow = malloc(sizeof(*flow));

		*flow = (struct flow){.b = server->b, .c = c};
		RILL_ASSERT_CMP(rill_spawn(sink_task, flow, &tasks[count++]), ==, 0);
	}
	for (unsigned i = 0; i < count; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), >=, 0);
	return NULL;
}

/* ---- the sender ---- */

static int connect_again(struct flow *flow)
{
	struct rill_addr remote = {rill_net_ip(flow->bed->net[BED_SERVER]), PORT};
	struct rill_tcp_options o = tcp_options(flow->b);
	int r;

	do {
		r = rill_tcp_connect(flow->bed->net[BED_CLIENT], NULL, &remote, &o, &flow->c);
	} while (r == -EHOSTUNREACH);
	return r;
}

static void *sender_task(void *arg)
{
	struct flow *flow = arg;
	struct bulk *b = flow->b;
	uint8_t *buf = calloc(1, PIECE);
	struct rill_tcp_info info;
	struct rill_scope scope;

	rill_sleep_until(BED_START_NS + flow->index * b->stagger_ns);
	RILL_ASSERT_CMP(connect_again(flow), ==, 0);
	rill_scope_begin(&scope, BED_START_NS + b->dur_ns, NULL);
	ssize_t n = rill_tcp_send(flow->c, &flow->index, sizeof(flow->index));

	while (n > 0)
		n = rill_tcp_send(flow->c, buf, PIECE);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_tcp_info(flow->c, &info), ==, 0);
	b->retransmits += info.retransmits;
	b->rtos += info.rto_count;
	rill_tcp_abort(flow->c);
	free(buf);
	return NULL;
}

/* ---- the link ---- */

static void set_links(struct bulk *b, struct bed *bed, bool down)
{
	for (enum bed_side side = 0; side < BED_SIDES; side++) {
		struct rill_sim_config c = {.delay_ns = b->rtt_ns / 2, .down = down};

		c.loss = BED_PROB(b->loss);
		if (side == BED_CLIENT) {
			c.rate = BULK_RATE;
			c.queue_bytes = bulk_queue_bytes(b);
			c.ecn_bytes = b->ecn_bytes;
			c.reorder = b->reorder ? BED_PROB(REORDERED) : 0;
			c.reorder_ns = frames_ns(b->reorder);
		}
		RILL_ASSERT_CMP(rill_sim_set(bed->sim, side, &c), ==, 0);
	}
}

static int run(struct bed *bed, void *arg)
{
	struct bulk *b = arg;
	struct server server = {.b = b};
	struct rill_addr local = {.port = PORT};
	struct rill_tcp_options o = tcp_options(b);
	struct flow flows[BULK_FLOWS_MAX];
	struct rill_task *tasks[BULK_FLOWS_MAX], *sink;

	RILL_ASSERT_CMP(rill_tcp_listen(bed->net[BED_SERVER], &local, &o, &server.l), ==, 0);
	RILL_ASSERT_CMP(rill_spawn(server_task, &server, &sink), ==, 0);
	set_links(b, bed, false);
	for (unsigned i = 0; i < b->flows; i++) {
		flows[i] = (struct flow){.b = b, .bed = bed, .index = i};
		RILL_ASSERT_CMP(rill_spawn(sender_task, &flows[i], &tasks[i]), ==, 0);
	}
	if (b->down_ns) {
		rill_sleep_until(BED_START_NS + b->down_at);
		set_links(b, bed, true);
		rill_sleep(b->down_ns);
		set_links(b, bed, false);
	}
	for (unsigned i = 0; i < b->flows; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	/* So that no RST is lost. */
	b->loss = 0;
	set_links(b, bed, false);
	rill_sleep(BULK_SECOND);
	rill_listener_shutdown(server.l);
	rill_net_close(bed->net[BED_CLIENT]);
	bed->net[BED_CLIENT] = NULL;
	rill_abort(sink);
	RILL_ASSERT_CMP(rill_join(sink, NULL), >=, 0);
	rill_listener_close(server.l);
	return 0;
}

void bulk_run(struct bulk *b)
{
	struct bulk config = *b;
	struct bed_options o = {.seed = 1, .bufs = 16384, .cc = b->cc};

	RILL_ASSERT_CMP(b->dur_ns, <=, BULK_BUCKETS * BULK_BUCKET_NS);
	RILL_ASSERT_CMP(b->flows, <=, BULK_FLOWS_MAX);
	memset(b->received, 0, sizeof(b->received));
	b->retransmits = 0;
	b->rtos = 0;
	bed_run(&o, run, b);
	b->loss = config.loss;
}

/* ---- figures ---- */

double bulk_goodput(const struct bulk *b, unsigned flow, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t bytes = 0;

	for (uint64_t i = from_ns / BULK_BUCKET_NS; i < to_ns / BULK_BUCKET_NS; i++)
		bytes += b->received[flow][i];
	return (double)bytes * 8 / ((double)(to_ns - from_ns) / 1e9) / 1e6;
}

double bulk_share(const struct bulk *b)
{
	return (double)BULK_RATE / 1e6 * BULK_MSS / BULK_FRAME * (1 - b->loss);
}

/*
 * Mathis, Semke, Mahdavi, Ott 1997: W = sqrt(3 / 2p) segments. CUBIC (RFC 9438, 5.1) has the
 * larger of that and 1.054 (RTT / p)^(3/4). BBR does not follow loss below 2 %.
 */
double bulk_model(const struct bulk *b)
{
	double rtt = (double)b->rtt_ns / 1e9, share = bulk_share(b);

	if (b->loss <= 0 || (b->cc && strncmp(b->cc, "bbr", 3) == 0))
		return share;
	double window = sqrt(1.5 / b->loss);

	if (b->cc && strcmp(b->cc, "cubic") == 0)
		window = fmax(window, 1.054 * pow(rtt / b->loss, 0.75));
	return fmin(share, window * BULK_MSS * 8 / rtt / 1e6);
}
