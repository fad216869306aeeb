/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of what is in flight stays in the order of time, whatever comes back into it. */
#include "netstack/tcp/inflight.h"
#include "netstack/tcp/scoreboard.h"
#include "sack_script.h"

#define SEGMENTS 40

static struct rill_buf *nth(struct script *s, uint32_t n)
{
	struct rill_buf *b = s->e.tcb.sendq_first;

	while (n-- > 0)
		b = rill_send_cb(b)->next;
	return b;
}

/* All in flight at once. */
static struct script *flight_of(uint32_t n)
{
	struct script *s = script_sack(false);

	s->e.tcb.cwnd = n * MSS;
	send_bytes(s, n * MSS);
	s->out_first = s->out_last;
	assert_int_equal(s->e.tcb.snd_nxt, s->e.tcb.snd_end);
	return s;
}

static void lose(struct script *s, uint32_t n)
{
	rill_tcp_mark_lost(&s->e.tcb, nth(s, n), s->now);
}

static void send_again(struct script *s, uint32_t n)
{
	s->now += RILL_MS;
	rill_tcp_mark_sent(&s->e.tcb, nth(s, n), s->now);
}

static void mark_sacked(struct script *s, uint32_t n)
{
	struct rill_tcp_acked a = {.now = s->now};

	rill_tcp_mark_sacked(&s->e.tcb, nth(s, n), &a);
}

static void expect_order(struct script *s, uint32_t count)
{
	struct rill_buf *older = NULL;

	for (struct rill_buf *b = s->e.tcb.x->oldest; b; b = rill_send_cb(b)->newer, count--) {
		if (older)
			assert_true(rill_sent_after(b->time_ns, rill_send_end(b), older->time_ns,
						    rill_send_end(older)));
		older = b;
	}
	assert_int_equal(count, 0);
	assert_ptr_equal(s->e.tcb.x->newest, older);
	assert_true(rill_tcb_valid(&s->e.tcb));
}

/* 0 is sent again after 1, 2 and 3; then both are taken for lost, and then not. */
static void what_was_not_lost_goes_to_its_place(void **state)
{
	struct script *s = flight_of(4);

	(void)state;
	lose(s, 0);
	send_again(s, 0);
	lose(s, 0);
	lose(s, 1);
	lose(s, 3);
	rill_tcp_unmark_lost(&s->e.tcb);
	expect_order(s, 4);
	assert_ptr_equal(s->e.tcb.x->oldest, nth(s, 1));
	assert_ptr_equal(s->e.tcb.x->newest, nth(s, 0));
	script_free(s);
}

static void what_was_forgotten_goes_to_its_place(void **state)
{
	struct script *s = flight_of(4);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		lose(s, i);
	for (uint32_t i = 3; i-- > 0;)
		send_again(s, i);
	for (uint32_t i = 0; i < 3; i++)
		mark_sacked(s, i);
	rill_tcp_unmark_sacked(&s->e.tcb);
	expect_order(s, 4);
	assert_ptr_equal(s->e.tcb.x->oldest, nth(s, 3));
	assert_ptr_equal(s->e.tcb.x->newest, nth(s, 0));
	script_free(s);
}

/* Lost, sent again, lost and SACKED in any order. */
static void any_history(void **state)
{
	struct rill_rand r;

	(void)state;
	rill_rand_init(&r, 7);
	for (unsigned round = 0; round < 50; round++) {
		struct script *s = flight_of(SEGMENTS);

		for (unsigned i = 0; i < 200; i++) {
			uint32_t n = (uint32_t)rill_rand_below(&r, SEGMENTS);
			uint16_t marks = rill_send_cb(nth(s, n))->marks;

			if ((marks & RILL_SEND_SACKED) != 0)
				continue;
			if ((marks & RILL_SEND_IN_ORDER) == 0)
				send_again(s, n);
			else if (rill_rand_below(&r, 8) == 0)
				mark_sacked(s, n);
			else
				lose(s, n);
		}
		rill_tcp_unmark_lost(&s->e.tcb);
		rill_tcp_unmark_sacked(&s->e.tcb);
		expect_order(s, SEGMENTS);
		script_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_lost_goes_to_its_place),
		cmocka_unit_test(what_was_forgotten_goes_to_its_place),
		cmocka_unit_test(any_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
