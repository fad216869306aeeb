/* SPDX-License-Identifier: BSD-3-Clause */
/* ECN: RFC 3168, 6.1; the receiver of RFC 8257; AccECN's ACE field (RFC 9768). */
#include "script.h"

#include "netstack/tcp/ecn.h"

static struct script *connected(uint8_t policy, uint16_t synack)
{
	struct script *s = script_new();

	s->e.env.params.ecn = policy;
	script_connect(s);
	s->out_first = s->out_last;
	in(s, S | A | synack, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	return s;
}

static struct script *accepted(uint8_t policy, uint16_t syn)
{
	struct script *s = script_new();
	struct rill_tcp_seg seg = {
		.seq = PEER_ISN,
		.wnd = 65535,
		.flags = S | syn,
		.opt = s->opt,
		.src = &s->e.tcb.remote.ip,
		.dst = &s->e.tcb.local.ip,
	};

	s->e.env.params.ecn = policy;
	seg.ecn = s->e.rx_ecn;
	rill_tcb_accept(&s->e.tcb, &s->e.env, &seg, NULL, s->now);
	out(s);
	return s;
}

static uint32_t mode(const struct script *s)
{
	return s->e.tcb.flags & (RILL_TCB_ECN | RILL_TCB_ACCECN);
}

static void classic_is_asked_for_rfc3168_6_1_1(void **state)
{
	struct script *s = script_new();

	s->e.env.params.ecn = RILL_TCP_ECN_ON;
	script_connect(s);
	expect(s, S | E | C, 0, 0, 0);
	assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
	in(s, S | A | E, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
	assert_int_equal(mode(s), RILL_TCB_ECN);
	script_free(s);
}

static void not_asked_for_by_default(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A | E, 0, 1, 65535, 0); /* nobody asked */
	assert_int_equal(mode(s), 0);
	script_free(s);
}

static void what_is_no_setup_synack_is_none_rfc3168_6_1_1(void **state)
{
	static const uint16_t others[] = {0, C, E | C};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(others); i++) {
		struct script *s = connected(RILL_TCP_ECN_ON, others[i]);

		assert_int_equal(mode(s), 0);
		send_bytes(s, 10);
		expect(s, A | P, 1, 1, 10);
		assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
		script_free(s);
	}
}

static void server_agrees_rfc3168_6_1_1(void **state)
{
	struct script *s = accepted(RILL_TCP_ECN_PASSIVE, E | C);

	expect(s, S | A | E, 0, 1, 0);
	assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
	in(s, A, 1, 1, 65535, 0);
	assert_int_equal(mode(s), RILL_TCB_ECN);
	script_free(s);

	s = accepted(RILL_TCP_ECN_OFF, E | C);
	expect(s, S | A, 0, 1, 0);
	assert_int_equal(mode(s), 0);
	script_free(s);
}

static void syns_without_an_answer_go_without_rfc3168_6_1_1_1(void **state)
{
	struct script *s = script_new();

	s->e.env.params.ecn = RILL_TCP_ECN_ON;
	script_connect(s);
	expect(s, S | E | C, 0, 0, 0);
	pass(s, RILL_SEC);
	expect(s, S | E | C, 0, 0, 0);
	pass(s, 2 * RILL_SEC);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	assert_int_equal(mode(s), 0);
	script_free(s);
}

static void new_data_is_ect_nothing_else_rfc3168_6_1_5(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ON, E);

	send_bytes(s, 1000);
	expect(s, A | P, 1, 1, 1000);
	assert_int_equal(s->last.ecn, RILL_ECN_ECT0);
	/* again */
	pass(s, 2 * RILL_SEC);
	expect(s, A | P, 1, 1, 1000);
	assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
	s->out_first = s->out_last;
	in(s, A, 1, 1001, 0, 0);
	/* an ACK, and a window probe (6.1.6) */
	in(s, A | F, 1, 1001, 0, 0);
	expect(s, A, 1001, 2, 0);
	assert_int_equal(s->last.ecn, RILL_ECN_NOT_ECT);
	send_bytes(s, 10);
	pass(s, 5 * RILL_SEC);
	assert_true(s->out_first < s->out_last);
	while (s->out_first < s->out_last)
		assert_int_equal(s->out[s->out_first++].seg.ecn, RILL_ECN_NOT_ECT);
	script_free(s);
}

