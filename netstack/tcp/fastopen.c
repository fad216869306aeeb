/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/fastopen.h"

#include "netstack/tcp/input.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/transmit.h"
#include "netstack/tcp/xfer.h"

#include <string.h>

/* RFC 7413, 4.1.3: of a server whose MSS is not known. */
#define MSS_UNKNOWN 536

/* ---- keys and cookies ---- */

void rill_fast_open_init(struct rill_fast_open *fo, const struct rill_hash_key *secret)
{
	static const uint64_t purpose[2] = {0x46617374204f7065, 0x6e20636f6f6b6965};
	struct rill_hash_key key;

	memset(fo, 0, sizeof(*fo));
	key.k[0] = rill_siphash(secret, &purpose[0], 8);
	key.k[1] = rill_siphash(secret, &purpose[1], 8);
	rill_fast_open_add_key(fo, &key);
}

void rill_fast_open_add_key(struct rill_fast_open *fo, const struct rill_hash_key *key)
{
	fo->keys[1] = fo->keys[0];
	fo->keys[0] = *key;
	fo->key_count = RILL_MIN(fo->key_count + 1, (uint32_t)RILL_FAST_OPEN_KEYS);
}

static uint64_t ip_hash(const struct rill_hash_key *key, const struct rill_ip *ip)
{
	uint64_t words[3] = {0, 0, ip->family};

	memcpy(words, ip->bytes, sizeof(ip->bytes));
	return rill_siphash(key, words, sizeof(words));
}

/* Of the key that made it, the number; RILL_FAST_OPEN_KEYS: of none. */
static uint32_t key_of(const struct rill_fast_open *fo, const struct rill_tcp_seg *seg)
{
	if (seg->opt.fast_open_len != RILL_FAST_OPEN_COOKIE_LEN)
		return RILL_FAST_OPEN_KEYS;
	for (uint32_t i = 0; i < fo->key_count; i++) {
		uint64_t cookie = ip_hash(&fo->keys[i], seg->src);

		if (memcmp(&cookie, seg->opt.fast_open, sizeof(cookie)) == 0)
			return i;
	}
	return RILL_FAST_OPEN_KEYS;
}

/* ---- server ---- */

static bool serves(const struct rill_tcp_env *env)
{
	return env->fast_open && env->params.fast_open_server;
}

bool rill_tcp_fast_open_good(const struct rill_tcp_env *env,
			     const struct rill_tcp_settings *settings,
			     const struct rill_tcp_seg *seg)
{
	if (!serves(env) || seg->len == 0)
		return false;
	if (env->params.fast_open_no_cookie || settings->fast_open_no_cookie)
		return true;
	return (seg->opt.present & RILL_TCP_OPT_FAST_OPEN) != 0 &&
	       key_of(env->fast_open, seg) != RILL_FAST_OPEN_KEYS;
}

/* One that asks, or has a cookie that is wrong or of the old key, gets a new one. */
void rill_tcp_fast_open_on_syn(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			       const struct rill_tcp_seg *seg)
{
	tcb->flags &= ~(uint32_t)RILL_TCB_FAST_OPEN;
	if (serves(env) && (seg->opt.present & RILL_TCP_OPT_FAST_OPEN) != 0 &&
	    key_of(env->fast_open, seg) != 0)
		tcb->flags |= RILL_TCB_FAST_OPEN;
}

bool rill_tcb_accept_early(struct rill_tcb *tcb, struct rill_tcp_env *env,
			   const struct rill_tcp_seg *seg, struct rill_buf *b, uint64_t now)
{
	RILL_ASSERT(tcb->state == RILL_TCP_SYN_RCVD && b->len == seg->len);
	if (!rill_tcp_fast_open_good(env, tcb->settings, seg) || seg->len > tcb->rcv_buf_max ||
	    seg->len > UINT16_MAX || !rill_tcp_xfer_get(tcb, env, now)) {
		if ((seg->opt.present & RILL_TCP_OPT_FAST_OPEN) != 0 && seg->opt.fast_open_len > 0)
			rill_counter_add(&env->stats.fast_open_bad, 1);
		env->ops->put(env, b);
		return false;
	}
	tcb->syn_data = (uint16_t)seg->len;
	rill_tcp_deliver(tcb, env, b);
	tcb->events |= RILL_TCB_ACCEPTABLE;
	rill_counter_add(&env->stats.fast_open_in, 1);
	return true;
}

/* ---- client ---- */

static struct rill_fast_open_entry *set_of(struct rill_fast_open *fo, const struct rill_ip *ip)
{
	return fo->entries[ip_hash(&fo->keys[0], ip) % RILL_FAST_OPEN_SETS];
}

static struct rill_fast_open_entry *find(struct rill_fast_open *fo, const struct rill_ip *ip)
{
	struct rill_fast_open_entry *e = set_of(fo, ip);

	for (unsigned i = 0; i < RILL_FAST_OPEN_WAYS; i++)
		if (e[i].len > 0 && memcmp(&e[i].ip, ip, sizeof(*ip)) == 0)
			return &e[i];
	return NULL;
}

