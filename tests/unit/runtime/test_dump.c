/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <pthread.h>
#include <rill/dump.h>
#include <rill/sync.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

/* ---- what a visit found ---- */

#define FOUND_MAX 64u

struct found {
	unsigned count;
	struct rill_dump_task tasks[FOUND_MAX];
	unsigned worker_count;
	struct rill_dump_worker workers[8];
	unsigned object_count;
	struct rill_dump_object objects[8]; /* without waits */
	struct rill_dump_wait waits[8][4];
};

static void found_task(void *ctx, const struct rill_dump_task *t)
{
	struct found *f = ctx;

	RILL_ASSERT_CMP(f->count, <, FOUND_MAX);
	f->tasks[f->count++] = *t;
}

static void found_worker(void *ctx, const struct rill_dump_worker *w)
{
	struct found *f = ctx;

	RILL_ASSERT_CMP(f->worker_count, <, 8u);
	f->workers[f->worker_count++] = *w;
}

static void found_object(void *ctx, const struct rill_dump_object *o)
{
	struct found *f = ctx;

	RILL_ASSERT_CMP(f->object_count, <, 8u);
	RILL_ASSERT(o->wait_count > 0 && o->wait_count <= 4);
	for (size_t i = 0; i < o->wait_count; i++) {
		RILL_ASSERT(o->waits[i].obj == o->obj);
		RILL_ASSERT(i == 0 || o->waits[i].task_id > o->waits[i - 1].task_id);
	}
	memcpy(f->waits[f->object_count], o->waits, o->wait_count * sizeof(*o->waits));
	f->objects[f->object_count] = *o;
	f->objects[f->object_count++].waits = NULL;
}

static void visit(struct rill_runtime *rt, struct found *f)
{
	struct rill_dump_visitor v = {
		.ctx = f, .worker = found_worker, .task = found_task, .object = found_object};

	memset(f, 0, sizeof(*f));
	RILL_ASSERT_CMP(rill_runtime_visit(rt, &v), ==, 0);
	RILL_ASSERT_CMP(f->worker_count, ==, rill_runtime_workers(rt));
}

static const struct rill_dump_task *named(const struct found *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++)
		if (strcmp(f->tasks[i].name, name) == 0)
			return &f->tasks[i];
	fprintf(stderr, "no task '%s' was found\n", name);
	abort();
}

static bool is_at(const void *pc, const char *function)
{
	struct rill_symbol s[8];
	unsigned n = rill_symbolize(pc, s, RILL_ARRAY_SIZE(s));

#ifndef RILL_HAVE_LIBDW
	/* Without debug information static functions have no names: the module has to do. */
	return n > 0 && strcmp(s[0].module, "test_runtime_dump") == 0;
#endif
	for (unsigned i = 0; i < n; i++)
		if (strcmp(s[i].function, function) == 0)
			return true;
	return false;
}

static bool has_frame(const struct rill_dump_task *t, const char *function)
{
	for (unsigned i = 0; i < t->frame_count; i++)
		if (is_at(t->frames[i], function))
			return true;
	return false;
}

/* ---- one task of every kind ---- */

static struct scene {
	struct found found;
	struct gate gate;
	struct rill_mutex mutex;
	struct rill_rwlock rwlock;
	uint64_t main_id;
	uint64_t until;
	struct rill_task *tasks[12];
	unsigned count;
} scene;

static RILL_NOINLINE void wait_at_the_gate(void)
{
	RILL_ASSERT_CMP(gate_wait(&scene.gate), ==, 0);
	__asm__ volatile("");
}

static void *parked(void *arg)
{
	wait_at_the_gate();
	return NULL;
}

static void *sleeper(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep_until(scene.until), ==, -ECANCELED);
	return NULL;
}

static void *holder(void *arg)
{
	RILL_ASSERT_CMP(rill_mutex_lock(&scene.mutex), ==, 0);
	RILL_ASSERT_CMP(rill_rwlock_write(&scene.rwlock), ==, 0);
	wait_at_the_gate();
	rill_rwlock_unlock_write(&scene.rwlock);
	rill_mutex_unlock(&scene.mutex);
	return NULL;
}

