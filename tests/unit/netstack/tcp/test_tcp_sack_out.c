/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiver's SACK (RFC 2018) and D-SACK (RFC 2883) blocks. */
#include "script.h"

#include "netstack/tcp/reass.h"
#include "netstack/tcp/tune.h"

static struct script *sack_script(bool timestamps)
{
	struct script *s = script_new();

	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	if (timestamps) {
		s->e.env.params.no_timestamps = false;
		s->opt.present |= RILL_TCP_OPT_TIMESTAMPS;
		s->opt.tsval = 1000;
	}
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	return s;
}

/* The next segment is an ACK of ack with these blocks: pairs, ended by 0. */
static void expect_sack(struct script *s, uint32_t ack, const uint32_t *pairs)
{
	unsigned n = 0;

	expect(s, A, 1, ack, 0);
	for (; pairs[2 * n]; n++) {
		if (n >= s->last.opt.sack_count)
			fail_msg("block %u is missing", n);
		assert_int_equal(s->last.opt.sack[n].start - PEER_ISN, pairs[2 * n]);
		assert_int_equal(s->last.opt.sack[n].end - PEER_ISN, pairs[2 * n + 1]);
	}
	assert_int_equal((s->last.opt.present & RILL_TCP_OPT_SACK) != 0, n > 0);
	if (n > 0)
		assert_int_equal(s->last.opt.sack_count, n);
}

#define SACKS(...) ((const uint32_t[]){__VA_ARGS__, 0})
#define NO_SACK ((const uint32_t[]){0})

/* The tables of RFC 2018, 4, case 2 and 3. */
static void first_of_many_lost_rfc2018_case2(void **state)
{
	struct script *s = sack_script(false);

	for (uint32_t i = 1; i < 8; i++) {
		in(s, A, 1 + i * 500, 1, 65535, 500);
		expect_sack(s, 1, SACKS(501, 1 + (i + 1) * 500));
	}
	in(s, A, 1, 1, 65535, 500);
	expect_sack(s, 4001, NO_SACK);
	script_free(s);
}

static void every_other_lost_rfc2018_case3(void **state)
{
	struct script *s = sack_script(false);

	in(s, A, 1, 1, 65535, 500);
	pass(s, RILL_SEC);
	s->out_first = s->out_last;
	in(s, A, 1001, 1, 65535, 500);
	expect_sack(s, 501, SACKS(1001, 1501));
	in(s, A, 2001, 1, 65535, 500);
	expect_sack(s, 501, SACKS(2001, 2501, 1001, 1501));
	in(s, A, 3001, 1, 65535, 500);
	expect_sack(s, 501, SACKS(3001, 3501, 2001, 2501, 1001, 1501));
	/* the fourth packet, late */
	in(s, A, 1501, 1, 65535, 500);
	expect_sack(s, 501, SACKS(1001, 2501, 3001, 3501));
	in(s, A, 501, 1, 65535, 500);
	expect_sack(s, 2501, SACKS(3001, 3501));
	in(s, A, 2501, 1, 65535, 500);
	expect_sack(s, 3501, NO_SACK);
	script_free(s);
}

static void four_blocks_three_with_timestamps_rfc2018_3(void **state)
{
	struct script *s = sack_script(false);

	for (uint32_t i = 1; i <= 6; i++)
		in(s, A, 1 + i * 1000, 1, 65535, 100);
	s->out_first = s->out_last - 1;
	expect_sack(s, 1, SACKS(6001, 6101, 5001, 5101, 4001, 4101, 3001, 3101));
	script_free(s);

	s = sack_script(true);
	for (uint32_t i = 1; i <= 6; i++)
		in(s, A, 1 + i * 1000, 1, 65535, 100);
	s->out_first = s->out_last - 1;
	expect_sack(s, 1, SACKS(6001, 6101, 5001, 5101, 4001, 4101));
	script_free(s);
}

/* RFC 5482, 3.2: the option goes with the next ACK, and a block makes room for it once. */
static void a_user_timeout_takes_the_place_of_a_block_rfc5482_3_2(void **state)
{
	const struct rill_tcp_change change = {RILL_TUNE_UTO_MS, 300000};
	struct script *s = sack_script(true);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		in(s, A, 1 + i * 1000, 1, 65535, 100);
	s->out_first = s->out_last;
	assert_int_equal(rill_tcb_tune(&s->e.tcb, &s->e.env, &change, 1, s->now), 0);
	in(s, A, 3101, 1, 65535, 100);
	expect_sack(s, 1, SACKS(3001, 3201, 2001, 2101));
	assert_true((s->last.opt.present & RILL_TCP_OPT_USER_TIMEOUT) != 0);
	assert_int_equal(s->last.opt.user_timeout, 300);
	in(s, A, 3201, 1, 65535, 100);
	expect_sack(s, 1, SACKS(3001, 3301, 2001, 2101, 1001, 1101));
	assert_true((s->last.opt.present & RILL_TCP_OPT_USER_TIMEOUT) == 0);
	script_free(s);
}

