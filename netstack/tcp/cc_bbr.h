/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BBR (draft-ietf-ccwg-bbr-06; "BBRv3"): a model of the path, the bandwidth and the round-trip time
 * without queue, decides what is sent, and losses bound it. Names are the draft's; numbers in
 * comments are its sections. For cc_bbr*.c alone:
 *
 *   cc_bbr.c        the vtable: the order of steps for each event
 *   cc_bbr_state.c  the state machine: Startup, Drain, the ProbeBW cycle, ProbeRTT
 *   cc_bbr_model.c  bandwidth, round-trip time, aggregation, and the bounds that loss sets
 *   cc_bbr_out.c    the outcome: pacing rate and cwnd
 *
 *      Startup --> Drain --> DOWN --> CRUISE --> REFILL --> UP --+
 *                             ^                                  |
 *                             +----------------------------------+     any of them <--> ProbeRTT
 *
 * Bytes, nanoseconds, bytes per second. "Infinity" is the largest value of the type.
 */
#ifndef RILL_NETSTACK_TCP_CC_BBR_H
#define RILL_NETSTACK_TCP_CC_BBR_H

#include "netstack/tcp/cc_common.h"

/*
 * 550 Gb/s. With it, and with times below RILL_BBR_TIME_MAX_NS, no product of a rate and a time
 * overflows.
 */
#define RILL_BBR_BW_MAX (UINT64_C(1) << 36)
#define RILL_BBR_TIME_MAX_NS (100 * RILL_SEC)

/* ProbeBW_DOWN to ProbeBW_UP in the order of the cycle. */
enum rill_bbr_state {
	RILL_BBR_STARTUP = 0,
	RILL_BBR_DRAIN,
	RILL_BBR_DOWN,
	RILL_BBR_CRUISE,
	RILL_BBR_REFILL,
	RILL_BBR_UP,
	RILL_BBR_PROBE_RTT,
	RILL_BBR_NO_STATE, /* undo_state: None */
};

/* 2.14: what the ACKs that come in now say of a bandwidth probe. */
enum rill_bbr_acks {
	RILL_BBR_ACKS_INIT = 0,
	RILL_BBR_ACKS_REFILLING,
	RILL_BBR_ACKS_PROBE_STARTING,
	RILL_BBR_ACKS_PROBE_FEEDBACK,
	RILL_BBR_ACKS_PROBE_STOPPING,
};

struct rill_bbr {
	uint8_t state;	    /* enum rill_bbr_state */
	uint8_t undo_state; /* the same; NO_STATE: None */
	uint8_t ack_phase;  /* enum rill_bbr_acks */
	uint8_t full_bw_count;
	uint8_t bw_probe_up_rounds;
	uint8_t lost_ranges; /* discontiguous, in this round */
	bool full_bw_reached : 1;
	bool full_bw_now : 1;
	bool round_start : 1;
	bool loss_round_start : 1;
	bool is_loss_in_round : 1;
	bool is_bw_probe_sample : 1;
	bool prev_probe_too_high : 1;
	bool prev_probe_precautionary : 1;
	bool idle_restart : 1;
	bool probe_rtt_expired : 1;
	bool probe_rtt_round_done : 1;
	bool in_recovery : 1; /* fast recovery or after a timeout */
	bool rtt_seen : 1;    /* the pacing rate was based on a round-trip time */

	/* Rates. */
	uint64_t bw;
	uint64_t max_bw;
	uint64_t max_bw_slot[2]; /* the last ProbeBW cycle's, this one's */
	uint64_t bw_shortterm, undo_bw_shortterm;
	uint64_t bw_latest;
	uint64_t full_bw;

	/* Times. */
	uint64_t min_rtt_ns, min_rtt_stamp;
	uint64_t probe_rtt_min_ns, probe_rtt_min_stamp;
	uint64_t probe_rtt_done_stamp; /* 0: not begun */
	uint64_t cycle_stamp;
	uint32_t bw_probe_wait_ms;

	/* Rounds. */
	uint32_t round_count;
	uint32_t drain_start_round;
	uint32_t rounds_since_probe_up;
	uint64_t next_round_delivered;
	uint64_t loss_round_delivered;

	/* Volumes. */
	uint32_t initial_cwnd;
	uint32_t prior_cwnd;
	uint32_t inflight_longterm, undo_inflight_longterm;
	uint32_t inflight_shortterm, undo_inflight_shortterm;
	uint32_t inflight_latest;
	uint32_t probe_up_acked_per_inc, bw_probe_up_acked;
	uint32_t last_lost_end; /* where the range lost last ends */

	/* 5.5.9. The window of 10 rounds is two halves. */
	uint64_t extra_acked_interval_start;
	uint64_t extra_acked_delivered;
	uint32_t extra_acked[2];
	uint32_t extra_acked_round; /* when the second half began */
};

