/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random and mutated segments at a live connection: nothing may crash, every invariant holds after
 * each, memory stays bounded, and no buffer leaks. RILL_MUTATIONS sets how many.
 */
#include "sack_script.h"

#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/options.h"

static uint32_t pick(struct rill_rand *r, uint32_t near)
{
	static const int32_t offsets[] = {0,   0,    0,	   1,	  -1,	  2,
					  100, -100, 1460, 65535, -65535, 1 << 20};

	if (rill_rand_below(r, 20) == 0)
		return (uint32_t)rill_rand_next(r);
	return near + (uint32_t)offsets[rill_rand_below(r, RILL_ARRAY_SIZE(offsets))];
}

static uint8_t pick_flags(struct rill_rand *r)
{
	static const uint8_t usual[] = {A, A, A, A, A | P, A | F, S, S | A, R, R | A, 0, F};

	if (rill_rand_below(r, 10) == 0)
		return (uint8_t)rill_rand_next(r);
	return usual[rill_rand_below(r, rill_rand_below(r, 10) ? 6 : RILL_ARRAY_SIZE(usual))];
}

/* SACK blocks about what is outstanding, some of them true to segments' bounds. */
static void hostile_blocks(const struct rill_tcb *t, struct rill_rand *r,
			   struct rill_tcp_options_seen *o)
{
	uint32_t out = t->snd_nxt - t->snd_una + 1;
	bool bounds = rill_rand_below(r, 2);

	o->present &= RILL_TCP_OPT_TIMESTAMPS; /* there is no room for more */
	o->present |= RILL_TCP_OPT_SACK;
	o->sack_count = (uint8_t)(1 + rill_rand_below(r, 3));
	for (unsigned i = 0; i < o->sack_count; i++) {
		uint32_t from = rill_rand_below(r, out);
		uint32_t len = rill_rand_below(r, out);

		if (bounds) {
			from -= from % t->snd_mss;
			len -= len % t->snd_mss;
		}
		o->sack[i].start = pick(r, t->snd_una + from);
		o->sack[i].end =
			rill_rand_below(r, 4) ? o->sack[i].start + len : pick(r, t->snd_nxt);
	}
}

static uint32_t make(struct script *s, struct rill_rand *r, uint8_t *raw)
{
	struct rill_tcb *t = &s->e.tcb;
	struct rill_buf *b = rill_buf_alloc(&s->e.pool);
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_options_seen o = {
		.present = (uint8_t)rill_rand_below(r, 16),
		.mss = (uint16_t)rill_rand_next(r),
		.wscale = (uint8_t)rill_rand_next(r),
		.tsval = pick(r, t->ts_recent),
		.tsecr = pick(r, rill_tcp_ts_now(t, s->now)),
	};
	struct rill_tcp_header h = {
		.src = &t->remote,
		.dst = &t->local,
		.seq = pick(r, rill_rand_below(r, 2) ? t->rcv_nxt : t->rcv_nxt + t->rcv_wnd),
		.ack = pick(r, rill_rand_below(r, 2) ? t->snd_nxt : t->snd_una),
		.wnd = (uint16_t)(rill_rand_below(r, 3) ? rill_rand_next(r) : 0),
		.flags = pick_flags(r),
		.urg = (uint16_t)rill_rand_below(r, 3000),
		.options = bytes,
	};
	uint32_t len = rill_rand_below(r, 3) ? 0 : rill_rand_below(r, 1400);

	if ((t->flags & RILL_TCB_TIMESTAMPS) && rill_rand_below(r, 10))
		o.present |= RILL_TCP_OPT_TIMESTAMPS;
	if (rill_rand_below(r, 2))
		hostile_blocks(t, r, &o);
	if (rill_rand_below(r, 4) == 0) {
		o.present |= RILL_TCP_OPT_FAST_OPEN;
		o.fast_open_len = (uint8_t)(2 * rill_rand_below(r, 9));
	}
	if (rill_rand_below(r, 10) == 0)
		h.flags |= RILL_TCP_URG | (rill_rand_below(r, 2) ? RILL_TCP_AE : 0);
	h.options_len = rill_tcp_options_emit(bytes, &o);
	if (rill_rand_below(r, 10) == 0)
		for (unsigned i = 0; i < h.options_len; i++)
			bytes[i] = (uint8_t)rill_rand_next(r);
	memset(rill_buf_append(b, len), 0xaa, len);
	rill_tcp_emit(b, &h, false);
	len = b->len;
	memcpy(raw, b->data, len);
	rill_buf_put_owner(&s->e.pool, b);
	return len;
}

