/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix [--cc NAME]               the goodput matrix, fairness and recovery, as Markdown
 * matrix --floors FILE [--propose] only what FILE has lines for, and whether it reaches their
 *                                  floors; --propose: prints the lines with new floors instead
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "tests/sim/bulk.h"
#include "tests/sim/cc.h"

/* Of what was measured: the floor that is proposed. A time gets half a second more: it hangs on
 * when the last retransmission before the end of the outage was. */
#define PROPOSED 0.9
#define PROPOSED_MORE_S 0.5

#define MS UINT64_C(1000000)

static struct bulk bulk; /* too large for a stack */

/* ---- one cell ---- */

struct cell {
	char cc[16];
	double loss_percent;
	unsigned reorder;
	unsigned rtt_us;
	unsigned queue_percent;
};

/* Until it goes evenly, and then twice as long. */
static uint64_t duration(const struct cell *c)
{
	if (c->rtt_us <= 1000)
		return 3 * BULK_SECOND;
	return c->rtt_us <= 20000 ? 12 * BULK_SECOND : 60 * BULK_SECOND;
}

static double measure(const struct cell *c)
{
	memset(&bulk, 0, sizeof(bulk));
	bulk.cc = c->cc;
	bulk.loss = c->loss_percent / 100;
	bulk.reorder = c->reorder;
	bulk.rtt_ns = c->rtt_us * UINT64_C(1000);
	bulk.queue_percent = c->queue_percent;
	/* RFC 8257, 4.1 has DCTCP marked early; the others say nothing of ECN and are not marked.
	 */
	bulk.ecn_bytes = strcmp(c->cc, "dctcp") == 0 ? bulk_queue_bytes(&bulk) / 4 : 0;
	bulk.dur_ns = duration(c);
	bulk.flows = 1;
	bulk_run(&bulk);
	return bulk_goodput(&bulk, 0, bulk.dur_ns / 3, bulk.dur_ns);
}

static void print_header(void)
{
	printf("| cc | loss %% | late by, frames | RTT ms | queue, BDP | goodput Mb/s | share Mb/s "
	       "| model Mb/s | of model | sent again | RTOs |\n"
	       "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
}

static void print_row(const struct cell *c, double mbps)
{
	double model = bulk_model(&bulk);

	printf("| %s | %g | %u | %g | %g | %.1f | %.1f | %.1f | %.0f %% | %" PRIu64 " | %" PRIu64
	       " |\n",
	       c->cc, c->loss_percent, c->reorder, c->rtt_us / 1000.0, c->queue_percent / 100.0,
	       mbps, bulk_share(&bulk), model, 100 * mbps / model, bulk.retransmits, bulk.rtos);
	fflush(stdout);
}

static void run_matrix(const char *cc)
{
	static const double losses[] = {0, 0.1, 1, 3};
	static const unsigned reorders[] = {0, 3, 30}, rtts[] = {100, 10000, 100000},
			      queues[] = {25, 100};
	struct cell c;

	snprintf(c.cc, sizeof(c.cc), "%s", cc);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(losses) * RILL_ARRAY_SIZE(reorders) *
					 RILL_ARRAY_SIZE(rtts) * RILL_ARRAY_SIZE(queues);
	     i++) {
		c.queue_percent = queues[i % 2];
		c.rtt_us = rtts[i / 2 % 3];
		c.reorder = reorders[i / 6 % 3];
		c.loss_percent = losses[i / 18];
		print_row(&c, measure(&c));
	}
}

/* ---- two flows, an outage ---- */

/* Jain's index of two flows, of which the second comes late: (sum x)^2 / (n sum x^2). */
static double fairness(const char *cc, double *ret_sum)
{
	memset(&bulk, 0, sizeof(bulk));
	bulk.cc = cc;
	bulk.rtt_ns = 10 * MS;
	bulk.queue_percent = 100;
	bulk.ecn_bytes = strcmp(cc, "dctcp") == 0 ? bulk_queue_bytes(&bulk) / 4 : 0;
	bulk.dur_ns = 40 * BULK_SECOND;
	bulk.flows = 2;
	bulk.stagger_ns = 5 * BULK_SECOND;
	bulk_run(&bulk);
	double a = bulk_goodput(&bulk, 0, 20 * BULK_SECOND, 40 * BULK_SECOND);
	double b = bulk_goodput(&bulk, 1, 20 * BULK_SECOND, 40 * BULK_SECOND);

	*ret_sum = a + b;
	return a + b > 0 ? (a + b) * (a + b) / (2 * (a * a + b * b)) : 0;
}

struct recovery {
	double first_s; /* from the end of the outage until something arrives */
	double full_s;	/* until half a second has had four fifths of the link's share */
};