static void ece_until_cwr_rfc3168_6_1_3(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ON, E);

	s->e.tcb.flags |= RILL_TCB_QUICK;
	s->e.rx_ecn = RILL_ECN_CE;
	in(s, A, 1, 1, 65535, 100);
	expect(s, A | E, 1, 101, 0);
	s->e.rx_ecn = RILL_ECN_ECT0;
	in(s, A, 101, 1, 65535, 100);
	expect(s, A | E, 1, 201, 0);
	send_bytes(s, 10);
	expect(s, A | P | E, 1, 201, 10);
	in(s, A | C, 201, 11, 65535, 100);
	expect(s, A, 11, 301, 0);
	/* CWR and CE in one: a new one begins */
	s->e.rx_ecn = RILL_ECN_CE;
	in(s, A | C, 301, 11, 65535, 100);
	expect(s, A | E, 11, 401, 0);
	assert_int_equal(s->e.env.stats.ce_in, 2);
	script_free(s);
}

static void ce_of_a_pure_ack_and_outside_the_window_is_none_rfc3168_6_1_4(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ON, E);

	s->e.rx_ecn = RILL_ECN_CE;
	in(s, A, 1, 1, 65535, 0);
	assert_false(s->e.tcb.flags & RILL_TCB_ECE_DUE);
	in(s, A, 200000, 1, 65535, 10);
	expect(s, A, 1, 1, 0);
	assert_false(s->e.tcb.flags & RILL_TCB_ECE_DUE);
	script_free(s);
}

static void cwr_goes_once_with_new_data_rfc3168_6_1_2(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ON, E);

	rill_tcp_ecn_reduced(&s->e.tcb);
	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 1, 2, 0);
	send_bytes(s, 10);
	expect(s, A | P | C, 1, 2, 10);
	send_bytes(s, 10);
	expect(s, A | P, 11, 2, 10);
	script_free(s);
}

static void ece_is_fed_back_in_bytes(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ON, E);
	struct rill_tcp_seg seg = {.flags = A | E};
	struct rill_tcp_ecn_feedback f = rill_tcp_ecn_on_ack(&s->e.tcb, &seg, 3000);

	assert_true(f.ece);
	assert_int_equal(f.ce_delivered, 3000);
	assert_int_equal(s->e.tcb.delivered_ce, 3);
	seg.flags = A;
	f = rill_tcp_ecn_on_ack(&s->e.tcb, &seg, 3000);
	assert_false(f.ece);
	assert_int_equal(f.ce_delivered, 0);
	script_free(s);
}

/* RFC 8257, 3.2, figure 1: when CE begins or ends, what was received before is told apart. */
static void dctcp_acks_at_each_change_rfc8257_3_2(void **state)
{
	static struct rill_tcp_cc cc;
	struct script *s = connected(RILL_TCP_ECN_ON, E);

	cc = *s->e.tcb.cc;
	cc.needs_ecn = true;
	s->e.tcb.cc = &cc;
	s->e.rx_ecn = RILL_ECN_ECT0;
	in(s, A | P, 1, 1, 65535, 100);
	expect_none(s);
	/* begins: the first segment without, then the one with */
	s->e.rx_ecn = RILL_ECN_CE;
	in(s, A | P, 101, 1, 65535, 100);
	expect(s, A, 1, 101, 0);
	expect(s, A | E, 1, 201, 0);
	/* goes on: delayed as ever */
	in(s, A | P, 201, 1, 65535, 100);
	expect_none(s);
	/* ends; CWR means nothing here */
	s->e.rx_ecn = RILL_ECN_ECT0;
	in(s, A | P, 301, 1, 65535, 100);
	expect(s, A | E, 1, 301, 0);
	expect(s, A, 1, 401, 0);
	script_free(s);
}

/* ---- AccECN ---- */

static void accurate_is_asked_for_rfc9768_3_1_1(void **state)
{
	struct script *s = script_new();

	s->e.env.params.ecn = RILL_TCP_ECN_ACCURATE;
	script_connect(s);
	expect(s, S | AE | C | E, 0, 0, 0);
	/* what arrived as Not-ECT is told with the third ACK (table 3) */
	in(s, S | A | C, 0, 1, 65535, 0);
	expect(s, A | C, 1, 1, 0);
	assert_int_equal(mode(s), RILL_TCB_ECN | RILL_TCB_ACCECN);
	script_free(s);
}

