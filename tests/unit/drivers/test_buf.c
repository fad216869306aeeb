/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 64

static void test_pool_gives_each_buffer_once(void **state)
{
	struct rill_buf_pool p;
	struct rill_buf *bufs[COUNT];

	assert_int_equal(rill_buf_pool_init_heap(&p, COUNT, 2000), 0);
	assert_int_equal(p.size, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		bufs[i] = rill_buf_alloc(&p);
		assert_non_null(bufs[i]);
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(bufs[i], bufs[k]);
	}
	assert_null(rill_buf_alloc(&p));
	assert_int_equal(p.alloc_failures, 1);
	for (unsigned i = 0; i < COUNT; i++)
		rill_buf_put_owner(&p, bufs[i]);
	assert_int_equal(p.available, COUNT);
	rill_buf_pool_fini_heap(&p);
}

static void test_new_buffer_is_empty_with_headroom(void **state)
{
	struct rill_buf_pool p;

	assert_int_equal(rill_buf_pool_init_heap(&p, 1, 2000), 0);
	struct rill_buf *b = rill_buf_alloc(&p);

	assert_int_equal(b->len, 0);
	assert_int_equal(b->flags, 0);
	assert_int_equal(rill_buf_headroom(b), RILL_BUF_HEADROOM);
	assert_true(rill_buf_headroom(b) + rill_buf_tailroom(b) >= 2000);
	assert_true(rill_buf_exclusive(b));
	b->flags = RILL_BUF_CSUM_OK;
	rill_buf_append(b, 100)[0] = 1;
	rill_buf_put(b);
	b = rill_buf_alloc(&p);
	assert_int_equal(b->len, 0);
	assert_int_equal(b->flags, 0);
	rill_buf_put(b);
	rill_buf_pool_fini_heap(&p);
}

static void test_push_pull_append(void **state)
{
	struct rill_buf_pool p;

	assert_int_equal(rill_buf_pool_init_heap(&p, 1, 2000), 0);
	struct rill_buf *b = rill_buf_alloc(&p);
	uint8_t *payload = rill_buf_append(b, 10);

	assert_ptr_equal(payload, b->data);
	assert_ptr_equal(rill_buf_push(b, 4), payload - 4);
	assert_int_equal(b->len, 14);
	assert_ptr_equal(rill_buf_append(b, 2), payload + 10);
	assert_ptr_equal(rill_buf_pull(b, 4), payload);
	assert_int_equal(b->len, 12);
	rill_buf_put(b);
	rill_buf_pool_fini_heap(&p);
}

static void test_last_reference_frees(void **state)
{
	struct rill_buf_pool p;

	assert_int_equal(rill_buf_pool_init_heap(&p, 1, 2000), 0);
	struct rill_buf *b = rill_buf_alloc(&p);

	rill_buf_get(b);
	rill_buf_get(b);
	assert_false(rill_buf_exclusive(b));
	rill_buf_put(b);
	rill_buf_put_owner(&p, b);
	assert_int_equal(rill_buf_pool_reclaim(&p), 0);
	assert_true(rill_buf_exclusive(b));
	rill_buf_put(b);
	assert_int_equal(p.available, 0);
	assert_int_equal(rill_buf_pool_reclaim(&p), 1);
	rill_buf_put(NULL);
	rill_buf_put_owner(&p, NULL);
	rill_buf_pool_fini_heap(&p);
}

static void test_put_owner_of_another_pool(void **state)
{
	struct rill_buf_pool mine, other;

	assert_int_equal(rill_buf_pool_init_heap(&mine, 1, 2000), 0);
	assert_int_equal(rill_buf_pool_init_heap(&other, 1, 2000), 0);
	rill_buf_put_owner(&mine, rill_buf_alloc(&other));
	assert_int_equal(mine.available, 1);
	assert_int_equal(rill_buf_pool_reclaim(&other), 1);
	rill_buf_pool_fini_heap(&mine);
	rill_buf_pool_fini_heap(&other);
}

static void test_queue_is_first_in_first_out(void **state)
{
	struct rill_buf a, b;
	struct rill_buf_queue q = {0};

	assert_null(rill_buf_queue_pop(&q));
	rill_buf_queue_push(&q, &a);
	rill_buf_queue_push(&q, &b);
	assert_int_equal(q.count, 2);
	assert_ptr_equal(rill_buf_queue_pop(&q), &a);
	assert_null(a.next);
	assert_ptr_equal(rill_buf_queue_pop(&q), &b);
	assert_null(rill_buf_queue_pop(&q));
	assert_int_equal(q.count, 0);
}

/* ---- the owner hands out, others give back ---- */

