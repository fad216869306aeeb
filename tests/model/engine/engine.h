/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine, as its own files see it.
 *
 *   run.c      threads as coroutines, the steps, one execution after the other
 *   explore.c  which thread goes on: depth-first, with partial-order reduction and bounds
 *   ops.c      the atomic operations, each a step
 *   memory.c   what a load may read: histories of stores and happens-before
 *   plain.c    races on plain memory; tsan.c: what the compiler calls for it
 *   kernel.c   futexes, eventfds, ppoll and mutexes by the same steps
 *   mutate.c   planted bugs
 *   trace.c    the story of a failure
 *   main.c     the command line
 */
#ifndef RILL_MODEL_ENGINE_H
#define RILL_MODEL_ENGINE_H

#include "runtime/context.h"
#include "runtime/fiber.h"
#include "tests/model/engine/model.h"

/* Threads of a test, and thread 0, which runs setup and check. */
#define RILL_MODEL_CLOCKS (RILL_MODEL_THREADS + 1)
#define RILL_MODEL_STEPS_MAX 4000

/* ---- clocks ---- */

struct rill_model_clock {
	uint32_t at[RILL_MODEL_CLOCKS];
};

static inline void rill_model_clock_join(struct rill_model_clock *c,
					 const struct rill_model_clock *other)
{
	for (unsigned i = 0; i < RILL_MODEL_CLOCKS; i++)
		if (other->at[i] > c->at[i])
			c->at[i] = other->at[i];
}

/* ---- memory ---- */

/* One store of a location's modification order, which is the order of execution. */
struct rill_model_value {
	struct rill_model_value *older;
	uint64_t value;
	uint32_t index; /* in the location's order */
	uint32_t seq;	/* among all stores of the execution */
	uint32_t stamp; /* its thread's own clock; 0: from before the threads */
	uint8_t thread;
	bool seq_cst;
	/* What a reader that acquires synchronises with. */
	struct rill_model_clock message;
	/* The own clock of each thread when it first read this; 0: never. */
	uint32_t first_read[RILL_MODEL_CLOCKS];
};

/* For explore.c: who has touched an object last. Steps, plus one. */
struct rill_model_conflict {
	uint32_t wrote[RILL_MODEL_CLOCKS];
	uint32_t read[RILL_MODEL_CLOCKS];
	uint32_t read_seq_cst[RILL_MODEL_CLOCKS];
	uint32_t unlocked[RILL_MODEL_CLOCKS];
	struct rill_model_clock writes;
	struct rill_model_clock reads;
	struct rill_model_clock seq_cst_reads;
};

struct rill_model_location {
	const volatile void *addr;
	unsigned id;
	unsigned size;
	bool is_lock;
	uint32_t seq_cst_floor; /* seq_cst loads read nothing older */
	struct rill_model_value *newest;
	struct rill_model_conflict conflict;
};

/* ---- threads and steps ---- */

enum rill_model_kind {
	RILL_MODEL_OP_LOAD,
	RILL_MODEL_OP_STORE,
	RILL_MODEL_OP_RMW,
	RILL_MODEL_OP_CAS,
	RILL_MODEL_OP_LOCK,
	RILL_MODEL_OP_FENCE,
	RILL_MODEL_OP_RELAX,
	RILL_MODEL_OP_WAIT,
	RILL_MODEL_OP_WAKE,
};

/* What a thread is about to do. */
struct rill_model_op {
	enum rill_model_kind kind;
	int order;
	const volatile void *addr;
	unsigned size;
	bool (*ready)(const void *arg); /* WAIT */
	const void *arg;
	struct rill_model_site site;
	const void *from; /* where in the code; NULL: not known */
};

struct rill_model_thread {
	struct rill_context context;
	struct rill_fiber fiber;
	bool finished;
	struct rill_model_op op;
	struct rill_model_clock clock;	       /* happens-before */
	struct rill_model_clock release_fence; /* as of the last one */
	struct rill_model_clock unacquired;    /* read by relaxed loads: for an acquire fence */
	uint32_t seq_cst_fence;		       /* seq at the last one */
	uint32_t stored;		       /* seq of the last store */
	uint32_t round;			       /* seq when its spinning loop came round last */
	struct rill_model_clock order;	       /* of dependent steps; see explore.c */
	void *local;
};

/* One line of the trace. */
struct rill_model_step {
	struct rill_model_site site;
	enum rill_model_kind kind;
	uint8_t thread;
	bool stale;  /* read a store that is not the newest */
	bool failed; /* CAS */
	int order;
	const volatile void *addr;
	const void *from;
	uint64_t read, written;
	uint32_t choice; /* in the stack of explore.c */
};

