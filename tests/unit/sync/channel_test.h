/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of channels share. Messages are of 8 bytes. */
#ifndef TESTS_UNIT_SYNC_CHANNEL_TEST_H
#define TESTS_UNIT_SYNC_CHANNEL_TEST_H

#include "tests/unit/sync/sync_test.h"

static inline struct rill_channel *create(size_t capacity)
{
	struct rill_channel *ch;

	CHECK(rill_channel_create(capacity, sizeof(uint64_t), &ch), ==, 0);
	return ch;
}

static inline void close_both(struct rill_channel *ch)
{
	rill_channel_close_sender(ch);
	rill_channel_close_receiver(ch);
}

static inline int try_send(struct rill_channel *ch, uint64_t msg)
{
	return rill_channel_try_send(ch, &msg);
}

static inline int try_recv(struct rill_channel *ch)
{
	uint64_t msg;

	return rill_channel_try_recv(ch, &msg);
}

static inline void fill(struct rill_channel *ch, uint64_t from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		CHECK(try_send(ch, from + i), ==, 0);
}

static inline void expect(struct rill_channel *ch, uint64_t msg)
{
	uint64_t got = ~msg;

	CHECK(rill_channel_recv(ch, &got), ==, 0);
	CHECK(got, ==, msg);
}

static inline void expect_end(struct rill_channel *ch)
{
	uint64_t msg;

	CHECK(rill_channel_recv(ch, &msg), ==, -EPIPE);
	CHECK(rill_channel_try_recv(ch, &msg), ==, -EPIPE);
}

/* ---- for struct call: obj is the channel ---- */

static inline int send_once(struct call *c)
{
	return rill_channel_send(c->obj, &c->msg);
}

static inline int recv_once(struct call *c)
{
	return rill_channel_recv(c->obj, &c->msg);
}

/* msg says how many. */
static inline int reserve_once(struct call *c)
{
	return rill_channel_reserve(c->obj, c->msg);
}

static inline int closed_once(struct call *c)
{
	return rill_channel_wait_closed(c->obj);
}

static inline int sole(struct rill_case *c)
{
	int i = rill_select(c, 1, 0);

	return i < 0 ? i : c->result;
}

static inline int send_case(struct call *c)
{
	struct rill_case one;

	rill_case_channel_send(&one, c->obj, &c->msg);
	return sole(&one);
}

static inline int recv_case(struct call *c)
{
	struct rill_case one;

	rill_case_channel_recv(&one, c->obj, &c->msg);
	return sole(&one);
}

/* Aborted, over its deadline, and by its token: all of them wait, and none got anything. */
static inline void cancel_in_all_ways(int (*fn)(struct call *c), struct rill_channel *ch,
				      uint64_t msg)
{
	struct call aborted = {.fn = fn, .obj = ch, .msg = msg}, cancelled = aborted;
	struct call late = aborted;

	CHECK(rill_token_create(&cancelled.token), ==, 0);
	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&aborted);
	call_start(&cancelled);
	call_start(&late);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_token_unref(cancelled.token);
}

#endif
