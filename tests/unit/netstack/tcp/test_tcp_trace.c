/* SPDX-License-Identifier: BSD-3-Clause */
/* The event trace of connections in trouble. */
#include "script.h"

#include "netstack/tcp/trace.h"

#define BLOCKS 8

struct world {
	struct th_end e;
	struct rill_tcb tcbs[3 * BLOCKS];
	uint64_t now;
};

static struct world *world_new(uint32_t blocks)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	th_end_init(&w->e, 16, 1);
	w->e.env.params.trace_blocks = blocks;
	w->now = RILL_SEC;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(w->tcbs); i++) {
		struct rill_addr local = th_addr(1, (uint16_t)(1 + i)), remote = th_addr(2, 80);

		rill_tcb_init(&w->tcbs[i], &w->e.env, &local, &remote);
	}
	rill_tcb_init(&w->e.tcb, &w->e.env, &w->tcbs[0].local, &w->tcbs[0].remote);
	return w;
}

static void world_free(struct world *w)
{
	th_end_fini(&w->e);
	assert_null(w->e.env.trace);
	free(w);
}

static void event(struct world *w, unsigned i, enum rill_tcp_event ev, uint32_t a)
{
	w->now += RILL_MS;
	rill_tcp_trace(&w->tcbs[i], &w->e.env, ev, a, 2 * a, w->now);
}

struct seen {
	unsigned blocks;
	const struct rill_tcp_trace_block *last;
	uint16_t ports[128];
};

static void see(void *ctx, const struct rill_tcp_trace_block *t)
{
	struct seen *s = ctx;

	s->ports[s->blocks++] = t->local.port;
	s->last = t;
}

static struct seen look(struct world *w, bool archived)
{
	struct seen s = {0};

	rill_tcp_trace_each(&w->e.env, archived, see, &s);
	return s;
}

static void nothing_odd_costs_nothing(void **state)
{
	struct world *w = world_new(BLOCKS);

	event(w, 0, RILL_TCP_EV_ESTABLISHED, 1);
	event(w, 0, RILL_TCP_EV_OOO, 1);
	event(w, 0, RILL_TCP_EV_RESET_IN, 1);
	assert_null(w->e.env.trace);
	assert_int_equal(w->tcbs[0].trace, 0);
	assert_int_equal(look(w, false).blocks + look(w, true).blocks, 0);
	world_free(w);
}

static void trouble_is_recorded_and_archived(void **state)
{
	struct world *w = world_new(BLOCKS);
	const struct rill_tcp_trace_block *t;
	char text[128];

	w->tcbs[0].state = RILL_TCP_ESTABLISHED;
	event(w, 0, RILL_TCP_EV_RTO, 7);
	event(w, 0, RILL_TCP_EV_DROP, 8);
	assert_int_equal(look(w, false).blocks, 1);
	assert_int_equal(look(w, true).blocks, 0);
	event(w, 0, RILL_TCP_EV_RTO_OVER, 9);
	assert_int_equal(look(w, true).blocks, 1);
	event(w, 0, RILL_TCP_EV_RTX, 10); /* the archive is a copy */
	t = look(w, true).last;
	assert_int_equal(t->count, 3);
	assert_int_equal(t->why, RILL_TCP_EV_RTO_OVER);
	assert_int_equal(t->local.port, 1);
	assert_int_equal(t->remote.port, 80);
	assert_int_equal(rill_tcp_trace_record(t, 0)->event, RILL_TCP_EV_RTO);
	assert_int_equal(rill_tcp_trace_record(t, 1)->after_us, 1000);
	assert_null(rill_tcp_trace_record(t, 3));
	rill_tcp_trace_format(rill_tcp_trace_record(t, 2), text, sizeof(text));
	assert_string_equal(text, "+1000us ESTABLISHED rto-over una=9 cwnd=18");
	world_free(w);
}

static void end_is_archived_with_a_history_only(void **state)
{
	struct world *w = world_new(BLOCKS);

	event(w, 0, RILL_TCP_EV_RESET_IN, 1);
	assert_int_equal(look(w, true).blocks, 0);
	event(w, 0, RILL_TCP_EV_ZERO_WINDOW, 1);
	event(w, 0, RILL_TCP_EV_RESET_IN, 1);
	assert_int_equal(look(w, true).blocks, 1);
	event(w, 1, RILL_TCP_EV_TIMEOUT, 1);
	assert_int_equal(look(w, true).blocks, 2);
	world_free(w);
}

static void last_records_stay(void **state)
{
	struct world *w = world_new(BLOCKS);
	const struct rill_tcp_trace_block *t;

	for (uint32_t i = 0; i < 100; i++)
		event(w, 0, RILL_TCP_EV_RTX, i);
	t = look(w, false).last;
	assert_int_equal(t->count, 100);
	for (uint32_t i = 0; i < RILL_TCP_TRACE_RECORDS; i++)
		assert_int_equal(rill_tcp_trace_record(t, i)->a, 68 + i);
	assert_null(rill_tcp_trace_record(t, RILL_TCP_TRACE_RECORDS));
	world_free(w);
}

