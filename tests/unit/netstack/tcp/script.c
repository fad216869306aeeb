/* SPDX-License-Identifier: BSD-3-Clause */
#include "script.h"

#include "netstack/tcp/options.h"

static void on_sent(struct th_end *e, const uint8_t *raw, uint32_t len)
{
	struct script *s = e->arg;
	struct out *o = &s->out[s->out_last % RILL_ARRAY_SIZE(s->out)];
	struct rill_buf *b = th_buf(e, raw, len);

	assert_int_equal(rill_tcp_parse(b, &e->tcb.local.ip, &e->tcb.remote.ip, &o->seg), 0);
	o->seg.ecn = e->tos & 3;
	memcpy(o->data, b->data, b->len);
	rill_buf_put_owner(&e->pool, b);
	s->out_last++;
	assert_true(s->out_last - s->out_first <= RILL_ARRAY_SIZE(s->out));
}

struct script *script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));
	struct rill_addr local = th_addr(1, 1000);
	struct rill_addr remote = th_addr(2, 2000);

	assert_non_null(s);
	th_end_init(&s->e, 2048, 7);
	s->e.sent = on_sent;
	s->e.arg = s;
	s->now = 100 * RILL_SEC;
	s->e.env.params.no_timestamps = true;
	s->e.env.params.no_window_scale = true;
	s->e.env.params.nodelay = true;
	s->e.env.params.quick_acks = 0;
	s->e.env.params.recv_buffer = 65535;
	s->e.env.params.rest_us = 0; /* no timer but those of the protocol */
	s->e.env.params.no_mtu_probing = true;
	s->e.env.cc = &rill_tcp_cc_newreno; /* its figures are easy to follow */
	s->opt = (struct rill_tcp_options_seen){.present = RILL_TCP_OPT_MSS, .mss = MSS};
	rill_tcb_init(&s->e.tcb, &s->e.env, &local, &remote);
	return s;
}

void script_free(struct script *s)
{
	assert_true(rill_tcb_valid(&s->e.tcb));
	th_end_fini(&s->e);
	free(s);
}

static uint8_t pattern(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8));
}

static uint32_t build(struct script *s, uint8_t *raw, uint16_t flags, uint32_t seq, uint32_t ack,
		      uint32_t wnd, uint32_t len)
{
	struct rill_buf *b = rill_buf_alloc(&s->e.pool);
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_options_seen o = s->opt;
	struct rill_tcp_header h = {
		.src = &s->e.tcb.remote,
		.dst = &s->e.tcb.local,
		.seq = PEER_ISN + seq,
		.ack = flags & A ? s->e.tcb.iss + ack : 0,
		.wnd = (uint16_t)wnd,
		.flags = flags,
		.urg = s->urg,
		.options = bytes,
	};
	uint32_t raw_len;

	if (!(flags & S))
		o.present &=
			RILL_TCP_OPT_TIMESTAMPS | RILL_TCP_OPT_SACK | RILL_TCP_OPT_USER_TIMEOUT;
	h.options_len = rill_tcp_options_emit(bytes, &o);
	for (uint32_t i = 0; i < len; i++)
		*rill_buf_append(b, 1) = pattern(seq + i);
	rill_tcp_emit(b, &h, false);
	raw_len = b->len;
	memcpy(raw, b->data, raw_len);
	rill_buf_put_owner(&s->e.pool, b);
	return raw_len;
}

enum rill_drop in_batch(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
			uint32_t len)
{
	uint8_t raw[TH_RAW_MAX];
	uint32_t raw_len = build(s, raw, flags, seq, ack, wnd, len);
	enum rill_drop drop = th_input_raw(&s->e, raw, raw_len, s->now);

	assert_true(rill_tcb_valid(&s->e.tcb));
	return drop;
}

enum rill_drop in(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
		  uint32_t len)
{
	enum rill_drop drop = in_batch(s, flags, seq, ack, wnd, len);

	out(s);
	return drop;
}

void out(struct script *s)
{
	rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
	assert_true(rill_tcb_valid(&s->e.tcb));
}

static struct out *next_out(struct script *s)
{
	if (s->out_first == s->out_last)
		fail_msg("nothing was sent");
	return &s->out[s->out_first++ % RILL_ARRAY_SIZE(s->out)];
}

