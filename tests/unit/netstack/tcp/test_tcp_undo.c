/* SPDX-License-Identifier: BSD-3-Clause */
/* Losses that were none: F-RTO (RFC 5682), Eifel (RFC 3522, 4015), D-SACK (RFC 3708). */
#include "sack_script.h"

static void mark(struct script *s)
{
	s->out_first = s->out_last;
}

static struct script *ten_out(bool stamps)
{
	struct script *s = script_sack(stamps);

	s->e.env.params.no_tlp = true;
	send_bytes(s, 10 * MSS);
	expect_range(s, 0, 10);
	return s;
}

static void to_the_rto(struct script *s)
{
	pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
	assert_int_equal(s->e.env.stats.rtos, 1);
	assert_int_equal(ca(s), RILL_TCP_CA_LOSS);
	assert_int_equal(s->e.tcb.cwnd, MSS);
	expect_range(s, 0, 1);
	expect_none(s);
}

static void frto_originals_arrive_after_the_timeout_rfc5682_3_1(void **state)
{
	struct script *s = ten_out(false);

	to_the_rto(s);
	plain_ack(s, 1); /* of the original, late; step 2b wants new data, there is none */
	mark(s);
	plain_ack(s, 2);				   /* never sent again */
	assert_int_equal(s->e.env.stats.spurious_rtos, 0); /* no new data: no F-RTO */
	script_free(s);
}