static struct recovery recovery(const char *cc, uint64_t rtt_ns)
{
	const uint64_t up_at = 8 * BULK_SECOND, window = 10 * BULK_BUCKET_NS;
	struct recovery r = {.first_s = -1, .full_s = -1};

	memset(&bulk, 0, sizeof(bulk));
	bulk.cc = cc;
	bulk.rtt_ns = rtt_ns;
	bulk.queue_percent = 100;
	bulk.dur_ns = 40 * BULK_SECOND;
	bulk.flows = 1;
	bulk.down_at = 5 * BULK_SECOND;
	bulk.down_ns = 3 * BULK_SECOND;
	bulk_run(&bulk);
	for (uint64_t at = up_at; at + window < bulk.dur_ns; at += BULK_BUCKET_NS) {
		double since = (double)(at + BULK_BUCKET_NS - up_at) / 1e9;

		if (r.first_s < 0 && bulk_goodput(&bulk, 0, at, at + BULK_BUCKET_NS) > 0)
			r.first_s = since;
		if (r.full_s < 0 &&
		    bulk_goodput(&bulk, 0, at, at + window) > 0.8 * bulk_share(&bulk))
			r.full_s = since;
	}
	return r;
}

static void run_extras(const char *only)
{
	double sum;

	printf("\n| cc | two flows: Jain's index | together Mb/s | 3 s outage, RTT 10 ms: first "
	       "byte s | full rate s | RTT 100 ms: first byte s | full rate s |\n"
	       "|---|--:|--:|--:|--:|--:|--:|\n");
	for (unsigned i = 0; cc_name(i); i++) {
		const char *cc = cc_name(i);

		if (only && strcmp(only, cc) != 0)
			continue;
		double index = fairness(cc, &sum);
		struct recovery near = recovery(cc, 10 * MS), far = recovery(cc, 100 * MS);

		printf("| %s | %.3f | %.1f | %.2f | %.2f | %.2f | %.2f |\n", cc, index, sum,
		       near.first_s, near.full_s, far.first_s, far.full_s);
		fflush(stdout);
	}
}

/* ---- floors ---- */

static bool check(const char *line, const char *what, double value, double floor, bool at_most,
		  bool propose)
{
	int words = (int)(strrchr(line, ' ') - line);

	if (propose) {
		printf("%.*s %.*f\n", words, line, value < 10 ? 2 : 1,
		       at_most ? value / PROPOSED + PROPOSED_MORE_S : value * PROPOSED);
		return true;
	}
	bool ok = at_most ? value >= 0 && value <= floor : value >= floor;

	printf("%s %.*s: %.2f %s, %s %.2f\n", ok ? "ok  " : "FAIL", words, line, value, what,
	       at_most ? "at most" : "floor", floor);
	return ok;
}

static bool run_line(const char *line, bool propose)
{
	struct cell c;
	double floor, sum;
	unsigned rtt_us;

	if (sscanf(line, "%15s fairness %lf", c.cc, &floor) == 2)
		return check(line, "Jain's index", fairness(c.cc, &sum), floor, false, propose);
	if (sscanf(line, "%15s outage %u %lf", c.cc, &rtt_us, &floor) == 3)
		return check(line, "s to full rate", recovery(c.cc, rtt_us * UINT64_C(1000)).full_s,
			     floor, true, propose);
	if (sscanf(line, "%15s goodput %lf %u %u %u %lf", c.cc, &c.loss_percent, &c.reorder,
		   &c.rtt_us, &c.queue_percent, &floor) == 6)
		return check(line, "Mb/s", measure(&c), floor, false, propose);
	printf("FAIL no such line: %s\n", line);
	return false;
}

static int run_floors(const char *path, bool propose)
{
	FILE *in = fopen(path, "r");
	char line[256];
	unsigned failed = 0, lines = 0;

	if (!in) {
		perror(path);
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || line[0] == 0) {
			if (propose)
				printf("%s\n", line);
			continue;
		}
		lines++;
		failed += !run_line(line, propose);
		fflush(stdout);
	}
	fclose(in);
	return failed || lines == 0;
}

int main(int argc, char **argv)
{
	const char *only = NULL, *floors = NULL;
	bool propose = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--cc") == 0 && i + 1 < argc)
			only = argv[++i];
		else if (strcmp(argv[i], "--floors") == 0 && i + 1 < argc)
			floors = argv[++i];
		else if (strcmp(argv[i], "--propose") == 0)
			propose = true;
		else
			return fprintf(stderr, "usage: matrix [--cc NAME] | --floors FILE "
					       "[--propose]\n"),
			       2;
	}
	if (floors)
		return run_floors(floors, propose);
	print_header();
	for (unsigned i = 0; cc_name(i); i++)
		if (!only || strcmp(only, cc_name(i)) == 0)
			run_matrix(cc_name(i));
	run_extras(only);
	return 0;
}
