/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness.h"

/* What IP and Ethernet would push. */
#define LOWER_HEADERS 34

static struct rill_buf *on_alloc(struct rill_tcp_env *env)
{
	struct th_end *e = (struct th_end *)env;

	if (e->alloc_fail_permille && rill_rand_below(&e->rand, 1000) < e->alloc_fail_permille)
		return NULL;
	return rill_buf_alloc(&e->pool);
}

static void on_put(struct rill_tcp_env *env, struct rill_buf *b)
{
	rill_buf_put_owner(&((struct th_end *)env)->pool, b);
}

static void on_xmit(struct rill_tcp_env *env, const struct rill_tcp_xmit *to, struct rill_buf *b)
{
	struct th_end *e = (struct th_end *)env;
	uint32_t slot = rill_rand_below(&e->rand, TH_HELD_MAX);

	assert_true(b->len >= RILL_TCP_HEADER_LEN && b->len <= TH_RAW_MAX);
	e->tos = to->tos;
	if (e->sent)
		e->sent(e, b->data, b->len);
	memset(rill_buf_push(b, LOWER_HEADERS), 0xee, LOWER_HEADERS);
	b->next = (struct rill_buf *)(uintptr_t)0x10; /* lower layers have their own lists */
	if (rill_rand_below(&e->rand, 1000) < e->hold_permille) {
		on_put(env, e->held[slot]);
		e->held[slot] = b;
		return;
	}
	on_put(env, b);
}

static const struct rill_tcp_env_ops ops = {.alloc = on_alloc, .xmit = on_xmit, .put = on_put};

struct rill_addr th_addr(uint8_t last, uint16_t port)
{
	return (struct rill_addr){{RILL_AF_IP4, {198, 18, 0, last}}, port};
}

struct rill_ip th_ip6(uint8_t last)
{
	struct rill_ip ip = {RILL_AF_IP6, {0x20, 0x01, 0x0d, 0xb8}};

	ip.bytes[15] = last;
	return ip;
}

void th_end_init(struct th_end *e, uint32_t bufs, uint64_t seed)
{
	struct rill_hash_key secret = {{seed, ~seed}};

	memset(e, 0, sizeof(*e));
	rill_tcp_env_init(&e->env, &ops, &rill_memory_heap, &secret);
	rill_rand_init(&e->rand, seed);
	assert_int_equal(rill_buf_pool_init_heap(&e->pool, bufs, 2048), 0);
}

void th_release_held(struct th_end *e)
{
	for (unsigned i = 0; i < TH_HELD_MAX; i++) {
		on_put(&e->env, e->held[i]);
		e->held[i] = NULL;
	}
}

void th_end_fini(struct th_end *e)
{
	rill_tcb_fini(&e->tcb, &e->env);
	th_release_held(e);
	assert_int_equal(rill_buf_pool_reclaim(&e->pool), e->pool.size);
	rill_buf_pool_fini_heap(&e->pool);
	rill_tcp_env_fini(&e->env);
}

struct rill_buf *th_buf(struct th_end *e, const void *raw, uint32_t len)
{
	struct rill_buf *b = rill_buf_alloc(&e->pool);

	assert_non_null(b);
	memcpy(rill_buf_append(b, len), raw, len);
	return b;
}

enum rill_drop th_input_raw(struct th_end *e, const void *raw, uint32_t len, uint64_t now)
{
	struct rill_buf *b = th_buf(e, raw, len);
	struct rill_tcp_seg seg;
	enum rill_drop drop = rill_tcp_parse(b, &e->tcb.remote.ip, &e->tcb.local.ip, &seg);

	if (drop != RILL_DROP_NONE) {
		on_put(&e->env, b);
		return drop;
	}
	seg.ecn = e->rx_ecn;
	return rill_tcb_input(&e->tcb, &e->env, &seg, b, now);
}
