/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections in trouble, as dumps show them. */
#include "tests/integration/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES (8u << 20)

struct scene {
	struct rill_tcp *pair[LAB_SIDES];
	RILL_ATOMIC(bool) sent;
};

/* Until the peer reads: its window closes. */
static void *send_much(void *arg)
{
	struct scene *scene = arg;
	uint8_t *bytes = calloc(1, BYTES);

	RILL_ASSERT(bytes);
	RILL_ASSERT_CMP(rill_tcp_send(scene->pair[LAB_CLIENT], bytes, BYTES), ==, (ssize_t)BYTES);
	free(bytes);
	rill_store_release(&scene->sent, true); /* pairs with the load in read_all() */
	return NULL;
}

static void read_all(struct scene *scene)
{
	static uint8_t buf[1 << 16];
	size_t left = BYTES;

	while (left > 0) {
		ssize_t n =
			rill_tcp_recv(scene->pair[LAB_SERVER], buf, RILL_MIN(left, sizeof(buf)));

		RILL_ASSERT_CMP(n, >, 0);
		left -= (size_t)n;
	}
}

/* Of one connection. */
struct found {
	struct rill_addr local;
	unsigned live, archived;
	bool closed; /* among the events of the live one there is a closed window */
	bool opened; /* and an archived one is over since it opened */
};

static bool is_about(const struct rill_tcp_trouble *t, const struct rill_addr *local)
{
	char text[RILL_ADDR_STRLEN];

	RILL_ASSERT(strcmp(rill_addr_format(&t->local, text), t->local_text) == 0);
	return t->local.port == local->port &&
	       memcmp(&t->local.ip, &local->ip, sizeof(local->ip)) == 0;
}

static void look(void *ctx, const struct rill_tcp_trouble *t)
{
	struct found *f = ctx;

	RILL_ASSERT(t->event_count > 0 && t->recorded >= t->event_count);
	for (unsigned i = 1; i < t->event_count; i++)
		RILL_ASSERT_CMP(t->events[i].at_ns, >=, t->events[i - 1].at_ns);
	if (!is_about(t, &f->local))
		return;
	f->live += t->over == NULL;
	f->archived += t->over != NULL;
	f->opened |= t->over && strcmp(t->over, "window-open") == 0;
	for (unsigned i = 0; i < t->event_count && !t->over; i++)
		f->closed |= strcmp(t->events[i].name, "zero-window") == 0;
}

static struct found find(struct lab *lab, const struct rill_tcp *c)
{
	struct found f = {.local = rill_tcp_local(c)};
	struct rill_dump_visitor v = {.ctx = &f, .trouble = look};

	RILL_ASSERT_CMP(rill_runtime_visit(lab->rt[LAB_CLIENT], &v), ==, 0);
	return f;
}

static void dump_has(struct lab *lab, enum rill_dump_format format, const char *what)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	RILL_ASSERT(out);
	RILL_ASSERT_CMP(rill_runtime_dump(lab->rt[LAB_CLIENT], out, format), ==, 0);
	fclose(out);
	RILL_ASSERT(strstr(text, what));
	free(text);
}

static void dumps_have(struct lab *lab, const struct rill_tcp *c, const char *event)
{
	char local[RILL_ADDR_STRLEN], line[128];
	struct rill_addr addr = rill_tcp_local(c);

	snprintf(line, sizeof(line), "\nconnection %s to ", rill_addr_format(&addr, local));
	dump_has(lab, RILL_DUMP_TEXT, line);
	snprintf(line, sizeof(line), "ago: ESTABLISHED %s, una ", event);
	dump_has(lab, RILL_DUMP_TEXT, line);
	snprintf(line, sizeof(line), "{\"local\":\"%s\",\"remote\":", local);
	dump_has(lab, RILL_DUMP_JSON, line);
	snprintf(line, sizeof(line), "\"event\":\"%s\"", event);
	dump_has(lab, RILL_DUMP_JSON, line);
}

static void *a_closed_window_is_shown(void *arg)
{
	struct lab *lab = arg;
	struct scene scene = {0};
	struct rill_task *sender;
	struct found f;

	lab_pair(lab, NULL, scene.pair);
	f = find(lab, scene.pair[LAB_CLIENT]);
	RILL_ASSERT_CMP(f.live + f.archived, ==, 0u);
	sender = lab_spawn(lab->rt[LAB_CLIENT], send_much, &scene);
	while (!(f = find(lab, scene.pair[LAB_CLIENT])).closed)
		rill_sleep(RILL_MS);
	RILL_ASSERT_CMP(f.live, ==, 1u);
	dumps_have(lab, scene.pair[LAB_CLIENT], "zero-window");
	read_all(&scene);
	lab_join(sender);
	/* acquire: pairs with the store in send_much() */
	RILL_ASSERT(rill_load_acquire(&scene.sent));
	/* Its own record, and what was archived each time that the window opened. */
	f = find(lab, scene.pair[LAB_CLIENT]);
	RILL_ASSERT_CMP(f.live, ==, 1u);
	RILL_ASSERT(f.opened);
	rill_tcp_close(scene.pair[LAB_CLIENT]);
	rill_tcp_close(scene.pair[LAB_SERVER]);
	return NULL;
}

static void closed_window(void **state)
{
	(void)state;
	lab_run_in_each(a_closed_window_is_shown, NULL);
}

static void closed_window_seen_by_a_thread(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};

	(void)state;
	lab_run_in_thread(&o, a_closed_window_is_shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_window),
		cmocka_unit_test(closed_window_seen_by_a_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
