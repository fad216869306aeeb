/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Permits carry no names, so who holds which since when is kept here: an entry for each take, found
 * again by the lock, and by the caller where there may be other holders. All entries are made at
 * the beginning. A new one displaces the oldest, which may be of permits that were given away and
 * never come back under that name; what finds none is counted and not timed.
 */
#include "sync/lock_stats.h"

#include <rill/time.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/histogram.h"
#include "base/spinlock.h"
#include "runtime/await.h"

#define TABLE_BITS 6
#define MIN_NS 64
#define MAX_NS (UINT64_C(1) << 36) /* 69 s */
#define PRECISION 3
#define HOLDERS 256

struct hold {
	struct hold *next;
	const void *lock;
	const struct rill_waiter *who; /* NULL: whoever it is, it is the only one */
	struct rill_list age;
	uint64_t permits; /* not given back yet; 0: the entry is not in use */
	uint64_t since_ns;
};

struct rill_lock_stats {
	struct rill_histogram times[RILL_LOCK_HOLD + 1]; /* written by any thread, see record() */
	RILL_ATOMIC(uint64_t) taken;
	RILL_ATOMIC(uint64_t) untimed;
	struct rill_spinlock lock;
	struct rill_list by_age; /* all, those not in use first, then from the oldest; under lock */
	struct hold *table[1 << TABLE_BITS]; /* youngest first; under lock */
	struct hold holds[];
};

static int options_of(const struct rill_lock_stats_options *given,
		      struct rill_lock_stats_options *o)
{
	*o = (struct rill_lock_stats_options){RILL_OPTIONS(*o)};
	if (given && (given->size < sizeof(given->size) || given->size > sizeof(*o)))
		return -EINVAL;
	if (given)
		memcpy(o, given, given->size);
	o->min_ns = o->min_ns ? o->min_ns : MIN_NS;
	o->max_ns = o->max_ns ? o->max_ns : MAX_NS;
	o->precision = o->precision ? o->precision : PRECISION;
	o->holders = o->holders ? o->holders : HOLDERS;
	return 0;
}

int rill_lock_stats_create(const struct rill_lock_stats_options *given,
			   struct rill_lock_stats **ret_stats)
{
	struct rill_lock_stats_options o;
	int r = options_of(given, &o);

	if (r < 0)
		return r;
	struct rill_lock_stats *s = calloc(1, sizeof(*s) + o.holders * sizeof(struct hold));

	if (!s)
		return -ENOMEM;
	r = rill_histogram_init(&s->times[RILL_LOCK_WAIT], o.min_ns, o.max_ns, o.precision);
	if (r == 0)
		r = rill_histogram_init_like(&s->times[RILL_LOCK_HOLD], &s->times[RILL_LOCK_WAIT]);
	if (r < 0) {
		rill_lock_stats_destroy(s);
		return r;
	}
	rill_list_init(&s->by_age);
	for (unsigned i = 0; i < o.holders; i++)
		rill_list_push_back(&s->by_age, &s->holds[i].age);
	*ret_stats = s;
	return 0;
}

void rill_lock_stats_destroy(struct rill_lock_stats *s)
{
	if (!s)
		return;
	rill_histogram_fini(&s->times[RILL_LOCK_WAIT]);
	rill_histogram_fini(&s->times[RILL_LOCK_HOLD]);
	free(s);
}

/* ---- writing ---- */

/* As rill_histogram_record(), which has one writer; the readers are the same. */
static void record(struct rill_histogram *h, uint64_t ns)
{
	uint64_t max = rill_load_relaxed(&h->max);

	rill_fetch_add_relaxed(&h->counts[rill_histogram_bucket(h, ns)], 1);
	rill_fetch_add_relaxed(&h->sum, ns);
	while (ns > max && !rill_cas_relaxed(&h->max, &max, ns))
		;
}

/* Tasks of two runtimes may see two clocks. */
static uint64_t elapsed(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns > since_ns ? now_ns - since_ns : 0;
}

static struct hold **list_of(struct rill_lock_stats *s, const void *lock,
			     const struct rill_waiter *who)
{
	uint64_t key = ((uintptr_t)lock ^ ((uintptr_t)who >> 3)) * UINT64_C(0x9e3779b97f4a7c15);

	return &s->table[key >> (64 - TABLE_BITS)];
}

static void remove_hold(struct rill_lock_stats *s, struct hold *h)
{
	struct hold **at = list_of(s, h->lock, h->who);

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	h->permits = 0;
	rill_list_del(&h->age);
}

