/* SPDX-License-Identifier: BSD-3-Clause */
/* Vectors and their flags, slices sent on, and bytes moved from one connection to another. */
#include "tests/integration/stream.h"

#include <stdlib.h>
#include <string.h>

static void close_pair(struct rill_tcp *pair[LAB_SIDES])
{
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
}

static ssize_t sendv(struct rill_tcp *c, const char *a, const char *b, unsigned flags)
{
	struct iovec iov[] = {{(void *)(uintptr_t)a, strlen(a)},
			      {NULL, 0},
			      {(void *)(uintptr_t)b, strlen(b)},
			      {NULL, 0}};

	return rill_tcp_sendv(c, iov, 4, flags);
}

static void expect_text(struct rill_tcp *c, const char *text, unsigned flags)
{
	char buf[64] = "";
	struct iovec iov[] = {{buf, 2}, {NULL, 0}, {buf + 2, sizeof(buf) - 3}};

	RILL_ASSERT_CMP(rill_tcp_recvv(c, iov, 3, flags), ==, (ssize_t)strlen(text));
	RILL_ASSERT(strcmp(buf, text) == 0);
}

/* ---- vectors ---- */

static void *flags(void *arg)
{
	struct iovec none = {NULL, 0}, huge[2] = {{NULL, 1u << 30}, {NULL, 1}};
	struct rill_tcp *pair[LAB_SIDES];
	char byte;
	struct iovec one = {&byte, 1};

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(sendv(pair[0], "hello", " world", 0), ==, 11);
	expect_text(pair[1], "hello world", RILL_TCP_PEEK);
	expect_text(pair[1], "hello world", RILL_TCP_PEEK | RILL_TCP_NOWAIT);
	expect_text(pair[1], "hello world", 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_NOWAIT), ==, -EAGAIN);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_PEEK | RILL_TCP_NOWAIT), ==,
			-EAGAIN);
	/* nothing asked for, nothing done */
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &none, 1, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &none, 1, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &one, -1, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &one, 1025, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], huge, 2, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &one, 1, RILL_TCP_PEEK), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_MORE), ==, -EINVAL);
	/* the end, and what comes after it */
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[0], RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_PEEK), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &one, 1, 0), ==, -EPIPE);
	RILL_ASSERT_CMP(rill_tcp_sendv(pair[0], &one, 1, RILL_TCP_NOWAIT), ==, -EPIPE);
	close_pair(pair);
	return NULL;
}

static void test_flags(void **state)
{
	(void)state;
	lab_run_in_each(flags, NULL);
}

/* RFC 6093: the byte is apart, or in line with the others. */
static void *urgent(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_poll_set *set = NULL;
	struct rill_poll_event e;
	char byte = 0;
	struct iovec one = {&byte, 1};

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_oob_inline(pair[1], false), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_URGENT), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_poll_create(&set), ==, 0);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_tcp(pair[1]), RILL_POLL_URGENT, NULL), ==, 0);
	RILL_ASSERT_CMP(sendv(pair[0], "ab", "c!", RILL_TCP_URGENT), ==, 4);
	RILL_ASSERT_CMP(rill_poll_wait(set, &e, 1), ==, 1);
	RILL_ASSERT(e.events == RILL_POLL_URGENT);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_URGENT | RILL_TCP_PEEK), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_URGENT), ==, 1);
	RILL_ASSERT_CMP(byte, ==, '!');
	RILL_ASSERT_CMP(rill_tcp_recvv(pair[1], &one, 1, RILL_TCP_URGENT), ==, -EINVAL);
	RILL_ASSERT(!rill_tcp_at_mark(pair[1]));
	expect_text(pair[1], "abc", 0);
	RILL_ASSERT(rill_tcp_at_mark(pair[1]));
	RILL_ASSERT_CMP(sendv(pair[0], "d", "e", 0), ==, 2);
	expect_text(pair[1], "de", 0);
	RILL_ASSERT_CMP(rill_poll_try(set, &e, 1), ==, 0);

	RILL_ASSERT_CMP(rill_tcp_set_oob_inline(pair[1], true), ==, 0);
	RILL_ASSERT_CMP(sendv(pair[0], "f", "!", RILL_TCP_URGENT), ==, 2);
	expect_text(pair[1], "f", 0);
	RILL_ASSERT(rill_tcp_at_mark(pair[1]));
	expect_text(pair[1], "!", 0);
	rill_poll_destroy(set);
	close_pair(pair);
	return NULL;
}

static void test_urgent(void **state)
{
	(void)state;
	lab_run_in_each(urgent, NULL);
}

/* Virtual time: what waits for more is seen to wait. */
static void *more(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_tcp_info i;

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_nodelay(pair[0], true), ==, 0);
	RILL_ASSERT_CMP(sendv(pair[0], "a", "b", RILL_TCP_MORE), ==, 2);
	RILL_ASSERT_CMP(rill_tcp_info(pair[0], &i), ==, 0);
	RILL_ASSERT_CMP(i.unsent, ==, 2u);
	RILL_ASSERT_CMP(rill_tcp_send(pair[0], "c", 1), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_info(pair[0], &i), ==, 0);
	RILL_ASSERT_CMP(i.unsent, ==, 0u);
	expect_text(pair[1], "abc", 0);
	/* and no longer than 200 ms */
	RILL_ASSERT_CMP(sendv(pair[0], "d", "", RILL_TCP_MORE), ==, 1);
	expect_text(pair[1], "d", 0);
	close_pair(pair);
	return NULL;
}

