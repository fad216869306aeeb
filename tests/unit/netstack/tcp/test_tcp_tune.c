/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user may set: bounds, sharing, and what an open connection does about it. */
#include "script.h"

#include "netstack/tcp/tune.h"
#include "netstack/tcp/uto.h"

#include <errno.h>
#include <string.h>

static int tune(struct script *s, enum rill_tcp_tunable what, uint64_t value)
{
	const struct rill_tcp_change change = {what, value};

	return rill_tcb_tune(&s->e.tcb, &s->e.env, &change, 1, s->now);
}

static void bounds(void **state)
{
	static const struct {
		enum rill_tcp_tunable what;
		uint64_t good[2], bad[2];
	} cases[] = {
		{RILL_TUNE_KEEP_IDLE_MS, {1, 32767000}, {0, 32767001}},
		{RILL_TUNE_KEEP_INTVL_MS, {1, 32767000}, {0, 32767001}},
		{RILL_TUNE_KEEP_COUNT, {1, 127}, {0, 128}},
		{RILL_TUNE_UTO_MS, {1000, 1966020000}, {999, 1966020001}},
		{RILL_TUNE_SYN_RETRIES, {1, 127}, {0, 128}},
		{RILL_TUNE_LINGER2_MS, {0, 120000}, {120001, UINT64_MAX}},
		{RILL_TUNE_DEFER_ACCEPT_MS, {0, 32767000}, {32767001, UINT64_MAX}},
		{RILL_TUNE_FAST_OPEN_NO_COOKIE, {0, 1}, {2, UINT64_MAX}},
		{RILL_TUNE_USER_TIMEOUT_MS, {0, INT32_MAX}, {UINT64_C(1) << 31, UINT64_MAX}},
		{RILL_TUNE_MSS_CLAMP, {88, 32767}, {87, 32768}},
		{RILL_TUNE_MSS_CLAMP, {0, 88}, {1, UINT64_MAX}},
		{RILL_TUNE_TTL, {0, 255}, {256, UINT64_MAX}},
		{RILL_TUNE_WINDOW_CLAMP, {0, UINT32_MAX}, {UINT64_C(1) << 32, UINT64_MAX}},
		{RILL_TUNE_OOB_INLINE, {0, 1}, {2, UINT64_MAX}},
	};
	struct script *s = script_established(MSS, 65535);

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++)
		for (unsigned j = 0; j < 2; j++) {
			assert_int_equal(tune(s, cases[i].what, cases[i].good[j]), 0);
			assert_int_equal(tune(s, cases[i].what, cases[i].bad[j]), -EINVAL);
		}
	script_free(s);
}

/* One bad value among good ones: none is taken, and nothing is allocated. */
static void all_or_nothing(void **state)
{
	struct script *s = script_established(MSS, 65535);
	const struct rill_tcp_change changes[] = {
		{RILL_TUNE_KEEPALIVE, true},
		{RILL_TUNE_KEEP_IDLE_MS, 5},
		{RILL_TUNE_KEEP_COUNT, 1000},
	};

	(void)state;
	assert_int_equal(rill_tcb_tune(&s->e.tcb, &s->e.env, changes, 3, s->now), -EINVAL);
	assert_ptr_equal(s->e.tcb.settings, &s->e.env.settings);
	assert_int_equal(rill_tcb_tune(&s->e.tcb, &s->e.env, changes, 2, s->now), 0);
	assert_true(s->e.tcb.settings->keepalive);
	assert_int_equal(s->e.tcb.settings->keep_idle_ms, 5);
	/* the others' are as they were */
	assert_false(s->e.env.settings.keepalive);
	script_free(s);
}

static void the_ecn_bits_of_tos_are_not_the_users(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	assert_int_equal(tune(s, RILL_TUNE_TOS, 0xff), 0);
	assert_int_equal(s->e.tcb.settings->tos, 0xfc);
	script_free(s);
}

static void segments_get_smaller_at_once(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint16_t before = s->e.tcb.snd_mss;

	(void)state;
	assert_int_equal(tune(s, RILL_TUNE_MSS_CLAMP, 100), 0);
	assert_int_equal(s->e.tcb.snd_mss, 100);
	/* and no larger than the path takes */
	assert_int_equal(tune(s, RILL_TUNE_MSS_CLAMP, 30000), 0);
	assert_in_range(s->e.tcb.snd_mss, 100, before);
	script_free(s);
}

static void quickack_answers_what_waits(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	rill_tcb_set_quickack(&s->e.tcb, false);
	assert_int_equal(s->e.tcb.quick_acks, 0);
	assert_false(s->e.tcb.flags & RILL_TCB_QUICK);
	s->e.tcb.ack_at = s->now + RILL_MS;
	rill_tcb_set_quickack(&s->e.tcb, true);
	assert_true(s->e.tcb.flags & RILL_TCB_QUICK);
	assert_true(s->e.tcb.flags & RILL_TCB_ACK_NOW);
	script_free(s);
}

/* RFC 5482, 3.1: ENABLED and off again. */
static void a_timeout_that_is_suggested_no_more(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	assert_int_equal(tune(s, RILL_TUNE_UTO_MS, 20000), 0);
	s->opt.present |= RILL_TCP_OPT_USER_TIMEOUT;
	s->opt.user_timeout = 200;
	in(s, A, 1, 1, 65535, 0);
	assert_int_equal(rill_tcp_user_timeout_ms(&s->e.tcb), 200000);
	assert_int_equal(tune(s, RILL_TUNE_UTO_MS, 0), 0);
	assert_int_equal(rill_tcp_user_timeout_ms(&s->e.tcb), 0);
	script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(the_ecn_bits_of_tos_are_not_the_users),
		cmocka_unit_test(segments_get_smaller_at_once),
		cmocka_unit_test(quickack_answers_what_waits),
		cmocka_unit_test(a_timeout_that_is_suggested_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