bool rill_fast_open_knows(struct rill_fast_open *fo, const struct rill_ip *server)
{
	return find(fo, server) != NULL;
}

static struct rill_fast_open_entry *oldest(struct rill_fast_open_entry *e)
{
	struct rill_fast_open_entry *ret = e;

	for (unsigned i = 1; i < RILL_FAST_OPEN_WAYS; i++)
		if (e[i].used < ret->used)
			ret = &e[i];
	return ret;
}

static void remember(struct rill_fast_open *fo, const struct rill_ip *ip,
		     const struct rill_tcp_options_seen *o)
{
	struct rill_fast_open_entry *e = find(fo, ip);

	if (!e)
		e = oldest(set_of(fo, ip));
	e->ip = *ip;
	e->len = o->fast_open_len;
	memcpy(e->cookie, o->fast_open, o->fast_open_len);
	e->mss = (o->present & RILL_TCP_OPT_MSS) != 0 ? o->mss : MSS_UNKNOWN;
	e->used = ++fo->clock;
}

static void forget(struct rill_fast_open *fo, const struct rill_ip *ip)
{
	struct rill_fast_open_entry *e = find(fo, ip);

	if (e)
		memset(e, 0, sizeof(*e));
}

void rill_tcp_fast_open_option(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint16_t flags,
			       struct rill_tcp_options_seen *o)
{
	struct rill_fast_open_entry *e;
	uint64_t cookie;

	if (!env->fast_open)
		return;
	o->present |= RILL_TCP_OPT_FAST_OPEN;
	o->fast_open_len = 0;
	if ((flags & RILL_TCP_ACK) != 0) {
		cookie = ip_hash(&env->fast_open->keys[0], &tcb->remote.ip);
		o->fast_open_len = sizeof(cookie);
		memcpy(o->fast_open, &cookie, sizeof(cookie));
		return;
	}
	e = find(env->fast_open, &tcb->remote.ip);
	if (!e)
		return;
	o->fast_open_len = e->len;
	memcpy(o->fast_open, e->cookie, e->len);
}

/* How much may go with the SYN: the first buffer, as far as the server takes it beside options. */
static uint32_t syn_room(const struct rill_tcb *tcb, struct rill_fast_open_entry *e)
{
	uint32_t mss = RILL_MIN(e->mss, tcb->mss_ours);

	if (!tcb->sendq_first || mss <= RILL_TCP_OPTIONS_MAX)
		return 0;
	return RILL_MIN(rill_send_cb(tcb->sendq_first)->len, mss - RILL_TCP_OPTIONS_MAX);
}

static void fall_back(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	tcb->flags &= ~(uint32_t)RILL_TCB_FAST_OPEN;
	if (env->fast_open)
		forget(env->fast_open, &tcb->remote.ip);
	rill_counter_add(&env->stats.fast_open_fallback, 1);
}

bool rill_tcp_fast_open_send_syn(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now)
{
	struct rill_fast_open_entry *e;
	struct rill_buf *b;
	uint32_t n;

	if ((tcb->flags & RILL_TCB_SYN_RESENT) != 0) {
		fall_back(tcb, env);
		return rill_tcp_transmit_empty(tcb, env, tcb->iss, RILL_TCP_SYN, now);
	}
	b = env->ops->alloc(env);
	if (!b) {
		rill_counter_add(&env->stats.no_buffer, 1);
		return false;
	}
	e = env->fast_open ? find(env->fast_open, &tcb->remote.ip) : NULL;
	n = e ? syn_room(tcb, e) : 0;
	/* A copy: the queue goes on as if nothing had been sent, until the answer says what
	 * arrived. */
	if (n > 0)
		memcpy(rill_buf_append(b, n), rill_send_payload(tcb->sendq_first), n);
	tcb->syn_data = (uint16_t)n;
	rill_counter_add(&env->stats.fast_open_out, n > 0);
	rill_tcp_transmit(tcb, env, b, tcb->iss, RILL_TCP_SYN, now);
	return true;
}

uint32_t rill_tcp_fast_open_acked(const struct rill_tcb *tcb, uint32_t ack)
{
	uint32_t n = ack - (tcb->iss + 1);

	return n <= tcb->syn_data ? n : 0;
}

void rill_tcp_fast_open_on_synack(struct rill_tcb *tcb, struct rill_tcp_env *env,
				  const struct rill_tcp_seg *seg)
{
	uint32_t n = rill_tcp_fast_open_acked(tcb, seg->ack);

	if ((tcb->flags & RILL_TCB_FAST_OPEN) != 0 && env->fast_open &&
	    (seg->opt.present & RILL_TCP_OPT_FAST_OPEN) != 0 && seg->opt.fast_open_len > 0)
		remember(env->fast_open, &tcb->remote.ip, &seg->opt);
	if (n == 0)
		return;
	rill_sendq_skip(tcb, env, n);
	tcb->snd_nxt += n;
	tcb->bytes_acked += n;
}