static void frto_with_new_data_step_3b(void **state)
{
	struct script *s = ten_out(false);

	send_bytes(s, 5 * MSS);
	to_the_rto(s);
	s->now += RILL_MS;
	plain_ack(s, 1);
	expect_range(s, 10, 12); /* two new ones, and nothing again */
	expect_none(s);
	s->now += RILL_MS;
	plain_ack(s, 2);
	assert_int_equal(s->e.env.stats.spurious_rtos, 1);
	assert_int_equal(s->e.env.stats.undos, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	assert_int_equal(s->e.tcb.x->lost, 0);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	assert_int_equal(s->e.env.stats.retransmits, 1);
	script_free(s);
}

static void frto_a_duplicate_means_real_loss_step_3a(void **state)
{
	struct script *s = ten_out(false);

	send_bytes(s, 5 * MSS);
	to_the_rto(s);
	s->now += RTT;
	plain_ack(s, 1);
	expect_range(s, 10, 12);
	s->now += RTT;
	sack(s, 1, 10, 11); /* the new data arrived, 1 did not */
	assert_int_equal(s->e.env.stats.spurious_rtos, 0);
	assert_int_equal(ca(s), RILL_TCP_CA_LOSS);
	expect_range(s, 1, 2);
	script_free(s);
}

static void frto_ack_of_everything_ends_it_step_2a(void **state)
{
	struct script *s = ten_out(false);

	to_the_rto(s);
	/* SACKs say that the rest had arrived: only the first was lost. */
	s->now += RTT;
	plain_ack(s, 10);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	expect_none(s);
	script_free(s);
}

static void frto_a_sack_of_an_original_is_enough(void **state)
{
	struct script *s = ten_out(false);

	to_the_rto(s);
	s->now += RILL_MS;
	sack(s, 0, 1, 2); /* sent before the timeout, only once */
	assert_int_equal(s->e.env.stats.spurious_rtos, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	script_free(s);
}

static void frto_basic_without_sack_rfc5682_2_1(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	send_bytes(s, 5 * MSS);
	expect_range(s, 0, 10);
	to_the_rto(s);
	s->now += RILL_MS;
	in(s, A, 1, at(1), 65535, 0);
	expect_range(s, 10, 12);
	s->now += RILL_MS;
	in(s, A, 1, at(2), 65535, 0);
	assert_int_equal(s->e.env.stats.spurious_rtos, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	script_free(s);
}

static void frto_without_sack_a_jump_over_the_hole_proves_nothing(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 15 * MSS);
	expect_range(s, 0, 10);
	to_the_rto(s);
	s->now += RTT;
	in(s, A, 1, at(5), 65535, 0); /* 1 to 4 had waited behind 0 */
	assert_int_equal(s->e.env.stats.spurious_rtos, 0);
	script_free(s);
}

static void no_frto_when_switched_off(void **state)
{
	struct script *s = ten_out(false);

	s->e.env.params.no_frto = true;
	send_bytes(s, 5 * MSS);
	to_the_rto(s);
	s->now += RTT;
	plain_ack(s, 1);
	expect_range(s, 1, 3); /* slow start through what was lost */
	expect_none(s);
	script_free(s);
}

static void eifel_timeout_rfc3522_3_2(void **state)
{
	struct script *s = ten_out(true);
	uint32_t original = s->last.opt.tsval;

	to_the_rto(s);
	assert_true(rill_seq_lt(original, s->last.opt.tsval));
	s->opt.tsecr = original;
	s->now += RILL_MS;
	plain_ack(s, 1); /* answers the original */
	assert_int_equal(s->e.env.stats.spurious_rtos, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS); /* RFC 4015 */
	assert_true(s->e.tcb.ssthresh > 10 * MSS);
	assert_int_equal(s->e.tcb.x->lost, 0);
	expect_none(s);
	script_free(s);
}

static void eifel_an_echo_of_the_retransmission_is_no_proof(void **state)
{
	struct script *s = ten_out(true);

	to_the_rto(s);
	s->opt.tsecr = s->last.opt.tsval;
	s->now += RTT;
	plain_ack(s, 1);
	assert_int_equal(s->e.env.stats.spurious_rtos, 0);
	assert_int_equal(ca(s), RILL_TCP_CA_LOSS);
	script_free(s);
}

static void eifel_fast_retransmit_rfc3522(void **state)
{
	struct script *s = ten_out(true);
	uint32_t original = s->last.opt.tsval;

	s->opt.tsecr = original;
	s->now += RTT;
	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
	mark(s);
	s->now += RILL_MS;
	plain_ack(s, 5); /* 0 was only late */
	assert_int_equal(s->e.env.stats.undos, 1);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	script_free(s);
}

static void dsack_undo_when_all_was_needless_rfc3708(void **state)
{
	struct script *s = ten_out(false);

	s->now += RTT;
	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	s->now += RILL_MS;
	plain_ack(s, 10);
	assert_true(s->e.tcb.cwnd < 10 * MSS);
	sack(s, 10, 0, 1); /* 0 arrived twice */
	assert_int_equal(s->e.env.stats.undos, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	script_free(s);
}

static void dsack_undo_while_data_is_outstanding_rfc3708(void **state)
{
	struct script *s = ten_out(false);

	s->now += RTT;
	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	send_bytes(s, 10 * MSS);
	s->now += RILL_MS;
	plain_ack(s, 10);
	assert_true(s->e.tcb.cwnd < 10 * MSS);
	sack(s, 10, 0, 1);
	assert_int_equal(s->e.env.stats.undos, 1);
	assert_int_equal(s->e.env.stats.spurious_retransmits, 1);
	assert_true(s->e.tcb.cwnd >= 10 * MSS);
	script_free(s);
}

static void no_undo_when_one_of_two_was_needed(void **state)
{
	struct script *s = ten_out(false);

	s->now += RTT;
	sack2(s, 0, 2, 5, 6, 10); /* 0, 1 and 5 */
	s->now += RTT;
	mark(s);
	sack2(s, 0, 2, 5, 6, 10);
	send_bytes(s, 10 * MSS);
	mark(s);
	s->now += RTT;
	plain_ack(s, 10);
	sack(s, 10, 0, 1);
	assert_int_equal(s->e.env.stats.undos, 0);
	assert_int_equal(s->e.env.stats.spurious_retransmits, 1);
	script_free(s);
}

static void a_dsack_of_an_episode_before_undoes_nothing(void **state)
{
	struct script *s = ten_out(false);

	s->now += RTT;
	plain_ack(s, 3);
	s->now += RTT;
	sack(s, 3, 4, 8);
	expect_range(s, 3, 4);
	sack2(s, 3, 1, 2, 4, 8);
	assert_int_equal(s->e.tcb.x->undo_retrans, 1);
	assert_int_equal(s->e.env.stats.undos, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frto_originals_arrive_after_the_timeout_rfc5682_3_1),
		T(frto_with_new_data_step_3b),
		T(frto_a_duplicate_means_real_loss_step_3a),
		T(frto_ack_of_everything_ends_it_step_2a),
		T(frto_a_sack_of_an_original_is_enough),
		T(frto_basic_without_sack_rfc5682_2_1),
		T(frto_without_sack_a_jump_over_the_hole_proves_nothing),
		T(no_frto_when_switched_off),
		T(eifel_timeout_rfc3522_3_2),
		T(eifel_an_echo_of_the_retransmission_is_no_proof),
		T(eifel_fast_retransmit_rfc3522),
		T(dsack_undo_when_all_was_needless_rfc3708),
		T(dsack_undo_while_data_is_outstanding_rfc3708),
		T(no_undo_when_one_of_two_was_needed),
		T(a_dsack_of_an_episode_before_undoes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
