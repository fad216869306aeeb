/* SPDX-License-Identifier: BSD-3-Clause */
/* Half-open connections as entries of the SYN cache, and as cookies where it is full (RFC 4987). */
#include "script.h"

#include "netstack/tcp/cookie.h"
#include "netstack/tcp/syncache.h"
#include "netstack/tcp/timewait.h"

#define CLIENT_ISN 5000u
#define PORT 80
#define CACHE_MAX 64u

/* A listener: what the layer above the cache does, in few lines. */
struct server {
	struct th_end e;
	struct rill_syncache cache;
	struct rill_memory memory;
	size_t bytes; /* of the cache's memory */
	uint64_t now;
	uint32_t recv_buffer;
	uint32_t defer_ms;
	bool full; /* the accept queue */
	unsigned opened;
	struct rill_tcp_seg out;
	unsigned sent;
	struct rill_ip out_src, out_dst;
	struct rill_ip client, self;
};

static void *count_alloc(void *ctx, size_t size)
{
	((struct server *)ctx)->bytes += size;
	return rill_memory_heap.alloc(NULL, size);
}

static void count_free(void *ctx, void *p, size_t size)
{
	((struct server *)ctx)->bytes -= size;
	rill_memory_heap.free(NULL, p, size);
}

static void prepare(void *listener, struct rill_tcb *tcb)
{
	struct server *s = listener;

	if (s->recv_buffer)
		tcb->rcv_buf_max = s->recv_buffer;
	if (s->defer_ms)
		rill_tcp_settings_own(tcb, &s->e.env)->defer_accept_ms = s->defer_ms;
}

static const struct rill_syncache_ops cache_ops = {.prepare = prepare};

/* The addresses do not matter to the parser here: checksums are off. */
static void on_sent(struct th_end *e, const uint8_t *raw, uint32_t len)
{
	struct server *s = e->arg;
	struct rill_buf *b = th_buf(e, raw, len);

	b->flags |= RILL_BUF_CSUM_OK;
	assert_int_equal(rill_tcp_parse(b, &s->out_src, &s->out_dst, &s->out), 0);
	rill_buf_put_owner(&e->pool, b);
	s->sent++;
}

static struct server *server_new(void)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	th_end_init(&s->e, 256, 11);
	s->e.sent = on_sent;
	s->e.arg = s;
	s->now = 1000 * RILL_SEC;
	s->e.env.params.syn_cache_max = CACHE_MAX;
	s->e.env.params.syn_cache_prefix_max = CACHE_MAX;
	s->memory = (struct rill_memory){count_alloc, count_free, s};
	s->self = th_addr(1, 0).ip;
	s->client = th_addr(2, 0).ip;
	rill_syncache_init(&s->cache, &s->e.env, &s->memory, &cache_ops);
	rill_tcb_init(&s->e.tcb, &s->e.env, &(struct rill_addr){s->self, PORT},
		      &(struct rill_addr){s->client, 1});
	return s;
}

static uint32_t linked(const struct rill_syncache *c)
{
	uint32_t n = !rill_list_empty(&c->called);

	for (unsigned i = 0; i < RILL_SYNCACHE_STEPS; i++) {
		const struct rill_list *steps = &c->steps[i];

		for (const struct rill_list *at = steps->next; at != steps; at = at->next)
			n++;
	}
	return n;
}

static void server_free(struct server *s)
{
	assert_int_equal(linked(&s->cache), rill_syncache_count(&s->cache));
	rill_syncache_forget(&s->cache, s);
	assert_int_equal(rill_syncache_count(&s->cache), 0);
	assert_int_equal(s->cache.prefixes.count, 0);
	assert_int_equal(s->cache.waiting, 0);
	rill_syncache_fini(&s->cache);
	assert_int_equal(s->bytes, 0);
	th_end_fini(&s->e);
	free(s);
}

static struct rill_tcp_seg seg_of(struct server *s, uint16_t port, uint16_t flags, uint32_t seq,
				  uint32_t ack)
{
	struct rill_tcp_seg seg = {
		.seq = CLIENT_ISN + seq,
		.ack = ack,
		.wnd = 8000,
		.flags = flags,
		.src_port = port,
		.dst_port = PORT,
		.src = &s->client,
		.dst = &s->self,
	};

	if (flags & S) {
		seg.opt.present = RILL_TCP_OPT_MSS;
		seg.opt.mss = MSS;
	}
	return seg;
}

static enum rill_drop open_conn(struct server *s, const struct rill_tcp_syn *syn,
				struct rill_tcp_seg *seg)
{
	struct rill_addr local = {*seg->dst, seg->dst_port}, remote = {*seg->src, seg->src_port};
	uint8_t data[1460] = {0};
	struct rill_buf *b = th_buf(&s->e, data, seg->len);
	enum rill_drop drop;