static void *reader(void *arg)
{
	RILL_ASSERT_CMP(rill_rwlock_read(&scene.rwlock), ==, 0);
	rill_rwlock_unlock_read(&scene.rwlock);
	return NULL;
}

static void *writer(void *arg)
{
	RILL_ASSERT_CMP(rill_rwlock_write(&scene.rwlock), ==, 0);
	rill_rwlock_unlock_write(&scene.rwlock);
	return NULL;
}

static void *mutex_waiter(void *arg)
{
	RILL_ASSERT_CMP(rill_mutex_lock(&scene.mutex), ==, 0);
	rill_mutex_unlock(&scene.mutex);
	return NULL;
}

static void *joiner(void *arg)
{
	RILL_ASSERT_CMP(rill_join(arg, NULL), ==, 0);
	return NULL;
}

static void *done(void *arg)
{
	return NULL;
}

static struct rill_task *add(const char *name, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name, .user = &scene};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	scene.tasks[scene.count++] = t;
	return t;
}

static RILL_NOINLINE void spawn_the_cast(void)
{
	struct rill_task *t = add("parked", parked, NULL);

	scene.count--; /* the joiner's */
	add("joiner", joiner, t);
	add("sleeper", sleeper, NULL);
	add("holder", holder, NULL);
	add("waiter", mutex_waiter, NULL);
	add("reader", reader, NULL);
	add("writer", writer, NULL);
	add("done", done, NULL);
	/* Each gets as far as it gets. */
	for (unsigned i = 0; i < 8; i++)
		rill_yield();
	add("new", done, NULL);
}

static void *with_a_cast(void *look)
{
	gate_init(&scene.gate);
	rill_mutex_init(&scene.mutex);
	rill_rwlock_init(&scene.rwlock);
	scene.count = 0;
	scene.main_id = rill_self_id();
	scene.until = rill_now() + 1000 * RILL_SEC;
	spawn_the_cast();
	((void (*)(void))look)();
	gate_post(&scene.gate);
	gate_post(&scene.gate);
	rill_abort(scene.tasks[1]);
	for (unsigned i = 0; i < scene.count; i++)
		RILL_ASSERT_CMP(rill_join(scene.tasks[i], NULL), >=, 0);
	return NULL;
}

static void run_with_a_cast(void (*look)(void))
{
	struct rill_runtime *rt = start_current();

	run(rt, with_a_cast, (void *)look);
	stop(rt);
}

static void visit_self(void)
{
	visit(rill_runtime_current(), &scene.found);
}

static void test_facts(void **state)
{
	const struct found *f = &scene.found;

	run_with_a_cast(visit_self);
	assert_int_equal(f->count, 10);
	const struct rill_dump_task *t = named(f, "parked");

	assert_int_equal(t->state, RILL_DUMP_PARKED);
	assert_string_equal(t->wait_what, "gate");
	assert_ptr_equal(t->wait_obj, &scene.gate);
	assert_int_equal(t->holder, 0);
	assert_int_equal(t->deadline_ns, RILL_FOREVER);
	assert_int_equal(t->parent, scene.main_id);
	assert_ptr_equal(t->user, &scene);
	assert_ptr_equal(t->fn, parked);
	assert_true(has_frame(t, "wait_at_the_gate"));
	assert_true(has_frame(t, "parked"));
	assert_true(is_at(t->spawn_site, "add"));
	assert_true(t->stack_size >= 64 << 10);
	assert_true(t->stack_high_water > 0 && t->stack_high_water <= t->stack_size);
	assert_int_equal(t->priority, RILL_PRIORITY_NORMAL);
	assert_int_equal(t->placement, RILL_PLACE_ANY);
	assert_false(t->aborted);
}

