/* SPDX-License-Identifier: BSD-3-Clause */
/* Options on the wire, and what the handshake makes of them. */
#include "script.h"

#include "netstack/tcp/options.h"

static struct rill_tcp_options_seen parsed(const uint8_t *p, uint32_t len)
{
	struct rill_tcp_options_seen o;

	memset(&o, 0xa5, sizeof(o));
	rill_tcp_options_parse(p, len, &o);
	return o;
}

static void syn_options_fit_and_come_back(void **state)
{
	struct rill_tcp_options_seen o = {
		.present = RILL_TCP_OPT_MSS | RILL_TCP_OPT_WSCALE | RILL_TCP_OPT_TIMESTAMPS |
			   RILL_TCP_OPT_SACK_PERMITTED | RILL_TCP_OPT_FAST_OPEN |
			   RILL_TCP_OPT_USER_TIMEOUT,
		.mss = 1460,
		.wscale = 7,
		.tsval = 0x01020304,
		.fast_open_len = 16,
		.fast_open = "0123456789abcde",
		.user_timeout = 0x8005,
	};
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	uint8_t len = rill_tcp_options_emit(bytes, &o);
	struct rill_tcp_options_seen back = parsed(bytes, len);

	/* 4 + 4 + 12 + 20: the timeout has to stay behind */
	assert_int_equal(len, 40);
	assert_int_equal(back.present, o.present & ~RILL_TCP_OPT_USER_TIMEOUT);
	assert_int_equal(back.mss, 1460);
	assert_int_equal(back.wscale, 7);
	assert_int_equal(back.tsval, 0x01020304);
	assert_int_equal(back.fast_open_len, 16);
	assert_memory_equal(back.fast_open, o.fast_open, 16);
	o.fast_open_len = 8;
	len = rill_tcp_options_emit(bytes, &o);
	back = parsed(bytes, len);
	assert_int_equal(len, 36);
	assert_int_equal(back.present, o.present);
	assert_int_equal(back.user_timeout, 0x8005);
}

static void accecn_comes_back_rfc9768_3_2_3(void **state)
{
	struct rill_tcp_options_seen o = {
		.present = RILL_TCP_OPT_ACCECN | RILL_TCP_OPT_TIMESTAMPS,
		.e0b = 0x123456,
		.ceb = 0xffffff,
		.e1b = 0x000001,
	};
	/* The other order; one counter is too few, ten bytes are none of ours. */
	static const uint8_t other[] = {174, 11, 0, 0, 3, 0, 0, 2, 0, 0, 1};
	static const uint8_t two[] = {174, 8, 0, 0, 3, 0, 0, 2};
	static const uint8_t one[] = {172, 5, 0, 0, 3};
	static const uint8_t ten[] = {172, 10, 0, 0, 3, 0, 0, 2, 0, 0};
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	struct rill_tcp_options_seen back = parsed(bytes, rill_tcp_options_emit(bytes, &o));

	assert_int_equal(back.present, o.present);
	assert_int_equal(back.e0b, o.e0b);
	assert_int_equal(back.ceb, o.ceb);
	assert_int_equal(back.e1b, o.e1b);
	back = parsed(other, sizeof(other));
	assert_true(back.e1b == 3 && back.ceb == 2 && back.e0b == 1);
	back = parsed(two, sizeof(two));
	assert_true(back.e1b == 3 && back.ceb == 2);
	assert_int_equal(parsed(one, sizeof(one)).present, 0);
	assert_int_equal(parsed(ten, sizeof(ten)).present, 0);
	/* Where only two have room, two go. */
	o.present |= RILL_TCP_OPT_SACK;
	o.sack_count = 2;
	o.sack[0] = (struct rill_tcp_sack_block){1, 2};
	o.sack[1] = (struct rill_tcp_sack_block){3, 4};
	assert_int_equal(rill_tcp_options_emit(bytes, &o), 40);
	back = parsed(bytes, 40);
	assert_true(back.e0b == o.e0b && back.ceb == o.ceb);
	o.sack_count = 3;
	assert_int_equal(parsed(bytes, rill_tcp_options_emit(bytes, &o)).present,
			 o.present & ~RILL_TCP_OPT_ACCECN);
}

static void every_length_is_whole_words(void **state)
{
	for (unsigned present = 0; present < 128; present++) {
		for (unsigned n = 0; n <= 8; n += 2) {
			struct rill_tcp_options_seen o = {
				.present = (uint8_t)(present & ~RILL_TCP_OPT_SACK),
				.fast_open_len = (uint8_t)(n == 2 ? 0 : n),
			};
			uint8_t bytes[RILL_TCP_OPTIONS_MAX];
			uint8_t len = rill_tcp_options_emit(bytes, &o);
			struct rill_tcp_options_seen back = parsed(bytes, len);

			assert_int_equal(len % 4, 0);
			assert_int_equal(back.present, o.present);
		}
	}
}

static void sack_blocks_rfc2018_3(void **state)
{
	struct rill_tcp_options_seen o = {
		.present = RILL_TCP_OPT_SACK | RILL_TCP_OPT_TIMESTAMPS,
		.sack_count = 3,
		.sack = {{10, 20}, {30, 40}, {0xfffffff0, 5}},
	};
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	uint8_t len = rill_tcp_options_emit(bytes, &o);
	struct rill_tcp_options_seen back = parsed(bytes, len);

	assert_int_equal(len, 40);
	assert_int_equal(back.present, o.present);
	assert_int_equal(back.sack_count, 3);
	assert_memory_equal(back.sack, o.sack, 3 * sizeof(o.sack[0]));
}