	rill_tcb_fini(&s->e.tcb, &s->e.env);
	rill_tcb_init(&s->e.tcb, &s->e.env, &local, &remote);
	prepare(s, &s->e.tcb);
	rill_tcb_from_handshake(&s->e.tcb, &s->e.env, syn, s->now);
	assert_true(rill_tcb_valid(&s->e.tcb));
	drop = rill_tcb_input(&s->e.tcb, &s->e.env, seg, b, s->now);
	rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
	assert_true(rill_tcb_valid(&s->e.tcb));
	s->opened++;
	return drop;
}

static enum rill_drop in_entry(struct server *s, struct rill_syn_entry *e, struct rill_tcp_seg *seg)
{
	struct rill_tcp_syn syn = e->syn;
	enum rill_drop drop;

	if (!rill_syncache_input(&s->cache, e, seg, s->now, &drop))
		return drop;
	if (s->full) {
		rill_syncache_put_off(&s->cache, e);
		return RILL_DROP_TCP_BACKLOG;
	}
	syn = e->syn;
	rill_syncache_remove(&s->cache, e);
	return open_conn(s, &syn, seg);
}

/* A segment as the layer above would deal with it. */
static enum rill_drop input(struct server *s, struct rill_tcp_seg *seg)
{
	struct rill_syn_entry *e =
		rill_syncache_find(&s->cache, seg->dst, seg->dst_port, seg->src, seg->src_port);
	struct rill_tcp_syn syn;
	enum rill_drop drop;

	if (e)
		return in_entry(s, e, seg);
	if (rill_syncache_cookie(&s->cache, seg, s->now, &syn))
		return s->full ? RILL_DROP_TCP_BACKLOG : open_conn(s, &syn, seg);
	drop = rill_tcp_listen_check(&s->e.env, seg);
	if (drop != RILL_DROP_NONE)
		return drop;
	return rill_syncache_syn(&s->cache, s, seg, NULL, s->now);
}

static enum rill_drop put(struct server *s, uint16_t port, uint16_t flags, uint32_t seq,
			  uint32_t ack)
{
	struct rill_tcp_seg seg = seg_of(s, port, flags, seq, ack);

	return input(s, &seg);
}

/* A SYN; our sequence number. */
static uint32_t syn(struct server *s, uint16_t port)
{
	unsigned sent = s->sent;

	assert_int_equal(put(s, port, S, 0, 0), RILL_DROP_NONE);
	assert_int_equal(s->sent, sent + 1);
	assert_int_equal(s->out.flags & (S | A | R), S | A);
	assert_int_equal(s->out.ack, CLIENT_ISN + 1);
	return s->out.seq;
}

/* Nothing is sent before ns have passed, and then so many segments. */
static void expect_at(struct server *s, uint64_t ns, unsigned count)
{
	unsigned sent = s->sent;

	assert_int_equal(s->cache.next_ns, s->now + ns);
	rill_syncache_on_timer(&s->cache, s->now + ns - 1);
	assert_int_equal(s->sent, sent);
	s->now += ns;
	rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(s->sent, sent + count);
}

static struct rill_syn_entry *entry(struct server *s, uint16_t port)
{
	return rill_syncache_find(&s->cache, &s->self, PORT, &s->client, port);
}

static void expect_established(struct server *s)
{
	assert_int_equal(s->e.tcb.state, RILL_TCP_ESTABLISHED);
	assert_true(s->e.tcb.events & RILL_TCB_ACCEPTABLE);
	assert_int_equal(rill_syncache_count(&s->cache), 0);
}

/* ---- the cache ---- */

static void half_open_is_an_entry_rfc4987_3_4(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	assert_true(sizeof(struct rill_syn_entry) <= 96);
	assert_int_equal(rill_syncache_count(&s->cache), 1);
	assert_int_equal(s->opened, 0);
	assert_int_equal(s->e.env.xfers.used, 0);
	s->now += 10 * RILL_MS;
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	assert_int_equal(s->e.tcb.srtt_us, 10000);
	assert_int_equal(s->e.tcb.snd_una, iss + 1);
	assert_int_equal(s->e.tcb.rcv_nxt, CLIENT_ISN + 1);
	assert_int_equal(s->sent, 1);
	assert_int_equal(s->cache.next_ns,
			 s->now - 10 * RILL_MS + RILL_SEC); /* early is harmless */
	rill_syncache_on_timer(&s->cache, s->cache.next_ns);
	assert_int_equal(s->cache.next_ns, RILL_FOREVER);
	server_free(s);
}

static void data_and_fin_with_the_third_segment(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg = seg_of(s, 1000, A | P | F, 1, syn(s, 1000) + 1);

	seg.len = 100;
	assert_int_equal(input(s, &seg), RILL_DROP_NONE);
	assert_int_equal(s->e.tcb.state, RILL_TCP_CLOSE_WAIT);
	assert_int_equal(s->e.tcb.rcv_queued, 100);
	assert_int_equal(s->e.tcb.rcv_nxt, CLIENT_ISN + 102);
	server_free(s);
}

static void data_that_overtook_the_third_segment(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg = seg_of(s, 1000, A | P, 101, syn(s, 1000) + 1);

	seg.len = 100;
	assert_int_equal(input(s, &seg), RILL_DROP_NONE);
	expect_established(s);
	assert_int_equal(s->e.tcb.rcv_nxt, CLIENT_ISN + 1);
	assert_int_equal(s->e.tcb.rcv_ooo, 1);
	server_free(s);
}

