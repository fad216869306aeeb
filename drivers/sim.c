/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim:NAME[,key=value]...: NICs in memory as mem:, of whose NAME all are ports of one switch, with
 * a link between each port and the switch. The options are of the link that the port sends
 * through, as in struct rill_sim_config: rate=BITS_PER_S, queue=BYTES, queue_frames=N, ecn=BYTES,
 * delay_ns=, jitter_ns=, loss=P, burst=P, burst_end=P, burst_loss=P, reorder=P, reorder_ns=, dup=P,
 * corrupt=P, up_ns=, down_ns=, link_mtu=BYTES, seed=N; and of the NIC: mtu=, ring=, bufs=.
 *
 * A frame arrives when the caller's clock (now_ns of the receiving queue) says so, neither earlier
 * nor, with a paused clock, later: see rx_next in driver.h.
 */
#include "drivers/builtin.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/mem_steer.h"
#include "drivers/sim_net.h"

struct sim_nic {
	struct rill_mem_nic base;
	struct rill_sim_net *net;
};

static struct rill_sim_net *net_of(const struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q->nic, struct sim_nic, base.base)->net;
}

static unsigned sim_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_mem_queue *q = rill_mem_queue_of(base);
	unsigned port = rill_mem_nic_of(base->nic)->port;
	uint32_t frame_max = rill_mem_nic_frame_max(base->nic);
	uint64_t bytes = 0;
	unsigned refused = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = bufs[i];

		if (b->len < RILL_MEM_ETH_LEN || b->len > frame_max) {
			refused++;
		} else {
			bytes += b->len;
			rill_sim_net_send(net_of(base), port, b->data, b->len, base->now_ns);
		}
		rill_buf_put_owner(&q->pool, b);
	}
	rill_mem_queue_sent(q, n, bytes, refused);
	return n;
}

static void sim_tx_flush(struct rill_nic_queue *base)
{
	(void)base; /* frames are on their way at the end of tx_burst */
}

static unsigned sim_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_mem_queue *q = rill_mem_queue_of(base);

	rill_sim_net_arrive(net_of(base), q, n, base->now_ns);
	return rill_mem_queue_rx(q, bufs, n);
}

static bool sim_rx_arm(struct rill_nic_queue *base)
{
	return rill_sim_net_arm(net_of(base), rill_mem_queue_of(base), base->now_ns);
}

static uint64_t sim_rx_next(struct rill_nic_queue *base)
{
	return rill_sim_net_next(net_of(base), rill_mem_queue_of(base));
}

/* ---- open and close ---- */

static void sim_close(struct rill_nic *base)
{
	struct sim_nic *nic = RILL_CONTAINER_OF(base, struct sim_nic, base.base);

	rill_mem_nic_down(&nic->base);
	if (nic->net)
		rill_sim_net_leave(nic->net, &nic->base);
	rill_mem_nic_close(&nic->base);
}

struct sim_spec {
	char name[RILL_SPEC_NAME_LEN];
	struct rill_sim_config config;
	uint64_t seed; /* UINT64_MAX: none given */
};

static int parse_spec(struct sim_nic *nic, const char *spec, struct sim_spec *ret, char *error)
{
	struct rill_sim_config *c = &ret->config;
	const uint64_t max_ns = UINT64_C(3600) * 1000 * 1000 * 1000;
	const struct rill_spec_key keys[] = {
		{"rate", RILL_SPEC_UINT, &c->rate, 1000, UINT64_C(1) << 50},
		{"queue", RILL_SPEC_UINT, &c->queue_bytes, 0, UINT64_MAX},
		{"queue_frames", RILL_SPEC_UINT, &c->queue_frames, 0, RILL_SIM_QUEUE_FRAMES_MAX},
		{"ecn", RILL_SPEC_UINT, &c->ecn_bytes, 0, UINT64_MAX},
		{"delay_ns", RILL_SPEC_UINT, &c->delay_ns, 0, max_ns},
		{"jitter_ns", RILL_SPEC_UINT, &c->jitter_ns, 0, max_ns},
		{"loss", RILL_SPEC_PROB, &c->loss},
		{"burst", RILL_SPEC_PROB, &c->burst},
		{"burst_end", RILL_SPEC_PROB, &c->burst_end},
		{"burst_loss", RILL_SPEC_PROB, &c->burst_loss},
		{"reorder", RILL_SPEC_PROB, &c->reorder},
		{"reorder_ns", RILL_SPEC_UINT, &c->reorder_ns, 0, max_ns},
		{"dup", RILL_SPEC_PROB, &c->dup},
		{"corrupt", RILL_SPEC_PROB, &c->corrupt},
		{"up_ns", RILL_SPEC_UINT, &c->up_ns, 0, max_ns},
		{"down_ns", RILL_SPEC_UINT, &c->down_ns, 0, max_ns},
		{"link_mtu", RILL_SPEC_UINT, &c->mtu, 0, 65535},
		{"seed", RILL_SPEC_UINT, &ret->seed, 0, UINT64_MAX - 1},
		RILL_MEM_NIC_KEYS(&nic->base),
	};

	return rill_spec_parse("sim", spec, keys, RILL_ARRAY_SIZE(keys), ret->name, error);
}

/* A link that a test has set up, or an earlier NIC left behind, stays when the spec says nothing.
 */
static int set_link(struct sim_nic *nic, const struct sim_spec *spec, char *error)
{
	static const struct rill_sim_config plain;
	unsigned port = nic->base.port;

	if (spec->seed != UINT64_MAX)
		rill_sim_seed(nic->net, port, spec->seed);
	if (memcmp(&spec->config, &plain, sizeof(plain)) == 0)
		return 0;
	int err = rill_sim_set(nic->net, port, &spec->config);

	return err ? rill_nic_fail(error, err, "sim: out of memory") : 0;
}

static int start(struct sim_nic *nic, const struct sim_spec *spec, unsigned queues, char *error)
{
	int err = rill_mem_nic_start(&nic->base, &rill_sim_kind, spec->name, queues,
				     sizeof(struct rill_mem_queue), error);

	if (err)
		return err;
	nic->net = nic->base.hub->ext;
	rill_sim_net_enter(nic->net, &nic->base);
	return set_link(nic, spec, error);
}

static int sim_open(const char *text, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct sim_nic *nic = calloc(1, sizeof(*nic));
	struct sim_spec spec = {.seed = UINT64_MAX};

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "sim: out of memory");
	rill_mem_nic_init(&nic->base, &rill_sim_driver);
	int err = parse_spec(nic, text, &spec, error);

	if (!err)
		err = start(nic, &spec, queues, error);
	struct rill_nic *base = &nic->base.base;

	if (err) {
		sim_close(base);
		return err;
	}
	rill_mem_nic_up(&nic->base);
	snprintf(base->describe, sizeof(base->describe), "sim:%s port %u, %u queue%s, mtu %u",
		 spec.name, nic->base.port, queues, queues == 1 ? "" : "s", base->mtu);
	*ret_nic = base;
	return 0;
}

const struct rill_driver rill_sim_driver = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.rx_burst = sim_rx_burst,
	.tx_burst = sim_tx_burst,
	.tx_flush = sim_tx_flush,
	.rx_arm = sim_rx_arm,
	.rx_disarm = rill_mem_queue_disarm,
	.rx_fd = rill_mem_queue_fd,
	.rx_next = sim_rx_next,
	.rx_queue_of = rill_mem_steer_queue_of,
	.stats = rill_mem_queue_stats,
};
