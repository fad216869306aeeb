/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/tune.h"

#include "netstack/tcp/pace.h"
#include "netstack/tcp/uto.h"

#include <errno.h>
#include <string.h>

/* Linux's bounds, by its names there. */
#define MSS_MIN 88		    /* TCP_MIN_MSS */
#define MSS_MAX 32767		    /* MAX_TCP_WINDOW */
#define KEEP_MS_MAX (32767 * 1000)  /* MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL */
#define RETRIES_MAX 127		    /* MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT */
#define LINGER2_MS_MAX (120 * 1000) /* TCP_FIN_TIMEOUT_MAX */

/* What the option of RFC 5482 can say. */
#define UTO_MS_MIN 1000
#define UTO_MS_MAX (32767 * 60 * UINT64_C(1000))

#define TOS_ECN 3 /* ours, not the user's */

/* 0 is the default again where zero is set, else it is subject to the bounds. */
struct bounds {
	uint16_t offset;
	uint8_t bytes;
	bool zero;
	uint64_t min, max;
};

#define FIELD(name)                                                                                \
	.offset = offsetof(struct rill_tcp_settings, name),                                        \
	.bytes = sizeof(((struct rill_tcp_settings *)0)->name)

static const struct bounds bounds[RILL_TUNE_COUNT] = {
	[RILL_TUNE_KEEPALIVE] = {FIELD(keepalive), .max = 1},
	[RILL_TUNE_KEEP_IDLE_MS] = {FIELD(keep_idle_ms), .min = 1, .max = KEEP_MS_MAX},
	[RILL_TUNE_KEEP_INTVL_MS] = {FIELD(keep_intvl_ms), .min = 1, .max = KEEP_MS_MAX},
	[RILL_TUNE_KEEP_COUNT] = {FIELD(keep_count), .min = 1, .max = RETRIES_MAX},
	[RILL_TUNE_USER_TIMEOUT_MS] = {FIELD(user_timeout_ms), .max = INT32_MAX},
	[RILL_TUNE_UTO_MS] = {FIELD(uto_ms), .zero = true, .min = UTO_MS_MIN, .max = UTO_MS_MAX},
	[RILL_TUNE_LINGER_MS] = {FIELD(linger_ms), .max = INT32_MAX},
	[RILL_TUNE_LINGER2_MS] = {FIELD(linger2_ms), .max = LINGER2_MS_MAX},
	[RILL_TUNE_SYN_RETRIES] = {FIELD(syn_retries), .min = 1, .max = RETRIES_MAX},
	[RILL_TUNE_DEFER_ACCEPT_MS] = {FIELD(defer_accept_ms), .max = KEEP_MS_MAX},
	[RILL_TUNE_NOTSENT_LOWAT] = {FIELD(notsent_lowat), .max = UINT32_MAX},
	[RILL_TUNE_WINDOW_CLAMP] = {FIELD(window_clamp), .max = UINT32_MAX},
	[RILL_TUNE_MAX_PACING_RATE] = {FIELD(max_pacing_rate), .max = UINT64_MAX},
	[RILL_TUNE_MSS_CLAMP] = {FIELD(mss_clamp), .zero = true, .min = MSS_MIN, .max = MSS_MAX},
	[RILL_TUNE_TOS] = {FIELD(tos), .max = UINT8_MAX},
	[RILL_TUNE_TTL] = {FIELD(ttl), .max = UINT8_MAX},
	[RILL_TUNE_OOB_INLINE] = {FIELD(oob_inline), .max = 1},
	[RILL_TUNE_FAST_OPEN_NO_COOKIE] = {FIELD(fast_open_no_cookie), .max = 1},
};

int rill_tcp_tune_check(const struct rill_tcp_change *changes, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct bounds *b = &bounds[changes[i].what];
		uint64_t value = changes[i].value;

		if (value == 0 && b->zero)
			continue;
		if (value < b->min || value > b->max)
			return -EINVAL;
	}
	return 0;
}

static void store(void *to, uint8_t bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		*(uint8_t *)to = (uint8_t)value;
		return;
	case 2:
		*(uint16_t *)to = (uint16_t)value;
		return;
	case 4:
		*(uint32_t *)to = (uint32_t)value;
		return;
	default:
		*(uint64_t *)to = value;
	}
}

void rill_tcp_tune_apply(struct rill_tcp_settings *s, const struct rill_tcp_change *changes,
			 unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct bounds *b = &bounds[changes[i].what];
		uint64_t value = changes[i].value;

		if (changes[i].what == RILL_TUNE_TOS)
			value &= ~(uint64_t)TOS_ECN;
		store((char *)s + b->offset, b->bytes, value);
	}
}

/* Larger ones that are queued are split when they are sent. */
static void clamp_segments(struct rill_tcb *tcb)
{
	uint16_t clamp = tcb->settings->mss_clamp;

	if (clamp != 0 && clamp < tcb->snd_mss)
		tcb->snd_mss = clamp;
}

/* The peer hears of it at once (RFC 5482, 3.2). */
static void tell_peer(struct rill_tcb *tcb)
{
	rill_tcp_uto_due(tcb);
	if ((tcb->flags & RILL_TCB_UTO_DUE) != 0 && tcb->state >= RILL_TCP_ESTABLISHED &&
	    tcb->state != RILL_TCP_TIME_WAIT)
		tcb->flags |= RILL_TCB_ACK_NOW;
}

int rill_tcb_tune(struct rill_tcb *tcb, struct rill_tcp_env *env,
		  const struct rill_tcp_change *changes, unsigned count, uint64_t now)
{
	struct rill_tcp_settings *s;
	int r = rill_tcp_tune_check(changes, count);

	if (r < 0)
		return r;
	s = rill_tcp_settings_own(tcb, env);
	if (!s)
		return -ENOMEM;
	rill_tcp_tune_apply(s, changes, count);
	for (unsigned i = 0; i < count; i++)
		if (changes[i].what == RILL_TUNE_UTO_MS)
			tell_peer(tcb);
	clamp_segments(tcb);
	if (tcb->x)
		rill_tcp_pace_update(tcb, env);
	/* what notsent_lowat held back may go on */
	if (rill_tcb_writable(tcb))
		tcb->events |= RILL_TCB_WRITABLE;
	rill_tcb_settings_changed(tcb, env, now);
	return 0;
}

void rill_tcb_set_quickack(struct rill_tcb *tcb, bool on)
{
	if (on) {
		tcb->flags |= RILL_TCB_QUICK;
		if (tcb->ack_at != RILL_FOREVER)
			tcb->flags |= RILL_TCB_ACK_NOW;
		return;
	}
	tcb->flags &= ~(uint32_t)RILL_TCB_QUICK;
	tcb->quick_acks = 0;
}