#define ROUNDS 20000
#define THREADS 2

/* One place per thread: NULL, or a buffer with a reference for it. */
struct handover {
	_Alignas(64) RILL_ATOMIC(struct rill_buf *) slot;
	uint64_t sum;
};

static void *give_back(void *arg)
{
	struct handover *h = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rill_buf *b;

		/* acquire: pairs with the owner's release in test_put_from_other_threads() */
		while (!(b = rill_load_acquire(&h->slot)))
			sched_yield();
		h->sum += b->data[0];
		rill_store_relaxed(&h->slot, NULL);
		rill_buf_put(b);
	}
	return NULL;
}

static void test_put_from_other_threads(void **state)
{
	struct handover handovers[THREADS] = {0};
	pthread_t threads[THREADS];
	struct rill_buf_pool p;
	uint64_t want = 0;

	assert_int_equal(rill_buf_pool_init_heap(&p, 8, 256), 0);
	for (unsigned t = 0; t < THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, give_back, &handovers[t]), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rill_buf *b;

		while (!(b = rill_buf_alloc(&p)))
			sched_yield();
		/* Nobody else may be reading what is written here. */
		rill_buf_append(b, 1)[0] = (uint8_t)i;
		want += (uint8_t)i;
		for (unsigned t = 0; t < THREADS; t++) {
			while (rill_load_relaxed(&handovers[t].slot))
				sched_yield();
			rill_buf_get(b);
			/* release: pairs with the acquire in give_back() */
			rill_store_release(&handovers[t].slot, b);
		}
		rill_buf_put_owner(&p, b);
	}
	for (unsigned t = 0; t < THREADS; t++) {
		pthread_join(threads[t], NULL);
		assert_int_equal(handovers[t].sum, want);
	}
	assert_int_equal(rill_buf_pool_reclaim(&p), 8);
	rill_buf_pool_fini_heap(&p);
}

/* ---- frames of several pieces ---- */

#define PIECES 8

struct pieces {
	struct rill_buf_pool p;
	struct rill_buf *bufs[PIECES];
};

static void pieces_open(struct pieces *s)
{
	assert_int_equal(rill_buf_pool_init_heap(&s->p, COUNT, 2000), 0);
	for (unsigned i = 0; i < PIECES; i++) {
		s->bufs[i] = rill_buf_alloc(&s->p);
		for (unsigned k = 0; k < 10 + i; k++)
			*rill_buf_append(s->bufs[i], 1) = (uint8_t)(i * 16 + k);
	}
}

