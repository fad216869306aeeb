/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two real ends on a bad link in virtual time, from a seed: loss, reordering, duplication,
 * corruption, lack of buffers, slow drivers. Checks every byte, both ends' fate, that no buffer
 * leaks, and that it ends. RILL_SEEDS runs more of them; RILL_SEED one, and with RILL_SIM_TRACE
 * prints its segments.
 */
#include "harness.h"
#include "netstack/wire/bytes.h"

#include <errno.h>
#include <stdio.h>

#define PKTS_MAX 16384
#define TIME_LIMIT (4 * 3600 * RILL_SEC)

struct pkt {
	uint64_t at;
	uint64_t order;
	uint8_t to;
	uint32_t len;
	uint8_t raw[TH_RAW_MAX];
};

struct link {
	uint32_t loss, reorder, dup, corrupt, ce; /* per mille */
	uint64_t delay_ns, jitter_ns;
	uint64_t ns_per_byte; /* rate; 0: none */
	uint64_t queue_ns;    /* of the bottleneck, when there is a rate */
};

struct app {
	uint64_t to_send, sent, to_recv, received;
	uint64_t pause_until; /* a reader that stops for a while */
	bool fin_sent, eof, closed;
	uint32_t slow_permille;
};

struct sim {
	uint64_t seed;
	struct th_end end[2];
	struct app app[2];
	struct link link;
	uint64_t now, order, busy_until[2];
	struct rill_rand rand;
	struct pkt *heap[PKTS_MAX];
	uint32_t heap_len;
	struct pkt *pkts;
	struct pkt *free[PKTS_MAX];
	uint32_t free_len;
	uint64_t steps;
	bool traced;
};

static bool before(const struct pkt *a, const struct pkt *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void heap_push(struct sim *s, struct pkt *p)
{
	uint32_t i = s->heap_len++;

	while (i > 0 && before(p, s->heap[(i - 1) / 2])) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = p;
}

static struct pkt *heap_pop(struct sim *s)
{
	struct pkt *top = s->heap[0];
	struct pkt *p = s->heap[--s->heap_len];
	uint32_t i = 0;

	for (uint32_t c; (c = 2 * i + 1) < s->heap_len; i = c) {
		if (c + 1 < s->heap_len && before(s->heap[c + 1], s->heap[c]))
			c++;
		if (!before(s->heap[c], p))
			break;
		s->heap[i] = s->heap[c];
	}
	s->heap[i] = p;
	return top;
}

static bool chance(struct sim *s, uint32_t permille)
{
	return rill_rand_below(&s->rand, 1000) < permille;
}

static void link_put(struct sim *s, uint8_t to, const uint8_t *raw, uint32_t len)
{
	uint64_t at = s->now + s->link.delay_ns;
	struct pkt *p;

	if (chance(s, s->link.loss) || s->free_len == 0)
		return;
	if (s->link.ns_per_byte) {
		uint64_t start = RILL_MAX(s->busy_until[to], s->now);

		if (start - s->now > s->link.queue_ns)
			return; /* tail drop */
		s->busy_until[to] = start + (len + 54) * s->link.ns_per_byte;
		at = s->busy_until[to] + s->link.delay_ns;
	}
	if (chance(s, s->link.reorder))
		at += 1 + rill_rand_next(&s->rand) % (s->link.jitter_ns + 1);
	p = s->free[--s->free_len];
	p->at = at;
	p->order = s->order++;
	p->to = to;
	p->len = len;
	memcpy(p->raw, raw, len);
	if (chance(s, s->link.corrupt))
		p->raw[rill_rand_below(&s->rand, len)] ^=
			(uint8_t)(1u << rill_rand_below(&s->rand, 8));
	heap_push(s, p);
}

static void on_sent(struct th_end *e, const uint8_t *raw, uint32_t len)
{
	struct sim *s = e->arg;
	uint8_t to = e == &s->end[0] ? 1 : 0;

	link_put(s, to, raw, len);
	if (chance(s, s->link.dup))
		link_put(s, to, raw, len);
}

/* The byte at position pos of the stream that side sends. */
static uint8_t stream_byte(const struct sim *s, int side, uint64_t pos)
{
	uint64_t x = (pos / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) + s->seed + (uint64_t)side;

	x ^= x >> 31;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint8_t)(x >> (pos % 8 * 8));
}