static inline struct rill_bbr *rill_bbr(struct rill_tcb *tcb)
{
	return RILL_TCP_CC_PRIV(tcb, struct rill_bbr);
}

static inline bool rill_bbr_in_probe_bw(const struct rill_bbr *b)
{
	return b->state >= RILL_BBR_DOWN && b->state <= RILL_BBR_UP;
}

/* One ACK, on its way through the steps. */
struct rill_bbr_rx {
	struct rill_tcb *tcb;
	struct rill_bbr *b;
	const struct rill_tcp_cc_ack *ack;
	uint64_t bw; /* RS.delivery_rate; 0: no sample */
	uint64_t now;
	uint32_t inflight; /* C.inflight, this ACK taken off */
};

/* ---- the model (cc_bbr_model.c) ---- */

void rill_bbr_model_init(struct rill_tcb *tcb, uint64_t now);
void rill_bbr_update_latest_signals(struct rill_bbr_rx *rx);
void rill_bbr_update_congestion_signals(struct rill_bbr_rx *rx);
void rill_bbr_advance_latest_signals(struct rill_bbr_rx *rx);
void rill_bbr_update_aggregation(struct rill_bbr_rx *rx);
void rill_bbr_update_min_rtt(struct rill_bbr_rx *rx);
void rill_bbr_bound_bw(struct rill_bbr *b);
void rill_bbr_advance_max_bw(struct rill_bbr *b);
void rill_bbr_reset_congestion_signals(struct rill_bbr *b);
void rill_bbr_reset_short_term(struct rill_bbr *b);
void rill_bbr_reset_full_bw(struct rill_bbr *b);
void rill_bbr_start_round(struct rill_tcb *tcb);
/* NoteLoss(): the first one of a round saves what an undo needs. */
void rill_bbr_note_loss(struct rill_tcb *tcb);
void rill_bbr_save_upon_loss(struct rill_tcb *tcb);
uint32_t rill_bbr_extra_acked(const struct rill_bbr *b);

/* ---- the state machine (cc_bbr_state.c) ---- */

void rill_bbr_enter_startup(struct rill_bbr *b);
void rill_bbr_start_refill(struct rill_tcb *tcb);
void rill_bbr_check_full_bw(struct rill_bbr_rx *rx);
void rill_bbr_check_startup_done(struct rill_bbr_rx *rx);
/* Startup found the limit by loss or CE rather than by rate. */
void rill_bbr_leave_startup(struct rill_tcb *tcb);
void rill_bbr_check_drain_done(struct rill_bbr_rx *rx);
void rill_bbr_update_cycle(struct rill_bbr_rx *rx);
void rill_bbr_check_probe_rtt(struct rill_bbr_rx *rx);
void rill_bbr_check_probe_rtt_done(struct rill_tcb *tcb, uint64_t now);
/* IsInflightTooHigh(): more than LossThresh of tx_in_flight was lost. */
bool rill_bbr_too_high(const struct rill_tcb *tcb, uint32_t lost, uint32_t tx_in_flight);
void rill_bbr_handle_too_high(struct rill_tcb *tcb, uint32_t tx_in_flight, bool app_limited,
			      uint64_t now);

/* ---- the outcome (cc_bbr_out.c) ---- */

void rill_bbr_init_pacing_rate(struct rill_tcb *tcb);
/* Gain in percent. */
void rill_bbr_set_pacing_rate(struct rill_tcb *tcb, uint32_t gain);
/* The gain of the state. */
uint32_t rill_bbr_pacing_gain(const struct rill_bbr *b);
void rill_bbr_set_cwnd(struct rill_bbr_rx *rx);
void rill_bbr_bound_cwnd(struct rill_tcb *tcb);
void rill_bbr_save_cwnd(struct rill_tcb *tcb);
void rill_bbr_restore_cwnd(struct rill_tcb *tcb);
/* What bw delivers in ns; both below the bounds above. */
uint64_t rill_bbr_volume(uint64_t bw, uint64_t ns);
/* bw * min_rtt * gain; the initial window while there is no round-trip time. */
uint32_t rill_bbr_bdp(const struct rill_bbr *b, uint64_t bw, uint32_t gain);
/* Inflight(): the same, and what keeps a pipe of so few segments full. */
uint32_t rill_bbr_inflight(const struct rill_tcb *tcb, uint64_t bw, uint32_t gain);
uint32_t rill_bbr_target_inflight(const struct rill_tcb *tcb);
uint32_t rill_bbr_inflight_with_headroom(const struct rill_tcb *tcb);
uint32_t rill_bbr_probe_rtt_cwnd(const struct rill_tcb *tcb);

#endif
