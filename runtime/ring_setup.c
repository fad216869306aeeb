/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/ring_setup.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

/* Operations of the kernel, as bits; asked for once. */
static pthread_once_t probed = PTHREAD_ONCE_INIT;
static uint64_t ops_there[4];
static char refusal[160]; /* empty: io_uring works */

static void note_refusal(int err)
{
	if (err == -ENOSYS)
		snprintf(refusal, sizeof(refusal), "the kernel has no io_uring");
	else if (err == -EPERM || err == -EACCES)
		snprintf(refusal, sizeof(refusal),
			 "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a "
			 "seccomp filter of the container)");
	else
		snprintf(refusal, sizeof(refusal), "io_uring_setup: %s", strerror(-err));
}

static void probe(void)
{
	const char *wish = getenv("RILL_IO_URING");
	struct io_uring ring;
	int r;

	if (wish && strcmp(wish, "off") == 0) {
		snprintf(refusal, sizeof(refusal), "RILL_IO_URING=off in the environment");
		return;
	}
	r = io_uring_queue_init(2, &ring, 0);
	if (r < 0) {
		note_refusal(r);
		return;
	}
	struct io_uring_probe *p = io_uring_get_probe_ring(&ring);

	for (unsigned op = 0; p && op < 256; op++)
		if (io_uring_opcode_supported(p, (int)op))
			ops_there[op / 64] |= UINT64_C(1) << op % 64;
	if (!p)
		note_refusal(-ENOSYS);
	free(p);
	io_uring_queue_exit(&ring);
}

bool rill_ring_has(unsigned opcode)
{
	pthread_once(&probed, probe);
	return opcode < 256 && (ops_there[opcode / 64] >> opcode % 64 & 1) != 0;
}

const char *rill_ring_refusal(void)
{
	pthread_once(&probed, probe);
	return refusal[0] ? refusal : NULL;
}

/*
 * Of one's own thread, completions cost no interrupt and no lock. A runtime without threads of its
 * own is driven by one after the other, and its ring takes submissions from each.
 */
static unsigned setup_flags(const struct rill_runtime *rt)
{
	if (rt->o.flavor == RILL_CURRENT_THREAD)
		return 0;
	return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
	       IORING_SETUP_COOP_TASKRUN;
}

static int uring_init(struct rill_ring *ring, const struct rill_runtime *rt)
{
	struct io_uring_params params = {
		.flags = setup_flags(rt) | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
		/* Operations in flight are as many as there are tasks that wait. */
		.cq_entries = rt->o.ring_entries * 4,
	};
	int r = io_uring_queue_init_params(rt->o.ring_entries, &ring->uring, &params);

	/* -EINVAL: a kernel before 6.1. */
	if (r == -EINVAL) {
		params = (struct io_uring_params){.flags = IORING_SETUP_CLAMP};
		r = io_uring_queue_init_params(rt->o.ring_entries, &ring->uring, &params);
	}
	if (r == 0 && !(params.features & IORING_FEAT_NODROP)) {
		io_uring_queue_exit(&ring->uring);
		r = -ENOSYS;
	}
	return r;
}

static struct rill_ring *ring_create(struct rill_worker *w)
{
	struct rill_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->worker = w;
	rill_list_init(&ring->cancels);
	rill_list_init(&ring->waiting);
	if (uring_init(ring, w->rt) < 0) {
		free(ring);
		return NULL;
	}
	/* An awake worker looks for itself: see ring_arm(). */
	if (io_uring_register_eventfd(&ring->uring, w->wake_fd) < 0 ||
	    (RILL_RING_QUIET && io_uring_cq_eventfd_toggle(&ring->uring, false) < 0)) {
		rill_ring_destroy(ring);
		return NULL;
	}
	ring->poller.ops = &rill_ring_poller_ops;
	ring->poller.fd = -1;
	if (rill_poller_add_at(w->rt, &ring->poller, w->index) < 0) {
		rill_ring_destroy(ring);
		return NULL;
	}
	return ring;
}

struct rill_ring *rill_ring_current(void)
{
	struct rill_worker *w = rill_worker_current();

	if (RILL_LIKELY(w && w->ring))
		return w->ring;
	if (!w || w->no_ring)
		return NULL;
	if (!w->rt->o.no_io_uring && !rill_ring_refusal())
		w->ring = ring_create(w);
	w->no_ring = !w->ring;
	return w->ring;
}

void rill_ring_destroy(struct rill_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->uring);
	free(ring);
}

/* ---- metrics ---- */

#define RING_COUNTERS(X)                                                                           \
	X(submitted, "uring_submitted", "Operations given to io_uring")                            \
	X(completed, "uring_completed", "Completions taken from io_uring")                         \
	X(cancelled, "uring_cancelled", "Operations of io_uring that were to be cancelled")        \
	X(enters, "uring_enters", "Calls of io_uring_enter")                                       \
	X(queue_full, "uring_queue_full", "Operations that waited for room in the submission queue")

bool rill_ring_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header)
{
	struct rill_ring *ring = RILL_CONTAINER_OF(p, struct rill_ring, poller);
	const struct {
		const char *name, *help;
		const uint64_t *value;
	} families[] = {
#define X(field, name, help) {name, help, &ring->stats.field},
		RING_COUNTERS(X)
#undef X
	};

	if (family >= RILL_ARRAY_SIZE(families))
		return false;
	if (header)
		fprintf(out, "# TYPE rill_%s counter\n# HELP rill_%s %s.\n", families[family].name,
			families[family].name, families[family].help);
	fprintf(out, "rill_%s_total{worker=\"%u\"} %" PRIu64 "\n", families[family].name,
		ring->worker->index, rill_load_relaxed(families[family].value));
	return true;
}