static bool has_block(struct world *w, unsigned i)
{
	return rill_tcp_trace_of(&w->tcbs[i], &w->e.env) != NULL;
}

static void silent_longest_gives_its_block(void **state)
{
	struct world *w = world_new(BLOCKS);

	for (unsigned i = 0; i < BLOCKS; i++)
		event(w, i, RILL_TCP_EV_RTX, 1);
	/* All but the third speak again. */
	for (unsigned i = 0; i < BLOCKS; i++)
		if (i != 3)
			event(w, i, RILL_TCP_EV_DROP, 1);
	event(w, BLOCKS, RILL_TCP_EV_RTX, 1);
	assert_true(has_block(w, BLOCKS));
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(has_block(w, i), i != 3);
	assert_int_equal(w->e.env.trace->stolen, 1);
	/* Who has lost it takes another when it has something to say, and what it had is gone. */
	event(w, 3, RILL_TCP_EV_DROP, 1);
	assert_false(has_block(w, 3));
	event(w, 3, RILL_TCP_EV_RTX, 1);
	assert_true(has_block(w, 3));
	assert_int_equal(rill_tcp_trace_of(&w->tcbs[3], &w->e.env)->count, 1);
	assert_int_equal(look(w, false).blocks, BLOCKS);
	world_free(w);
}

static void a_connection_that_takes_the_place_of_another(void **state)
{
	struct world *w = world_new(BLOCKS);
	struct rill_addr local = th_addr(1, 77), remote = th_addr(2, 80);

	event(w, 0, RILL_TCP_EV_RTX, 1);
	rill_tcb_fini(&w->tcbs[0], &w->e.env);
	rill_tcb_init(&w->tcbs[0], &w->e.env, &local, &remote);
	assert_false(has_block(w, 0));
	event(w, 0, RILL_TCP_EV_RTX, 1);
	assert_int_equal(look(w, false).blocks, 2);
	world_free(w);
}

static void archive_is_a_ring(void **state)
{
	struct world *w = world_new(BLOCKS);
	struct seen s;

	for (unsigned i = 0; i < RILL_TCP_TRACE_ARCHIVED + 10; i++)
		event(w, i % BLOCKS, RILL_TCP_EV_UNDO, i);
	s = look(w, true);
	assert_int_equal(s.blocks, RILL_TCP_TRACE_ARCHIVED);
	for (unsigned i = 0; i < s.blocks; i++)
		assert_int_equal(s.ports[i], 1 + (i + 10) % BLOCKS);
	assert_int_equal(w->e.env.trace->archived, RILL_TCP_TRACE_ARCHIVED + 10);
	world_free(w);
}

static void long_silence_is_not_a_short_one(void **state)
{
	struct world *w = world_new(BLOCKS);

	event(w, 0, RILL_TCP_EV_RTX, 1);
	w->now += 7200 * RILL_SEC;
	event(w, 0, RILL_TCP_EV_RTX, 1);
	assert_int_equal(rill_tcp_trace_record(look(w, false).last, 1)->after_us, UINT32_MAX);
	world_free(w);
}

static void told_with_times(void **state)
{
	struct world *w = world_new(BLOCKS);
	const struct rill_tcp_trouble_event *e;
	struct rill_tcp_trouble t;

	w->tcbs[0].state = RILL_TCP_ESTABLISHED;
	for (uint32_t i = 0; i < RILL_TCP_TRACE_RECORDS + 5; i++)
		event(w, 0, RILL_TCP_EV_RTX, i);
	rill_tcp_trace_tell(look(w, false).last, false, &t);
	assert_int_equal(t.recorded, RILL_TCP_TRACE_RECORDS + 5);
	assert_int_equal(t.event_count, RILL_TCP_TRACE_RECORDS);
	for (uint32_t i = 0; i < t.event_count; i++) {
		e = &t.events[i];
		assert_string_equal(e->name, "rtx");
		assert_string_equal(e->state, "ESTABLISHED");
		assert_string_equal(e->a_name, "seq");
		assert_int_equal(e->a, 5 + i);
		assert_int_equal(e->at_ns, w->now - (t.event_count - 1 - i) * RILL_MS);
	}
	assert_false(t.closed);
	assert_null(t.over);
	assert_int_equal(t.local.port, 1);
	event(w, 0, RILL_TCP_EV_RTO_OVER, 1);
	rill_tcp_trace_tell(look(w, true).last, true, &t);
	assert_string_equal(t.over, "rto-over");
	world_free(w);
}