/* RFC 2018, 4: the whole block around the newest segment, though it was forgotten meanwhile. */
static void an_old_block_comes_back_whole(void **state)
{
	struct script *s = sack_script(false);

	for (uint32_t i = 1; i <= 6; i++)
		in(s, A, 1 + i * 1000, 1, 65535, 100);
	s->out_first = s->out_last;
	in(s, A, 1101, 1, 65535, 100);
	expect_sack(s, 1, SACKS(1001, 1201, 6001, 6101, 5001, 5101, 4001, 4101));
	script_free(s);
}

static void blocks_ride_on_data_that_leaves_room_rfc6691(void **state)
{
	struct script *s = sack_script(false);

	in_batch(s, A, 1001, 1, 65535, 100);
	s->e.tcb.dup_acks_due = 0; /* as if its duplicate had gone out */
	send_bytes(s, 100);
	expect(s, A | P, 1, 1, 100);
	assert_int_equal(s->last.opt.sack_count, 1);
	in_batch(s, A, 1101, 1, 65535, 100);
	s->e.tcb.dup_acks_due = 0;
	send_bytes(s, MSS);
	expect(s, A | P, 101, 1, MSS);
	assert_int_equal(s->last.opt.present, 0);
	script_free(s);
}

/* RFC 2883, 4.1.1: a full duplicate below the cumulative ACK. */
static void duplicate_below_rcv_nxt_rfc2883_4_1_1(void **state)
{
	struct script *s = sack_script(false);

	in(s, A, 1, 1, 65535, 500);
	in(s, A, 501, 1, 65535, 500);
	in(s, A, 1001, 1, 65535, 500);
	pass(s, RILL_SEC);
	s->out_first = s->out_last;
	in(s, A, 501, 1, 65535, 500);
	expect_sack(s, 1501, SACKS(501, 1001));
	/* told once */
	in(s, A, 2001, 1, 65535, 500);
	expect_sack(s, 1501, SACKS(2001, 2501));
	assert_int_equal(s->e.env.stats.dsacks_out, 1);
	script_free(s);
}

/* RFC 2883, 4.1.3: a duplicate while there is a hole. */
static void duplicate_and_a_hole_rfc2883_4_1_3(void **state)
{
	struct script *s = sack_script(false);

	in(s, A, 1, 1, 65535, 500);
	in(s, A, 1001, 1, 65535, 500);
	s->out_first = s->out_last;
	in(s, A, 1, 1, 65535, 500);
	expect_sack(s, 501, SACKS(1, 501, 1001, 1501));
	script_free(s);
}

/* RFC 2883, 4.1.2: a duplicate of what waits; the second block is the one that holds it. */
static void duplicate_out_of_order_rfc2883_4_1_2(void **state)
{
	struct script *s = sack_script(false);

	in(s, A, 501, 1, 65535, 500);
	in(s, A, 1001, 1, 65535, 500);
	in(s, A, 3001, 1, 65535, 500);
	s->out_first = s->out_last;
	in(s, A, 1001, 1, 65535, 500);
	expect_sack(s, 1, SACKS(1001, 1501, 501, 1501, 3001, 3501));
	script_free(s);
}

/* RFC 2883, 4.2: segments that are duplicates in part. */
static void partial_duplicates_rfc2883_4_2(void **state)
{
	struct script *s = sack_script(false);

	/* below the cumulative ACK */
	in(s, A, 1, 1, 65535, 1000);
	pass(s, RILL_SEC);
	s->out_first = s->out_last;
	in(s, A, 501, 1, 65535, 1000);
	expect_sack(s, 1501, SACKS(501, 1001));
	/* the front of it waits already */
	in(s, A, 2001, 1, 65535, 500);
	s->out_first = s->out_last;
	in(s, A, 2001, 1, 65535, 1000);
	expect_sack(s, 1501, SACKS(2001, 2501, 2001, 3001));
	/* the end of it */
	in(s, A, 1801, 1, 65535, 400);
	expect_sack(s, 1501, SACKS(2001, 2201, 1801, 3001));
	/* covers a whole run */
	in(s, A, 4001, 1, 65535, 100);
	s->out_first = s->out_last;
	in(s, A, 3901, 1, 65535, 300);
	expect_sack(s, 1501, SACKS(4001, 4101, 3901, 4201, 1801, 3001));
	/* in order, and over what waits */
	in(s, A, 1501, 1, 65535, 600);
	expect_sack(s, 3001, SACKS(1801, 2101, 3901, 4201));
	recv_bytes(s, 3000);
	in(s, A, 3001, 1, 65535, 900);
	recv_bytes(s, 1200);
	script_free(s);
}