static void test_who_holds_what(void **state)
{
	const struct found *f = &scene.found;

	run_with_a_cast(visit_self);
	const struct rill_dump_task *t = named(f, "waiter");

	assert_int_equal(t->state, RILL_DUMP_PARKED);
	assert_string_equal(t->wait_what, "mutex");
	assert_ptr_equal(t->wait_obj, &scene.mutex);
	assert_int_equal(t->holder, named(f, "holder")->id);
	t = named(f, "joiner");
	assert_string_equal(t->wait_what, "join");
	assert_int_equal(t->holder, named(f, "parked")->id);
	assert_true(has_frame(t, "joiner"));
}

static unsigned object_at(const struct found *f, const void *obj)
{
	for (unsigned i = 0; i < f->object_count; i++)
		if (f->objects[i].obj == obj)
			return i;
	fail_msg("no such object");
	return 0;
}

static void test_what_is_waited_for(void **state)
{
	const struct found *f = &scene.found;

	run_with_a_cast(visit_self);
	uint64_t holder_id = named(f, "holder")->id;

	/* the mutex, the rwlock, the gate of two, and who is joined; nobody waits for a sleep */
	assert_int_equal(f->object_count, 4);
	unsigned i = object_at(f, &scene.mutex);

	assert_string_equal(f->objects[i].kind, "mutex");
	assert_int_equal(f->objects[i].holder, holder_id);
	assert_string_equal(f->objects[i].holder_name, "holder");
	assert_int_equal(f->objects[i].wait_count, 1);
	assert_int_equal(f->waits[i][0].task_id, named(f, "waiter")->id);
	i = object_at(f, &scene.rwlock);
	assert_string_equal(f->objects[i].kind, "rwlock");
	assert_int_equal(f->objects[i].holder, holder_id);
	assert_int_equal(f->objects[i].wait_count, 2);
	assert_int_equal(f->waits[i][0].task_id, named(f, "reader")->id);
	assert_string_equal(f->waits[i][0].what, "rwlock read");
	assert_int_equal(f->waits[i][1].task_id, named(f, "writer")->id);
	assert_string_equal(f->waits[i][1].what, "rwlock write");
	i = object_at(f, &scene.gate);
	assert_string_equal(f->objects[i].kind, "gate");
	assert_int_equal(f->objects[i].holder, 0);
	assert_int_equal(f->objects[i].wait_count, 2);
	i = object_at(f, named(f, "joiner")->wait_obj);
	assert_string_equal(f->objects[i].kind, "join");
	assert_int_equal(f->objects[i].holder, named(f, "parked")->id);
	assert_string_equal(f->objects[i].holder_name, "parked");
}

static void test_states(void **state)
{
	const struct found *f = &scene.found;

	run_with_a_cast(visit_self);
	assert_int_equal(named(f, "sleeper")->state, RILL_DUMP_PARKED);
	assert_int_equal(named(f, "sleeper")->deadline_ns, scene.until);
	assert_int_equal(named(f, "done")->state, RILL_DUMP_FINISHED);
	assert_int_equal(named(f, "done")->frame_count, 0);
	assert_int_equal(named(f, "new")->state, RILL_DUMP_RUNNABLE);
	assert_true(named(f, "sleeper")->age_ns >= named(f, "new")->age_ns);
	const struct rill_dump_task *t = named(f, "block_on");

	assert_int_equal(t->state, RILL_DUMP_RUNNING);
	assert_int_equal(t->id, scene.main_id);
	assert_int_equal(t->worker, 0);
	assert_true(has_frame(t, "with_a_cast"));
	assert_int_equal(f->workers[0].task_id, scene.main_id);
	assert_true(f->workers[0].running && f->workers[0].answered && !f->workers[0].asleep);
	assert_true(f->workers[0].queued >= 1);
}

/* ---- the two formats ---- */

static char *dumped;

static void dump_self(struct rill_runtime *rt, enum rill_dump_format format)
{
	size_t len;
	FILE *out = open_memstream(&dumped, &len);

	RILL_ASSERT(out);
	RILL_ASSERT_CMP(rill_runtime_dump(rt, out, format), ==, 0);
	fclose(out);
}

static void dump_json(void)
{
	dump_self(rill_runtime_current(), RILL_DUMP_JSON);
}