static void test_more(void **state)
{
	const struct lab_options o = {.flavor = RILL_CURRENT_THREAD, .paused = true, .queues = 1};

	(void)state;
	lab_run_in(&o, more);
}

struct message {
	struct rill_tcp *c;
	uint8_t id;
};

#define MESSAGES LAB_ROUNDS(100u)
#define PIECE 3001u

static void *send_messages(void *arg)
{
	const struct message *m = arg;
	uint8_t *buf = malloc(PIECE);
	struct iovec iov[3] = {{buf, PIECE}, {buf, PIECE}, {buf, PIECE}};

	memset(buf, m->id, PIECE);
	for (unsigned i = 0; i < MESSAGES; i++)
		RILL_ASSERT_CMP(rill_tcp_sendv(m->c, iov, 3, 0), ==, 3 * PIECE);
	free(buf);
	return NULL;
}

/* Several senders, a buffer smaller than a call: each call is whole. */
static void *whole(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .send_buffer = 4000};
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];
	struct message m[3];
	struct rill_task *tasks[3];
	uint8_t *buf = malloc(3 * PIECE);

	lab_pair(lab, &o, pair);
	for (unsigned i = 0; i < 3; i++) {
		m[i] = (struct message){pair[LAB_CLIENT], (uint8_t)(i + 1)};
		tasks[i] = lab_spawn(lab->rt[LAB_CLIENT], send_messages, &m[i]);
	}
	for (unsigned i = 0; i < 3 * MESSAGES; i++) {
		RILL_ASSERT_CMP(rill_tcp_recv_all(pair[LAB_SERVER], buf, 3 * PIECE), ==, 3 * PIECE);
		for (unsigned j = 1; j < 3 * PIECE; j++)
			RILL_ASSERT_CMP(buf[j], ==, buf[0]);
	}
	for (unsigned i = 0; i < 3; i++)
		lab_join(tasks[i]);
	free(buf);
	close_pair(pair);
	return NULL;
}

static void test_whole(void **state)
{
	(void)state;
	lab_run_in_each(whole, NULL);
}

/* ---- slices ---- */

#define STREAM_LEN (LAB_ROUNDS(20u) * 100000u)

/* Receives slices and sends them back: whole ones, halves, and shared ones. */
static void *reflect(void *arg)
{
	struct rill_tcp *c = arg;
	struct rill_bytes b;
	unsigned round = 0;
	int r;

	while ((r = rill_tcp_recv_bytes(c, &b)) == 1) {
		if (++round % 3 == 0 && b.len > 1) {
			/* the front by itself, copied; then what is left of the slice */
			size_t half = b.len / 2;

			RILL_ASSERT_CMP(rill_tcp_send(c, b.data, half), ==, (ssize_t)half);
			b.data += half;
			b.len -= half;
		}
		RILL_ASSERT_CMP(rill_tcp_send_bytes(c, &b), >, 0);
		RILL_ASSERT(b.owner == NULL && b.len == 0);
	}
	RILL_ASSERT_CMP(r, ==, 0);
	b = (struct rill_bytes){0};
	RILL_ASSERT_CMP(rill_tcp_send_bytes(c, &b), ==, 0);
	rill_tcp_close(c);
	return NULL;
}

static void *send_stream(void *arg)
{
	stream_send(arg);
	return NULL;
}

static void receive_stream(struct rill_tcp *c, uint64_t seed, size_t len)
{
	uint8_t buf[5000];
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = rill_tcp_recv(c, buf, sizeof(buf));
		RILL_ASSERT_CMP(n, >, 0);
		RILL_ASSERT(lab_same(seed, done, buf, (size_t)n));
		done += (size_t)n;
	}
	RILL_ASSERT_CMP(rill_tcp_recv(c, buf, 1), ==, 0);
}

static void *slices(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_task *tasks[2];

	lab_pair(lab, NULL, pair);
	struct stream s = {pair[LAB_CLIENT], 3, STREAM_LEN, 0};

	tasks[0] = lab_spawn(lab->rt[LAB_SERVER], reflect, pair[LAB_SERVER]);
	tasks[1] = lab_spawn(lab->rt[LAB_CLIENT], send_stream, &s);
	receive_stream(pair[LAB_CLIENT], 3, STREAM_LEN);
	for (unsigned i = 0; i < 2; i++)
		lab_join(tasks[i]);
	rill_tcp_close(pair[LAB_CLIENT]);
	return NULL;
}

static void test_slices(void **state)
{
	(void)state;
	lab_run_in_each(slices, NULL);
	lab_run_in_each(slices, ",loss=0.01,seed=3");
}

/* ---- splice ---- */

/* source -> in[0] | splice | out[0] -> sink; the proxy is on the server's side. */
struct proxy {
	struct lab *lab;
	struct rill_tcp *in[LAB_SIDES], *out[LAB_SIDES];
};

