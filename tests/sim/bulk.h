/* SPDX-License-Identifier: BSD-3-Clause */
/* Bulk transfers through one bottleneck, and what they come to. */
#ifndef RILL_TESTS_SIM_BULK_H
#define RILL_TESTS_SIM_BULK_H

#include "tests/sim/bed.h"

#define BULK_RATE UINT64_C(100000000) /* of the bottleneck, bits per second */
#define BULK_MSS 1448u		      /* with timestamps */
#define BULK_FRAME 1514u
#define BULK_SECOND UINT64_C(1000000000)

/* What arrived is counted by times of this length. */
#define BULK_BUCKET_NS (BULK_SECOND / 20)
#define BULK_BUCKETS 2000
#define BULK_FLOWS_MAX 4u

struct bulk {
	const char *cc;		   /* NULL: the default */
	double loss;		   /* of data and ACKs, each */
	unsigned reorder;	   /* one frame in a hundred comes so many frames late */
	uint64_t rtt_ns;	   /* without queue */
	unsigned queue_percent;	   /* of the bandwidth-delay product */
	uint64_t ecn_bytes;	   /* the bottleneck marks from there on */
	uint64_t dur_ns;	   /* at most BULK_BUCKETS of them */
	unsigned flows;		   /* one after the other, */
	uint64_t stagger_ns;	   /* so far apart */
	uint64_t down_ns, down_at; /* the link is down so long from then on; 0: never */
	uint64_t received[BULK_FLOWS_MAX][BULK_BUCKETS]; /* result: bytes */
	uint64_t retransmits, rtos;			 /* of the senders, together */
};

void bulk_run(struct bulk *b);

/* The queue that this makes: at least some frames, or nothing would work. */
uint64_t bulk_queue_bytes(const struct bulk *b);
/* What flow had from the one time to the other, in Mb/s. */
double bulk_goodput(const struct bulk *b, unsigned flow, uint64_t from_ns, uint64_t to_ns);
/* The most that one flow can have on this link, in Mb/s; what its algorithm's model gives under
 * that loss. */
double bulk_share(const struct bulk *b);
double bulk_model(const struct bulk *b);

#endif
