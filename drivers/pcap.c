/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap:in=FILE[,factor=F|,pps=N|,bps=N|,pace=max][,loop=N][,out=FILE][,mtu=N][,bufs=N]
 *
 * A NIC of files: receives what is recorded in one, pcap or pcapng, and writes what is sent to the
 * other, pcapng with nanoseconds. Packets come by the gaps of the recording, or F times as fast, or
 * N packets or bits a second, or as fast as they are taken; loop times, 0 for ever. They carry the
 * recorded times (RILL_BUF_HW_TIME). How late they were handed over is in the counters. When all
 * have come, the link is down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drivers/builtin.h"
#include "drivers/pcap_replay.h"
#include "drivers/pcapng.h"
#include "drivers/spec.h"

#define PATH_LEN 256
#define ETH_LEN 14
#define FRAME_OVERHEAD (ETH_LEN + 2 * 4)
#define MTU_DEFAULT 9216u
#define BUFS_DEFAULT 1024u
#define NS_PER_SEC 1000000000u
#define LATE_BUCKETS 40 /* powers of two of nanoseconds */

enum pace_choice {
	PACE_RECORDED,
	PACE_MAX,
};

/* How late packets were handed over. */
struct lateness {
	uint64_t count, sum_ns, max_ns;
	uint64_t buckets[LATE_BUCKETS];
};

struct pcap_nic {
	struct rill_nic base;
	struct rill_nic_queue queue;
	struct rill_buf_pool pool;
	struct rill_replay replay;
	struct lateness late;
	uint64_t too_long;
	RILL_ATOMIC(bool) ended; /* read by whoever asks for the link */
	/* transmit */
	FILE *out;
	uint8_t *block;
	size_t block_size;
	int64_t wall_offset_ns; /* of the wall clock to the monotonic one */
	uint64_t write_errors;
	/* options */
	char in_path[PATH_LEN], out_path[PATH_LEN], factor[16];
	uint64_t mtu, bufs, pps, bps, pace, loops;
};

static struct pcap_nic *nic_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct pcap_nic, queue);
}

/* ---- receive ---- */

static void note_late(struct lateness *l, uint64_t ns)
{
	unsigned bucket = ns ? 64 - (unsigned)__builtin_clzll(ns) : 0;

	rill_counter_add(&l->count, 1);
	rill_counter_add(&l->sum_ns, ns);
	if (ns > l->max_ns)
		rill_store_relaxed(&l->max_ns, ns);
	rill_counter_add(&l->buckets[RILL_MIN(bucket, LATE_BUCKETS - 1u)], 1);
}

/* NULL: no buffer; the packet stays where it is. */
static struct rill_buf *fill(struct pcap_nic *nic, const struct rill_replay_packet *p)
{
	struct rill_buf *b = rill_buf_alloc(&nic->pool);

	if (!b)
		return NULL;
	memcpy(rill_buf_append(b, p->len), p->data, p->len);
	b->time_ns = p->time_ns;
	b->flags |= RILL_BUF_HW_TIME;
	b->queue = 0;
	return b;
}

static unsigned pcap_rx_burst(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n)
{
	struct pcap_nic *nic = nic_of(q);
	const struct rill_replay_packet *p;
	uint64_t bytes = 0;
	unsigned count = 0, skipped = 0;

	while (count + skipped < n && (p = rill_replay_peek(&nic->replay, q->now_ns)) &&
	       p->due_ns <= q->now_ns) {
		if (p->len > (uint32_t)nic->base.mtu + FRAME_OVERHEAD || p->len < ETH_LEN) {
			skipped++;
			rill_counter_add(&nic->too_long, 1);
			rill_counter_add(&q->stats.rx_dropped, 1);
			rill_replay_advance(&nic->replay);
			continue;
		}
		bufs[count] = fill(nic, p);
		if (!bufs[count])
			break;
		if (p->due_ns)
			note_late(&nic->late, q->now_ns - p->due_ns);
		bytes += p->len;
		count++;
		rill_replay_advance(&nic->replay);
	}
	if (nic->replay.ended)
		rill_store_relaxed(&nic->ended, true);
	rill_counter_add(&q->stats.rx_packets, count);
	rill_counter_add(&q->stats.rx_bytes, bytes);
	return count;
}