struct rill_model {
	const struct rill_model_test *test;
	const struct rill_model_mutation *mutation; /* planted, or NULL */
	bool mutation_matched;

	struct rill_context main; /* of the loop over executions */
	struct rill_fiber main_fiber;
	struct rill_model_thread threads[RILL_MODEL_CLOCKS];
	unsigned thread_count; /* with thread 0 */
	unsigned self;
	bool starting;	 /* threads run to their first step */
	bool parallel;	 /* they are at work */
	uint32_t choice; /* by which self goes on */

	struct rill_model_step steps[RILL_MODEL_STEPS_MAX];
	uint32_t step_count;
	uint32_t seq; /* stores so far */
	struct rill_model_clock seq_cst_fences;
	struct rill_model_conflict fence_conflict;

	const char *failure; /* its kind; NULL: none */
	char message[256];
	const void *racing[2]; /* where in the code; NULL: not known */
};

extern struct rill_model rill_model;

/* As replays and traces write it: threads are a, b, ..., and @ is setup and check. */
static inline char rill_model_letter(unsigned thread)
{
	return thread == 0 ? '@' : (char)('a' + thread - 1);
}

static inline struct rill_model_thread *rill_model_thread(void)
{
	return &rill_model.threads[rill_model.self];
}

/* ---- run.c ---- */
/* Announces what the calling thread does next, and returns when it is its turn to do it. */
struct rill_model_step *rill_model_step(const struct rill_model_op *op);
/* Ends the execution and the test. */
__attribute__((noreturn)) void rill_model_fail(const char *kind, const char *fmt, ...)
	RILL_PRINTF(2, 3);
/* Runs a test through its executions; true when nothing failed, or it failed as it should. */
bool rill_model_run(const struct rill_model_test *t);

/* ---- explore.c ---- */
void rill_model_explore_begin(const struct rill_model_test *t, const char *replay);
void rill_model_explore_rewind(void);
/* True when there is another execution. */
bool rill_model_explore_next(void);
/* Which of the enabled threads goes on. goes_on: the last one could, so leaving it costs. */
unsigned rill_model_choose_thread(unsigned enabled, unsigned last, bool goes_on,
				  uint32_t *ret_choice);
/* One of n values; 0 is the newest. */
unsigned rill_model_choose_value(unsigned n);
enum rill_model_touch {
	RILL_MODEL_TOUCH_READ,
	RILL_MODEL_TOUCH_READ_SEQ_CST,
	RILL_MODEL_TOUCH_READ_FREE, /* seq_cst, and others of that kind may bind it */
	RILL_MODEL_TOUCH_WRITE,
	RILL_MODEL_TOUCH_LOCK,
	RILL_MODEL_TOUCH_UNLOCK,
};
/* The current step touches an object: what came before and might as well come after is noted. */
void rill_model_touch(struct rill_model_conflict *c, enum rill_model_touch how);
/* How to see the current execution again. */
void rill_model_explore_print(void);

/* ---- memory.c ---- */
void rill_model_memory_reset(void);
struct rill_model_location *rill_model_location(const volatile void *p, unsigned size);
/*
 * The stores that a load by the calling thread may read, newest first. *ret_free: but for the order
 * of seq_cst operations it might read another than the newest.
 */
#define RILL_MODEL_CANDIDATES 8
unsigned rill_model_candidates(const struct rill_model_location *l, int order,
			       struct rill_model_value **ret_values, bool *ret_free);
uint64_t rill_model_read(struct rill_model_location *l, struct rill_model_value *v, int order);
/* from: the store that a read-modify-write has read, or NULL. */
void rill_model_write(struct rill_model_location *l, uint64_t value, int order,
		      const struct rill_model_value *from);
/* The newest value, without a step. */
uint64_t rill_model_peek(const volatile void *p, unsigned size);

/* ---- plain.c ---- */
void rill_model_plain_reset(void);
/* An atomic access, which may race with plain ones. */
void rill_model_plain_atomic(const volatile void *p, unsigned size, bool write, const char *what);

/* ---- kernel.c ---- */
void rill_model_kernel_reset(void);

/* ---- ops.c ---- */
void rill_model_relax_reset(void);
/* Reads the newest value and synchronises with who stored it, as a part of the current step. */
/* A futex wake: true when it is to be done. */
bool rill_model_wake_begin(const volatile void *p, unsigned size,
			   const struct rill_model_site *site);
uint64_t rill_model_sync(const volatile void *p, unsigned size);

/* ---- mutate.c ---- */
/* The planted bug, if the operation is its site. */
const struct rill_model_mutation *rill_model_mutated(const struct rill_model_op *op);

/* ---- trace.c ---- */
const char *rill_model_kind_name(enum rill_model_kind kind);
void rill_model_trace_reset(void);
void rill_model_trace_print(void);

#endif