static void third_ack_tells_how_the_synack_came_rfc9768_3_2_2_1(void **state)
{
	static const uint16_t told[] = {
		[RILL_ECN_NOT_ECT] = C,
		[RILL_ECN_ECT1] = C | E,
		[RILL_ECN_ECT0] = AE,
		[RILL_ECN_CE] = AE | C,
	};

	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		struct script *s = script_new();

		s->e.env.params.ecn = RILL_TCP_ECN_ACCURATE;
		script_connect(s);
		expect(s, S | AE | C | E, 0, 0, 0);
		s->e.rx_ecn = ecn;
		in(s, S | A | C, 0, 1, 65535, 0);
		expect(s, A | told[ecn], 1, 1, 0);
		/* from then on the counter: 5, or 6 */
		send_bytes(s, 10);
		expect(s, A | P | AE | (ecn == RILL_ECN_CE ? C : E), 1, 1, 10);
		assert_int_equal(s->last.ecn, RILL_ECN_ECT0);
		script_free(s);
	}
}

static void client_falls_back_rfc9768_3_1_2(void **state)
{
	static const struct {
		uint16_t synack;
		uint32_t mode;
	} rows[] = {
		{0, 0},
		{E, RILL_TCB_ECN},
		{AE | E, RILL_TCB_ECN},
		{AE | C | E, 0},
		{C, RILL_TCB_ECN | RILL_TCB_ACCECN},
		{C | E, RILL_TCB_ECN | RILL_TCB_ACCECN},
		{AE, RILL_TCB_ECN | RILL_TCB_ACCECN},
		{AE | C, RILL_TCB_ECN | RILL_TCB_ACCECN},
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(rows); i++) {
		struct script *s = connected(RILL_TCP_ECN_ACCURATE, rows[i].synack);

		assert_int_equal(mode(s), rows[i].mode);
		script_free(s);
	}
}

static void server_answers_by_table_2_rfc9768_3_1_1(void **state)
{
	static const uint16_t told[] = {
		[RILL_ECN_NOT_ECT] = C,
		[RILL_ECN_ECT1] = C | E,
		[RILL_ECN_ECT0] = AE,
		[RILL_ECN_CE] = AE | C,
	};
	static const uint16_t syns[] = {AE | C | E, AE, AE | C, AE | E, C, E};

	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		struct rill_tcp_seg seg;
		struct script *s = script_new();

		s->e.rx_ecn = ecn;
		seg = (struct rill_tcp_seg){
			.seq = PEER_ISN,
			.wnd = 65535,
			.flags = S | AE | C | E,
			.ecn = ecn,
			.opt = s->opt,
		};
		rill_tcb_accept(&s->e.tcb, &s->e.env, &seg, NULL, s->now);
		out(s);
		expect(s, S | A | told[ecn], 0, 1, 0);
		script_free(s);
	}
	/* combinations of the future ask for it as well */
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(syns); i++) {
		struct script *s = accepted(RILL_TCP_ECN_PASSIVE, syns[i]);

		expect(s, S | A | C, 0, 1, 0);
		assert_int_equal(mode(s), RILL_TCB_ECN | RILL_TCB_ACCECN);
		script_free(s);
	}
}

static void third_ack_sets_the_servers_count_rfc9768_table3(void **state)
{
	struct script *s = accepted(RILL_TCP_ECN_PASSIVE, AE | C | E);

	expect(s, S | A | C, 0, 1, 0);
	in(s, A | AE | C, 1, 1, 65535, 0);
	assert_int_equal(s->e.tcb.delivered_ce, 1);
	script_free(s);

	s = accepted(RILL_TCP_ECN_PASSIVE, AE | C | E);
	in(s, A | C, 1, 1, 65535, 0);
	assert_int_equal(s->e.tcb.delivered_ce, 0);
	assert_int_equal(mode(s), RILL_TCB_ECN | RILL_TCB_ACCECN);
	script_free(s);

	/* zero: something on the path clears the field (3.2.2.4) */
	s = accepted(RILL_TCP_ECN_PASSIVE, AE | C | E);
	in(s, A, 1, 1, 65535, 0);
	assert_int_equal(mode(s), 0);
	script_free(s);
}

static void client_tests_for_zeroing_rfc9768_3_2_2_4(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ACCURATE, C);

	in(s, A, 1, 1, 65535, 10);
	assert_int_equal(mode(s), 0);
	script_free(s);
}