static void synack_is_sent_again_and_given_up_rfc6298_5(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	for (unsigned i = 0; i < 5; i++) {
		expect_at(s, RILL_SEC << i, 1);
		assert_int_equal(s->out.seq, iss);
		assert_int_equal(s->out.flags, S | A);
	}
	expect_at(s, 32 * RILL_SEC, 0);
	assert_int_equal(rill_syncache_count(&s->cache), 0);
	assert_int_equal(s->e.env.stats.timeouts, 1);
	assert_int_equal(s->cache.next_ns, RILL_FOREVER);
	/* Too late: there is nothing any more. */
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_LISTEN);
	assert_int_equal(s->out.flags, R);
	server_free(s);
}

static void lost_synack_measures_nothing(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	expect_at(s, RILL_SEC, 1);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	assert_int_equal(s->e.tcb.srtt_us, 0);
	assert_true(s->e.tcb.flags & RILL_TCB_SYN_RESENT);
	server_free(s);
}

static void repeated_syn_gets_the_same_synack(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);
	uint64_t next = s->cache.next_ns;

	s->now += 500 * RILL_MS;
	assert_int_equal(syn(s, 1000), iss);
	assert_int_equal(rill_syncache_count(&s->cache), 1);
	assert_int_equal(s->cache.next_ns, next);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	server_free(s);
}

/* RFC 9293, 3.10.7.4, and RFC 5961, 3.2. */
static void reset_returns_to_listen_must_11(void **state)
{
	struct server *s = server_new();

	syn(s, 1000);
	assert_int_equal(put(s, 1000, R, 2, 0), RILL_DROP_TCP_RST);
	assert_int_equal(s->out.flags, A); /* a challenge */
	assert_int_equal(put(s, 1000, R, 70000, 0), RILL_DROP_TCP_RST);
	assert_int_equal(s->sent, 2);
	assert_non_null(entry(s, 1000));
	assert_int_equal(put(s, 1000, R, 1, 0), RILL_DROP_NONE);
	assert_null(entry(s, 1000));
	assert_int_equal(s->sent, 2);
	syn(s, 1000); /* and the listener listens */
	server_free(s);
}

static void another_syn_is_challenged_or_returns_to_listen(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	/* Outside of the window: the peer has begun anew, and will reset what we ACK. */
	assert_int_equal(put(s, 1000, S, 100000, 0), RILL_DROP_TCP_WINDOW);
	assert_int_equal(s->out.flags, A);
	assert_int_equal(s->out.seq, iss + 1);
	assert_int_equal(s->out.ack, CLIENT_ISN + 1);
	assert_int_equal(put(s, 1000, S, 500, 0), RILL_DROP_TCP_SYN);
	assert_null(entry(s, 1000));
	server_free(s);
}

static void syn_with_ack_does_not_open(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	put(s, 1000, S | A, 0, iss + 1);
	assert_int_equal(s->opened, 0);
	server_free(s);
}

static void unacceptable_ack_is_reset_rfc9293_3_10_7_4(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	assert_int_equal(put(s, 1000, A, 1, iss + 2), RILL_DROP_TCP_ACK);
	assert_int_equal(s->out.flags, R);
	assert_int_equal(s->out.seq, iss + 2);
	assert_int_equal(put(s, 1000, A, 1, iss), RILL_DROP_TCP_ACK);
	assert_int_equal(s->out.flags, R);
	assert_non_null(entry(s, 1000));
	assert_int_equal(put(s, 1000, P, 1, 0), RILL_DROP_TCP_NO_ACK);
	assert_int_equal(put(s, 1000, F, 1, 0), RILL_DROP_TCP_NO_ACK);
	assert_int_equal(put(s, 1000, A, 80000, iss + 1), RILL_DROP_TCP_WINDOW);
	assert_int_equal(s->out.flags, A);
	assert_int_equal(s->opened, 0);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	server_free(s);
}

static void challenges_are_limited_rfc5961_7(void **state)
{
	struct server *s = server_new();

	s->e.env.params.challenge_acks_per_sec = 5;
	syn(s, 1000);
	for (unsigned i = 0; i < 100; i++)
		put(s, 1000, R, 2, 0);
	assert_int_equal(s->sent, 6);
	server_free(s);
}

