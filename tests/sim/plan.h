/* SPDX-License-Identifier: BSD-3-Clause */
/* What a seed makes of the world: the link, the connections and what is done on them, the faults.
 */
#ifndef RILL_TESTS_SIM_PLAN_H
#define RILL_TESTS_SIM_PLAN_H

#include "tests/sim/bed.h"

enum plan_kind {
	PLAN_UP,	   /* the client sends, the server takes it and closes */
	PLAN_DOWN,	   /* the other way round */
	PLAN_BOTH,	   /* both at once */
	PLAN_ECHO,	   /* the server sends back what comes */
	PLAN_RPC,	   /* requests and responses */
	PLAN_HALF_CLOSE,   /* the server answers only after the client's FIN */
	PLAN_SLOW_READER,  /* as UP; the server takes its time, and its window closes */
	PLAN_SHORT,	   /* many connections one after the other, closed from either side first */
	PLAN_SERVER_FIRST, /* the server sends, and closes without waiting */
	PLAN_ABORT_CLIENT, /* the client resets in the middle */
	PLAN_ABORT_SERVER,
	PLAN_REFUSED, /* to a port where nobody listens */
	PLAN_KINDS,
};
const char *plan_kind_name(enum plan_kind kind);

/* How the last use of a connection ended on one side, and what all of them came to. */
struct plan_end {
	bool done;
	int error; /* 0, or the negative errno that its stream ended with */
	uint64_t sent, received;
	unsigned connections;
	struct rill_tcp *conn; /* while it lasts */
};

struct plan {
	unsigned index;
	enum plan_kind kind;
	uint64_t seed;		/* of the contents and the rhythm */
	uint64_t start_ns;	/* when the client begins */
	uint64_t up, down;	/* bytes from client and server; of RPC and SHORT: of each */
	unsigned rounds;	/* of RPC and SHORT */
	uint64_t pause_ns;	/* between pieces, at most */
	uint32_t piece;		/* bytes handed to a call, at most */
	uint64_t impatience_ns; /* calls are given up after so long at most, and made again; 0:
				   never */
	bool zero_copy;
	struct rill_tcp_options options;
	struct plan_end ends[BED_SIDES];
};

enum fault_kind {
	FAULT_DOWN,
	FAULT_LOSS,
	FAULT_BURSTS,
	FAULT_FLAPPING,
	FAULT_BLACK_HOLE, /* large packets vanish */
	FAULT_NARROW,	  /* they are answered */
	FAULT_CORRUPTION,
	FAULT_REORDERING,
	FAULT_DUPLICATES,
	FAULT_SLOW,  /* a tenth of the rate */
	FAULT_DELAY, /* a sudden 300 ms more */
	FAULT_KINDS,
};
const char *fault_kind_name(enum fault_kind kind);

struct fault {
	enum fault_kind kind;
	unsigned sides; /* bit for each: whose sending suffers */
	uint64_t start_ns, dur_ns;
};

#define PLANS_MAX 8
#define FAULTS_MAX 3

struct world_plan {
	uint64_t seed;
	struct bed_options bed;
	struct plan plans[PLANS_MAX];
	unsigned plan_count;
	struct rill_tcp_options server;	 /* of its connections */
	struct fault faults[FAULTS_MAX]; /* in the order of time */
	unsigned fault_count;
	uint64_t faults_end_ns;
	uint64_t patience_ns; /* from the end of the faults until all must be done */
};

void plan_world(struct world_plan *w, uint64_t seed);
void plan_print(const struct world_plan *w);
/* What the fault makes of a link. */
struct rill_sim_config fault_link(const struct fault *f, const struct rill_sim_config *base);

#endif