static void dump_text(void)
{
	dump_self(rill_runtime_current(), RILL_DUMP_TEXT);
}

static json_t *task_in(json_t *dump, const char *name)
{
	json_t *tasks = json_object_get(dump, "tasks");
	size_t i;
	json_t *t;

	json_array_foreach(tasks, i, t) if (strcmp(json_string_value(json_object_get(t, "name")),
						   name) == 0) return t;
	fail_msg("no task '%s'", name);
	return NULL;
}

static bool json_has_frame(json_t *task, const char *function)
{
	size_t i;
	json_t *frame;

	json_array_foreach(json_object_get(task, "frames"), i, frame)
	{
		const char *name = json_string_value(json_object_get(frame, "function"));

		if (name && strcmp(name, function) == 0)
			return true;
	}
	return false;
}

static void check_json_objects(json_t *dump)
{
	json_t *objects = json_object_get(dump, "objects");
	json_int_t holder_id = json_integer_value(json_object_get(task_in(dump, "holder"), "id"));
	json_int_t writer_id = json_integer_value(json_object_get(task_in(dump, "writer"), "id"));
	unsigned held = 0;
	json_t *o;
	size_t i;

	assert_int_equal(json_array_size(objects), 4);
	json_array_foreach(objects, i, o)
	{
		const char *kind = json_string_value(json_object_get(o, "kind"));
		json_t *waits = json_object_get(o, "waits");

		if (json_integer_value(json_object_get(o, "holder")) == holder_id)
			held += strcmp(json_string_value(json_object_get(o, "holder_name")),
				       "holder") == 0;
		if (strcmp(kind, "rwlock") != 0)
			continue;
		assert_int_equal(json_array_size(waits), 2);
		json_t *w = json_array_get(waits, 1);

		assert_int_equal(json_integer_value(json_object_get(w, "task")), writer_id);
		assert_string_equal(json_string_value(json_object_get(w, "what")), "rwlock write");
	}
	assert_int_equal(held, 2);
}

static void test_json(void **state)
{
	json_error_t error;
	const char *what;
	json_int_t holder_id;

	run_with_a_cast(dump_json);
	json_t *dump = json_loads(dumped, JSON_REJECT_DUPLICATES, &error);

	assert_non_null(dump);
	assert_int_equal(json_array_size(json_object_get(dump, "workers")), 1);
	assert_int_equal(json_array_size(json_object_get(dump, "tasks")), 10);
	assert_int_equal(json_array_size(json_object_get(dump, "deadlocks")), 0);
	json_t *t = task_in(dump, "waiter");

	assert_string_equal(json_string_value(json_object_get(t, "state")), "parked");
	assert_int_equal(json_unpack(t, "{s{sssI}}", "wait", "what", &what, "holder", &holder_id),
			 0);
	assert_string_equal(what, "mutex");
	assert_int_equal(holder_id,
			 json_integer_value(json_object_get(task_in(dump, "holder"), "id")));
#ifdef RILL_HAVE_LIBDW
	assert_true(json_has_frame(t, "mutex_waiter"));
	assert_true(json_has_frame(task_in(dump, "parked"), "wait_at_the_gate"));
#else
	assert_false(json_has_frame(t, "mutex_waiter"));
#endif
	check_json_objects(dump);
	json_decref(dump);
	free(dumped);
}

static void test_text(void **state)
{
	char line[128];

	run_with_a_cast(dump_text);
	snprintf(line, sizeof(line), "\n    mutex %p of task ", (void *)&scene.mutex);
	assert_non_null(strstr(dumped, line));
	snprintf(line, sizeof(line), "\n    rwlock %p of task ", (void *)&scene.rwlock);
	const char *at = strstr(dumped, line);
	unsigned long long first, second;

	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(line),
				"%*u 'holder': tasks %llu (read), %llu (write)\n", &first, &second),
			 2);
	assert_int_equal(second, first + 1);
	snprintf(line, sizeof(line), "\n    gate %p: tasks ", (void *)&scene.gate);
	assert_non_null(strstr(dumped, line));
	assert_non_null(strstr(dumped, " 'parked': parked on gate"));
	assert_non_null(strstr(dumped, " 'waiter': parked on mutex"));
	assert_non_null(strstr(dumped, " 'done': finished, not joined"));
	assert_non_null(strstr(dumped, " 'new': runnable"));
	assert_non_null(strstr(dumped, "10 tasks: "));
