/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping and waking of workers.
 *
 * No wake-up is lost: a producer first makes its work visible (queue tail, inject length: seq_cst)
 * and then reads the idle word; a worker first leaves the idle word (RMW, under the lock) and then
 * looks at all queues again. One of the two sees the other.
 *
 * At most half of the workers search at a time, and while one does, nobody else is woken: whoever
 * finds work as the last searcher wakes the next.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "runtime/ring.h"

#define UNPARKED (UINT32_C(1) << 16)
#define SEARCHING_MASK (UNPARKED - 1)

/* More fds than SLEEP_FDS_MAX: the rest of the shards are looked at this often. */
#define OVERFLOW_NS (UINT64_C(1000) * 1000)

#define SLEEP_FDS_MAX 64

static uint32_t searching_of(uint32_t word)
{
	return word & SEARCHING_MASK;
}

static uint32_t unparked_of(uint32_t word)
{
	return word >> 16;
}

void rill_idle_kick(struct rill_worker *w)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then the fd is readable anyway. */
	while (write(w->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static struct rill_worker *pop_sleeper(struct rill_runtime *rt)
{
	struct rill_idle_state *idle = &rt->idle;
	struct rill_worker *w;

	rill_spin_lock(&idle->lock);
	w = idle->sleepers;
	/* seq_cst load: ordered with the RMWs below by the lock and with the producer's store
	 * before */
	if (w && searching_of(rill_load_seq_cst(&idle->word)) == 0) {
		idle->sleepers = w->sleep_next;
		w->asleep = false;
		/* it wakes up searching; seq_cst: as in the comment at the top */
		rill_fetch_add_seq_cst(&idle->word, UNPARKED + 1);
	} else {
		w = NULL;
	}
	rill_spin_unlock(&idle->lock);
	return w;
}

void rill_idle_notify(struct rill_runtime *rt)
{
	/* seq_cst: after the producer's seq_cst store of its work; pairs with the RMW in
	 * go_to_sleep() */
	uint32_t word = rill_fetch_add_seq_cst(&rt->idle.word, 0);

	if (searching_of(word) > 0 || unparked_of(word) >= rt->worker_count)
		return;
	struct rill_worker *w = pop_sleeper(rt);

	if (w)
		rill_idle_kick(w);
}

bool rill_idle_start_search(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;

	if (w->searching)
		return true;
	if (2 * searching_of(rill_load_relaxed(&rt->idle.word)) >= rt->worker_count)
		return false;
	/* seq_cst: one order with rill_idle_notify()'s reads */
	rill_fetch_add_seq_cst(&rt->idle.word, 1);
	w->searching = true;
	return true;
}

void rill_idle_stop_search(struct rill_worker *w)
{
	if (!w->searching)
		return;
	w->searching = false;
	/* seq_cst: as above */
	uint32_t old = rill_fetch_sub_seq_cst(&w->rt->idle.word, 1);

	/* Producers relied on us: the last searcher to leave sends another. */
	if (searching_of(old) == 1 && w->rt->worker_count > 1)
		rill_idle_notify(w->rt);
}

/* Joins the sleepers. */
static void go_to_sleep(struct rill_worker *w)
{
	struct rill_idle_state *idle = &w->rt->idle;
	uint32_t minus = UNPARKED + (w->searching ? 1 : 0);

	rill_spin_lock(&idle->lock);
	/* seq_cst: before the look at the queues in work_left(); pairs with rill_idle_notify() */
	rill_fetch_sub_seq_cst(&idle->word, minus);
	w->sleep_next = idle->sleepers;
	idle->sleepers = w;
	w->asleep = true;
	rill_spin_unlock(&idle->lock);
	w->searching = false;
}

/* Leaves the sleepers, unless a notifier took us out (and counted us as searching). */
static void wake_up(struct rill_worker *w)
{
	struct rill_idle_state *idle = &w->rt->idle;

	rill_spin_lock(&idle->lock);
	if (w->asleep) {
		struct rill_worker **at = &idle->sleepers;

		while (*at != w)
			at = &(*at)->sleep_next;
		*at = w->sleep_next;
		w->asleep = false;
		/* seq_cst: one order for the word */
		rill_fetch_add_seq_cst(&idle->word, UNPARKED);
	} else {
		w->searching = true;
	}
	rill_spin_unlock(&idle->lock);
}

/* The last look before sleeping: is there anything that w could do? */
static bool work_left(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;

	/* seq_cst loads: after go_to_sleep(); pair with the producers' seq_cst stores */
	if (rill_load_seq_cst(&rt->stop) || rill_load_seq_cst(&rt->inject.len) > 0 ||
	    rill_load_seq_cst(&rt->urgent.len) > 0 || rill_load_seq_cst(&w->inbox.len) > 0)
		return true;
	/* seq_cst: quiesce() raises it before kicking */
	if (rill_load_seq_cst(&rt->epoch) != rill_load_relaxed(&w->epoch_seen))
		return true;
	for (unsigned i = 0; i < rt->worker_count; i++)
		if (rill_queue_len(&rt->workers[i].queue) > 0 ||
		    rill_queue_len(&rt->workers[i].urgent) > 0)
			return true;
	/* acquire: pairs with the exchange in rill_schedule() */
	return rill_load_acquire(&w->lifo) != NULL || w->own.first || w->defer.first;
}

/* Arms the pollers at home on w; the fds go to set. False when one has work already. */
static bool arm_pollers(struct rill_worker *w, struct pollfd *set, unsigned *ret_n, bool *ret_more)
{
	struct rill_runtime *rt = w->rt;
	bool quiet = true;

	*ret_more = false;
	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count); i++) {
		/* acquire: pairs with the release in rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		if (!p || p->home != w->index)
			continue;
		quiet &= p->ops->arm(p);
		if (p->fd < 0)
			continue;
		if (*ret_n < SLEEP_FDS_MAX)
			set[(*ret_n)++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
		else
			*ret_more = true;
	}
	return quiet;
}

static void disarm_pollers(struct rill_worker *w)
{
	for (unsigned i = 0; i < rill_load_relaxed(&w->rt->poller_count); i++) {
		/* acquire: pairs with the release in rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&w->rt->pollers[i]);

		if (p && p->home == w->index)
			p->ops->disarm(p);
	}
}

/* When w has to be awake again for its own timers and its pollers'. */
static uint64_t next_deadline(struct rill_worker *w)
{
	struct rill_runtime *rt = w->rt;
	/*
	 * And not rill_wheel_next(): a slot may begin before that, but rill_worker_fire_timers()
	 * would find nothing due then and leave the wheel where it is. Relaxed: armed only on this
	 * thread.
	 */
	uint64_t deadline = rill_load_relaxed(&w->wheel_next_ns);

	for (unsigned i = 0; i < rill_load_relaxed(&rt->poller_count); i++) {
		/* acquire: pairs with the release in rill_poller_add() */
		struct rill_poller *p = rill_load_acquire(&rt->pollers[i]);

		/* seq_cst: after our park_deadline was published; pairs with set_deadline() */
		if (p && p->home == w->index)
			deadline = RILL_MIN(deadline, rill_load_seq_cst(&p->deadline_ns));
	}
	return deadline;
}

/* Has somebody kicked w, or a poller's fd become ready? Takes the kick. */
static bool woken_already(struct rill_worker *w, struct pollfd *set, unsigned n)
{
	const struct timespec at_once = {0};
	uint64_t count;

	if (ppoll(set, n, &at_once, NULL) <= 0)
		return false;
	if (set[0].revents && read(w->wake_fd, &count, sizeof(count)) < 0)
		return false; /* not a kick, then */
	return true;
}

/* A paused clock jumps to the next deadline instead of sleeping. */
static bool jump_paused_clock(struct rill_worker *w, struct pollfd *set, unsigned n,
			      uint64_t deadline)
{
	struct rill_runtime *rt = w->rt;

	if (!rill_clock_is_paused(rt) || deadline == UINT64_MAX)
		return false;
	pthread_mutex_lock(&rt->blocking.lock);
	bool busy = rt->blocking.jobs > 0;

	pthread_mutex_unlock(&rt->blocking.lock);
	if (busy || rill_ring_busy(w))
		return false;
	/* What has come already belongs to the time before the jump. */
	if (woken_already(w, set, n))
		return true;
	rill_phase_enter(w, RILL_PHASE_PARKED);
	if (deadline > rill_runtime_now(rt))
		rill_clock_set(rt, true, (int64_t)RILL_MIN(deadline, RILL_CLOCK_MAX));
	rill_phase_enter(w, RILL_PHASE_STEAL);
	return true;
}

/*
 * The kernel may end a sleep 50 us late so that it can end several at once. Not those of our own
 * threads; one that drives a current-thread runtime is the user's.
 */
static void wake_on_time(const struct rill_worker *w)
{
	if (w->rt->o.flavor != RILL_CURRENT_THREAD)
		prctl(PR_SET_TIMERSLACK, 1UL);
}

static void sleep_in_kernel(struct rill_worker *w, struct pollfd *set, unsigned n,
			    uint64_t deadline)
{
	struct timespec ts, *timeout = NULL;
	uint64_t now = rill_runtime_now(w->rt);
	uint64_t count;

	if (deadline != UINT64_MAX && !rill_clock_is_paused(w->rt)) {
		uint64_t dur = deadline > now ? deadline - now : 0;

		ts.tv_sec = (time_t)(dur / 1000000000u);
		ts.tv_nsec = (long)(dur % 1000000000u);
		timeout = &ts;
	}
	if (rill_load_relaxed(&w->metrics.parks) == 0)
		wake_on_time(w);
	rill_counter_add(&w->metrics.parks, 1);
	rill_trace(w, RILL_TRACE_SLEEP, 0);
	rill_phase_enter(w, RILL_PHASE_PARKED);
	int r = ppoll(set, n, timeout, NULL);

	rill_phase_enter(w, RILL_PHASE_STEAL);
	rill_trace(w, RILL_TRACE_AWAKE, 0);
	rill_counter_add(&w->metrics.unparks, 1);
	if (r > 0 && set[0].revents && read(w->wake_fd, &count, sizeof(count)) < 0)
		return; /* another kick's read got it; nothing to do */
}

void rill_idle_park(struct rill_worker *w)
{
	const struct rill_hooks *hooks = &w->rt->o.hooks;
	struct pollfd set[SLEEP_FDS_MAX + 1];
	unsigned n = 1;
	bool more;

	set[0] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
	/* Before the last look at the queues: what the hook makes runnable is seen there. */
	if (hooks->thread_park)
		hooks->thread_park(hooks->user, (int)w->index);
	go_to_sleep(w);
	/*
	 * From here on whoever sets an earlier deadline for a poller of ours kicks us. seq_cst:
	 * before our reading of those deadlines; pairs with rill_poller_set_deadline()
	 */
	rill_publish(&w->park_deadline, UINT64_MAX);

	bool quiet = arm_pollers(w, set, &n, &more);
	uint64_t deadline = next_deadline(w);

	if (more && !rill_clock_is_paused(w->rt))
		deadline = RILL_MIN(deadline, rill_runtime_now(w->rt) + OVERFLOW_NS);
	/* release: only a narrower window for kicks; UINT64_MAX was right too */
	rill_store_release(&w->park_deadline, deadline);
	if (quiet && !work_left(w) && !jump_paused_clock(w, set, n, deadline))
		sleep_in_kernel(w, set, n, deadline);
	disarm_pollers(w);
	rill_store_relaxed(&w->park_deadline, 0);
	wake_up(w);
	if (hooks->thread_unpark)
		hooks->thread_unpark(hooks->user, (int)w->index);
}

void rill_poller_set_deadline(struct rill_poller *p, uint64_t deadline_ns)
{
	if (rill_load_relaxed(&p->deadline_ns) == deadline_ns)
		return;
	/* seq_cst: pairs with rill_idle_park(): it sees our deadline, or we see that it sleeps */
	rill_publish(&p->deadline_ns, deadline_ns);
	struct rill_worker *w = &p->rt->workers[p->home];
	/* seq_cst: see above */
	uint64_t park = rill_load_seq_cst(&w->park_deadline);

	if (park != 0 && deadline_ns < park && w != rill_worker_current())
		rill_idle_kick(w);
}
