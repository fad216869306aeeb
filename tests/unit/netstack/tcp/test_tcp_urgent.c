/* SPDX-License-Identifier: BSD-3-Clause */
/* Urgent data (RFC 9293, 3.8.5; RFC 6093). */
#include "script.h"

#include <errno.h>

static struct script *urgent_script(bool in_line)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->oob_inline = in_line;
	return s;
}

/* len bytes at seq, with the urgent pointer at up. */
static void urgent(struct script *s, uint32_t seq, uint32_t up, uint32_t len)
{
	s->urg = (uint16_t)(up - seq);
	in(s, A | U, seq, 1, 65535, len);
	s->urg = 0;
}

static ssize_t readable(struct script *s)
{
	uint8_t data[4096];
	ssize_t n = rill_tcb_recv(&s->e.tcb, &s->e.env, data, sizeof(data));

	out(s);
	return n;
}

static void in_line_is_the_default_rfc6093_4(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t c;

	urgent(s, 1, 11, 20);
	assert_int_equal(s->e.tcb.events & RILL_TCB_URGENT, RILL_TCB_URGENT);
	assert_false(rill_tcb_at_mark(&s->e.tcb));
	/* a read stops in front of the urgent byte, the tenth */
	assert_int_equal(readable(s), 9);
	assert_true(rill_tcb_at_mark(&s->e.tcb));
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EINVAL);
	assert_int_equal(readable(s), 11);
	assert_false(rill_tcb_at_mark(&s->e.tcb));
	script_free(s);
}

static void out_of_line_is_taken_out(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c = 0;

	urgent(s, 1, 11, 20);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, true, &c), 1);
	assert_int_equal(c, (uint8_t)(10 * 31));
	c = 0;
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(10 * 31));
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EINVAL);
	assert_int_equal(readable(s), 9);
	assert_true(rill_tcb_at_mark(&s->e.tcb));
	assert_int_equal(readable(s), 10); /* without it */
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EINVAL);
	assert_int_equal(readable(s), -EAGAIN);
	script_free(s);
}

/* MUST-31, MUST-32: the pointer may come before the data, and the user learns of it at once. */
static void pointer_comes_first_must32(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c;

	urgent(s, 1, 101, 10);
	assert_true(s->e.tcb.events & RILL_TCB_URGENT);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EAGAIN);
	assert_int_equal(readable(s), 10);
	s->e.tcb.events = 0;
	in(s, A, 11, 1, 65535, 90);
	assert_true(s->e.tcb.events & RILL_TCB_URGENT);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(100 * 31));
	assert_int_equal(readable(s), 89);
	assert_int_equal(readable(s), -EAGAIN);
	script_free(s);
}

static void pointer_comes_after_the_byte(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c;

	in(s, A, 1, 1, 65535, 50);
	in(s, A, 51, 1, 65535, 50);
	s->urg = 0;
	urgent(s, 51, 61, 50); /* the second segment again, now with URG */
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EINVAL);
	urgent(s, 101, 102, 1);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(readable(s), 100);
	assert_int_equal(readable(s), -EAGAIN);
	script_free(s);
}

/* RFC 6093, 3.2: there is one mark, the newest. */
static void a_later_one_replaces(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c;

	urgent(s, 1, 11, 10);
	urgent(s, 11, 21, 10);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(20 * 31));
	assert_int_equal(readable(s), 19);
	/* an older pointer says nothing */
	s->e.tcb.events = 0;
	urgent(s, 21, 22, 0);
	assert_int_equal(s->e.tcb.events & RILL_TCB_URGENT, RILL_TCB_URGENT);
	in(s, A, 21, 1, 65535, 10);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(21 * 31));
	script_free(s);
}

static void pointer_of_what_was_read_is_ignored(void **state)
{
	struct script *s = urgent_script(true);

	in(s, A, 1, 1, 65535, 100);
	assert_int_equal(readable(s), 100);
	s->e.tcb.events = 0;
	urgent(s, 101, 101, 10);
	assert_int_equal(s->e.tcb.events & RILL_TCB_URGENT, 0);
	assert_false(s->e.tcb.flags & RILL_TCB_URG_IN);
	script_free(s);
}

static void trimmed_front_moves_the_pointer(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c;

	in(s, A, 1, 1, 65535, 10);
	assert_int_equal(readable(s), 10);
	urgent(s, 1, 16, 20); /* ten old ones in front */
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(15 * 31));
	assert_int_equal(readable(s), 4);
	assert_int_equal(readable(s), 5);
	script_free(s);
}

static void processed_at_zero_window_must66(void **state)
{
	struct script *s = script_new();

	rill_tcb_set_recv_buffer(&s->e.tcb, 1000);
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	in(s, A, 1, 1, 65535, 1000);
	pass(s, RILL_SEC);
	assert_int_equal(s->e.tcb.rcv_wnd, 0);
	s->e.tcb.events = 0;
	urgent(s, 1001, 1005, 1);
	assert_true(s->e.tcb.events & RILL_TCB_URGENT);
	assert_int_equal(s->e.tcb.rcv_up - PEER_ISN, 1005);
	s->out_first = s->out_last;
	script_free(s);
}

static void out_of_order_pointer_waits_for_its_byte(void **state)
{
	struct script *s = urgent_script(false);
	uint8_t c;

	urgent(s, 101, 151, 100);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), -EAGAIN);
	in(s, A, 1, 1, 65535, 100);
	assert_int_equal(rill_tcb_recv_urgent(&s->e.tcb, false, &c), 1);
	assert_int_equal(c, (uint8_t)(150u * 31));
	s->out_first = s->out_last;
	assert_int_equal(readable(s), 149);
	assert_int_equal(readable(s), 50);
	script_free(s);
}

static void sending_points_behind_the_octet_must62(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t data[3000] = {0};

	assert_int_equal(rill_tcb_send_urgent(&s->e.tcb, &s->e.env, data, 3000), 3000);
	rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
	for (uint32_t i = 0; i < 3; i++) {
		struct rill_tcp_seg *g = &s->out[s->out_first++].seg;

		assert_true(g->flags & RILL_TCP_URG);
		assert_int_equal(g->seq + g->urg, s->e.tcb.iss + 3001);
	}
	in(s, A, 1, 3001, 65535, 0);
	send_bytes(s, 10);
	expect(s, A | P, 3001, 1, 10);
	script_free(s);
}

static void what_follows_is_not_urgent(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t c = (uint8_t)31;

	assert_int_equal(rill_tcb_send_urgent(&s->e.tcb, &s->e.env, &c, 1), 1);
	out(s);
	expect(s, A | P | U, 1, 1, 1);
	assert_int_equal(s->last.urg, 1);
	send_bytes(s, 10);
	expect(s, A | P, 2, 1, 10);
	/* sent again it is urgent still */
	pass(s, 2 * RILL_SEC);
	assert_true(s->out_last > s->out_first);
	assert_true(s->out[s->out_first].seg.flags & RILL_TCP_URG);
	s->out_first = s->out_last;
	in(s, A, 1, 12, 65535, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_line_is_the_default_rfc6093_4),
		T(out_of_line_is_taken_out),
		T(pointer_comes_first_must32),
		T(pointer_comes_after_the_byte),
		T(a_later_one_replaces),
		T(pointer_of_what_was_read_is_ignored),
		T(trimmed_front_moves_the_pointer),
		T(processed_at_zero_window_must66),
		T(out_of_order_pointer_waits_for_its_byte),
		T(sending_points_behind_the_octet_must62),
		T(what_follows_is_not_urgent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