static void app_send(struct sim *s, int side)
{
	struct th_end *e = &s->end[side];
	struct app *a = &s->app[side];
	uint8_t chunk[8192];

	while (a->sent < a->to_send) {
		uint32_t want =
			1 + rill_rand_below(&s->rand, chance(s, 300) ? 100 : sizeof(chunk) - 1);
		ssize_t n;

		want = (uint32_t)RILL_MIN((uint64_t)want, a->to_send - a->sent);
		for (uint32_t i = 0; i < want; i++)
			chunk[i] = stream_byte(s, side, a->sent + i);
		n = rill_tcb_send(&e->tcb, &e->env, chunk, want);
		if (n == -EAGAIN || n == -ENOBUFS)
			return;
		assert_true(n > 0);
		a->sent += (uint64_t)n;
		if (n < want)
			return;
	}
	if (!a->fin_sent) {
		assert_int_equal(rill_tcb_shutdown_send(&e->tcb), 0);
		a->fin_sent = true;
	}
}

static void app_recv(struct sim *s, int side)
{
	struct th_end *e = &s->end[side];
	struct app *a = &s->app[side];
	uint8_t chunk[8192];

	if (s->now < a->pause_until)
		return;
	a->pause_until = 0;
	while (!a->eof) {
		ssize_t n = rill_tcb_recv(&e->tcb, &e->env, chunk,
					  1 + rill_rand_below(&s->rand, sizeof(chunk) - 1));

		if (n == -EAGAIN)
			return;
		assert_true(n >= 0);
		a->eof = n == 0;
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i] != stream_byte(s, !side, a->received + (uint64_t)i))
				fail_msg("seed %llu: wrong byte at %llu",
					 (unsigned long long)s->seed,
					 (unsigned long long)a->received + (unsigned long long)i);
		a->received += (uint64_t)n;
		if (chance(s, a->slow_permille)) {
			a->pause_until = s->now + (1 + rill_rand_below(&s->rand, 3000)) * RILL_MS;
			return;
		}
	}
}

static void app_run(struct sim *s, int side)
{
	struct th_end *e = &s->end[side];
	struct app *a = &s->app[side];

	if (a->closed)
		return;
	if (e->tcb.error)
		fail_msg("seed %llu: side %d broke: %d in %s", (unsigned long long)s->seed, side,
			 e->tcb.error, rill_tcp_state_name(e->tcb.state));
	if (e->tcb.state != RILL_TCP_SYN_SENT && e->tcb.state != RILL_TCP_CLOSED)
		app_send(s, side);
	app_recv(s, side);
	if (a->fin_sent && a->eof) {
		rill_tcb_close(&e->tcb, &e->env, s->now);
		a->closed = true;
	}
}

static void settle(struct sim *s, int side)
{
	struct th_end *e = &s->end[side];

	app_run(s, side);
	rill_tcb_output(&e->tcb, &e->env, s->now);
	if (!rill_tcb_valid(&e->tcb))
		fail_msg("seed %llu: side %d invalid at step %llu", (unsigned long long)s->seed,
			 side, (unsigned long long)s->steps);
	if (chance(s, 50))
		th_release_held(e);
}

static uint64_t side_deadline(const struct sim *s, int side)
{
	uint64_t t = rill_tcb_next_deadline(&s->end[side].tcb);

	if (s->app[side].pause_until != 0 && !s->app[side].closed)
		t = RILL_MIN(t, RILL_MAX(s->app[side].pause_until, s->now));
	/* a send that found no buffer tries again */
	if (s->end[side].alloc_fail_permille && !s->app[side].fin_sent)
		t = RILL_MIN(t, s->now + 10 * RILL_MS);
	return t;
}