static void proxy_open(struct proxy *p, struct lab *lab)
{
	p->lab = lab;
	lab_pair(lab, NULL, p->in);
	lab_pair(lab, NULL, p->out);
}

static void proxy_close(struct proxy *p)
{
	close_pair(p->in);
	close_pair(p->out);
}

/* In pieces of all sizes, some of them given up by their scope. */
static void *splice_all(void *arg)
{
	struct proxy *p = arg;
	uint64_t total = 0, moved = 0;
	unsigned round = 0;
	int r = 0;

	while (total < STREAM_LEN) {
		struct rill_scope scope;
		uint64_t max = ++round % 3 == 0 ? 777 * round : UINT64_MAX;

		rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
		r = rill_tcp_splice(p->in[LAB_SERVER], p->out[LAB_SERVER], max, &moved);
		rill_scope_end(&scope);
		RILL_ASSERT(r == 0 || r == -ETIMEDOUT);
		RILL_ASSERT_CMP(moved, <=, max);
		total += moved;
	}
	RILL_ASSERT_CMP(total, ==, STREAM_LEN);
	/* nothing but the end is left */
	RILL_ASSERT_CMP(rill_tcp_splice(p->in[LAB_SERVER], p->out[LAB_SERVER], 1, &moved), ==, 0);
	RILL_ASSERT_CMP(moved, ==, 0u);
	RILL_ASSERT_CMP(rill_tcp_shutdown(p->out[LAB_SERVER], RILL_SHUT_WR), ==, 0);
	return NULL;
}

static void *splice(void *arg)
{
	struct lab *lab = arg;
	struct rill_task *tasks[2];
	struct proxy p;

	proxy_open(&p, lab);
	struct stream s = {p.in[LAB_CLIENT], 5, STREAM_LEN, 0};

	tasks[0] = lab_spawn(lab->rt[LAB_SERVER], splice_all, &p);
	tasks[1] = lab_spawn(lab->rt[LAB_CLIENT], send_stream, &s);
	receive_stream(p.out[LAB_CLIENT], 5, STREAM_LEN);
	for (unsigned i = 0; i < 2; i++)
		lab_join(tasks[i]);
	proxy_close(&p);
	return NULL;
}

static void test_splice(void **state)
{
	(void)state;
	lab_run_in_each(splice, NULL);
	lab_run_in_each(splice, ",loss=0.01,seed=4");
}

/* From one interface to the other, and errors of either end. */
static void *splice_ends(void *arg)
{
	struct proxy p;
	uint64_t moved = 9;
	char buf[8];

	proxy_open(&p, arg);
	RILL_ASSERT_CMP(rill_tcp_splice(p.in[0], p.in[0], 5, &moved), ==, -EINVAL);
	RILL_ASSERT_CMP(moved, ==, 0u);
	RILL_ASSERT_CMP(rill_tcp_send(p.in[LAB_CLIENT], "abcdefgh", 8), ==, 8);
	/* across: in is the server's, out the client's */
	RILL_ASSERT_CMP(rill_tcp_splice(p.in[LAB_SERVER], p.out[LAB_CLIENT], 3, &moved), ==, 0);
	RILL_ASSERT_CMP(moved, ==, 3u);
	RILL_ASSERT_CMP(rill_tcp_recv_all(p.out[LAB_SERVER], buf, 3), ==, 3);
	RILL_ASSERT(memcmp(buf, "abc", 3) == 0);
	/* what cannot be sent is not lost */
	RILL_ASSERT_CMP(rill_tcp_shutdown(p.out[LAB_CLIENT], RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_splice(p.in[LAB_SERVER], p.out[LAB_CLIENT], 100, &moved), ==,
			-EPIPE);
	RILL_ASSERT_CMP(moved, ==, 0u);
	RILL_ASSERT_CMP(rill_tcp_recv_all(p.in[LAB_SERVER], buf, 5), ==, 5);
	RILL_ASSERT(memcmp(buf, "defgh", 5) == 0);
	rill_tcp_abort(p.in[LAB_CLIENT]);
	RILL_ASSERT_CMP(rill_tcp_splice(p.in[LAB_SERVER], p.out[LAB_SERVER], 1, &moved), ==,
			-ECONNRESET);
	rill_tcp_close(p.in[LAB_SERVER]);
	close_pair(p.out);
	return NULL;
}

static void test_splice_ends(void **state)
{
	(void)state;
	lab_run_in_each(splice_ends, NULL);
}

/* The same from a plain thread. */
static void test_from_threads(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};

	(void)state;
	lab_run_in_thread(&o, flags);
	lab_run_in_thread(&o, urgent);
	lab_run_in_thread(&o, whole);
	lab_run_in_thread(&o, slices);
	lab_run_in_thread(&o, splice);
	lab_run_in_thread(&o, splice_ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),	    cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_more),	    cmocka_unit_test(test_whole),
		cmocka_unit_test(test_slices),	    cmocka_unit_test(test_splice),
		cmocka_unit_test(test_splice_ends), cmocka_unit_test(test_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
