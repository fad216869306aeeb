/* SPDX-License-Identifier: BSD-3-Clause */
/* Busy, limited by the window, limited by the send buffer. */
#include "netstack/tcp/chrono.h"
#include "script.h"

#define MS RILL_MS

static void expect_times(struct script *s, uint64_t busy_ms, uint64_t rwnd_ms, uint64_t sndbuf_ms)
{
	struct rill_tcp_chrono c = rill_tcp_chrono(&s->e.tcb, s->now);
	struct rill_tcp_info info;

	assert_int_equal(c.busy_us, busy_ms * 1000);
	assert_int_equal(c.rwnd_limited_us, rwnd_ms * 1000);
	assert_int_equal(c.sndbuf_limited_us, sndbuf_ms * 1000);
	rill_tcb_info(&s->e.tcb, &info);
	rill_tcb_info_now(&s->e.tcb, &s->e.env, s->now, &info);
	assert_int_equal(info.busy_us, c.busy_us);
	assert_int_equal(info.rwnd_limited_us, c.rwnd_limited_us);
	assert_int_equal(info.sndbuf_limited_us, c.sndbuf_limited_us);
}

static void busy_until_the_last_ack(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	expect_times(s, 0, 0, 0);
	s->now += 5 * MS;
	send_bytes(s, 100);
	expect(s, P | A, 1, 1, 100);
	s->now += 3 * MS;
	expect_times(s, 3, 0, 0);
	in(s, A, 1, 51, 65535, 0);
	s->now += 2 * MS;
	in(s, A, 1, 101, 65535, 0);
	s->now += 50 * MS;
	expect_times(s, 5, 0, 0);
	script_free(s);
}

static void window_then_busy(void **state)
{
	struct script *s = script_established(MSS, MSS);

	(void)state;
	send_bytes(s, 2 * MSS);
	expect(s, A, 1, 1, MSS);
	s->now += 7 * MS;
	in(s, A, 1, 1 + MSS, 65535, 0);
	expect(s, P | A, 1 + MSS, 1, MSS);
	s->now += 4 * MS;
	expect_times(s, 11, 7, 0);
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	expect_times(s, 11, 7, 0);
	script_free(s);
}

/* A window that would do is no limit while the pacer, or cwnd, keeps the segment back. */
static void cwnd_is_not_the_window(void **state)
{
	struct script *s = script_established(MSS, 4 * MSS);

	(void)state;
	s->e.tcb.cwnd = 3 * MSS;
	send_bytes(s, 8 * MSS);
	for (uint32_t i = 0; i < 3; i++)
		expect(s, A, 1 + i * MSS, 1, MSS);
	expect_none(s);
	s->now += 6 * MS;
	expect_times(s, 6, 0, 0);
	s->e.tcb.cwnd = 8 * MSS;
	out(s);
	expect(s, A, 1 + 3 * MSS, 1, MSS);
	expect_none(s);
	s->now += 6 * MS;
	expect_times(s, 12, 6, 0);
	script_free(s);
}

static void full_buffer(void **state)
{
	static const char bytes[8 * MSS];
	struct script *s = script_established(MSS, 65535);

	(void)state;
	rill_tcb_set_send_buffer(&s->e.tcb, 4 * MSS);
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, bytes, sizeof(bytes)), 4 * MSS);
	out(s);
	s->now += 9 * MS;
	expect_times(s, 9, 0, 9);
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	assert_int_equal(s->e.tcb.flags & RILL_TCB_NO_SPACE, 0);
	s->now += 1 * MS;
	expect_times(s, 10, 0, 9);
	script_free(s);
}

/* Without a transfer the sums lie in the connection; the next one goes on with them. */
static void sums_outlive_transfers(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		send_bytes(s, 100);
		expect(s, P | A, 1 + i * 100, 1, 100);
		s->now += 10 * MS;
		in(s, A, 1, 101 + i * 100, 65535, 0);
		rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
		assert_null(s->e.tcb.x);
		expect_times(s, 10 + i * 10, 0, 0);
	}
	script_free(s);
}

/* Counted until the connection was last heard of. */
static void ends_while_busy(void **state)
{
	struct script *s = script_established(MSS, 65535);

	(void)state;
	send_bytes(s, 100);
	expect(s, P | A, 1, 1, 100);
	s->now += 10 * MS;
	in(s, A, 1, 51, 65535, 0);
	s->now += 10 * MS;
	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	expect_times(s, 10, 0, 0);
	rill_sendq_clear(&s->e.tcb, &s->e.env);
	script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_until_the_last_ack), cmocka_unit_test(window_then_busy),
		cmocka_unit_test(cwnd_is_not_the_window),  cmocka_unit_test(full_buffer),
		cmocka_unit_test(sums_outlive_transfers),  cmocka_unit_test(ends_while_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