/* All are back, and none twice. */
static void pieces_close(struct pieces *s)
{
	assert_int_equal(rill_buf_pool_reclaim(&s->p), COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_non_null(rill_buf_alloc(&s->p));
	assert_null(rill_buf_alloc(&s->p));
	rill_buf_pool_fini_heap(&s->p);
}

static void test_chain_is_one_frame(void **state)
{
	struct rill_buf_seg segs[PIECES];
	struct pieces s;
	uint32_t len = 0;

	pieces_open(&s);
	s.bufs[0]->flags |= RILL_BUF_CHAIN;
	for (unsigned i = 0; i + 1 < PIECES; i++)
		s.bufs[i]->next = s.bufs[i + 1];
	assert_int_equal(rill_buf_segs(s.bufs[0], segs, PIECES - 1), 0);
	assert_int_equal(rill_buf_segs(s.bufs[0], segs, PIECES), PIECES);
	for (unsigned i = 0; i < PIECES; i++) {
		assert_ptr_equal(segs[i].buf, s.bufs[i]);
		assert_ptr_equal(segs[i].data, s.bufs[i]->data);
		assert_int_equal(segs[i].len, 10 + i);
		len += segs[i].len;
	}
	assert_int_equal(rill_buf_frame_len(s.bufs[0]), len);
	/* The frame's last reference takes the pieces' along, but for those that others have. */
	rill_buf_get(s.bufs[0]);
	rill_buf_get(s.bufs[3]);
	rill_buf_put(s.bufs[0]);
	assert_int_equal(rill_buf_pool_reclaim(&s.p), COUNT - PIECES);
	rill_buf_put(s.bufs[0]);
	assert_int_equal(rill_buf_pool_reclaim(&s.p), COUNT - 1);
	rill_buf_put_owner(&s.p, s.bufs[3]);
	pieces_close(&s);
}

static void test_parts_are_bytes_of_others(void **state)
{
	struct rill_buf_seg segs[PIECES + 1];
	struct pieces s;
	uint32_t len;

	pieces_open(&s);
	struct rill_buf *head = rill_buf_alloc(&s.p);

	rill_buf_append(head, 54);
	len = 54;
	for (unsigned i = 0; i < PIECES; i++) {
		/* Not all of it, and one of them twice. */
		struct rill_buf *b = s.bufs[i == 5 ? 4 : i];

		assert_true(rill_buf_add_part(head, b, b->data + 2, 3 + i));
		len += 3 + i;
	}
	assert_int_equal(rill_buf_frame_len(head), len);
	assert_int_equal(rill_buf_segs(head, segs, PIECES), 0);
	assert_int_equal(rill_buf_segs(head, segs, PIECES + 1), PIECES + 1);
	assert_ptr_equal(segs[0].buf, head);
	assert_int_equal(segs[0].len, 54);
	for (unsigned i = 0; i < PIECES; i++) {
		assert_ptr_equal(segs[i + 1].buf, s.bufs[i == 5 ? 4 : i]);
		assert_ptr_equal(segs[i + 1].data, segs[i + 1].buf->data + 2);
		assert_int_equal(segs[i + 1].len, 3 + i);
	}
	/* A header may still be put in front. */
	rill_buf_push(head, 14);
	assert_int_equal(rill_buf_frame_len(head), len + 14);
	assert_int_equal(rill_load_relaxed(&s.bufs[4]->refs), 3);
	assert_int_equal(rill_load_relaxed(&s.bufs[5]->refs), 1);
	for (unsigned i = 0; i < PIECES; i++)
		rill_buf_put_owner(&s.p, s.bufs[i]);
	assert_int_equal(rill_buf_pool_reclaim(&s.p), COUNT - PIECES);
	rill_buf_put_owner(&s.p, head);
	pieces_close(&s);
}

static void test_parts_have_bounds(void **state)
{
	struct rill_buf_pool p;
	unsigned n = 0;

	assert_int_equal(rill_buf_pool_init_heap(&p, 3, 2000), 0);
	struct rill_buf *head = rill_buf_alloc(&p), *full = rill_buf_alloc(&p);
	struct rill_buf *b = rill_buf_alloc(&p);

	rill_buf_append(b, 100);
	while (rill_buf_add_part(head, b, b->data, 100))
		n++;
	assert_int_equal(n, RILL_BUF_SEGS_MAX - 1);
	assert_int_equal(rill_load_relaxed(&b->refs), RILL_BUF_SEGS_MAX);
	assert_int_equal(rill_buf_frame_len(head), 100 * n);
	/* The list may not run into the data. */
	rill_buf_append(full, (uint32_t)(rill_buf_tailroom(full) - 2 * sizeof(struct rill_buf_seg) -
					 sizeof(void *)));
	assert_true(rill_buf_add_part(full, b, b->data, 100));
	assert_true(rill_buf_add_part(full, b, b->data, 100));
	assert_false(rill_buf_add_part(full, b, b->data, 100));
	assert_int_equal(rill_buf_meta(full)->part_count, 2);
	rill_buf_put(full);
	rill_buf_put(head);
	assert_int_equal(rill_load_relaxed(&b->refs), 1);
	rill_buf_put(b);
	assert_int_equal(rill_buf_pool_reclaim(&p), 3);
	rill_buf_pool_fini_heap(&p);
}

/* A failed first part must not leave a frame of no parts that is taken for one. */
static void test_part_without_room_changes_nothing(void **state)
{
	struct rill_buf_pool p;

	assert_int_equal(rill_buf_pool_init_heap(&p, 2, 2000), 0);
	struct rill_buf *full = rill_buf_alloc(&p), *b = rill_buf_alloc(&p);

	rill_buf_append(full, (uint32_t)rill_buf_tailroom(full));
	assert_false(rill_buf_add_part(full, b, b->data, 0));
	assert_int_equal(rill_buf_frame_len(full), full->len);
	assert_int_equal(full->flags & RILL_BUF_PARTS, 0);
	assert_int_equal(rill_load_relaxed(&b->refs), 1);
	rill_buf_put(b);
	rill_buf_put(full);
	rill_buf_pool_fini_heap(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_gives_each_buffer_once),
		cmocka_unit_test(test_new_buffer_is_empty_with_headroom),
		cmocka_unit_test(test_push_pull_append),
		cmocka_unit_test(test_last_reference_frees),
		cmocka_unit_test(test_put_owner_of_another_pool),
		cmocka_unit_test(test_queue_is_first_in_first_out),
		cmocka_unit_test(test_put_from_other_threads),
		cmocka_unit_test(test_chain_is_one_frame),
		cmocka_unit_test(test_parts_are_bytes_of_others),
		cmocka_unit_test(test_parts_have_bounds),
		cmocka_unit_test(test_part_without_room_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
