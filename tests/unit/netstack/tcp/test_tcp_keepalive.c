/* SPDX-License-Identifier: BSD-3-Clause */
/* Keep-alive (RFC 9293, 3.8.4), linger, and how long FIN-WAIT-2 lasts. */
#include "script.h"

#include <errno.h>

#define HOUR (3600 * RILL_SEC)

static struct rill_tcp_settings *own(struct script *s)
{
	return rill_tcp_settings_own(&s->e.tcb, &s->e.env);
}

static void keep(struct script *s, uint32_t idle_s, uint32_t intvl_s, uint8_t count)
{
	struct rill_tcp_settings *set = own(s);

	set->keepalive = true;
	set->keep_idle_ms = idle_s * 1000;
	set->keep_intvl_ms = intvl_s * 1000;
	set->keep_count = count;
	rill_tcb_settings_changed(&s->e.tcb, &s->e.env, s->now);
}

static void expect_probe(struct script *s)
{
	expect(s, A, 0, 1, 0); /* SEQ = SND.NXT - 1 */
	expect_none(s);
}

static void off_by_default_must25(void **state)
{
	struct script *s = script_established(MSS, 65535);

	pass(s, 48 * HOUR);
	expect_none(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void two_hours_by_default_must28(void **state)
{
	struct script *s = script_established(MSS, 65535);

	own(s)->keepalive = true;
	rill_tcb_settings_changed(&s->e.tcb, &s->e.env, s->now);
	pass(s, 2 * HOUR - RILL_SEC);
	expect_none(s);
	pass(s, RILL_SEC);
	expect_probe(s);
	script_free(s);
}

static void an_answer_starts_it_anew(void **state)
{
	struct script *s = script_established(MSS, 65535);

	keep(s, 60, 10, 3);
	for (unsigned i = 0; i < 5; i++) {
		pass(s, 60 * RILL_SEC);
		expect_probe(s);
		in(s, A, 1, 1, 65535, 0);
		expect_none(s);
	}
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_int_equal(s->e.env.stats.keepalives, 5);
	script_free(s);
}

/* MUST-29: one probe without an answer proves nothing. */
static void gives_up_after_all_probes_must29(void **state)
{
	struct script *s = script_established(MSS, 65535);

	keep(s, 60, 10, 3);
	pass(s, 60 * RILL_SEC);
	expect_probe(s);
	pass(s, 10 * RILL_SEC);
	expect_probe(s);
	pass(s, 10 * RILL_SEC);
	expect_probe(s);
	pass(s, 9 * RILL_SEC);
	expect_none(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	pass(s, RILL_SEC);
	expect(s, R | A, 1, 1, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	script_free(s);
}

static void a_lost_probe_is_forgiven(void **state)
{
	struct script *s = script_established(MSS, 65535);

	keep(s, 60, 10, 3);
	pass(s, 70 * RILL_SEC);
	expect(s, A, 0, 1, 0);
	expect(s, A, 0, 1, 0);
	in(s, A, 1, 1, 65535, 0);
	pass(s, 59 * RILL_SEC);
	expect_none(s);
	pass(s, RILL_SEC);
	expect_probe(s);
	pass(s, 20 * RILL_SEC);
	expect(s, A, 0, 1, 0);
	expect(s, A, 0, 1, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

/* MUST-26: only when nothing was sent that the peer has to answer, and nothing came. */
static void only_when_idle_must26(void **state)
{
	struct script *s = script_established(MSS, 65535);

	keep(s, 60, 10, 3);
	for (uint32_t i = 0; i < 10; i++) {
		pass(s, 58 * RILL_SEC);
		in(s, A | P, 1 + i * 10, 1, 65535, 10);
		pass(s, RILL_SEC);
		expect(s, A, 1, 1 + (i + 1) * 10, 0);
		expect_none(s);
		recv_bytes(s, 10);
	}
	script_free(s);
}

static void user_timeout_ends_it(void **state)
{
	struct script *s = script_established(MSS, 65535);

	own(s)->user_timeout_ms = 75 * 1000;
	keep(s, 60, 10, 100);
	pass(s, 60 * RILL_SEC);
	expect_probe(s);
	pass(s, 10 * RILL_SEC);
	expect_probe(s);
	pass(s, 10 * RILL_SEC);
	expect(s, R | A, 1, 1, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void set_before_connecting(void **state)
{
	struct script *s = script_new();

	s->e.env.settings.keepalive = true;
	s->e.env.settings.keep_idle_ms = 1000;
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	pass(s, RILL_SEC);
	expect_probe(s);
	script_free(s);
}

/* What the probes of others get: an ACK, also with the garbage byte (MUST-24's counterpart). */
static void probes_are_answered(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	in(s, A, 0, 1, 65535, 1);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->e.tcb.rcv_queued, 0);
	script_free(s);
}

static void linger_of_zero_resets(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags |= RILL_TCB_LINGER;
	send_bytes(s, 10);
	expect(s, A | P, 1, 1, 10);
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	expect(s, R | A, 11, 1, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);

	s = script_established(MSS, 65535);
	s->e.tcb.flags |= RILL_TCB_LINGER;
	own(s)->linger_ms = 1000;
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	out(s);
	expect(s, A | F, 1, 1, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_1);
	script_free(s);
}

static void linger2_bounds_fin_wait_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	own(s)->linger2_ms = 5000;
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	out(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A, 1, 2, 65535, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	pass(s, 4900 * RILL_MS);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	pass(s, 200 * RILL_MS);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void peek_leaves_everything(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t data[200];

	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, sizeof(data)), -EAGAIN);
	in(s, A, 1, 1, 65535, 100);
	in(s, A, 101, 1, 65535, 50);
	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, 120), 120);
	for (uint32_t i = 0; i < 120; i++)
		assert_int_equal(data[i], (uint8_t)((1 + i) * 31));
	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, sizeof(data)), 150);
	assert_int_equal(rill_tcb_unread(&s->e.tcb), 150);
	recv_bytes(s, 150);
	assert_int_equal(rill_tcb_unread(&s->e.tcb), 0);
	script_free(s);
}

static void counts_of_the_send_side(void **state)
{
	struct script *s = script_established(MSS, 2000);

	assert_int_equal(rill_tcb_unacked(&s->e.tcb), 0);
	send_bytes(s, 5000);
	s->out_first = s->out_last;
	assert_int_equal(rill_tcb_unacked(&s->e.tcb), 5000);
	assert_int_equal(rill_tcb_unsent(&s->e.tcb), 5000 - (s->e.tcb.snd_nxt - s->e.tcb.iss - 1));
	in(s, A, 1, s->e.tcb.snd_nxt - s->e.tcb.iss, 65535, 0);
	s->out_first = s->out_last;
	assert_int_equal(rill_tcb_unsent(&s->e.tcb), 0);
	script_free(s);
}

static void notsent_lowat(void **state)
{
	struct script *s = script_established(MSS, 1460);
	uint8_t data[8000] = {0};

	own(s)->notsent_lowat = 3000;
	assert_true(rill_tcb_writable(&s->e.tcb));
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, 8000), 8000);
	rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
	assert_false(rill_tcb_writable(&s->e.tcb));
	s->out_first = s->out_last;
	s->e.tcb.events = 0;
	in(s, A, 1, 1461, 65535, 0);
	s->out_first = s->out_last;
	assert_true(rill_tcb_writable(&s->e.tcb));
	in(s, A, 1, 2921, 65535, 0);
	assert_true(s->e.tcb.events & RILL_TCB_WRITABLE);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(off_by_default_must25),     T(two_hours_by_default_must28),
		T(an_answer_starts_it_anew),  T(gives_up_after_all_probes_must29),
		T(a_lost_probe_is_forgiven),  T(only_when_idle_must26),
		T(user_timeout_ends_it),      T(set_before_connecting),
		T(probes_are_answered),	      T(linger_of_zero_resets),
		T(linger2_bounds_fin_wait_2), T(peek_leaves_everything),
		T(counts_of_the_send_side),   T(notsent_lowat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