static void user(struct script *s, struct rill_rand *r)
{
	struct rill_tcb *t = &s->e.tcb;
	uint8_t data[4000] = {0};

	switch (rill_rand_below(r, 400)) {
	case 0:
		rill_tcb_shutdown_send(t);
		break;
	case 1:
		rill_tcb_shutdown_recv(t, &s->e.env);
		break;
	case 2:
		rill_tcb_close(t, &s->e.env, s->now);
		break;
	case 3:
		rill_tcb_icmp_error(t, &s->e.env, -113, rill_rand_below(r, 2), pick(r, t->snd_una));
		break;
	case 4:
		rill_tcb_icmp_too_big(t, (uint16_t)rill_rand_next(r), pick(r, t->snd_una));
		break;
	case 5:
		rill_tcb_send_urgent(t, &s->e.env, data, 1 + rill_rand_below(r, 2000));
		break;
	case 6:
		rill_tcb_recv_urgent(t, rill_rand_below(r, 2), data);
		break;
	case 7:
		rill_tcb_peek(t, data, sizeof(data));
		break;
	case 8:
		rill_tcp_settings_own(t, &s->e.env)->oob_inline = rill_rand_below(r, 2);
		t->settings->keepalive = rill_rand_below(r, 2);
		t->settings->keep_idle_ms = 1 + rill_rand_below(r, 5000);
		t->settings->window_clamp = rill_rand_below(r, 20000);
		t->settings->notsent_lowat = rill_rand_below(r, 3000);
		rill_tcb_settings_changed(t, &s->e.env, s->now);
		break;
	case 9:
		s->e.env.params.mem_max = rill_rand_below(r, 2) * 40000;
		break;
	case 10:
		rill_tcb_set_recv_buffer(t, 1000 + rill_rand_below(r, 100000));
		break;
	case 11 ... 100:
		rill_tcb_send(t, &s->e.env, data, rill_rand_below(r, sizeof(data)));
		break;
	case 101 ... 200:
		rill_tcb_recv(t, &s->e.env, data, 1 + rill_rand_below(r, sizeof(data) - 1));
		break;
	default:
		break;
	}
}

/* In CLOSED, with whatever may be agreed on. */
static struct script *undecided(struct rill_rand *r)
{
	static const uint16_t ecn_policies[] = {RILL_TCP_ECN_PASSIVE, RILL_TCP_ECN_ON,
						RILL_TCP_ECN_ACCURATE};
	static struct rill_fast_open fast_open;
	struct script *s = script_new();

	rill_fast_open_init(&fast_open, &s->e.env.secret);
	s->e.env.fast_open = &fast_open;
	s->e.env.params.fast_open_client = true;
	s->e.env.params.fast_open_server = true;
	s->e.env.params.no_timestamps = rill_rand_below(r, 2);
	s->e.env.params.no_window_scale = rill_rand_below(r, 2);
	s->e.env.params.ecn = (uint8_t)ecn_policies[rill_rand_below(r, 3)];
	s->e.tcb.flags |= rill_rand_below(r, 2) ? RILL_TCB_FAST_OPEN : 0;
	s->opt.present =
		RILL_TCP_OPT_MSS | (rill_rand_below(r, 2) ? RILL_TCP_OPT_SACK_PERMITTED : 0);
	return s;
}

static struct script *fresh(struct rill_rand *r)
{
	struct script *s;

	switch (rill_rand_below(r, 5)) {
	case 0:
		s = undecided(r);
		script_connect(s);
		break;
	case 1:
		s = undecided(r);
		script_accept(s, 65535);
		break;
	case 2:
		s = rill_rand_below(r, 2) ? script_sack(true) : script_timestamps();
		break;
	case 3:
		s = script_sack(false);
		break;
	default:
		s = script_established(536, 20000);
		break;
	}
	s->e.sent = NULL;
	s->e.hold_permille = 300;
	s->e.alloc_fail_permille = rill_rand_below(r, 2) * 20;
	return s;
}

static void mutations(void **state)
{
	const char *n = getenv("RILL_MUTATIONS");
	unsigned long count = n ? strtoul(n, NULL, 0) : 200000;
	struct rill_rand r;
	struct script *s;

	rill_rand_init(&r, 42);
	s = fresh(&r);
	for (unsigned long i = 0; i < count; i++) {
		uint8_t raw[TH_RAW_MAX];
		uint32_t len = make(s, &r, raw);

		s->e.rx_ecn = (uint8_t)rill_rand_below(&r, 4);
		th_input_raw(&s->e, raw, len, s->now);
		assert_true(rill_tcb_valid(&s->e.tcb));
		user(s, &r);
		if (rill_rand_below(&r, 3))
			rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
		if (rill_rand_below(&r, 10) == 0) {
			s->now += rill_rand_below(&r, 2000) * RILL_MS;
			rill_tcb_on_timer(&s->e.tcb, &s->e.env, s->now);
			rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
		}
		assert_true(rill_tcb_valid(&s->e.tcb));
		if (rill_rand_below(&r, 50) == 0)
			th_release_held(&s->e);
		if (s->e.tcb.state == RILL_TCP_CLOSED || rill_rand_below(&r, 2000) == 0) {
			script_free(s);
			s = fresh(&r);
		}
	}
	script_free(s);
}

/* RFC 9293, MUST-7: whatever the option bytes say. */
static void random_options(void **state)
{
	struct rill_rand r;

	rill_rand_init(&r, 1);
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t len = rill_rand_below(&r, 11) * 4;
		uint8_t *p = malloc(len ? len : 1); /* exact: the sanitizer sees any byte too far */
		struct rill_tcp_options_seen o;

		for (uint32_t k = 0; k < len; k++)
			p[k] = (uint8_t)(rill_rand_below(&r, 2) ? rill_rand_below(&r, 12)
								: rill_rand_next(&r));
		rill_tcp_options_parse(p, len, &o);
		if (o.present & RILL_TCP_OPT_WSCALE)
			assert_true(o.wscale <= RILL_TCP_WSCALE_MAX);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutations),
		cmocka_unit_test(random_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