#ifdef RILL_HAVE_LIBDW
	assert_non_null(strstr(dumped, "wait_at_the_gate at "));
	assert_non_null(strstr(dumped, "spawned by add at "));
#endif
	free(dumped);
}

/* A name of any bytes must not make the JSON wrong. */
static void *odd_name(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "\xff\"\\\n\x01"};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, done, NULL, &t), ==, 0);
	dump_json();
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_json_of_odd_names(void **state)
{
	struct rill_runtime *rt = start_current();
	json_error_t error;

	run(rt, odd_name, NULL);
	stop(rt);
	json_t *dump = json_loads(dumped, 0, &error);

	assert_non_null(dump);
	assert_non_null(task_in(dump, "?\"\\\n\x01"));
	json_decref(dump);
	free(dumped);
}

/* ---- busy workers ---- */

static RILL_ATOMIC(bool) begun, released;
static int pipe_fds[2];

static RILL_NOINLINE void spin_here(void)
{
	/* acquire: pairs with the test's release. The clock lets ThreadSanitizer deliver signals.
	 */
	while (!rill_load_acquire(&released))
		rill_store_relaxed(&begun, rill_now() > 0);
	__asm__ volatile("");
}

static void *spinner(void *arg)
{
	spin_here();
	return NULL;
}

static RILL_NOINLINE void block_here(void)
{
	char byte;

	rill_store_relaxed(&begun, true);
	/* No signal must end it early. */
	RILL_ASSERT_CMP(read(pipe_fds[0], &byte, 1), ==, 1);
	__asm__ volatile("");
}

static void *blocker(void *arg)
{
	block_here();
	return NULL;
}

/* Until the worker has answered: it may not get a CPU in time. */
static const struct rill_dump_task *visit_busy(struct rill_runtime *rt, const char *name,
					       const char *function)
{
	static struct found f;
	const struct rill_dump_task *t;

	while (!rill_load_relaxed(&begun))
		sched_yield();
	do {
		visit(rt, &f);
		t = named(&f, name);
		assert_int_equal(t->state, RILL_DUMP_RUNNING);
	} while (t->frame_count == 0 || !has_frame(t, function));
	return t;
}

static struct rill_task *start_busy(struct rill_runtime *rt, const char *name, void *(*fn)(void *))
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name, .runtime = rt};
	struct rill_task *t;

	rill_store_relaxed(&begun, false);
	rill_store_relaxed(&released, false);
	assert_int_equal(rill_spawn_with(&o, fn, NULL, &t), 0);
	return t;
}

static void test_stuck_worker(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct rill_task *t = start_busy(rt, "spinner", spinner);
	const struct rill_dump_task *d = visit_busy(rt, "spinner", "spin_here");

	assert_in_range(d->worker, 0, 1);
#ifdef RILL_TSAN
	print_message("ThreadSanitizer delivers signals late: the outer frames may be gone\n");
#else
	assert_true(has_frame(d, "spinner"));
#endif
	/* release: pairs with the acquire in spin_here() */
	rill_store_release(&released, true);
	assert_int_equal(rill_join(t, NULL), 0);
	stop(rt);
}