static void add_hold(struct rill_lock_stats *s, const struct hold *made)
{
	struct hold **list = list_of(s, made->lock, made->who);

	rill_spin_lock(&s->lock);
	struct hold *h = RILL_LIST_ENTRY(s->by_age.next, struct hold, age);

	if (h->permits > 0)
		remove_hold(s, h);
	rill_list_del(&h->age);
	*h = *made;
	h->next = *list;
	*list = h;
	rill_list_push_back(&s->by_age, &h->age);
	rill_spin_unlock(&s->lock);
}

void rill_lock_stats_taken(struct rill_lock_stats *s, const void *lock, uint64_t permits,
			   bool exclusive, uint64_t since_ns)
{
	struct hold h = {
		.lock = lock,
		.who = exclusive ? NULL : rill_waiter_current(),
		.permits = permits,
		.since_ns = rill_now(),
	};

	rill_fetch_add_relaxed(&s->taken, 1);
	if (since_ns != RILL_LOCK_STATS_NO_WAIT)
		record(&s->times[RILL_LOCK_WAIT], elapsed(since_ns, h.since_ns));
	if (permits > 0)
		add_hold(s, &h);
}

static struct hold *youngest_hold(struct rill_lock_stats *s, const void *lock,
				  const struct rill_waiter *who)
{
	struct hold *h = *list_of(s, lock, who);

	while (h && (h->lock != lock || h->who != who))
		h = h->next;
	return h;
}

/* Takes up to *permits from the caller's youngest hold; true with when that began, if it is over.
 */
static bool end_hold(struct rill_lock_stats *s, const void *lock, uint64_t *permits,
		     uint64_t *ret_since_ns)
{
	const struct rill_waiter *self = rill_waiter_current();
	bool over = false;

	rill_spin_lock(&s->lock);
	struct hold *h = youngest_hold(s, lock, self);

	if (!h)
		h = youngest_hold(s, lock, NULL);
	if (h && h->permits > *permits) {
		h->permits -= *permits;
		*permits = 0;
	} else if (h) {
		*permits -= h->permits;
		*ret_since_ns = h->since_ns;
		remove_hold(s, h);
		rill_list_push_front(&s->by_age, &h->age);
		over = true;
	}
	rill_spin_unlock(&s->lock);
	return over;
}

void rill_lock_stats_given(struct rill_lock_stats *s, const void *lock, uint64_t permits)
{
	uint64_t now = rill_now();
	uint64_t since;

	while (permits > 0 && end_hold(s, lock, &permits, &since))
		record(&s->times[RILL_LOCK_HOLD], elapsed(since, now));
	if (permits > 0)
		rill_fetch_add_relaxed(&s->untimed, 1);
}

/* ---- reading ---- */

/* A copy, for the summary is to be of one set of counts. */
static int summarize(const struct rill_histogram *h, struct rill_histogram_summary *ret)
{
	struct rill_histogram copy;
	int r = rill_histogram_init_like(&copy, h);

	if (r < 0)
		return r;
	rill_histogram_merge(&copy, h);
	*ret = (struct rill_histogram_summary){
		.count = rill_histogram_count(&copy),
		.sum_ns = copy.sum,
		.max_ns = copy.max,
		.p50_ns = rill_histogram_percentile(&copy, 0.5),
		.p90_ns = rill_histogram_percentile(&copy, 0.9),
		.p99_ns = rill_histogram_percentile(&copy, 0.99),
		.p999_ns = rill_histogram_percentile(&copy, 0.999),
	};
	rill_histogram_fini(&copy);
	return 0;
}

int rill_lock_stats_read(const struct rill_lock_stats *s, struct rill_lock_report *ret_report)
{
	struct rill_lock_report report = {
		.taken = rill_load_relaxed(&s->taken),
		.untimed = rill_load_relaxed(&s->untimed),
	};
	int r = summarize(&s->times[RILL_LOCK_WAIT], &report.wait);

	if (r == 0)
		r = summarize(&s->times[RILL_LOCK_HOLD], &report.hold);
	if (r == 0)
		*ret_report = report;
	return r;
}

unsigned rill_lock_stats_buckets(const struct rill_lock_stats *s)
{
	return s->times[RILL_LOCK_WAIT].buckets;
}

int rill_lock_stats_range(const struct rill_lock_stats *s, unsigned bucket, uint64_t *ret_low_ns,
			  uint64_t *ret_high_ns)
{
	if (bucket >= rill_lock_stats_buckets(s))
		return -EINVAL;
	rill_histogram_range(&s->times[RILL_LOCK_WAIT], bucket, ret_low_ns, ret_high_ns);
	return 0;
}

int rill_lock_stats_count(const struct rill_lock_stats *s, enum rill_lock_time kind,
			  unsigned bucket, uint64_t *ret_count)
{
	if (kind > RILL_LOCK_HOLD || bucket >= rill_lock_stats_buckets(s))
		return -EINVAL;
	*ret_count = rill_load_relaxed(&s->times[kind].counts[bucket]);
	return 0;
}
