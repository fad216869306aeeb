/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/topology.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define NODES_MAX 1024
#define CPUS_MAX 65536
#define DISTANCE_LOCAL 10
#define DISTANCE_UNKNOWN 20

/* ---- reading sysfs ---- */

/* The first line of root/node<number>/name for getline(), false when there is none. */
static bool read_line(const char *root, unsigned number, const char *name, char **line, size_t *cap)
{
	char path[512];

	if (snprintf(path, sizeof(path), "%s/node%u/%s", root, number, name) >= (int)sizeof(path))
		return false;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	bool ok = getline(line, cap, f) > 0;

	fclose(f);
	return ok;
}

static int compare_numbers(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a;
	unsigned y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

/* The numbers of root's node* entries, in order. */
static unsigned list_nodes(const char *root, unsigned *numbers)
{
	DIR *dir = opendir(root);
	struct dirent *entry;
	unsigned count = 0;

	if (!dir)
		return 0;
	while (count < NODES_MAX && (entry = readdir(dir))) {
		int end = 0;

		if (sscanf(entry->d_name, "node%u%n", &numbers[count], &end) == 1 &&
		    entry->d_name[end] == '\0')
			count++;
	}
	closedir(dir);
	qsort(numbers, count, sizeof(numbers[0]), compare_numbers);
	return count;
}

static int set_node(struct rill_topology *t, unsigned first, unsigned last, uint16_t rank)
{
	if (last >= t->cpus) {
		uint16_t *node = realloc(t->node, (last + 1) * sizeof(*node));

		if (!node)
			return -ENOMEM;
		memset(node + t->cpus, 0, (last + 1 - t->cpus) * sizeof(*node));
		t->node = node;
		t->cpus = last + 1;
	}
	for (unsigned cpu = first; cpu <= last; cpu++)
		t->node[cpu] = rank;
	return 0;
}

/* "0-3,8-11": what follows something else is ignored. */
static int parse_cpus(struct rill_topology *t, const char *text, uint16_t rank)
{
	unsigned first, last;
	int len;

	while (sscanf(text, "%u%n", &first, &len) == 1) {
		text += len;
		last = first;
		if (sscanf(text, "-%u%n", &last, &len) == 1)
			text += len;
		if (first > last || last >= CPUS_MAX)
			return 0;
		int r = set_node(t, first, last, rank);

		if (r < 0 || *text != ',')
			return r;
		text++;
	}
	return 0;
}

/* One distance per node, in the order of the numbers. */
static void parse_distances(struct rill_topology *t, const char *text, unsigned rank)
{
	unsigned distance;
	int len;

	for (unsigned to = 0; to < t->nodes && sscanf(text, "%u%n", &distance, &len) == 1; to++) {
		t->distance[rank * t->nodes + to] = (uint16_t)RILL_MIN(distance, 255u);
		text += len;
	}
}

static int read_nodes(struct rill_topology *t, const char *root, const unsigned *numbers)
{
	char *line = NULL;
	size_t cap = 0;
	int r = 0;

	for (unsigned rank = 0; rank < t->nodes && r == 0; rank++) {
		if (read_line(root, numbers[rank], "cpulist", &line, &cap))
			r = parse_cpus(t, line, (uint16_t)rank);
		if (read_line(root, numbers[rank], "distance", &line, &cap))
			parse_distances(t, line, rank);
	}
	free(line);
	return r;
}

int rill_topology_init(struct rill_topology *t, const char *root)
{
	unsigned numbers[NODES_MAX];
	unsigned count = list_nodes(root, numbers);

	*t = (struct rill_topology){.nodes = RILL_MAX(count, 1u)};
	t->distance = malloc(t->nodes * t->nodes * sizeof(*t->distance));
	if (!t->distance)
		return -ENOMEM;
	for (unsigned i = 0; i < t->nodes * t->nodes; i++)
		t->distance[i] = i % (t->nodes + 1) ? DISTANCE_UNKNOWN : DISTANCE_LOCAL;
	int r = count > 0 ? read_nodes(t, root, numbers) : 0;

	if (r < 0)
		rill_topology_fini(t);
	return r;
}

void rill_topology_fini(struct rill_topology *t)
{
	free(t->node);
	free(t->distance);
	t->node = NULL;
	t->distance = NULL;
}

/* ---- the order of victims ---- */

static unsigned node_of(const struct rill_topology *t, int cpu)
{
	return cpu >= 0 && (unsigned)cpu < t->cpus ? t->node[cpu] : 0;
}

static unsigned distance(const struct rill_topology *t, const int *cpus, unsigned a, unsigned b)
{
	if (!cpus)
		return 0;
	return t->distance[node_of(t, cpus[a]) * t->nodes + node_of(t, cpus[b])];
}

/* One victim of the worker that is being sorted for. */
struct candidate {
	unsigned distance;
	unsigned turn; /* how far its index is from the worker's, upwards and round */
	unsigned worker;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->turn > y->turn) - (x->turn < y->turn);
}

static void order_one(const struct rill_topology *t, const int *cpus, unsigned workers,
		      unsigned self, struct candidate *c, struct rill_victims *v)
{
	unsigned n = workers - 1;

	for (unsigned i = 0; i < n; i++) {
		unsigned worker = (self + 1 + i) % workers;

		c[i] = (struct candidate){distance(t, cpus, self, worker), i, worker};
	}
	qsort(c, n, sizeof(*c), compare_candidates);
	v->classes = 0;
	for (unsigned i = 0; i < n; i++) {
		v->order[i] = (uint16_t)c[i].worker;
		if (i + 1 == n || c[i + 1].distance != c[i].distance)
			v->ends[v->classes++] = (uint16_t)(i + 1);
	}
}

int rill_topology_order(const struct rill_topology *t, const int *cpus, unsigned workers,
			struct rill_victims **ret_victims)
{
	RILL_ASSERT(workers >= 1 && workers <= UINT16_MAX);
	/* No more classes than nodes, nor than victims. */
	size_t ends = RILL_MIN(t->nodes, workers);
	size_t each = workers + ends;
	struct candidate *scratch = malloc(workers * sizeof(*scratch));
	struct rill_victims *v = malloc(workers * sizeof(*v) + workers * each * sizeof(uint16_t));

	if (!scratch || !v) {
		free(scratch);
		free(v);
		return -ENOMEM;
	}
	/* One block: the array, then each worker's order and ends. */
	uint16_t *lists = (uint16_t *)(v + workers);

	for (unsigned i = 0; i < workers; i++) {
		v[i].order = lists + i * each;
		v[i].ends = v[i].order + workers;
		order_one(t, cpus, workers, i, scratch, &v[i]);
	}
	free(scratch);
	*ret_victims = v;
	return 0;
}

void rill_victims_free(struct rill_victims *victims)
{
	free(victims);
}