void expect(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct out *o = next_out(s);
	struct rill_tcp_seg *g = &o->seg;

	s->last = *g;
	s->last_data = o->data;
	if ((g->flags & ~P) != (flags & ~P) || g->seq - s->e.tcb.iss != seq || g->len != len ||
	    ((flags & A) && g->ack - PEER_ISN != ack) || ((flags & P) && !(g->flags & P)))
		fail_msg(
			"sent flags 0x%x seq %u ack %u len %u, not flags 0x%x seq %u ack %u len %u",
			g->flags, g->seq - s->e.tcb.iss, g->ack - PEER_ISN, g->len, flags, seq, ack,
			len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(o->data[i], pattern(seq + i));
}

void expect_rst(struct script *s, uint32_t seq)
{
	struct out *o = next_out(s);

	assert_int_equal(o->seg.flags, R);
	assert_int_equal(o->seg.seq, seq);
	s->last = o->seg;
}

void expect_none(struct script *s)
{
	if (s->out_first != s->out_last) {
		struct rill_tcp_seg *g = &next_out(s)->seg;

		fail_msg("sent flags 0x%x seq %u ack %u len %u, where nothing was due", g->flags,
			 g->seq - s->e.tcb.iss, g->ack - PEER_ISN, g->len);
	}
}

static void fire(struct script *s, uint64_t at)
{
	s->now = RILL_MAX(s->now, at);
	rill_tcb_on_timer(&s->e.tcb, &s->e.env, s->now);
	out(s);
}

void pass(struct script *s, uint64_t ns)
{
	uint64_t end = s->now + ns;
	uint64_t at;

	while ((at = rill_tcb_next_deadline(&s->e.tcb)) <= end)
		fire(s, at);
	s->now = end;
}

void expect_timer(struct script *s, uint64_t ns)
{
	uint64_t at = rill_tcb_next_deadline(&s->e.tcb);

	assert_true(at != RILL_FOREVER);
	if (at - s->now > ns + ns / 100 || at - s->now < ns - ns / 100)
		fail_msg("the timer is in %llu us, not %llu",
			 (unsigned long long)(at - s->now) / 1000, (unsigned long long)ns / 1000);
	fire(s, at);
}

void send_bytes(struct script *s, uint32_t len)
{
	uint8_t data[65536];
	uint32_t seq = s->e.tcb.snd_end - s->e.tcb.iss;

	assert_true(len <= sizeof(data));
	for (uint32_t i = 0; i < len; i++)
		data[i] = pattern(seq + i);
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, len), len);
	out(s);
}

void recv_bytes(struct script *s, uint32_t len)
{
	uint8_t data[65536];
	uint32_t seq = s->e.tcb.rcv_nxt - PEER_ISN - s->e.tcb.rcv_queued -
		       !!(s->e.tcb.flags & RILL_TCB_FIN_RCVD);

	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, data, len), len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(data[i], pattern(seq + i));
	out(s);
}

void expect_state(struct script *s, enum rill_tcp_state state)
{
	assert_string_equal(rill_tcp_state_name(s->e.tcb.state), rill_tcp_state_name(state));
}

void script_connect(struct script *s)
{
	rill_tcb_connect(&s->e.tcb, &s->e.env, s->now);
	out(s);
}

void script_accept(struct script *s, uint32_t wnd)
{
	uint8_t raw[TH_RAW_MAX];
	uint32_t len = build(s, raw, S, 0, 0, wnd, 0);
	struct rill_buf *b = th_buf(&s->e, raw, len);
	struct rill_tcp_seg seg;

	assert_int_equal(rill_tcp_parse(b, &s->e.tcb.remote.ip, &s->e.tcb.local.ip, &seg), 0);
	assert_int_equal(rill_tcp_listen_check(&s->e.env, &seg), RILL_DROP_NONE);
	seg.ecn = s->e.rx_ecn;
	rill_tcb_accept(&s->e.tcb, &s->e.env, &seg, NULL, s->now);
	rill_buf_put_owner(&s->e.pool, b);
	out(s);
}

struct script *script_established(uint32_t mss, uint32_t wnd)
{
	struct script *s = script_new();

	s->opt.mss = (uint16_t)mss;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->now += 10 * RILL_MS;
	in(s, S | A, 0, 1, wnd, 0);
	expect(s, A, 1, 1, 0);
	s->e.tcb.events = 0;
	return s;
}

struct script *script_timestamps(void)
{
	struct script *s = script_new();

	s->e.env.params.no_timestamps = false;
	s->opt.present |= RILL_TCP_OPT_TIMESTAMPS;
	s->opt.tsval = 1000;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->opt.tsecr = s->last.opt.tsval;
	s->now += 10 * RILL_MS;
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	return s;
}