static void trace(const struct sim *s, const struct pkt *p, enum rill_drop drop)
{
	const struct rill_tcb *t = &s->end[p->to].tcb;

	if (!s->traced)
		return;
	printf("%.6f -> %d flags %02x seq %08x ack %08x len %u %s: %s una %08x nxt %08x rcv %08x\n",
	       (double)s->now / 1e9, p->to, p->raw[13], rill_load_be32(p->raw + 4),
	       rill_load_be32(p->raw + 8), p->len - (p->raw[12] >> 4) * 4u, rill_drop_name(drop),
	       rill_tcp_state_name(t->state), t->snd_una, t->snd_nxt, t->rcv_nxt);
}

static void deliver(struct sim *s)
{
	uint8_t to = s->heap[0]->to;
	struct th_end *e = &s->end[to];

	/* A batch: all that is there by now for one end. */
	while (s->heap_len && s->heap[0]->at <= s->now && s->heap[0]->to == to) {
		struct pkt *p = heap_pop(s);

		e->rx_ecn = chance(s, s->link.ce) ? RILL_ECN_CE : RILL_ECN_ECT0;
		trace(s, p, th_input_raw(e, p->raw, p->len, s->now));
		s->free[s->free_len++] = p;
	}
	settle(s, to);
}

static bool done(const struct sim *s)
{
	return s->app[0].closed && s->app[1].closed && s->end[0].tcb.state == RILL_TCP_CLOSED &&
	       s->end[1].tcb.state == RILL_TCP_CLOSED;
}

static void step(struct sim *s)
{
	uint64_t next = s->heap_len ? s->heap[0]->at : RILL_FOREVER;
	int due = -1;

	for (int i = 0; i < 2; i++) {
		uint64_t t = side_deadline(s, i);

		if (t < next) {
			next = t;
			due = i;
		}
	}
	if (next == RILL_FOREVER || next > TIME_LIMIT)
		fail_msg("seed %llu: stuck in %s and %s, received %llu and %llu",
			 (unsigned long long)s->seed, rill_tcp_state_name(s->end[0].tcb.state),
			 rill_tcp_state_name(s->end[1].tcb.state),
			 (unsigned long long)s->app[0].received,
			 (unsigned long long)s->app[1].received);
	s->now = RILL_MAX(next, s->now);
	s->steps++;
	if (due < 0) {
		deliver(s);
		return;
	}
	rill_tcb_on_timer(&s->end[due].tcb, &s->end[due].env, s->now);
	settle(s, due);
}

/* The passive side answers the first SYN that arrives whole. */
static void wait_for_syn(struct sim *s)
{
	struct th_end *e = &s->end[1];

	while (e->tcb.state == RILL_TCP_CLOSED) {
		uint64_t timer = rill_tcb_next_deadline(&s->end[0].tcb);
		struct rill_tcp_seg seg;
		struct rill_buf *b;
		struct pkt *p;

		if (!s->heap_len || timer < s->heap[0]->at) {
			s->now = timer;
			rill_tcb_on_timer(&s->end[0].tcb, &s->end[0].env, s->now);
			rill_tcb_output(&s->end[0].tcb, &s->end[0].env, s->now);
			continue;
		}
		s->now = s->heap[0]->at;
		p = heap_pop(s);
		b = th_buf(e, p->raw, p->len);
		if (rill_tcp_parse(b, &e->tcb.remote.ip, &e->tcb.local.ip, &seg) ==
			    RILL_DROP_NONE &&
		    rill_tcp_listen_check(&e->env, &seg) == RILL_DROP_NONE)
			rill_tcb_accept(&e->tcb, &e->env, &seg, NULL, s->now);
		rill_buf_put_owner(&e->pool, b);
		s->free[s->free_len++] = p;
	}
	settle(s, 1);
}