static void timestamps_are_kept_rfc7323(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg = seg_of(s, 1000, S, 0, 0);
	uint32_t iss, tsval;

	seg.opt.present |= RILL_TCP_OPT_TIMESTAMPS | RILL_TCP_OPT_WSCALE;
	seg.opt.tsval = 700;
	seg.opt.wscale = 5;
	assert_int_equal(input(s, &seg), RILL_DROP_NONE);
	iss = s->out.seq;
	tsval = s->out.opt.tsval;
	assert_int_equal(s->out.opt.tsecr, 700);
	seg = seg_of(s, 1000, A, 1, iss + 1);
	assert_int_equal(input(s, &seg), RILL_DROP_TCP_NO_TIMESTAMP);
	seg.opt.present = RILL_TCP_OPT_TIMESTAMPS;
	seg.opt.tsval = 699;
	seg.opt.tsecr = tsval;
	assert_int_equal(input(s, &seg), RILL_DROP_TCP_PAWS);
	assert_int_equal(s->e.env.stats.paws_drops, 1);
	assert_int_equal(s->out.flags, A);
	assert_int_equal(s->out.opt.tsecr, 700);
	seg.opt.tsval = 701;
	assert_int_equal(input(s, &seg), RILL_DROP_NONE);
	expect_established(s);
	assert_int_equal(s->e.tcb.ts_recent, 701);
	assert_int_equal(s->e.tcb.snd_wnd, 8000 << 5);
	assert_true(s->e.tcb.flags & RILL_TCB_TIMESTAMPS);
	assert_int_equal(rill_tcp_ts_now(&s->e.tcb, s->now), tsval); /* one clock for both */
	server_free(s);
}

/* What goes out for an entry is what a connection in SYN-RECEIVED would send. */
static void synack_is_that_of_a_connection(void **state)
{
	struct server *s = server_new();

	s->e.env.params.ecn = RILL_TCP_ECN_PASSIVE;
	s->recv_buffer = 3 << 20;
	for (unsigned i = 0; i < 512; i++) {
		uint16_t ecn = (uint16_t)((i >> 5 & 7) * RILL_TCP_ECE);
		struct rill_tcp_seg seg = seg_of(s, (uint16_t)(1000 + i), S | ecn, 0, 0);
		struct rill_tcp_seg first, again;
		struct rill_tcb tcb;

		seg.opt.present = i & (RILL_TCP_OPT_MSS | RILL_TCP_OPT_WSCALE |
				       RILL_TCP_OPT_TIMESTAMPS | RILL_TCP_OPT_SACK_PERMITTED);
		seg.opt.wscale = i % 15;
		seg.opt.tsval = i * 77;
		seg.ecn = i & 3;
		assert_int_equal(input(s, &seg), RILL_DROP_NONE);
		first = s->out;
		syn(s, seg.src_port); /* has other options, but is the same SYN */
		again = s->out;
		rill_tcb_init(&tcb, &s->e.env, &(struct rill_addr){s->self, PORT},
			      &(struct rill_addr){s->client, seg.src_port});
		prepare(s, &tcb);
		rill_tcb_accept(&tcb, &s->e.env, &seg, NULL, s->now);
		rill_tcb_output(&tcb, &s->e.env, s->now);
		assert_memory_equal(&first, &s->out, sizeof(first));
		assert_memory_equal(&again, &s->out, sizeof(first));
		/* The connection that is made of it agrees with the one that never was an entry. */
		assert_int_equal(put(s, seg.src_port, R, 1, 0), RILL_DROP_NONE);
		rill_tcb_fini(&tcb, &s->e.env);
	}
	server_free(s);
}

static void icmp_errors_rfc5927_4(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	rill_syncache_icmp_error(&s->cache, entry(s, 1000), true, iss + 1);
	rill_syncache_icmp_error(&s->cache, entry(s, 1000), false, iss);
	assert_non_null(entry(s, 1000));
	rill_syncache_icmp_error(&s->cache, entry(s, 1000), true, iss);
	assert_null(entry(s, 1000));
	server_free(s);
}

static void time_wait_gives_its_number_rfc6191(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg = seg_of(s, 1000, S, 0, 0);
	struct rill_tcb old = {.snd_nxt = 0};
	uint32_t isn = syn(s, 1000);

	put(s, 1000, R, 1, 0);
	for (uint32_t delta = 1; delta < 31; delta++) {
		old.snd_nxt = isn + (1u << delta);
		assert_int_equal(rill_syncache_syn(&s->cache, s, &seg, &old, s->now), 0);
		assert_true(rill_seq_gt(s->out.seq, old.snd_nxt));
		put(s, 1000, R, 1, 0);
	}
	server_free(s);
}

static void no_buffer_for_the_synack(void **state)
{
	struct server *s = server_new();

	s->e.alloc_fail_permille = 1000;
	assert_int_equal(put(s, 1000, S, 0, 0), RILL_DROP_NONE);
	assert_int_equal(s->sent, 0);
	s->e.alloc_fail_permille = 0;
	expect_at(s, RILL_SEC, 1);
	assert_int_equal(put(s, 1000, A, 1, s->out.seq + 1), RILL_DROP_NONE);
	expect_established(s);
	server_free(s);
}

/* ---- accepting ---- */

static void full_accept_queue_recovers(void **state)
{
	struct server *s = server_new();
	uint32_t iss = syn(s, 1000);

	s->full = true;
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_BACKLOG);
	assert_non_null(entry(s, 1000));
	/* The peer believes it is connected: our SYN-ACK makes it say so again. */
	expect_at(s, RILL_SEC, 1);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_BACKLOG);
	s->full = false;
	expect_at(s, 2 * RILL_SEC, 1);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	server_free(s);
}