static uint64_t pcap_rx_next(struct rill_nic_queue *q)
{
	const struct rill_replay_packet *p = rill_replay_peek(&nic_of(q)->replay, q->now_ns);

	return p ? p->due_ns : UINT64_MAX;
}

static bool pcap_rx_arm(struct rill_nic_queue *q)
{
	struct pcap_nic *nic = nic_of(q);

	/* Nothing more is sent for now: what has been is for others to read. */
	if (nic->out)
		fflush(nic->out);
	return pcap_rx_next(q) > q->now_ns || rill_buf_pool_reclaim(&nic->pool) == 0;
}

static void pcap_rx_disarm(struct rill_nic_queue *q)
{
}

/* Packets come by the clock, see rx_next. */
static int pcap_rx_fd(struct rill_nic_queue *q)
{
	return -1;
}

/* ---- transmit ---- */

static void write_packet(struct pcap_nic *nic, const struct rill_buf *b)
{
	const struct rill_pcapng_packet p = {
		.time_ns = nic->queue.now_ns + (uint64_t)nic->wall_offset_ns,
		.data = b->data,
		.len = b->len,
		.wire_len = b->len,
		.direction = RILL_PCAPNG_OUT,
	};
	size_t len = rill_pcapng_packet(nic->block, nic->block_size, &p);

	if (b->len < ETH_LEN || len == 0 || fwrite(nic->block, len, 1, nic->out) != 1) {
		rill_counter_add(&nic->queue.stats.tx_dropped, 1);
		if (ferror(nic->out))
			rill_counter_add(&nic->write_errors, 1);
		clearerr(nic->out);
		return;
	}
	rill_counter_add(&nic->queue.stats.tx_packets, 1);
	rill_counter_add(&nic->queue.stats.tx_bytes, b->len);
}

/* Without out= it is sent to nowhere. */
static unsigned pcap_tx_burst(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n)
{
	struct pcap_nic *nic = nic_of(q);

	for (unsigned i = 0; i < n; i++) {
		if (nic->out)
			write_packet(nic, bufs[i]);
		else
			rill_counter_add(&q->stats.tx_dropped, 1);
		rill_buf_put_owner(&nic->pool, bufs[i]);
	}
	return n;
}

static void pcap_tx_flush(struct rill_nic_queue *q)
{
}

/* ---- to know ---- */

static void pcap_link(struct rill_nic *base, struct rill_nic_link *ret_link)
{
	struct pcap_nic *nic = RILL_CONTAINER_OF(base, struct pcap_nic, base);

	*ret_link = (struct rill_nic_link){
		.up = !nic->in_path[0] || !rill_load_relaxed(&nic->ended),
		.mtu = base->mtu,
	};
	memcpy(ret_link->mac, base->mac, sizeof(ret_link->mac));
}

/* The upper edge of the bucket in which so many of a thousand have come. */
static uint64_t late_quantile(const struct lateness *l, unsigned permille)
{
	uint64_t want = (rill_load_relaxed(&l->count) * permille + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < LATE_BUCKETS; i++) {
		seen += rill_load_relaxed(&l->buckets[i]);
		if (seen >= want)
			return i ? (UINT64_C(1) << i) - 1 : 0;
	}
	return UINT64_MAX;
}