/* The connection's memory may serve another by then. */
static void told_after_the_connection(void **state)
{
	struct world *w = world_new(BLOCKS);
	struct rill_tcp_trouble t;

	event(w, 0, RILL_TCP_EV_RTX, 1);
	rill_tcb_fini(&w->tcbs[0], &w->e.env);
	assert_int_equal(w->tcbs[0].trace, 0);
	rill_tcp_trace_tell(look(w, false).last, false, &t);
	assert_true(t.closed);
	assert_null(t.over);
	event(w, 0, RILL_TCP_EV_RTX, 2);
	assert_int_equal(look(w, false).blocks, 2);
	world_free(w);
}

static void can_be_off(void **state)
{
	struct world *w = world_new(0);

	event(w, 0, RILL_TCP_EV_RTO, 1);
	event(w, 0, RILL_TCP_EV_RTO_OVER, 1);
	assert_null(w->e.env.trace);
	world_free(w);
}

static void every_event_has_a_name(void **state)
{
	for (int i = 0; i < RILL_TCP_EV_COUNT; i++) {
		const char *name = rill_tcp_event_name((enum rill_tcp_event)i);

		assert_true(name && name[0]);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name, rill_tcp_event_name((enum rill_tcp_event)k));
	}
}

/* ---- what connections record ---- */

static struct seen look_at(struct script *s, bool archived)
{
	struct seen seen = {0};

	rill_tcp_trace_each(&s->e.env, archived, see, &seen);
	return seen;
}

/* The events of a block, as names with a blank behind each. */
static void expect_events(const struct rill_tcp_trace_block *t, const char *names)
{
	const struct rill_tcp_trace_record *r;
	char text[512] = "";

	for (uint32_t i = 0; (r = rill_tcp_trace_record(t, i)); i++) {
		strcat(text, rill_tcp_event_name(r->event));
		strcat(text, " ");
	}
	assert_string_equal(text, names);
}

static void transfer_without_trouble_records_nothing(void **state)
{
	struct script *s = script_established(MSS, 60000);

	for (uint32_t i = 0; i < 20; i++) {
		send_bytes(s, MSS);
		expect(s, A | P, 1 + i * MSS, 1 + i * 100, MSS);
		in(s, A | P, 1 + i * 100, 1 + (i + 1) * MSS, 60000, 100);
		recv_bytes(s, 100);
		pass(s, 100 * RILL_MS);
		s->out_first = s->out_last;
	}
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	out(s);
	assert_null(s->e.env.trace);
	script_free(s);
}

static void timeout_and_recovery(void **state)
{
	struct script *s = script_established(MSS, 60000);

	s->e.env.params.no_tlp = true;
	send_bytes(s, 100);
	expect(s, A | P, 1, 1, 100);
	pass(s, 300 * RILL_MS);
	expect(s, A | P, 1, 1, 100);
	assert_int_equal(look_at(s, true).blocks, 0);
	expect_events(look_at(s, false).last, "rto rtx ");
	in(s, A, 1, 101, 60000, 0);
	assert_int_equal(look_at(s, true).blocks, 1);
	expect_events(look_at(s, true).last, "rto rtx rto-over ");
	in(s, R, 1, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(look_at(s, true).blocks, 2);
	expect_events(look_at(s, true).last, "rto rtx rto-over reset-in ");
	script_free(s);
}

static void closed_window(void **state)
{
	struct script *s = script_established(MSS, 60000);

	in(s, A, 1, 1, 0, 0);
	send_bytes(s, 100);
	pass(s, 300 * RILL_MS);
	in(s, A, 1, 1, 5000, 0);
	assert_int_equal(look_at(s, true).blocks, 1);
	expect_events(look_at(s, true).last, "zero-window probe window-open ");
	s->out_first = s->out_last;
	script_free(s);
}

static void given_up(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	pass(s, 600 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(look_at(s, true).blocks, 1);
	expect_events(look_at(s, true).last,
		      "syn-resent syn-resent syn-resent syn-resent syn-resent syn-resent "
		      "syn-resent timeout ");
	s->out_first = s->out_last;
	script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_odd_costs_nothing),
		cmocka_unit_test(trouble_is_recorded_and_archived),
		cmocka_unit_test(end_is_archived_with_a_history_only),
		cmocka_unit_test(last_records_stay),
		cmocka_unit_test(silent_longest_gives_its_block),
		cmocka_unit_test(a_connection_that_takes_the_place_of_another),
		cmocka_unit_test(archive_is_a_ring),
		cmocka_unit_test(long_silence_is_not_a_short_one),
		cmocka_unit_test(told_with_times),
		cmocka_unit_test(told_after_the_connection),
		cmocka_unit_test(can_be_off),
		cmocka_unit_test(every_event_has_a_name),
		cmocka_unit_test(transfer_without_trouble_records_nothing),
		cmocka_unit_test(timeout_and_recovery),
		cmocka_unit_test(closed_window),
		cmocka_unit_test(given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