/* RFC 2018, 8: what is given up is no longer reported. */
static void pruned_runs_are_forgotten(void **state)
{
	struct script *s = sack_script(false);

	in(s, A, 1001, 1, 65535, 500);
	in(s, A, 2001, 1, 65535, 500);
	s->out_first = s->out_last;
	assert_true(rill_reass_prune(&s->e.tcb, &s->e.env));
	in(s, A, 1501, 1, 65535, 100);
	expect_sack(s, 1, SACKS(1001, 1601));
	assert_true(rill_reass_prune(&s->e.tcb, &s->e.env));
	assert_false(rill_reass_prune(&s->e.tcb, &s->e.env));
	assert_int_equal(s->e.env.stats.pruned, 2);
	assert_int_equal(s->e.env.mem_used, 0);
	in(s, A, 1, 1, 65535, 1600);
	pass(s, RILL_SEC);
	recv_bytes(s, 1600);
	script_free(s);
}

static void without_memory_out_of_order_is_dropped(void **state)
{
	struct script *s = sack_script(false);

	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	s->e.env.xfers.max = 1;
	void *taken = rill_slab_alloc(&s->e.env.xfers);

	assert_int_equal(in(s, A, 101, 1, 65535, 100), RILL_DROP_TCP_REASSEMBLY);
	expect_sack(s, 1, NO_SACK);
	assert_int_equal(s->e.env.stats.no_memory, 1);
	in(s, A, 1, 1, 65535, 100);
	recv_bytes(s, 100);
	rill_slab_free(&s->e.env.xfers, taken);
	script_free(s);
}

/* Against a model: every block reported is held, the first has the newest, what is held is right.
 */
static void random_arrivals(void **state)
{
	struct script *s = sack_script(false);
	static bool have[20000];
	uint32_t base = 1;

	memset(have, 0, sizeof(have));
	for (unsigned round = 0; round < 20000 && base < 18000; round++) {
		uint32_t at = base + rill_rand_below(&s->e.rand, 1500);
		uint32_t len = 1 + rill_rand_below(&s->e.rand, 200);

		if (rill_rand_below(&s->e.rand, 20) == 0)
			at = base;
		in(s, A, at, 1, 65535, len);
		for (uint32_t i = at; i < at + len; i++)
			have[i] = true;
		while (have[base])
			base++;
		assert_int_equal(s->e.tcb.rcv_nxt - PEER_ISN, base);
		if (s->out_first == s->out_last)
			continue;
		s->out_first = s->out_last - 1;
		expect(s, A, 1, base, 0);
		if (s->last.opt.present & RILL_TCP_OPT_SACK)
			for (unsigned b = 0; b < s->last.opt.sack_count; b++) {
				uint32_t i = s->last.opt.sack[b].start - PEER_ISN;

				for (; i < s->last.opt.sack[b].end - PEER_ISN; i++)
					assert_true(have[i]);
				assert_false(b > 0 && have[i]); /* as long as can be */
			}
		if (s->e.tcb.rcv_queued > 1000)
			recv_bytes(s, s->e.tcb.rcv_queued);
	}
	assert_true(base >= 18000);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_of_many_lost_rfc2018_case2),
		T(every_other_lost_rfc2018_case3),
		T(four_blocks_three_with_timestamps_rfc2018_3),
		T(a_user_timeout_takes_the_place_of_a_block_rfc5482_3_2),
		T(an_old_block_comes_back_whole),
		T(blocks_ride_on_data_that_leaves_room_rfc6691),
		T(duplicate_below_rcv_nxt_rfc2883_4_1_1),
		T(duplicate_and_a_hole_rfc2883_4_1_3),
		T(duplicate_out_of_order_rfc2883_4_1_2),
		T(partial_duplicates_rfc2883_4_2),
		T(pruned_runs_are_forgotten),
		T(without_memory_out_of_order_is_dropped),
		T(random_arrivals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