static void test_worker_blocked_in_the_kernel(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	assert_int_equal(pipe(pipe_fds), 0);
	struct rill_task *t = start_busy(rt, "blocker", blocker);

	visit_busy(rt, "blocker", "block_here");
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(rill_join(t, NULL), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	stop(rt);
}

/* ---- under load ---- */

#define SPAWNERS 8

static struct rill_mutex busy_mutex;

static void *ephemeral(void *arg)
{
	if ((uintptr_t)arg % 3 == 0)
		rill_yield();
	if ((uintptr_t)arg % 5 == 0)
		rill_sleep(10 * RILL_US);
	if (rill_mutex_lock(&busy_mutex) == 0)
		rill_mutex_unlock(&busy_mutex);
	return NULL;
}

static void *keep_spawning(void *arg)
{
	struct rill_task *tasks[16];

	/* acquire: pairs with the test's release */
	for (uintptr_t round = 0; !rill_load_acquire(&released); round++) {
		for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
			tasks[i] = spawn(ephemeral, (void *)(round + i));
		for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
			RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	}
	return NULL;
}

static void count_task(void *ctx, const struct rill_dump_task *t)
{
	unsigned *n = ctx;

	RILL_ASSERT(t->id > 0);
	RILL_ASSERT_CMP(t->frame_count, <=, (unsigned)RILL_DUMP_FRAMES);
	RILL_ASSERT(memchr(t->name, '\0', sizeof(t->name)));
	RILL_ASSERT(t->state == RILL_DUMP_PARKED || !t->wait_what);
	++*n;
}

static void test_dumps_under_load(void **state)
{
	struct rill_runtime *rt = start_multi(4);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt, .name = "spawner"};
	struct rill_task *spawners[SPAWNERS];
	struct rill_deadlock d;
	unsigned n = 0;
	struct rill_dump_visitor v = {.ctx = &n, .task = count_task};

	rill_mutex_init(&busy_mutex);
	rill_store_relaxed(&released, false);
	for (unsigned i = 0; i < SPAWNERS; i++)
		assert_int_equal(rill_spawn_with(&o, keep_spawning, NULL, &spawners[i]), 0);
	for (unsigned i = 0; i < ROUNDS(200); i++) {
		assert_int_equal(rill_runtime_visit(rt, &v), 0);
		assert_int_equal(rill_runtime_find_deadlock(rt, &d), 0);
	}
	dump_self(rt, RILL_DUMP_TEXT);
	free(dumped);
	assert_true(n >= SPAWNERS * ROUNDS(200));
	/* release: pairs with the acquire in keep_spawning() */
	rill_store_release(&released, true);
	for (unsigned i = 0; i < SPAWNERS; i++)
		assert_int_equal(rill_join(spawners[i], NULL), 0);
	stop(rt);
}

/* ---- deadlocks ---- */

static struct {
	struct rill_mutex a, b;
	uint64_t ids[2];
	uint64_t deadline;
} knot;

static void *lock_both(void *arg)
{
	struct rill_mutex *first = arg ? &knot.a : &knot.b;
	struct rill_mutex *second = arg ? &knot.b : &knot.a;
	struct rill_scope scope;

	RILL_ASSERT_CMP(rill_mutex_lock(first), ==, 0);
	rill_yield();
	rill_scope_begin(&scope, knot.deadline, NULL);
	/* The first to give up lets the other one have it. */
	if (rill_mutex_lock(second) == 0)
		rill_mutex_unlock(second);
	rill_scope_end(&scope);
	rill_mutex_unlock(first);
	return NULL;
}