static void room_is_told_to_who_waits(void **state)
{
	struct server *s = server_new();
	uint32_t iss[3];

	for (unsigned i = 0; i < 3; i++)
		iss[i] = syn(s, (uint16_t)(1000 + i));
	s->full = true;
	put(s, 1001, A, 1, iss[1] + 1);
	put(s, 1002, A, 1, iss[2] + 1);
	put(s, 1001, A, 1, iss[1] + 1);
	assert_int_equal(s->cache.waiting, 2);
	s->full = false;
	rill_syncache_room(&s->cache, &s->opened);
	rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(s->sent, 3);
	/* The oldest first, and each once. */
	rill_syncache_room(&s->cache, s);
	rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(s->out.seq, iss[1]);
	assert_int_equal(s->out.flags, S | A);
	rill_syncache_room(&s->cache, s);
	rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(s->out.seq, iss[2]);
	rill_syncache_room(&s->cache, s);
	rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(s->sent, 5);
	assert_int_equal(put(s, 1001, A, 1, iss[1] + 1), RILL_DROP_NONE);
	assert_int_equal(put(s, 1002, A, 1, iss[2] + 1), RILL_DROP_NONE);
	assert_int_equal(s->opened, 2);
	put(s, 1000, R, 1, 0);
	server_free(s);
}

static void deferred_accept_waits_for_data(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg;
	uint32_t iss;

	s->defer_ms = 2000;
	iss = syn(s, 1000);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	assert_int_equal(s->opened, 0);
	expect_at(s, RILL_SEC, 0); /* no SYN-ACK: it was answered */
	seg = seg_of(s, 1000, A | P, 1, iss + 1);
	seg.len = 10;
	assert_int_equal(input(s, &seg), RILL_DROP_NONE);
	expect_established(s);
	assert_int_equal(s->e.tcb.rcv_queued, 10);
	server_free(s);
}

static void deferred_accept_ends(void **state)
{
	struct server *s = server_new();
	uint32_t iss;

	s->defer_ms = 2000;
	iss = syn(s, 1000);
	put(s, 1000, A, 1, iss + 1);
	expect_at(s, RILL_SEC, 0);
	expect_at(s, 2 * RILL_SEC, 1); /* at 3 s: long enough; asks for the ACK again */
	assert_int_equal(s->out.flags, S | A);
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	expect_established(s);
	server_free(s);
}

static void listener_goes_away(void **state)
{
	struct server *s = server_new();

	for (uint16_t port = 1000; port < 1030; port++)
		syn(s, port);
	rill_syncache_forget(&s->cache, &s->opened);
	assert_int_equal(rill_syncache_count(&s->cache), 30);
	rill_syncache_forget(&s->cache, s);
	assert_int_equal(rill_syncache_count(&s->cache), 0);
	server_free(s);
}

/* ---- cookies ---- */

static void fill(struct server *s)
{
	for (uint16_t port = 1; rill_syncache_count(&s->cache) < CACHE_MAX; port++)
		syn(s, (uint16_t)(40000 + port));
}

static void full_cache_answers_with_cookies_rfc4987_3_6(void **state)
{
	struct server *s = server_new();
	uint32_t iss;

	fill(s);
	assert_int_equal(s->e.env.stats.syn_cookies_out, 0);
	iss = syn(s, 1000);
	assert_int_equal(s->e.env.stats.syn_cookies_out, 1);
	assert_null(entry(s, 1000));
	assert_int_equal(s->out.opt.present, RILL_TCP_OPT_MSS);
	s->now += 30 * RILL_MS;
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	assert_int_equal(s->e.tcb.state, RILL_TCP_ESTABLISHED);
	assert_int_equal(s->e.env.stats.syn_cookies_in, 1);
	assert_int_equal(s->e.tcb.snd_mss, MSS);
	assert_int_equal(s->e.tcb.srtt_us, 0);
	assert_int_equal(s->e.tcb.rto_us, 1000000);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	server_free(s);
}

static void cookie_carries_mss(void **state)
{
	static const uint16_t given[] = {0,    40,   88,   535,	 536,  1220, 1300, 1359,
					 1380, 1400, 1439, 1440, 1459, 1460, 8960, 65535};
	struct server *s = server_new();

	s->e.env.params.syn_cookies_always = true;
	s->e.env.params.mtu = 9000;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(given); i++) {
		struct rill_tcp_seg seg = seg_of(s, (uint16_t)(2000 + i), S, 0, 0);
		uint16_t most = RILL_MAX(given[i], (uint16_t)88);

		seg.opt.mss = given[i];
		assert_int_equal(input(s, &seg), RILL_DROP_NONE);
		assert_int_equal(put(s, seg.src_port, A, 1, s->out.seq + 1), RILL_DROP_NONE);
		assert_true(s->e.tcb.snd_mss <= most);
		assert_true(s->e.tcb.snd_mss >= 536 || given[i] < 536);
	}
	server_free(s);
}