static void pcap_counters(struct rill_nic *base,
			  void (*each)(const char *name, uint64_t value, void *ctx), void *ctx)
{
	struct pcap_nic *nic = RILL_CONTAINER_OF(base, struct pcap_nic, base);
	const struct lateness *l = &nic->late;
	uint64_t count = rill_load_relaxed(&l->count);

	each("replay_packets", count, ctx);
	each("replay_error_mean_ns", count ? rill_load_relaxed(&l->sum_ns) / count : 0, ctx);
	each("replay_error_p50_ns", count ? late_quantile(l, 500) : 0, ctx);
	each("replay_error_p99_ns", count ? late_quantile(l, 990) : 0, ctx);
	each("replay_error_max_ns", rill_load_relaxed(&l->max_ns), ctx);
	each("replay_too_long", rill_load_relaxed(&nic->too_long), ctx);
	each("replay_damaged", rill_load_relaxed(&nic->replay.damaged), ctx);
	each("write_errors", rill_load_relaxed(&nic->write_errors), ctx);
}

/* ---- open and close ---- */

static void pcap_close_nic(struct rill_nic *base)
{
	struct pcap_nic *nic = RILL_CONTAINER_OF(base, struct pcap_nic, base);

	rill_replay_close(&nic->replay);
	if (nic->out)
		fclose(nic->out);
	free(nic->block);
	rill_buf_pool_fini_heap(&nic->pool);
	free(nic);
}

static int parse(struct pcap_nic *nic, const char *spec, char *error)
{
	static const char *const paces[] = {"recorded", "max", NULL};
	const struct rill_spec_key keys[] = {
		{"in", RILL_SPEC_TEXT, .text = nic->in_path, .max = PATH_LEN},
		{"out", RILL_SPEC_TEXT, .text = nic->out_path, .max = PATH_LEN},
		{"factor", RILL_SPEC_TEXT, .text = nic->factor, .max = sizeof(nic->factor)},
		{"pace", RILL_SPEC_CHOICE, &nic->pace, .choices = paces},
		{"pps", RILL_SPEC_UINT, &nic->pps, 1, 1000000000},
		{"bps", RILL_SPEC_UINT, &nic->bps, 1, UINT64_C(1000000000000)},
		{"loop", RILL_SPEC_UINT, &nic->loops, 0, UINT64_MAX},
		{"mtu", RILL_SPEC_UINT, &nic->mtu, 68, UINT16_MAX - FRAME_OVERHEAD},
		{"bufs", RILL_SPEC_UINT, &nic->bufs, 16, 1 << 22},
	};
	char name[RILL_SPEC_NAME_LEN], *whole;
	int err;

	/* A spec begins with a name, which files have no need of. */
	if (asprintf(&whole, "files,%s", spec) < 0)
		return rill_nic_fail(error, -ENOMEM, "pcap: out of memory");
	err = rill_spec_parse("pcap", whole, keys, RILL_ARRAY_SIZE(keys), name, error);
	free(whole);
	return err;
}