static void *tie_the_knot(void *expected)
{
	struct rill_deadlock d = {.count = 77};
	struct rill_task *t[2];

	rill_mutex_init(&knot.a);
	rill_mutex_init(&knot.b);
	for (unsigned i = 0; i < 2; i++) {
		struct rill_spawn_options o = {RILL_OPTIONS(o), .name = i ? "right" : "left"};

		RILL_ASSERT_CMP(rill_runtime_find_deadlock(rill_runtime_current(), &d), ==, 0);
		RILL_ASSERT_CMP(rill_spawn_with(&o, lock_both, i ? &knot : NULL, &t[i]), ==, 0);
		knot.ids[i] = rill_task_id(t[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		rill_yield();
	int r = rill_runtime_find_deadlock(rill_runtime_current(), &d);

	RILL_ASSERT_CMP(r, ==, (int)(uintptr_t)expected);
	if (r) {
		unsigned left = d.tasks[0].id == knot.ids[0] ? 0 : 1;

		RILL_ASSERT_CMP(d.count, ==, 2u);
		RILL_ASSERT_CMP(d.tasks[left].id, ==, knot.ids[0]);
		RILL_ASSERT_CMP(d.tasks[1 - left].id, ==, knot.ids[1]);
		RILL_ASSERT(strcmp(d.tasks[left].name, "left") == 0);
		RILL_ASSERT(strcmp(d.tasks[left].wait_what, "mutex") == 0);
		RILL_ASSERT(d.tasks[left].wait_obj == &knot.a);
		RILL_ASSERT(d.tasks[1 - left].wait_obj == &knot.b);
	} else {
		RILL_ASSERT_CMP(d.count, ==, 77u);
	}
	dump_text();
	rill_abort(t[0]);
	RILL_ASSERT_CMP(rill_join(t[0], NULL), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP(rill_join(t[1], NULL), ==, 0);
	return NULL;
}

static void test_deadlock_is_found(void **state)
{
	struct rill_runtime *rt = start_current();
	char line[128];

	knot.deadline = RILL_FOREVER;
	run(rt, tie_the_knot, (void *)(uintptr_t)1);
	stop(rt);
	assert_non_null(strstr(dumped, "\ndeadlock: task "));
	snprintf(line, sizeof(line), " waits for mutex %p of task %llu 'right', which",
		 (void *)&knot.a, (unsigned long long)knot.ids[1]);
	char *other = strdup(line);

	snprintf(line, sizeof(line), " waits for mutex %p of task %llu 'right'\n", (void *)&knot.a,
		 (unsigned long long)knot.ids[1]);
	assert_true(strstr(dumped, other) || strstr(dumped, line));
	free(other);
	free(dumped);
}

static void test_a_deadline_unties_the_knot(void **state)
{
	struct rill_runtime *rt = start_current();

	knot.deadline = rill_now() + 1000 * RILL_SEC;
	run(rt, tie_the_knot, (void *)(uintptr_t)0);
	stop(rt);
	assert_null(strstr(dumped, "deadlock"));
	free(dumped);
}

static void *lock_twice(void *arg)
{
	RILL_ASSERT_CMP(rill_mutex_lock(&knot.a), ==, 0);
	RILL_ASSERT_CMP(rill_mutex_lock(&knot.a), ==, -ECANCELED);
	rill_mutex_unlock(&knot.a);
	return NULL;
}

static void *lock_yourself_out(void *arg)
{
	struct rill_deadlock d;

	rill_mutex_init(&knot.a);
	struct rill_task *t = spawn(lock_twice, NULL);

	rill_yield();
	RILL_ASSERT_CMP(rill_runtime_find_deadlock(rill_runtime_current(), &d), ==, 1);
	RILL_ASSERT_CMP(d.count, ==, 1u);
	RILL_ASSERT_CMP(d.tasks[0].id, ==, rill_task_id(t));
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
	return NULL;
}

static void test_locking_twice_is_a_deadlock(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, lock_yourself_out, NULL);
	stop(rt);
}

/* Each writes one lock, and then wants to read or lock what the other one has. */
static struct {
	struct rill_rwlock rwlock;
	struct rill_mutex mutex;
} ring;

static void *write_then_lock(void *arg)
{
	struct rill_scope scope;

	/* also of who locks in a scope it is known */
	rill_scope_begin(&scope, rill_after(RILL_SEC), NULL);
	RILL_ASSERT_CMP(rill_rwlock_write(&ring.rwlock), ==, 0);
	rill_scope_end(&scope);
	rill_yield();
	if (rill_mutex_lock(&ring.mutex) == 0)
		rill_mutex_unlock(&ring.mutex);
	rill_rwlock_unlock_write(&ring.rwlock);
	return NULL;
}

static void *lock_then_read(void *arg)
{
	RILL_ASSERT_CMP(rill_mutex_lock(&ring.mutex), ==, 0);
	rill_yield();
	if (rill_rwlock_read(&ring.rwlock) == 0)
		rill_rwlock_unlock_read(&ring.rwlock);
	rill_mutex_unlock(&ring.mutex);
	return NULL;
}

/* Readers share: nobody waits, and nobody is taken for the holder. */
static void *read_then_lock(void *arg)
{
	RILL_ASSERT_CMP(rill_rwlock_read(&ring.rwlock), ==, 0);
	rill_yield();
	if (rill_mutex_lock(&ring.mutex) == 0)
		rill_mutex_unlock(&ring.mutex);
	rill_rwlock_unlock_read(&ring.rwlock);
	return NULL;
}

static void *tie_the_ring(void *fn)
{
	struct rill_deadlock d;

	rill_rwlock_init(&ring.rwlock);
	rill_mutex_init(&ring.mutex);
	struct rill_task *a = spawn((void *(*)(void *))fn, NULL);
	struct rill_task *b = spawn(lock_then_read, NULL);

	for (unsigned i = 0; i < 8; i++)
		rill_yield();
	int r = rill_runtime_find_deadlock(rill_runtime_current(), &d);

	if (fn == (void *)write_then_lock) {
		RILL_ASSERT_CMP(r, ==, 1);
		RILL_ASSERT_CMP(d.count, ==, 2u);
		unsigned i = d.tasks[0].id == rill_task_id(b) ? 0 : 1;

		RILL_ASSERT_CMP(d.tasks[i].id, ==, rill_task_id(b));
		RILL_ASSERT(strcmp(d.tasks[i].wait_what, "rwlock read") == 0);
		RILL_ASSERT(d.tasks[i].wait_obj == &ring.rwlock);
		RILL_ASSERT(d.tasks[1 - i].wait_obj == &ring.mutex);
		rill_abort(a);
	} else {
		RILL_ASSERT_CMP(r, ==, 0);
	}
	rill_join(a, NULL);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	return NULL;
}

static void test_deadlock_through_a_writer(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, tie_the_ring, (void *)write_then_lock);
	run(rt, tie_the_ring, (void *)read_then_lock);
	stop(rt);
}

/* ---- by a signal ---- */

static bool file_has(const char *path, const char *text)
{
	static char buf[64 << 10];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = '\0';
	return strstr(buf, text) != NULL;
}

static void handler(int signo)
{
}

static void test_dump_on_signal(void **state)
{
	struct rill_runtime *rt = start_multi(1);
	char path[] = "/tmp/rill-test-dump-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(rill_dump_on_signal(rt, 0, path), -EINVAL);
	assert_int_equal(rill_dump_on_signal(rt, SIGUSR2, path), 0);
	assert_int_equal(rill_dump_on_signal(rt, SIGUSR2, path), -EBUSY);
	signal(SIGUSR1, handler);
	assert_int_equal(rill_dump_on_signal(rt, SIGUSR1, path), -EBUSY);
	raise(SIGUSR2);
	while (!file_has(path, "timers armed"))
		sched_yield();
	assert_true(file_has(path, "runtime 'rill'"));
	stop(rt);
	/* harmless now */
	raise(SIGUSR2);
	close(fd);
	unlink(path);
}

static void test_choice_of_signal(void **state)
{
	assert_int_equal(rill_dump_set_signal(0), -EINVAL);
	assert_int_equal(rill_dump_set_signal(SIGKILL), -EINVAL);
	signal(SIGUSR1, handler);
	assert_int_equal(rill_dump_set_signal(SIGUSR1), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_who_holds_what),
		cmocka_unit_test(test_what_is_waited_for),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json_of_odd_names),
		cmocka_unit_test(test_stuck_worker),
		cmocka_unit_test(test_worker_blocked_in_the_kernel),
		cmocka_unit_test(test_dumps_under_load),
		cmocka_unit_test(test_deadlock_is_found),
		cmocka_unit_test(test_a_deadline_unties_the_knot),
		cmocka_unit_test(test_locking_twice_is_a_deadlock),
		cmocka_unit_test(test_deadlock_through_a_writer),
		cmocka_unit_test(test_dump_on_signal),
		cmocka_unit_test(test_choice_of_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