static void cookie_carries_options_in_the_timestamp(void **state)
{
	struct server *s = server_new();

	s->e.env.params.syn_cookies_always = true;
	for (unsigned i = 0; i < 16 * 4; i++) {
		struct rill_tcp_seg seg = seg_of(s, (uint16_t)(2000 + i), S, 0, 0);
		bool scaled = i % 16 < 15;
		uint32_t now_ts;

		s->now += 7 * RILL_MS;
		seg.opt.present |= RILL_TCP_OPT_TIMESTAMPS;
		seg.opt.tsval = 1000 + i;
		seg.opt.wscale = i % 16;
		if (scaled)
			seg.opt.present |= RILL_TCP_OPT_WSCALE;
		if (i & 16)
			seg.opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
		if (i & 32)
			seg.flags |= RILL_TCP_ECE | RILL_TCP_CWR;
		assert_int_equal(input(s, &seg), RILL_DROP_NONE);
		assert_int_equal(s->out.flags & RILL_TCP_ECE, i & 32 ? RILL_TCP_ECE : 0);
		seg = seg_of(s, seg.src_port, A, 1, s->out.seq + 1);
		seg.opt.present = RILL_TCP_OPT_TIMESTAMPS;
		seg.opt.tsval = 1001 + i;
		seg.opt.tsecr = s->out.opt.tsval;
		assert_int_equal(input(s, &seg), RILL_DROP_NONE);
		assert_int_equal(s->e.tcb.state, RILL_TCP_ESTABLISHED);
		assert_int_equal(s->e.tcb.snd_wnd, scaled ? 8000u << i % 16 : 8000u);
		assert_int_equal(!!(s->e.tcb.flags & RILL_TCB_SACK), !!(i & 16));
		assert_int_equal(!!(s->e.tcb.flags & RILL_TCB_ECN), !!(i & 32));
		assert_int_equal(s->e.tcb.ts_recent, 1001 + i);
		/* What follows is never older than the cookie's timestamp. */
		now_ts = rill_tcp_ts_now(&s->e.tcb, s->now);
		assert_true(rill_seq_geq(now_ts, seg.opt.tsecr) && now_ts - seg.opt.tsecr < 64);
	}
	server_free(s);
}

static void cookie_grows_old(void **state)
{
	struct server *s = server_new();
	uint32_t iss;

	s->e.env.params.syn_cookies_always = true;
	s->now = 64 * 100 * RILL_SEC;
	iss = syn(s, 1000);
	s->now += 128 * RILL_SEC - 1;
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_NONE);
	assert_int_equal(s->opened, 1);
	s->now += 1;
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_LISTEN);
	syn(s, 1001); /* cookies are taken again, but not that one */
	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_LISTEN);
	assert_int_equal(s->e.env.stats.syn_cookies_bad, 1);
	assert_int_equal(s->out.flags, R);
	assert_int_equal(s->opened, 1);
	server_free(s);
}

static void cookie_is_bound_to_its_ends(void **state)
{
	struct server *s = server_new();
	uint32_t iss;

	s->e.env.params.syn_cookies_always = true;
	iss = syn(s, 1000);
	put(s, 1001, A, 1, iss + 1);
	put(s, 1000, A, 2, iss + 1);
	put(s, 1000, A, 1, iss - 100);
	s->client.bytes[3] ^= 64;
	put(s, 1000, A, 1, iss + 1);
	assert_int_equal(s->opened, 0);
	assert_int_equal(s->e.env.stats.syn_cookies_bad, 4);
	server_free(s);
}

static void nobody_guesses_cookies(void **state)
{
	struct server *s = server_new();
	struct rill_addr local = {s->self, PORT}, remote = {s->client, 1000};
	struct rill_rand rand;
	unsigned hits = 0;
	uint16_t mss;

	rill_rand_init(&rand, 3);
	for (unsigned i = 0; i < 1 << 20; i++) {
		uint64_t guess = rill_rand_next(&rand);

		hits += rill_syn_cookie_check(&s->e.env, &local, &remote, (uint32_t)guess,
					      (uint32_t)(guess >> 32), s->now, &mss);
	}
	/* 16 of 2^24 in the low part, 2 of 2^8 in the high: about 1/2^17 of all, or less. */
	assert_true(hits <= 20);
	server_free(s);
}

static void without_need_no_cookie_is_taken(void **state)
{
	struct server *s = server_new();
	struct rill_addr local = {s->self, PORT}, remote = {s->client, 1000};
	uint32_t iss = rill_syn_cookie_make(&s->e.env, &local, &remote, CLIENT_ISN, MSS, s->now);

	assert_int_equal(put(s, 1000, A, 1, iss + 1), RILL_DROP_TCP_LISTEN);
	assert_int_equal(s->opened, 0);
	assert_int_equal(s->e.env.stats.syn_cookies_bad, 0);
	server_free(s);
}

static void cookies_against_time_wait(void **state)
{
	struct server *s = server_new();
	struct rill_tcp_seg seg = seg_of(s, 1000, S, 0, 0);
	struct rill_tcb old = {.snd_nxt = 0};
	unsigned refused = 0;

	s->e.env.params.syn_cookies_always = true;
	for (uint32_t i = 0; i < 64; i++) {
		unsigned sent = s->sent;

		old.snd_nxt = i << 26;
		if (rill_syncache_syn(&s->cache, s, &seg, &old, s->now) == RILL_DROP_NONE)
			assert_true(rill_seq_gt(s->out.seq, old.snd_nxt));
		else
			refused++;
		assert_int_equal(s->sent - sent, s->sent != sent);
	}
	assert_true(refused > 24 && refused < 40);
	server_free(s);
}