static void every_ce_is_counted_and_told_rfc9768_3_2_2(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ACCURATE, C);
	uint32_t seq = 1;

	s->e.rx_ecn = RILL_ECN_CE;
	for (uint32_t i = 1; i <= 20; i++, seq += 10) {
		uint32_t ace = (5 + i) % 8;

		in(s, A | P | AE | E, seq, 1, 65535, 10);
		expect(s, A | (ace & 1 ? E : 0) | (ace & 2 ? C : 0) | (ace & 4 ? AE : 0), 1,
		       seq + 10, 0);
	}
	/* a pure ACK counts, but is not answered */
	in(s, A | AE | E, seq, 1, 65535, 0);
	expect_none(s);
	assert_int_equal(s->e.tcb.ce_count, (5 + 21) % 8);
	script_free(s);
}

static struct rill_tcp_ecn_feedback ace(struct script *s, uint16_t flags, uint32_t delivered)
{
	struct rill_tcp_seg seg = {.flags = A | flags};

	return rill_tcp_ecn_on_ack(&s->e.tcb, &seg, delivered);
}

static void counter_is_read_modulo_8_rfc9768_3_2_2_5(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ACCURATE, C);
	struct rill_tcp_ecn_feedback f = ace(s, AE | E, 2 * MSS); /* 5 */

	assert_false(f.ece);
	f = ace(s, AE | C, 2 * MSS); /* 6 */
	assert_true(f.ece);
	assert_int_equal(f.ce_delivered, MSS);
	f = ace(s, E, 4 * MSS); /* 1: three more */
	assert_int_equal(f.ce_delivered, 3 * MSS);
	assert_int_equal(s->e.tcb.delivered_ce, 4);
	/* an ACK overtaken by others tells nothing */
	f = ace(s, AE | C, 0);
	assert_false(f.ece);
	assert_int_equal(s->e.tcb.delivered_ce, 4);
	/* with so many segments it may have gone round: 10 of them, 1 or 9 */
	f = ace(s, C, 10 * MSS);
	assert_int_equal(f.ce_delivered, 9 * MSS);
	/* as many as that without any: taken for the worst, 8 of 10 */
	f = ace(s, C, 10 * MSS);
	assert_int_equal(f.ce_delivered, 8 * MSS);
	script_free(s);
}

static void no_cwr_in_accecn(void **state)
{
	struct script *s = connected(RILL_TCP_ECN_ACCURATE, C);

	rill_tcp_ecn_reduced(&s->e.tcb);
	assert_false(s->e.tcb.flags & RILL_TCB_CWR_DUE);
	script_free(s);
}

static void accurate_syns_go_without_after_two_rfc9768_3_1_4(void **state)
{
	struct script *s = script_new();

	s->e.env.params.ecn = RILL_TCP_ECN_ACCURATE;
	script_connect(s);
	expect(s, S | AE | C | E, 0, 0, 0);
	pass(s, RILL_SEC);
	expect(s, S | AE | C | E, 0, 0, 0);
	pass(s, 2 * RILL_SEC);
	expect(s, S, 0, 0, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(classic_is_asked_for_rfc3168_6_1_1),
		T(not_asked_for_by_default),
		T(what_is_no_setup_synack_is_none_rfc3168_6_1_1),
		T(server_agrees_rfc3168_6_1_1),
		T(syns_without_an_answer_go_without_rfc3168_6_1_1_1),
		T(new_data_is_ect_nothing_else_rfc3168_6_1_5),
		T(ece_until_cwr_rfc3168_6_1_3),
		T(ce_of_a_pure_ack_and_outside_the_window_is_none_rfc3168_6_1_4),
		T(cwr_goes_once_with_new_data_rfc3168_6_1_2),
		T(ece_is_fed_back_in_bytes),
		T(dctcp_acks_at_each_change_rfc8257_3_2),
		T(accurate_is_asked_for_rfc9768_3_1_1),
		T(third_ack_tells_how_the_synack_came_rfc9768_3_2_2_1),
		T(client_falls_back_rfc9768_3_1_2),
		T(server_answers_by_table_2_rfc9768_3_1_1),
		T(third_ack_sets_the_servers_count_rfc9768_table3),
		T(client_tests_for_zeroing_rfc9768_3_2_2_4),
		T(every_ce_is_counted_and_told_rfc9768_3_2_2),
		T(counter_is_read_modulo_8_rfc9768_3_2_2_5),
		T(no_cwr_in_accecn),
		T(accurate_syns_go_without_after_two_rfc9768_3_1_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