static void sack_malformed(void **state)
{
	static const uint8_t odd[] = {5, 9, 0, 0, 0, 1, 0, 0, 0};
	static const uint8_t backwards[] = {5, 18, 0, 0, 0, 9, 0, 0, 0, 8, /* and a good one */
					    0, 0,  0, 1, 0, 0, 0, 2};
	static const uint8_t empty[] = {5, 10, 0, 0, 0, 9, 0, 0, 0, 9};
	static const uint8_t none[] = {5, 2, 1, 1};
	struct rill_tcp_options_seen o = parsed(backwards, sizeof(backwards));

	assert_int_equal(parsed(odd, sizeof(odd)).present, 0);
	assert_int_equal(parsed(empty, sizeof(empty)).present, 0);
	assert_int_equal(parsed(none, sizeof(none)).present, 0);
	assert_int_equal(o.present, RILL_TCP_OPT_SACK);
	assert_int_equal(o.sack_count, 1);
	assert_int_equal(o.sack[0].start, 1);
}

static void fast_open_lengths_rfc7413_4_1_1(void **state)
{
	for (unsigned n = 0; n <= 20; n++) {
		uint8_t bytes[24] = {34, (uint8_t)(2 + n)};
		bool good = n == 0 || (n >= 4 && n <= 16 && n % 2 == 0);
		struct rill_tcp_options_seen o = parsed(bytes, 2 + n);

		assert_int_equal(o.present, good ? RILL_TCP_OPT_FAST_OPEN : 0);
		if (good)
			assert_int_equal(o.fast_open_len, n);
	}
}

static void wrong_lengths_are_unknown_options(void **state)
{
	static const uint8_t kinds[] = {2, 3, 4, 8, 28};

	for (unsigned k = 0; k < RILL_ARRAY_SIZE(kinds); k++) {
		uint8_t bytes[40] = {kinds[k], 12};

		assert_int_equal(parsed(bytes, 12).present, 0);
	}
}

static void sack_is_offered_and_agreed_on_rfc2018_2(void **state)
{
	struct script *s = script_new();

	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_SACK_PERMITTED);
	in(s, S | A, 0, 1, 65535, 0);
	assert_true(s->e.tcb.flags & RILL_TCB_SACK);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.opt.present, 0);
	script_free(s);

	s = script_new();
	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	script_accept(s, 65535);
	expect(s, S | A, 0, 1, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_SACK_PERMITTED);
	script_free(s);
}

static void sack_is_off_when_one_side_does_not_want_it_rfc2018_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_false(s->e.tcb.flags & RILL_TCB_SACK);
	in(s, A, 101, 1, 65535, 100);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.opt.present, 0);
	script_free(s);

	s = script_new();
	s->e.env.params.no_sack = true;
	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_SACK_PERMITTED);
	in(s, S | A, 0, 1, 65535, 0);
	assert_false(s->e.tcb.flags & RILL_TCB_SACK);
	script_free(s);

	s = script_new();
	script_accept(s, 65535);
	expect(s, S | A, 0, 1, 0);
	assert_false(s->last.opt.present & RILL_TCP_OPT_SACK_PERMITTED);
	script_free(s);
}

/* RFC 9293, figure 7, with a SYN that offers nothing. */
static void simultaneous_open_offers(bool all)
{
	struct script *s = script_new();
	uint8_t opts = RILL_TCP_OPT_MSS;

	s->e.env.params.no_timestamps = false;
	s->e.env.params.no_window_scale = false;
	s->e.env.params.synack_offers_all = all;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S, 0, 0, 65535, 0);
	expect(s, S | A, 0, 1, 0);
	if (all)
		opts |= RILL_TCP_OPT_WSCALE | RILL_TCP_OPT_TIMESTAMPS | RILL_TCP_OPT_SACK_PERMITTED;
	assert_int_equal(s->last.opt.present, opts);
	/* agreed on is nothing of it */
	in(s, A, 1, 1, 65535, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	send_bytes(s, 10);
	expect(s, A | P, 1, 1, 10);
	assert_int_equal(s->last.opt.present, 0);
	script_free(s);
}

static void simultaneous_open_offers_what_was_offered(void **state)
{
	simultaneous_open_offers(false);
}

static void simultaneous_open_offers_all_if_so_set(void **state)
{
	simultaneous_open_offers(true);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(syn_options_fit_and_come_back),
		T(accecn_comes_back_rfc9768_3_2_3),
		T(every_length_is_whole_words),
		T(sack_blocks_rfc2018_3),
		T(sack_malformed),
		T(fast_open_lengths_rfc7413_4_1_1),
		T(wrong_lengths_are_unknown_options),
		T(sack_is_offered_and_agreed_on_rfc2018_2),
		T(sack_is_off_when_one_side_does_not_want_it_rfc2018_2),
		T(simultaneous_open_offers_what_was_offered),
		T(simultaneous_open_offers_all_if_so_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
