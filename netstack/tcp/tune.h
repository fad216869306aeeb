/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user may set for a connection: the bounds of each value, and what an open connection
 * does about it. Both kinds of sockets set by these.
 */
#ifndef RILL_NETSTACK_TCP_TUNE_H
#define RILL_NETSTACK_TCP_TUNE_H

#include "netstack/tcp/tcb.h"

/* Of struct rill_tcp_settings. */
enum rill_tcp_tunable {
	RILL_TUNE_KEEPALIVE,
	RILL_TUNE_KEEP_IDLE_MS,
	RILL_TUNE_KEEP_INTVL_MS,
	RILL_TUNE_KEEP_COUNT,
	RILL_TUNE_USER_TIMEOUT_MS,
	RILL_TUNE_UTO_MS,
	RILL_TUNE_LINGER_MS,
	RILL_TUNE_LINGER2_MS,
	RILL_TUNE_SYN_RETRIES,
	RILL_TUNE_DEFER_ACCEPT_MS,
	RILL_TUNE_NOTSENT_LOWAT,
	RILL_TUNE_WINDOW_CLAMP,
	RILL_TUNE_MAX_PACING_RATE,
	RILL_TUNE_MSS_CLAMP,
	RILL_TUNE_TOS,
	RILL_TUNE_TTL,
	RILL_TUNE_OOB_INLINE,
	RILL_TUNE_FAST_OPEN_NO_COOKIE,
	RILL_TUNE_COUNT,
};

struct rill_tcp_change {
	enum rill_tcp_tunable what;
	uint64_t value;
};

/* -EINVAL: one of them is out of its bounds. */
int rill_tcp_tune_check(const struct rill_tcp_change *changes, unsigned count);
/* Changes that were checked. */
void rill_tcp_tune_apply(struct rill_tcp_settings *s, const struct rill_tcp_change *changes,
			 unsigned count);

/* Both, for a connection, which follows. -EINVAL, -ENOMEM: nothing is changed. Output is due. */
int rill_tcb_tune(struct rill_tcb *tcb, struct rill_tcp_env *env,
		  const struct rill_tcp_change *changes, unsigned count, uint64_t now);

/* TCP_QUICKACK: on, an ACK that waits goes as well; off, the quick ones of the start are over. */
void rill_tcb_set_quickack(struct rill_tcb *tcb, bool on);

#endif
