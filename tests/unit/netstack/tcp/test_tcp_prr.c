/* SPDX-License-Identifier: BSD-3-Clause */
/* Proportional rate reduction (RFC 9937). */
#include "sack_script.h"

/* n segments out, all with room to spare; one round trip later. */
static struct script *flight(uint32_t n)
{
	struct script *s = script_sack(false);

	s->e.tcb.cwnd = n * MSS;
	send_bytes(s, n * MSS);
	expect_range(s, 0, n);
	send_bytes(s, (40 - n) * MSS);
	s->now += RTT;
	return s;
}

static uint32_t sent_since(struct script *s, uint32_t *ret_new)
{
	uint32_t n = 0;

	*ret_new = 0;
	for (; s->out_first != s->out_last; n++) {
		uint32_t seq = s->out[s->out_first++ % 512].seg.seq;

		*ret_new += seq - s->e.tcb.iss >= at(20);
	}
	return n;
}

static void half_of_what_arrives_goes_out_6_2(void **state)
{
	struct script *s = flight(20);
	uint32_t new_data, total = 0;

	/* 0 is lost; each of the others is SACKed, one by one. */
	for (uint32_t i = 1; i < 20; i++) {
		sack(s, 0, 1, i + 1);
		total += sent_since(s, &new_data);
		if (ca(s) == RILL_TCP_CA_RECOVERY && rill_tcp_pipe(&s->e.tcb) > s->e.tcb.ssthresh) {
			uint32_t half = s->e.tcb.x->prr_delivered / 2;

			assert_in_range(s->e.tcb.x->prr_out + MSS, half, half + 2 * MSS);
		}
	}
	assert_int_equal(s->e.tcb.ssthresh, 10 * MSS);
	/* What is in flight at the end is ssthresh: no burst, no silence. */
	assert_in_range(rill_tcp_pipe(&s->e.tcb), 9 * MSS, 11 * MSS);
	assert_true(total >= 9);
	s->now += RTT;
	plain_ack(s, 20);
	assert_int_equal(s->e.tcb.cwnd, s->e.tcb.ssthresh);
	script_free(s);
}

static void the_fast_retransmit_does_not_wait_for_a_share(void **state)
{
	struct script *s = flight(20);

	sack(s, 0, 1, 4);
	expect_range(s, 0, 1);
	expect_none(s);
	assert_int_equal(s->e.tcb.x->prr_out, MSS);
	script_free(s);
}

static void heavy_loss_is_repaired_conservatively_crb_6_2(void **state)
{
	struct script *s = flight(20);
	uint32_t new_data;

	/* 0 to 15 are lost: pipe is 1, far below ssthresh. New losses: no SafeACK. */
	sack(s, 0, 16, 19);
	assert_int_equal(s->e.tcb.x->lost, 16 * MSS);
	/* CRB: as much as arrived, three. */
	assert_int_equal(sent_since(s, &new_data), 3);
	script_free(s);
}

static void progress_without_new_losses_gains_one_more_ssrb_6_2(void **state)
{
	struct script *s = flight(20);
	uint32_t new_data;

	sack(s, 0, 16, 20);
	assert_int_equal(sent_since(s, &new_data), 4);
	s->now += RTT;
	sack(s, 1, 16, 20); /* SND.UNA moved, nothing new is lost: SafeACK */
	assert_int_equal(sent_since(s, &new_data), 2);
	sack2(s, 1, 2, 3, 16, 20); /* it did not move: no more than arrived */
	assert_int_equal(sent_since(s, &new_data), 1);
	sack2(s, 1, 2, 3, 16, 20); /* nothing arrived */
	assert_int_equal(sent_since(s, &new_data), 0);
	script_free(s);
}

static void never_beyond_ssthresh_in_the_catch_up(void **state)
{
	struct script *s = flight(20);

	sack(s, 0, 16, 19);
	for (uint32_t i = 1; i < 16; i++) {
		s->now += RTT;
		sack(s, i, 16, 19);
		assert_true(s->e.tcb.cwnd <= s->e.tcb.ssthresh);
	}
	script_free(s);
}

static void recover_fs_without_what_was_sacked_before_6_1(void **state)
{
	struct script *s = flight(20);

	s->e.tcb.x->flags |= RILL_XF_REORDER_SEEN; /* so that nothing is lost at once */
	sack(s, 0, 1, 3);
	assert_int_equal(ca(s), RILL_TCP_CA_DISORDER);
	expect_range(s, 20, 22); /* limited transmit */
	pass(s, RTT / 4);
	assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
	assert_int_equal(s->e.tcb.x->recover_fs, 20 * MSS);
	expect_range(s, 0, 1); /* found by a timer: no ACK to wait for */
	script_free(s);
}

static void without_sack_duplicates_are_what_arrives(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.cwnd = 20 * MSS;
	send_bytes(s, 20 * MSS);
	send_bytes(s, 20 * MSS);
	expect_range(s, 0, 20);
	for (unsigned i = 0; i < 19; i++)
		in(s, A, 1, at(0), 65535, 0);
	assert_int_equal(s->e.tcb.ssthresh, 10 * MSS);
	assert_in_range(rill_tcp_pipe(&s->e.tcb), 8 * MSS, 11 * MSS);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(half_of_what_arrives_goes_out_6_2),
		T(the_fast_retransmit_does_not_wait_for_a_share),
		T(heavy_loss_is_repaired_conservatively_crb_6_2),
		T(progress_without_new_losses_gains_one_more_ssrb_6_2),
		T(never_beyond_ssthresh_in_the_catch_up),
		T(recover_fs_without_what_was_sacked_before_6_1),
		T(without_sack_duplicates_are_what_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
