/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The links of sim: NICs as a test sees them. All NICs of one name are ports of a switch, and what
 * a port sends goes through its link: so each direction has its own. Ports are numbered in the
 * order in which NICs open. Any thread.
 */
#ifndef RILL_DRIVERS_SIM_H
#define RILL_DRIVERS_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct rill_sim_net;

/*
 * One direction. Zero is a perfect wire. Sizes of frames are as they lie in memory, without
 * preamble and check sum; probabilities are as rill_spec stores them (RILL_SPEC_PROB_ONE is
 * certainty). In the order of the frame's way:
 */
struct rill_sim_config {
	bool down;	  /* loses everything */
	uint64_t up_ns;	  /* flaps: so long up, */
	uint64_t down_ns; /* then so long down, and again, counted from when this was set */
	uint64_t mtu;	  /* larger packets (behind Ethernet) are lost; 0: none is */
	bool mtu_answer;  /* their sender gets an ICMP "fragmentation needed" if they say so */

	uint64_t rate;	       /* bits per second; 0: no limit, and no queue */
	uint64_t queue_bytes;  /* the queue in front, with the frame being sent; 0: no limit */
	uint64_t queue_frames; /* the same in frames, up to RILL_SIM_QUEUE_FRAMES_MAX */
	uint64_t ecn_bytes;    /* an ECT packet that finds so much waiting is marked CE; 0: never */

	uint64_t loss;	     /* of each frame by itself */
	uint64_t burst;	     /* from the good state to the bad one (Gilbert, Elliott), by frame */
	uint64_t burst_end;  /* and back, after RILL_SIM_BURST_MAX_NS at the latest */
	uint64_t burst_loss; /* in the bad state; 0: all */
	uint64_t corrupt;    /* of IP packets: one bit behind the Ethernet header is flipped */

	uint64_t delay_ns;
	uint64_t jitter_ns;  /* up to so much more, but frames stay in order */
	uint64_t reorder;    /* these come */
	uint64_t reorder_ns; /* so much later, and do not hold up those behind them */
	uint64_t dup;	     /* these come twice */
};

#define RILL_SIM_QUEUE_FRAMES_MAX 65536u

/* A sender that backs off must not find the same burst whenever it tries again. */
#define RILL_SIM_BURST_MAX_NS UINT64_C(1000000000)

/* What became of a frame that a port sent. */
enum rill_sim_fate {
	RILL_SIM_SENT,
	RILL_SIM_LOST_DOWN,
	RILL_SIM_LOST_MTU,
	RILL_SIM_LOST_QUEUE,
	RILL_SIM_LOST_RANDOM,
	RILL_SIM_LOST_BURST,
	RILL_SIM_LOST_FULL, /* more in flight than RILL_SIM_FLIGHT_MAX */
	RILL_SIM_FATE_COUNT,
};
const char *rill_sim_fate_name(enum rill_sim_fate fate);

/* Frames on their way to one receive queue, at most. */
#define RILL_SIM_FLIGHT_MAX 131072u

struct rill_sim_stats {
	uint64_t fates[RILL_SIM_FATE_COUNT];
	uint64_t bytes; /* of RILL_SIM_SENT */
	uint64_t marked, corrupted, reordered, duplicated;
	uint64_t backlog_max; /* bytes: the longest that the queue has been */
};

/* One frame as its port sent it; arrival_ns only when it was sent. */
struct rill_sim_event {
	uint64_t now_ns, arrival_ns;
	unsigned port;
	enum rill_sim_fate fate;
	bool marked, corrupted, reordered, duplicated;
	const uint8_t *frame;
	uint32_t len;
};

/* A reference to the net of that name, which may come with it: before its NICs open, and after they
 * closed. NULL: out of memory. */
struct rill_sim_net *rill_sim_get(const char *name);
void rill_sim_put(struct rill_sim_net *net);

/* Changes a link from its next frame on; those in the queue and in flight stay. -ENOMEM. */
int rill_sim_set(struct rill_sim_net *net, unsigned port, const struct rill_sim_config *config);
/* Starts the dice of a port's link anew. */
void rill_sim_seed(struct rill_sim_net *net, unsigned port, uint64_t seed);
void rill_sim_config(struct rill_sim_net *net, unsigned port, struct rill_sim_config *ret_config);
void rill_sim_stats(struct rill_sim_net *net, unsigned port, struct rill_sim_stats *ret_stats);
/* Calls fn for each frame, under a spin lock: it must be short, and not come back here. NULL ends
 * it. */
void rill_sim_watch(struct rill_sim_net *net, void (*fn)(void *ctx, const struct rill_sim_event *e),
		    void *ctx);
/* Buffers of the port's pools that are neither free nor waiting to be received into. While nobody
 * else uses the NIC. */
uint32_t rill_sim_buffers_out(struct rill_sim_net *net, unsigned port);

#endif