static void without_cookies_the_oldest_makes_room(void **state)
{
	struct server *s = server_new();

	s->e.env.params.no_syn_cookies = true;
	fill(s);
	syn(s, 1000);
	assert_int_equal(rill_syncache_count(&s->cache), CACHE_MAX);
	assert_non_null(entry(s, 1000));
	assert_null(entry(s, 40001));
	assert_non_null(entry(s, 40002));
	assert_int_equal(s->e.env.stats.syn_cookies_out, 0);
	assert_int_equal(s->e.env.stats.syn_cache_full, 1);
	server_free(s);
}

/* ---- floods ---- */

/* A million SYNs and then nothing: memory stays, and who is real gets in all the time. */
static void flood_rfc4987(void **state)
{
	struct server *s = server_new();
	struct rill_ip honest = s->client;
	struct rill_rand rand;
	size_t bytes = 0;

	s->e.env.params.syn_cache_max = 8192;
	s->e.env.params.syn_cache_prefix_max = 2048;
	rill_rand_init(&rand, 1);
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t r = rill_rand_next(&rand);

		s->now += 10 * RILL_US;
		s->client = (struct rill_ip){RILL_AF_IP4, {(uint8_t)(1 + r % 200)}};
		memcpy(s->client.bytes + 1, &r, 3);
		put(s, (uint16_t)(r >> 40 | 1), S, 0, 0);
		rill_syncache_on_timer(&s->cache, s->now);
		if (i == 50000)
			bytes = s->bytes;
		if (i % 1000 != 999)
			continue;
		s->client = honest;
		assert_int_equal(put(s, (uint16_t)(1000 + i / 1000), S, 0, 0), RILL_DROP_NONE);
		put(s, (uint16_t)(1000 + i / 1000), A, 1, s->out.seq + 1);
		assert_int_equal(s->e.tcb.state, RILL_TCP_ESTABLISHED);
	}
	assert_int_equal(s->opened, 1000);
	assert_true(s->e.env.stats.syn_cookies_out > 900000);
	assert_true(rill_syncache_count(&s->cache) <= 8192);
	assert_true(s->bytes <= bytes + bytes / 8 && bytes < 3 << 20);
	/* Under pressure two more SYN-ACKs must do, and then the half is at rest that has more. */
	s->now += 64 * RILL_SEC;
	while (s->cache.next_ns <= s->now)
		rill_syncache_on_timer(&s->cache, s->now);
	assert_int_equal(rill_syncache_count(&s->cache), 0);
	assert_int_equal(s->cache.prefixes.count, 0);
	server_free(s);
}

static void one_network_cannot_fill_the_cache(void **state)
{
	struct server *s = server_new();

	s->e.env.params.syn_cache_prefix_max = 16;
	for (unsigned i = 0; i < 1000; i++) {
		s->client.bytes[3] = (uint8_t)(2 + i % 250);
		put(s, (uint16_t)(1000 + i), S, 0, 0);
	}
	assert_int_equal(rill_syncache_count(&s->cache), 16);
	assert_int_equal(s->e.env.stats.syn_cookies_out, 984);
	s->client.bytes[2]++;
	syn(s, 999);
	assert_non_null(entry(s, 999));
	server_free(s);
}

/* Whatever comes, each entry is in one list, and the table is within its bounds. */
static void anything_in_any_order(void **state)
{
	static const uint16_t flags[] = {S,	A,	   A | P, R,	 F | A, S | A,
					 A | R, S | P | F, 0,	  0x1ff, F,	S | RILL_TCP_ECE};
	struct server *s = server_new();
	struct rill_rand rand;

	rill_rand_init(&rand, 5);
	s->e.alloc_fail_permille = 50;
	s->e.env.params.syn_cache_max = 16;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t r = rill_rand_next(&rand);
		uint16_t port = (uint16_t)(1000 + r % 400);
		struct rill_syn_entry *e = entry(s, port);
		uint32_t iss = e ? e->syn.iss : s->out.seq;
		struct rill_tcp_seg seg = seg_of(s, port, flags[(r >> 8) % RILL_ARRAY_SIZE(flags)],
						 (uint32_t)(r >> 20 & 1), iss + (r >> 30 & 3) - 1);

		seg.seq -= (r >> 40 & 7) == 0;
		seg.opt.present |= r >> 44 & (i & 1 ? 31 : 11);
		seg.opt.wscale = r >> 50 & 7;
		seg.opt.tsval = (uint32_t)(r >> 53);
		seg.len = r >> 60 & 1 ? 100 : 0;
		s->full = (r >> 61) == 0;
		s->defer_ms = i % 5000 > 2500 ? 3000 : 0;
		s->now += rill_rand_below(&rand, 20) * RILL_MS;
		input(s, &seg);
		rill_syncache_on_timer(&s->cache, s->now);
		assert_true(s->cache.next_ns > s->now);
		assert_true(rill_syncache_count(&s->cache) <= 16);
		if (i % 1000 == 0)
			assert_int_equal(linked(&s->cache), rill_syncache_count(&s->cache));
	}
	assert_true(s->opened > 100 && s->e.env.stats.syn_cookies_out > 1000);
	server_free(s);
}

