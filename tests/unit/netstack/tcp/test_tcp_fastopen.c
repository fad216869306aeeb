/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP Fast Open (RFC 7413). */
#include "script.h"

#include "netstack/tcp/fastopen.h"

static struct rill_fast_open fo;

static const struct rill_hash_key key1 = {{1, 2}};
static const struct rill_hash_key key2 = {{3, 4}};

static struct script *fast_script(void)
{
	struct script *s = script_new();

	rill_fast_open_init(&fo, &key1);
	s->e.env.fast_open = &fo;
	s->e.env.params.fast_open_client = true;
	s->e.env.params.fast_open_server = true;
	return s;
}

/* The next segment is a SYN with len bytes, which begin at 1. */
static void expect_syn(struct script *s, uint32_t len)
{
	struct out *o = &s->out[s->out_first++ % RILL_ARRAY_SIZE(s->out)];

	assert_true(s->out_first <= s->out_last);
	s->last = o->seg;
	assert_int_equal(o->seg.flags, S);
	assert_int_equal(o->seg.seq, s->e.tcb.iss);
	assert_int_equal(o->seg.len, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(o->data[i], (uint8_t)((1 + i) * 31 + ((1 + i) >> 8)));
}

static void connect_fast(struct script *s, uint32_t len)
{
	uint8_t data[2000];

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)((1 + i) * 31 + ((1 + i) >> 8));
	s->e.tcb.flags |= RILL_TCB_FAST_OPEN;
	rill_tcb_connect(&s->e.tcb, &s->e.env, s->now);
	if (len > 0)
		assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, len), len);
	out(s);
}

/* As a client would have learnt it before. */
static void know_cookie(void)
{
	struct script *first = fast_script();

	connect_fast(first, 0);
	first->opt.present |= RILL_TCP_OPT_FAST_OPEN;
	first->opt.fast_open_len = 6;
	memcpy(first->opt.fast_open, "cookie", 6);
	in(first, S | A, 0, 1, 65535, 0);
	script_free(first);
}

static void client_asks_for_a_cookie_rfc7413_4_1_3(void **state)
{
	struct script *s = fast_script();

	connect_fast(s, 500);
	expect_syn(s, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	assert_int_equal(s->last.opt.fast_open_len, 0);
	s->opt.present |= RILL_TCP_OPT_FAST_OPEN;
	s->opt.fast_open_len = 8;
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A | P, 1, 1, 500);
	assert_int_equal(s->last.opt.present, 0);
	script_free(s);
}

static void client_sends_data_with_its_cookie(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	connect_fast(s, 500);
	expect_syn(s, 500);
	assert_int_equal(s->last.opt.fast_open_len, 6);
	assert_memory_equal(s->last.opt.fast_open, "cookie", 6);
	s->opt.present = RILL_TCP_OPT_MSS;
	in(s, S | A, 0, 501, 65535, 0);
	expect(s, A, 501, 1, 0);
	expect_none(s);
	assert_int_equal(s->e.tcb.snd_una, s->e.tcb.snd_nxt);
	assert_null(s->e.tcb.sendq_first);
	assert_int_equal(s->e.env.stats.fast_open_out, 1);
	script_free(s);
}

static void server_that_does_not_take_it_gets_it_again_rfc7413_4_2_2(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	connect_fast(s, 500);
	expect_syn(s, 500);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A | P, 1, 1, 500);
	expect_none(s);
	in(s, A, 1, 501, 65535, 0);
	script_free(s);
}

static void server_takes_a_part(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	connect_fast(s, 500);
	expect_syn(s, 500);
	in(s, S | A, 0, 201, 65535, 0);
	expect(s, A | P, 201, 1, 300);
	in(s, A, 1, 501, 65535, 0);
	script_free(s);
}

static void more_than_was_sent_is_a_strangers(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	connect_fast(s, 500);
	expect_syn(s, 500);
	assert_int_equal(in(s, S | A, 0, 502, 65535, 0), RILL_DROP_TCP_SYN_SENT);
	expect_rst(s, s->e.tcb.iss + 502);
	script_free(s);
}

/* The MSS that came with the cookie bounds the data, options included. */
static void data_fits_the_servers_mss_rfc7413_4_1_3(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	for (unsigned i = 0; i < RILL_FAST_OPEN_SETS; i++)
		for (unsigned k = 0; k < RILL_FAST_OPEN_WAYS; k++)
			if (fo.entries[i][k].len > 0)
				fo.entries[i][k].mss = 300;
	connect_fast(s, 500);
	expect_syn(s, 260);
	in(s, S | A, 0, 261, 65535, 0);
	expect(s, A | P, 261, 1, 240);
	script_free(s);
}