static int set_pace(struct pcap_nic *nic, char *error)
{
	struct rill_replay *r = &nic->replay;
	char *end = nic->factor;

	r->path = nic->in_path;
	r->loops = nic->loops;
	r->factor = nic->factor[0] ? strtod(nic->factor, &end) : 1;
	/* what is no number fails this, too */
	if (*end || !(r->factor >= 1e-6 && r->factor <= 1e6))
		return rill_nic_fail(error, -EINVAL,
				     "pcap: factor=%s is not a number from 0.000001 to 1000000",
				     nic->factor);
	if ((nic->factor[0] != 0) + (nic->pps != 0) + (nic->bps != 0) + (nic->pace == PACE_MAX) > 1)
		return rill_nic_fail(error, -EINVAL,
				     "pcap: want one of factor=, pps=, bps= and pace=max");
	r->rate = nic->pps ? nic->pps : nic->bps;
	if (nic->pps)
		r->pace = RILL_REPLAY_PPS;
	else if (nic->bps)
		r->pace = RILL_REPLAY_BPS;
	else if (nic->pace == PACE_MAX)
		r->pace = RILL_REPLAY_MAX;
	return 0;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static int open_out(struct pcap_nic *nic, char *error)
{
	size_t len;

	nic->block_size = nic->base.mtu + FRAME_OVERHEAD + RILL_PCAPNG_OVERHEAD + 128u;
	nic->block = malloc(nic->block_size);
	nic->out = fopen(nic->out_path, "we");
	nic->wall_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	if (!nic->block)
		return rill_nic_fail(error, -ENOMEM, "pcap: out of memory");
	if (!nic->out)
		return rill_nic_fail(error, -errno, "pcap: cannot write %s: %s", nic->out_path,
				     strerror(errno));
	len = rill_pcapng_section(nic->block, nic->block_size, "rill");
	len += rill_pcapng_interface(nic->block + len, nic->block_size - len, "pcap");
	if (fwrite(nic->block, len, 1, nic->out) != 1)
		return rill_nic_fail(error, -errno, "pcap: cannot write %s: %s", nic->out_path,
				     strerror(errno));
	return 0;
}

static void set_base(struct pcap_nic *nic)
{
	static const uint8_t mac[6] = {0x02, 'p', 'c', 'a', 'p', 1};

	memcpy(nic->base.mac, mac, sizeof(mac));
	nic->base.mtu = (uint16_t)nic->mtu;
	nic->base.caps = RILL_NIC_RX_TIME | RILL_NIC_RX_TIME_ALL;
	nic->base.queue_count = 1;
	nic->base.queues[0] = &nic->queue;
	nic->queue.nic = &nic->base;
	nic->queue.pool = &nic->pool;
	snprintf(nic->base.describe, sizeof(nic->base.describe), "pcap:%s%.60s%s%.60s, mtu %u",
		 nic->in_path[0] ? "in=" : "", nic->in_path,
		 nic->out_path[0] ? (nic->in_path[0] ? ",out=" : "out=") : "", nic->out_path,
		 nic->base.mtu);
}

static int start(struct pcap_nic *nic, const char *spec, char *error)
{
	int err = parse(nic, spec, error);

	if (!err && !nic->in_path[0] && !nic->out_path[0])
		err = rill_nic_fail(error, -EINVAL, "pcap: want in=FILE, out=FILE, or both");
	if (!err)
		err = set_pace(nic, error);
	if (!err && nic->in_path[0])
		err = rill_replay_open(&nic->replay, error);
	if (err)
		return err;
	set_base(nic);
	if (nic->out_path[0])
		err = open_out(nic, error);
	if (err)
		return err;
	err = rill_buf_pool_init_heap(&nic->pool, (uint32_t)nic->bufs,
				      nic->base.mtu + FRAME_OVERHEAD + RILL_BUF_HEADROOM);
	return err ? rill_nic_fail(error, err, "pcap: no memory for the buffers") : 0;
}

static int pcap_open_nic(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct pcap_nic *nic = calloc(1, sizeof(*nic));
	int err;

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "pcap: out of memory");
	nic->base.driver = &rill_pcap_driver;
	nic->mtu = MTU_DEFAULT;
	nic->bufs = BUFS_DEFAULT;
	nic->loops = 1;
	err = start(nic, spec, error);
	if (err) {
		pcap_close_nic(&nic->base);
		return err;
	}
	*ret_nic = &nic->base;
	return 0;
}

const struct rill_driver rill_pcap_driver = {
	.name = "pcap",
	.open = pcap_open_nic,
	.close = pcap_close_nic,
	.rx_burst = pcap_rx_burst,
	.tx_burst = pcap_tx_burst,
	.tx_flush = pcap_tx_flush,
	.rx_arm = pcap_rx_arm,
	.rx_disarm = pcap_rx_disarm,
	.rx_fd = pcap_rx_fd,
	.rx_next = pcap_rx_next,
	.link = pcap_link,
	.counters = pcap_counters,
};