static struct sim *sim_new(uint64_t seed, const struct link *link, uint64_t bytes)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct rill_addr addr[2] = {th_addr(1, 1000), th_addr(2, 80)};

	assert_non_null(s);
	s->seed = seed;
	s->link = *link;
	s->now = RILL_SEC;
	s->traced = getenv("RILL_SIM_TRACE") != NULL;
	rill_rand_init(&s->rand, seed);
	s->pkts = malloc(PKTS_MAX * sizeof(*s->pkts));
	assert_non_null(s->pkts);
	for (uint32_t i = 0; i < PKTS_MAX; i++)
		s->free[s->free_len++] = &s->pkts[i];
	for (int i = 0; i < 2; i++) {
		struct th_end *e = &s->end[i];

		th_end_init(e, 4096, seed * 2 + (uint64_t)i);
		e->sent = on_sent;
		e->arg = s;
		/* every pair of algorithms in turn */
		e->env.cc = rill_tcp_cc_all[(seed >> (2 * i)) % 4];
		e->hold_permille = 200;
		e->env.params.no_timestamps = chance(s, 200);
		e->env.params.no_sack = chance(s, 200);
		e->env.params.no_rack = chance(s, 100);
		e->env.params.no_tlp = chance(s, 100);
		e->env.params.no_frto = chance(s, 100);
		e->env.params.no_window_scale = chance(s, 100);
		e->env.params.nodelay = chance(s, 500);
		e->env.params.send_buffer = 4096u << rill_rand_below(&s->rand, 8);
		e->env.params.recv_buffer = 4096u << rill_rand_below(&s->rand, 8);
		e->env.params.ecn = (uint8_t)rill_rand_below(&s->rand, 4);
		e->env.params.initial_recv_window = chance(s, 200) ? 3000 : 0;
		if (chance(s, 100))
			e->env.params.mem_max = 256 << 10;
		/* as far as the pool goes */
		e->env.params.send_buffer_max = 1u << 20;
		e->env.params.recv_buffer_max = 1u << 20;
		e->env.params.mtu = chance(s, 200) ? 600 : 1500;
		s->app[i].to_send = bytes;
		s->app[i].to_recv = bytes;
		rill_tcb_init(&e->tcb, &e->env, &addr[i], &addr[!i]);
	}
	return s;
}

static void sim_finish(struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s->app[i].received, s->app[i].to_recv);
		assert_int_equal(s->end[i].tcb.error, 0);
		th_end_fini(&s->end[i]);
	}
	if (getenv("RILL_SIM_VERBOSE"))
		printf("seed %llu: %.3f s virtual, %llu steps, rtx %llu/%llu rto %llu/%llu fr "
		       "%llu/%llu\n",
		       (unsigned long long)s->seed, (double)s->now / 1e9,
		       (unsigned long long)s->steps,
		       (unsigned long long)s->end[0].env.stats.retransmits,
		       (unsigned long long)s->end[1].env.stats.retransmits,
		       (unsigned long long)s->end[0].env.stats.rtos,
		       (unsigned long long)s->end[1].env.stats.rtos,
		       (unsigned long long)s->end[0].env.stats.fast_recoveries,
		       (unsigned long long)s->end[1].env.stats.fast_recoveries);
	free(s->pkts);
	free(s);
}

static void run(struct sim *s)
{
	rill_tcb_connect(&s->end[0].tcb, &s->end[0].env, s->now);
	rill_tcb_output(&s->end[0].tcb, &s->end[0].env, s->now);
	wait_for_syn(s);
	while (!done(s))
		step(s);
	sim_finish(s);
}

static void run_seeds(const struct link *link, uint64_t bytes, unsigned count, uint32_t slow,
		      uint32_t alloc_fail)
{
	const char *one = getenv("RILL_SEED");
	const char *more = getenv("RILL_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1;

	if (one)
		count = 1;
	else if (more)
		count = (unsigned)strtoul(more, NULL, 0);
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct sim *s = sim_new(seed, link, bytes);

		for (int i = 0; i < 2; i++) {
			s->app[i].slow_permille = slow;
			s->end[i].alloc_fail_permille = alloc_fail;
		}
		run(s);
	}
}