/* ---- prefixes ---- */

static void prefixes_count_networks(void **state)
{
	struct rill_hash_key key = {{1, 2}};
	struct rill_prefix_table t;
	struct rill_ip a = th_addr(1, 0).ip, b = th_addr(200, 0).ip, c = a, d = th_ip6(1),
		       e = th_ip6(2);
	int owner;

	c.bytes[2] ^= 1;
	rill_prefix_init(&t, &rill_memory_heap, &key, 24, 56);
	assert_true(rill_prefix_take(&t, NULL, &a, 2));
	assert_true(rill_prefix_take(&t, NULL, &b, 2));
	assert_false(rill_prefix_take(&t, NULL, &a, 2));
	assert_true(rill_prefix_take(&t, &owner, &a, 2));
	assert_true(rill_prefix_take(&t, NULL, &c, 2));
	assert_true(rill_prefix_take(&t, NULL, &d, 1));
	assert_false(rill_prefix_take(&t, NULL, &e, 1));
	assert_int_equal(rill_prefix_count(&t, NULL, &b), 2);
	assert_int_equal(t.count, 4);
	rill_prefix_put(&t, NULL, &b);
	assert_true(rill_prefix_take(&t, NULL, &b, 2));
	rill_prefix_put(&t, NULL, &a);
	rill_prefix_put(&t, NULL, &a);
	rill_prefix_put(&t, &owner, &a);
	rill_prefix_put(&t, NULL, &c);
	rill_prefix_put(&t, NULL, &d);
	assert_int_equal(t.count, 0);
	rill_prefix_fini(&t);
}

static void prefixes_grow(void **state)
{
	struct rill_hash_key key = {{1, 2}};
	struct rill_prefix_table t;
	struct rill_ip ip = {RILL_AF_IP4, {10}};

	rill_prefix_init(&t, &rill_memory_heap, &key, 32, 64);
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(ip.bytes + 1, &i, 3);
		assert_true(rill_prefix_take(&t, NULL, &ip, 1));
		assert_false(rill_prefix_take(&t, NULL, &ip, 1));
	}
	assert_true(t.mask >= 8191);
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(ip.bytes + 1, &i, 3);
		rill_prefix_put(&t, NULL, &ip);
	}
	assert_int_equal(t.count, 0);
	rill_prefix_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_open_is_an_entry_rfc4987_3_4),
		cmocka_unit_test(data_and_fin_with_the_third_segment),
		cmocka_unit_test(data_that_overtook_the_third_segment),
		cmocka_unit_test(synack_is_sent_again_and_given_up_rfc6298_5),
		cmocka_unit_test(lost_synack_measures_nothing),
		cmocka_unit_test(repeated_syn_gets_the_same_synack),
		cmocka_unit_test(reset_returns_to_listen_must_11),
		cmocka_unit_test(another_syn_is_challenged_or_returns_to_listen),
		cmocka_unit_test(syn_with_ack_does_not_open),
		cmocka_unit_test(unacceptable_ack_is_reset_rfc9293_3_10_7_4),
		cmocka_unit_test(challenges_are_limited_rfc5961_7),
		cmocka_unit_test(timestamps_are_kept_rfc7323),
		cmocka_unit_test(synack_is_that_of_a_connection),
		cmocka_unit_test(icmp_errors_rfc5927_4),
		cmocka_unit_test(time_wait_gives_its_number_rfc6191),
		cmocka_unit_test(no_buffer_for_the_synack),
		cmocka_unit_test(full_accept_queue_recovers),
		cmocka_unit_test(room_is_told_to_who_waits),
		cmocka_unit_test(deferred_accept_waits_for_data),
		cmocka_unit_test(deferred_accept_ends),
		cmocka_unit_test(listener_goes_away),
		cmocka_unit_test(full_cache_answers_with_cookies_rfc4987_3_6),
		cmocka_unit_test(cookie_carries_mss),
		cmocka_unit_test(cookie_carries_options_in_the_timestamp),
		cmocka_unit_test(cookie_grows_old),
		cmocka_unit_test(cookie_is_bound_to_its_ends),
		cmocka_unit_test(nobody_guesses_cookies),
		cmocka_unit_test(without_need_no_cookie_is_taken),
		cmocka_unit_test(cookies_against_time_wait),
		cmocka_unit_test(without_cookies_the_oldest_makes_room),
		cmocka_unit_test(flood_rfc4987),
		cmocka_unit_test(one_network_cannot_fill_the_cache),
		cmocka_unit_test(anything_in_any_order),
		cmocka_unit_test(prefixes_count_networks),
		cmocka_unit_test(prefixes_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