static void lost_syn_goes_again_without_rfc7413_4_1_3_1(void **state)
{
	struct script *s = fast_script();

	know_cookie();
	connect_fast(s, 500);
	expect_syn(s, 500);
	pass(s, RILL_SEC);
	expect_syn(s, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	assert_int_equal(s->e.env.stats.fast_open_fallback, 1);
	/* the first may have come through all the same */
	in(s, S | A, 0, 501, 65535, 0);
	expect(s, A, 501, 1, 0);
	assert_null(s->e.tcb.sendq_first);
	script_free(s);

	/* and the next connection asks anew */
	s = script_new();
	s->e.env.fast_open = &fo;
	s->e.env.params.fast_open_client = true;
	connect_fast(s, 10);
	expect_syn(s, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	script_free(s);
}

static void off_by_default(void **state)
{
	struct script *s = script_new();

	rill_fast_open_init(&fo, &key1);
	s->e.env.fast_open = &fo;
	connect_fast(s, 10);
	expect_syn(s, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	script_free(s);
}

/* ---- server ---- */

/* A SYN with len bytes; cookie as in s->opt. Whether it was accepted early. */
static bool syn(struct script *s, uint32_t len)
{
	uint8_t data[2000] = {0};
	struct rill_buf *b;
	struct rill_tcp_seg seg = {
		.seq = PEER_ISN,
		.len = len,
		.wnd = 65535,
		.flags = S,
		.opt = s->opt,
		.src = &s->e.tcb.remote.ip,
		.dst = &s->e.tcb.local.ip,
	};
	bool early;

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)((1 + i) * 31 + ((1 + i) >> 8));
	b = th_buf(&s->e, data, len);
	rill_tcb_accept(&s->e.tcb, &s->e.env, &seg, NULL, s->now);
	early = rill_tcb_accept_early(&s->e.tcb, &s->e.env, &seg, b, s->now);
	assert_int_equal(early, rill_tcp_fast_open_good(&s->e.env, &s->e.env.settings, &seg));
	out(s);
	return early;
}

/* What the server gives out, put into the SYNs to come. */
static void learn_cookie(struct script *s)
{
	struct script *first = script_new();

	first->e.env.fast_open = s->e.env.fast_open;
	first->e.env.params.fast_open_server = true;
	first->opt.present |= RILL_TCP_OPT_FAST_OPEN;
	first->opt.fast_open_len = 0;
	assert_false(syn(first, 0));
	expect(first, S | A, 0, 1, 0);
	assert_true(first->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	assert_int_equal(first->last.opt.fast_open_len, RILL_FAST_OPEN_COOKIE_LEN);
	s->opt.present |= RILL_TCP_OPT_FAST_OPEN;
	s->opt.fast_open_len = first->last.opt.fast_open_len;
	memcpy(s->opt.fast_open, first->last.opt.fast_open, RILL_FAST_OPEN_COOKIE_LEN);
	script_free(first);
}

static void data_in_the_syn_is_delivered_rfc7413_4_2_2(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	assert_true(syn(s, 300));
	assert_int_equal(s->e.tcb.events, RILL_TCB_ACCEPTABLE | RILL_TCB_READABLE);
	expect(s, S | A, 0, 301, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	recv_bytes(s, 300);
	s->e.tcb.events = 0;
	in(s, A, 301, 1, 65535, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_false(s->e.tcb.events & RILL_TCB_ACCEPTABLE);
	assert_int_equal(s->e.env.stats.fast_open_in, 1);
	script_free(s);
}

static void answer_before_the_handshake_ends_rfc7413_4_2_2(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	assert_true(syn(s, 300));
	expect(s, S | A, 0, 301, 0);
	recv_bytes(s, 300);
	send_bytes(s, 2000);
	expect(s, A, 1, 301, 1460);
	expect(s, A | P, 1461, 301, 540);
	expect_state(s, RILL_TCP_SYN_RCVD);
	in(s, A, 301, 2001, 65535, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_int_equal(s->e.tcb.snd_una, s->e.tcb.snd_nxt);
	assert_null(s->e.tcb.sendq_first);
	expect_none(s);
	script_free(s);
}

static void answer_that_was_lost_comes_again(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	assert_true(syn(s, 300));
	expect(s, S | A, 0, 301, 0);
	send_bytes(s, 100);
	expect(s, A | P, 1, 301, 100);
	pass(s, RILL_SEC);
	expect(s, S | A, 0, 301, 0);
	in(s, A, 301, 1, 65535, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	pass(s, 5 * RILL_SEC);
	expect(s, A | P, 1, 301, 100);
	s->out_first = s->out_last;
	in(s, A, 301, 101, 65535, 0);
	recv_bytes(s, 300);
	script_free(s);
}

static void bad_cookie_gets_a_good_one_rfc7413_4_1_2(void **state)
{
	struct script *s = fast_script();

	s->opt.present |= RILL_TCP_OPT_FAST_OPEN;
	s->opt.fast_open_len = 8;
	memcpy(s->opt.fast_open, "forged!!", 8);
	assert_false(syn(s, 300));
	assert_int_equal(s->e.tcb.events, 0);
	expect(s, S | A, 0, 1, 0);
	assert_int_equal(s->last.opt.fast_open_len, 8);
	assert_memory_not_equal(s->last.opt.fast_open, "forged!!", 8);
	assert_int_equal(s->e.env.stats.fast_open_bad, 1);
	in(s, A, 1, 1, 65535, 300);
	recv_bytes(s, 300);
	script_free(s);
}

static void keys_rotate_rfc7413_4_1_2(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	rill_fast_open_add_key(&fo, &key2);
	/* the old key's is good still, and a new one comes with the answer */
	assert_true(syn(s, 10));
	expect(s, S | A, 0, 11, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	script_free(s);

	s = script_new();
	s->e.env.fast_open = &fo;
	s->e.env.params.fast_open_server = true;
	rill_fast_open_init(&fo, &key1);
	learn_cookie(s);
	rill_fast_open_add_key(&fo, &key2);
	rill_fast_open_add_key(&fo, &key1);
	assert_false(syn(s, 10));
	script_free(s);
}

static void cookies_are_by_address(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	s->e.tcb.remote.ip.bytes[3] ^= 1;
	assert_false(syn(s, 10));
	script_free(s);
}

static void without_cookies_if_so_set(void **state)
{
	struct script *s = fast_script();

	s->e.env.params.fast_open_no_cookie = true;
	assert_true(syn(s, 10));
	expect(s, S | A, 0, 11, 0);
	script_free(s);
}

static void server_off_takes_nothing(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	s->e.env.params.fast_open_server = false;
	assert_false(syn(s, 10));
	expect(s, S | A, 0, 1, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_FAST_OPEN);
	script_free(s);
}

static void reset_before_the_handshake_ends(void **state)
{
	struct script *s = fast_script();

	learn_cookie(s);
	assert_true(syn(s, 10));
	expect(s, S | A, 0, 11, 0);
	send_bytes(s, 10);
	in(s, R, 11, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_true(s->e.tcb.events & RILL_TCB_CLOSED);
	script_free(s);
}

static void memory_is_bounded(void **state)
{
	struct script *s = fast_script();

	for (unsigned i = 0; i < 1000; i++) {
		struct rill_addr local = th_addr(1, 1000);
		struct rill_addr remote = th_addr((uint8_t)(1 + i % 250), 2000);

		remote.ip.bytes[2] = (uint8_t)(i / 250);
		rill_tcb_fini(&s->e.tcb, &s->e.env);
		rill_tcb_init(&s->e.tcb, &s->e.env, &local, &remote);
		connect_fast(s, 0);
		s->opt.present |= RILL_TCP_OPT_FAST_OPEN;
		s->opt.fast_open_len = 4;
		in(s, S | A, 0, 1, 65535, 0);
		s->out_first = s->out_last;
	}
	/* the newest is there */
	struct rill_addr local = th_addr(1, 1001);
	struct rill_addr remote = s->e.tcb.remote;

	rill_tcb_fini(&s->e.tcb, &s->e.env);
	rill_tcb_init(&s->e.tcb, &s->e.env, &local, &remote);
	connect_fast(s, 10);
	expect_syn(s, 10);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(client_asks_for_a_cookie_rfc7413_4_1_3),
		T(client_sends_data_with_its_cookie),
		T(server_that_does_not_take_it_gets_it_again_rfc7413_4_2_2),
		T(server_takes_a_part),
		T(more_than_was_sent_is_a_strangers),
		T(data_fits_the_servers_mss_rfc7413_4_1_3),
		T(lost_syn_goes_again_without_rfc7413_4_1_3_1),
		T(off_by_default),
		T(data_in_the_syn_is_delivered_rfc7413_4_2_2),
		T(answer_before_the_handshake_ends_rfc7413_4_2_2),
		T(answer_that_was_lost_comes_again),
		T(bad_cookie_gets_a_good_one_rfc7413_4_1_2),
		T(keys_rotate_rfc7413_4_1_2),
		T(cookies_are_by_address),
		T(without_cookies_if_so_set),
		T(server_off_takes_nothing),
		T(reset_before_the_handshake_ends),
		T(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