static void perfect_link(void **state)
{
	struct link l = {.delay_ns = 50 * RILL_US};

	run_seeds(&l, 4 << 20, 10, 0, 0);
}

static void one_percent_of_everything(void **state)
{
	struct link l = {.loss = 10,
			 .reorder = 10,
			 .dup = 10,
			 .corrupt = 5,
			 .ce = 20,
			 .delay_ns = 5 * RILL_MS,
			 .jitter_ns = 3 * RILL_MS};

	run_seeds(&l, 4 << 20, 10, 0, 0);
}

static void harsh_link(void **state)
{
	struct link l = {.loss = 100,
			 .reorder = 200,
			 .dup = 100,
			 .corrupt = 20,
			 .ce = 50,
			 .delay_ns = 10 * RILL_MS,
			 .jitter_ns = 30 * RILL_MS};

	run_seeds(&l, 256 << 10, 20, 0, 0);
}

static void slow_readers(void **state)
{
	struct link l = {
		.loss = 10, .reorder = 10, .dup = 10, .delay_ns = RILL_MS, .jitter_ns = RILL_MS};

	run_seeds(&l, 512 << 10, 20, 100, 0);
}

static void bottleneck(void **state)
{
	struct link l = {.delay_ns = 10 * RILL_MS, .ns_per_byte = 80, .queue_ns = 20 * RILL_MS};

	run_seeds(&l, 4 << 20, 10, 0, 0);
}

static void no_buffers_now_and_then(void **state)
{
	struct link l = {
		.loss = 10, .reorder = 20, .dup = 10, .delay_ns = RILL_MS, .jitter_ns = RILL_MS};

	run_seeds(&l, 256 << 10, 20, 10, 200);
}

static void tiny_transfers(void **state)
{
	struct link l = {.loss = 200,
			 .reorder = 200,
			 .dup = 100,
			 .corrupt = 20,
			 .ce = 50,
			 .delay_ns = 10 * RILL_MS,
			 .jitter_ns = 30 * RILL_MS};

	run_seeds(&l, 100, 200, 0, 0);
}

/* 16 MiB over 100 Mb/s and 20 ms within two seconds, with a queue of a BDP and of half. */
static void each_algorithm_fills_a_bottleneck(void **state)
{
	struct link l = {.delay_ns = 10 * RILL_MS, .ns_per_byte = 80};

	for (unsigned n = 0; n < 8; n++) {
		struct sim *s;

		l.queue_ns = (n & 1 ? 10 : 20) * RILL_MS;
		s = sim_new(1, &l, 0);
		s->app[0].to_send = s->app[1].to_recv = 16 << 20;
		for (int i = 0; i < 2; i++) {
			struct th_end *e = &s->end[i];
			struct rill_addr local = e->tcb.local, remote = e->tcb.remote;

			e->env.cc = rill_tcp_cc_all[n / 2];
			e->env.params.mtu = 1500;
			e->env.params.no_window_scale = false;
			e->env.params.no_sack = e->env.params.no_rack = false;
			e->env.params.no_tlp = false;
			e->env.params.mem_max = 0;
			e->env.params.send_buffer = e->env.params.recv_buffer = 1 << 20;
			rill_tcb_init(&e->tcb, &e->env, &local, &remote);
		}
		rill_tcb_connect(&s->end[0].tcb, &s->end[0].env, s->now);
		rill_tcb_output(&s->end[0].tcb, &s->end[0].env, s->now);
		wait_for_syn(s);
		while (!done(s))
			step(s);
		/* One second when it began, and 60 of TIME-WAIT. */
		assert_in_range(s->now, 62300 * RILL_MS, 63000 * RILL_MS);
		sim_finish(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perfect_link),
		cmocka_unit_test(one_percent_of_everything),
		cmocka_unit_test(harsh_link),
		cmocka_unit_test(slow_readers),
		cmocka_unit_test(bottleneck),
		cmocka_unit_test(no_buffers_now_and_then),
		cmocka_unit_test(tiny_transfers),
		cmocka_unit_test(each_algorithm_fills_a_bottleneck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
