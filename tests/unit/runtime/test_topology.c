/* SPDX-License-Identifier: BSD-3-Clause */
/* Made-up machines, as trees of files like the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "runtime/topology.h"

#define WORKERS_MAX 16

struct fake_node {
	unsigned number;
	const char *cpulist;  /* NULL: no such file */
	const char *distance; /* NULL: no such file */
};

static char root[64];

static void write_file(unsigned number, const char *name, const char *text)
{
	char path[128];

	if (!text)
		return;
	snprintf(path, sizeof(path), "%s/node%u/%s", root, number, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void build(const struct fake_node *nodes, unsigned n)
{
	char path[128];

	strcpy(root, "/tmp/rill-topology-XXXXXX");
	assert_non_null(mkdtemp(root));
	/* what else lies there */
	snprintf(path, sizeof(path), "%s/power", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/node0x", root);
	assert_int_equal(mkdir(path, 0700), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/node%u", root, nodes[i].number);
		assert_int_equal(mkdir(path, 0700), 0);
		write_file(nodes[i].number, "cpulist", nodes[i].cpulist);
		write_file(nodes[i].number, "distance", nodes[i].distance);
	}
}

static void demolish(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static struct rill_topology read_machine(const struct fake_node *nodes, unsigned n)
{
	struct rill_topology t;

	build(nodes, n);
	assert_int_equal(rill_topology_init(&t, root), 0);
	demolish();
	return t;
}

#define READ(nodes) read_machine(nodes, RILL_ARRAY_SIZE(nodes))

/* "1 2|3": the order of worker's victims, classes apart. */
static void check_order(const struct rill_victims *v, const char *want)
{
	char got[256] = "";
	unsigned at = 0;

	for (unsigned c = 0; c < v->classes; c++) {
		assert_true(v->ends[c] > at);
		for (; at < v->ends[c]; at++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u",
				 at == 0			 ? ""
				 : c > 0 && at == v->ends[c - 1] ? "|"
								 : " ",
				 v->order[at]);
	}
	assert_string_equal(got, want);
}

static const struct fake_node two_nodes[] = {
	{0, "0-1,4-5\n", "10 21\n"},
	{1, "2-3,6-7\n", "21 10\n"},
};

/* A ring of four: the node across is the farthest. Numbers with a gap, one node without CPUs. */
static const struct fake_node ring[] = {
	{0, "0-1\n", "10 16 22 16 30\n"}, {2, "2-3\n", "16 10 16 22 30\n"},
	{3, "4-5\n", "22 16 10 16 30\n"}, {7, "6-7\n", "16 22 16 10 30\n"},
	{8, "\n", "30 30 30 30 10\n"},
};

static void test_reading(void **state)
{
	struct rill_topology t = READ(two_nodes);
	const uint16_t node[] = {0, 0, 1, 1, 0, 0, 1, 1};

	assert_int_equal(t.nodes, 2);
	assert_int_equal(t.cpus, 8);
	assert_memory_equal(t.node, node, sizeof(node));
	assert_int_equal(t.distance[0], 10);
	assert_int_equal(t.distance[1], 21);
	rill_topology_fini(&t);

	t = READ(ring);
	assert_int_equal(t.nodes, 5);
	assert_int_equal(t.node[7], 3);
	assert_int_equal(t.distance[1 * 5 + 3], 22);
	rill_topology_fini(&t);
}

static void test_broken_files(void **state)
{
	const struct fake_node nodes[] = {
		{0, "0-1", "10"},  {1, "2,nonsense,3", "21 ten"}, {2, NULL, NULL}, {3, "9-4,5", ""},
		{4, "0--3", NULL}, {5, "4-99999999", NULL},
	};
	struct rill_topology t = READ(nodes);
	const uint16_t node[] = {0, 0, 1};

	assert_int_equal(t.nodes, 6);
	assert_int_equal(t.cpus, 3);
	assert_memory_equal(t.node, node, sizeof(node));
	/* what the file does not say: near to itself, not to others */
	assert_int_equal(t.distance[1 * 6 + 0], 21);
	assert_int_equal(t.distance[1 * 6 + 1], 10);
	assert_int_equal(t.distance[1 * 6 + 2], 20);
	assert_int_equal(t.distance[2 * 6 + 2], 10);
	rill_topology_fini(&t);
}

static void test_no_directory(void **state)
{
	const int cpus[] = {0, 1, 2};
	struct rill_victims *v;
	struct rill_topology t;

	assert_int_equal(rill_topology_init(&t, "/nonexistent/node"), 0);
	assert_int_equal(t.nodes, 1);
	assert_int_equal(rill_topology_order(&t, cpus, 3, &v), 0);
	check_order(&v[0], "1 2");
	check_order(&v[1], "2 0");
	check_order(&v[2], "0 1");
	rill_victims_free(v);
	rill_topology_fini(&t);
}

static void test_this_machine(void **state)
{
	struct rill_topology t;

	assert_int_equal(rill_topology_init(&t, RILL_SYSFS_NODES), 0);
	assert_true(t.nodes >= 1);
	for (unsigned cpu = 0; cpu < t.cpus; cpu++)
		assert_true(t.node[cpu] < t.nodes);
	for (unsigned i = 0; i < t.nodes * t.nodes; i++)
		assert_true(t.distance[i] > 0);
	rill_topology_fini(&t);
}

static void test_near_first(void **state)
{
	struct rill_topology t = READ(two_nodes);
	const int cpus[] = {0, 2, 4, 6, 1, 3};
	struct rill_victims *v;

	assert_int_equal(rill_topology_order(&t, cpus, 6, &v), 0);
	check_order(&v[0], "2 4|1 3 5");
	check_order(&v[1], "3 5|2 4 0");
	check_order(&v[2], "4 0|3 5 1");
	check_order(&v[5], "1 3|0 2 4");
	rill_victims_free(v);
	rill_topology_fini(&t);
}

static void test_three_distances(void **state)
{
	struct rill_topology t = READ(ring);
	const int cpus[] = {0, 2, 4, 6, 1};
	struct rill_victims *v;

	assert_int_equal(rill_topology_order(&t, cpus, 5, &v), 0);
	check_order(&v[0], "4|1 3|2");
	check_order(&v[1], "2 4 0|3");
	check_order(&v[2], "3 1|4 0");
	rill_victims_free(v);
	rill_topology_fini(&t);
}

static void test_unpinned(void **state)
{
	struct rill_topology t = READ(two_nodes);
	struct rill_victims *v;

	assert_int_equal(rill_topology_order(&t, NULL, 4, &v), 0);
	check_order(&v[0], "1 2 3");
	check_order(&v[2], "3 0 1");
	rill_victims_free(v);
	assert_int_equal(rill_topology_order(&t, NULL, 1, &v), 0);
	assert_int_equal(v[0].classes, 0);
	rill_victims_free(v);
	rill_topology_fini(&t);
}

/* Each victim once, the near ones before the far ones, and each comes first at times. */
static void test_passes(void **state)
{
	struct rill_topology t = READ(two_nodes);
	const int cpus[] = {0, 2, 4, 6, 1, 3};
	bool first[WORKERS_MAX] = {false};
	struct rill_victims *v;
	struct rill_rand rand;

	rill_rand_init(&rand, 1);
	assert_int_equal(rill_topology_order(&t, cpus, 6, &v), 0);
	for (int round = 0; round < 200; round++) {
		struct rill_victim_pass pass = {.victims = &v[0]};
		bool seen[WORKERS_MAX] = {false};
		unsigned n = 0, worker;

		while (rill_victim_next(&pass, &rand, &worker)) {
			assert_in_range(worker, 1, 5);
			assert_false(seen[worker]);
			assert_int_equal(n < 2, worker == 2 || worker == 4);
			if (n == 0 || n == 2)
				first[worker] = true;
			seen[worker] = true;
			n++;
		}
		assert_int_equal(n, 5);
		assert_false(rill_victim_next(&pass, &rand, &worker));
	}
	for (int i = 1; i < 6; i++)
		assert_true(first[i]);
	rill_victims_free(v);
	rill_topology_fini(&t);
}

static void test_pass_alone(void **state)
{
	struct rill_topology t = READ(two_nodes);
	const int cpu = 3;
	struct rill_victims *v;
	struct rill_rand rand;
	unsigned worker;

	rill_rand_init(&rand, 1);
	assert_int_equal(rill_topology_order(&t, &cpu, 1, &v), 0);
	struct rill_victim_pass pass = {.victims = v};

	assert_false(rill_victim_next(&pass, &rand, &worker));
	rill_victims_free(v);
	rill_topology_fini(&t);
}

/* As many nodes and workers as there may be. */
static void test_large(void **state)
{
	enum { NODES = 100, WORKERS = 1024 };
	struct fake_node nodes[NODES];
	static char lists[NODES][16];
	static int cpus[WORKERS];
	struct rill_victims *v;

	for (unsigned i = 0; i < NODES; i++) {
		snprintf(lists[i], sizeof(lists[i]), "%u-%u", 11 * i, 11 * i + 10);
		nodes[i] = (struct fake_node){i, lists[i], NULL};
	}
	for (int i = 0; i < WORKERS; i++)
		cpus[i] = i;
	struct rill_topology t = READ(nodes);

	assert_int_equal(rill_topology_order(&t, cpus, WORKERS, &v), 0);
	assert_int_equal(v[500].classes, 2);
	assert_int_equal(v[500].ends[0], 10);
	assert_int_equal(v[500].ends[1], WORKERS - 1);
	rill_victims_free(v);
	rill_topology_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),	     cmocka_unit_test(test_broken_files),
		cmocka_unit_test(test_no_directory), cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_near_first),   cmocka_unit_test(test_three_distances),
		cmocka_unit_test(test_unpinned),     cmocka_unit_test(test_passes),
		cmocka_unit_test(test_pass_alone),   cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
