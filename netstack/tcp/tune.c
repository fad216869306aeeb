/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/tune.h"

#include <errno.h>
#include <string.h>

#define MSS_MIN 88    /* Linux's TCP_MIN_MSS */
#define MSS_MAX 32767 /* and MAX_TCP_WINDOW */
#define TOS_ECN 3     /* ours, not the user's */

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
	[RILL_TUNE_KEEP_IDLE_MS] = {FIELD(keep_idle_ms), .min = 1, .max = INT32_MAX},
	[RILL_TUNE_KEEP_INTVL_MS] = {FIELD(keep_intvl_ms), .min = 1, .max = INT32_MAX},
	[RILL_TUNE_KEEP_COUNT] = {FIELD(keep_count), .min = 1, .max = UINT8_MAX},
	[RILL_TUNE_USER_TIMEOUT_MS] = {FIELD(user_timeout_ms), .max = INT32_MAX},
	[RILL_TUNE_LINGER_MS] = {FIELD(linger_ms), .max = INT32_MAX},
	[RILL_TUNE_NOTSENT_LOWAT] = {FIELD(notsent_lowat), .max = UINT32_MAX},
	[RILL_TUNE_WINDOW_CLAMP] = {FIELD(window_clamp), .max = UINT32_MAX},
	[RILL_TUNE_MAX_PACING_RATE] = {FIELD(max_pacing_rate), .max = UINT64_MAX},
	[RILL_TUNE_MSS_CLAMP] = {FIELD(mss_clamp), .zero = true, .min = MSS_MIN, .max = MSS_MAX},
	[RILL_TUNE_TOS] = {FIELD(tos), .max = UINT8_MAX},
	[RILL_TUNE_TTL] = {FIELD(ttl), .max = UINT8_MAX},
	[RILL_TUNE_OOB_INLINE] = {FIELD(oob_inline), .max = 1},
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
	clamp_segments(tcb);
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
