/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets among other things in one select: those that are not chosen keep what they have. */
#include <rill/net.h>

#include "tests/integration/lab.h"
#include "tests/unit/sync/sync_test.h"

enum { DATAGRAM, CONNECTION, BYTES, ROOM, PERMIT, CASES };

struct sockets {
	struct lab *lab;
	struct rill_udp *udp[LAB_SIDES];
	struct rill_listener *listener;
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_semaphore sem;
	struct rill_tcp *accepted;
};

static void sockets_init(struct sockets *s, struct lab *lab)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};
	struct rill_addr local = {.port = 0};

	*s = (struct sockets){.lab = lab};
	for (int side = 0; side < LAB_SIDES; side++)
		CHECK(rill_udp_bind(lab->net[side], &local, NULL, &s->udp[side]), ==, 0);
	s->listener = lab_listen(lab, 80, NULL);
	s->pair[LAB_CLIENT] = lab_connect(lab, s->listener, &o);
	CHECK(rill_tcp_accept(s->listener, &s->pair[LAB_SERVER]), ==, 0);
	CHECK(rill_semaphore_init(&s->sem, 0), ==, 0);
}

static void sockets_fini(struct sockets *s)
{
	for (int side = 0; side < LAB_SIDES; side++) {
		rill_udp_close(s->udp[side]);
		rill_tcp_close(s->pair[side]);
	}
	rill_listener_close(s->listener);
}

static void prepare(struct sockets *s, struct rill_case *cases)
{
	rill_case_udp_readable(&cases[DATAGRAM], s->udp[LAB_SERVER]);
	rill_case_accept(&cases[CONNECTION], s->listener, &s->accepted);
	rill_case_tcp_readable(&cases[BYTES], s->pair[LAB_SERVER]);
	rill_case_tcp_writable(&cases[ROOM], s->pair[LAB_SERVER]);
	rill_case_semaphore_acquire(&cases[PERMIT], &s->sem, 1);
}

static struct rill_tcp *provide(struct sockets *s, uint8_t round)
{
	struct rill_addr to = lab_addr(s->lab, LAB_SERVER, rill_udp_addr(s->udp[LAB_SERVER]).port);

	CHECK(rill_udp_send(s->udp[LAB_CLIENT], &round, 1, &to), ==, 1);
	CHECK(rill_tcp_send(s->pair[LAB_CLIENT], &round, 1), ==, 1);
	rill_semaphore_release(&s->sem, 1);
	return lab_connect(s->lab, s->listener, NULL);
}

static void settle(struct sockets *s, int which, uint8_t round)
{
	uint8_t got = 0;

	if (which == DATAGRAM)
		CHECK(rill_udp_recv(s->udp[LAB_SERVER], &got, 1, NULL), ==, 1);
	if (which == BYTES)
		CHECK(rill_tcp_recv(s->pair[LAB_SERVER], &got, 1), ==, 1);
	if (which == DATAGRAM || which == BYTES)
		CHECK(got, ==, round);
	if (which == CONNECTION)
		rill_tcp_close(s->accepted);
}

/* Each of the things is had once, whichever order it is. */
static void take_each(struct sockets *s, uint8_t round)
{
	struct rill_case cases[CASES];
	unsigned left = (1u << CASES) - 1;

	prepare(s, cases);
	while (left) {
		struct rill_case some[CASES];
		int which[CASES];
		unsigned n = 0;

		for (int i = 0; i < CASES; i++) {
			if (!(left & 1u << i))
				continue;
			which[n] = i;
			some[n++] = cases[i];
		}
		int at = rill_select(some, n, 0);

		CHECK(at, >=, 0);
		CHECK(some[at].result, >=, 0);
		settle(s, which[at], round);
		left -= 1u << which[at];
	}
}

/* Nothing is there, but for room to send. */
static void check_nothing(struct sockets *s)
{
	struct rill_case cases[CASES + 1];

	prepare(s, cases);
	rill_case_sleep_until(&cases[ROOM], rill_after(RILL_MS));
	CHECK(rill_select(cases, CASES, 0), ==, ROOM);
	CHECK(rill_select(cases, ROOM, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
}

static void *many_rounds(void *arg)
{
	struct sockets s;

	sockets_init(&s, arg);
	for (uint8_t round = 0; round < LAB_ROUNDS(100); round++) {
		check_nothing(&s);
		struct rill_tcp *client = provide(&s, round);

		take_each(&s, round);
		rill_tcp_close(client);
	}
	check_nothing(&s);
	sockets_fini(&s);
	return NULL;
}

static void losers_keep_what_they_have(void **state)
{
	lab_run_in_each(many_rounds, NULL);
}

static int wait_for_any(struct call *c)
{
	struct rill_case cases[CASES];

	prepare(c->obj, cases);
	/* not what is there all the time */
	cases[ROOM] = cases[PERMIT];
	return rill_select(cases, ROOM + 1, 0);
}

/* Also under a deadline that comes at about the time of the things. */
static void *cancelled(void *arg)
{
	struct sockets s;

	sockets_init(&s, arg);
	for (uint8_t round = 0; round < LAB_ROUNDS(100); round++) {
		struct call c = {
			.fn = wait_for_any, .obj = &s, .deadline_ns = rill_after(round * RILL_US)};

		c.task = spawn(call_task, &c);
		struct rill_tcp *client = provide(&s, round);
		int r = call_join(&c);

		RILL_ASSERT(r == -ETIMEDOUT || r >= 0);
		if (r == ROOM)
			rill_semaphore_release(&s.sem, 1);
		if (r == CONNECTION) {
			rill_tcp_close(s.accepted);
			rill_tcp_close(client);
			client = lab_connect(s.lab, s.listener, NULL);
		}
		take_each(&s, round);
		rill_tcp_close(client);
	}
	check_nothing(&s);
	sockets_fini(&s);
	return NULL;
}

static void a_cancel_leaves_all_untouched(void **state)
{
	lab_run_in_each(cancelled, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losers_keep_what_they_have),
		cmocka_unit_test(a_cancel_leaves_all_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
