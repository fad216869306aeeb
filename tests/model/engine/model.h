/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model checker, for those who write tests: see tests/model/README.md. A test is a setup, up to
 * RILL_MODEL_THREADS threads, and a check when all have ended. It is run through every interleaving
 * of its atomic operations, up to the bounds.
 *
 * Assertions are RILL_ASSERT() and RILL_ASSERT_CMP(), in tests as in the code under test. All state
 * must be static (setup makes it new for each execution) or on the threads' stacks.
 */
#ifndef RILL_MODEL_MODEL_H
#define RILL_MODEL_MODEL_H

#include <stddef.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/spinlock.h"

#define RILL_MODEL_THREADS 5
#define RILL_MODEL_STACK_SIZE (128u << 10)

struct rill_model_test {
	const char *name;
	void (*setup)(void);
	void (*threads[RILL_MODEL_THREADS])(void);
	void (*check)(void);
	/* The search must end by itself; the bound on executions fails the test. */
	bool exhaustive;
	/* Bounds of its own; 0: the default. The environment goes before both. */
	unsigned preemptions;
	unsigned stale;
	/* For tests of the engine: how it has to fail ("deadlock", "race", ...). */
	const char *fails;
};

/* What a mutation does to its site besides the order. */
enum rill_model_change {
	RILL_MODEL_WEAKEN, /* to order */
	RILL_MODEL_SKIP,   /* a store, or the storing half of an RMW, is not done */
	RILL_MODEL_VALUE,  /* value is loaded or stored instead */
	RILL_MODEL_FORCE,  /* a compare-and-swap stores whatever it finds, and says it succeeded */
};

/* A bug to be planted: test must fail with it. The site is the operations in file and func whose
 * operand contains what (NULL: any), of the kind op ("load", "store", "rmw", "cas", "lock", "wake";
 * NULL: any). */
struct rill_model_mutation {
	const char *name;
	const char *test;
	const char *file;
	const char *func;
	const char *op;
	const char *what;
	enum rill_model_change change;
	int order;
	uint64_t value;
};

/* main() of a model test; see README.md for the arguments. */
int rill_model_main(int argc, char **argv, const struct rill_model_test *tests, unsigned n,
		    const struct rill_model_mutation *mutations, unsigned mutation_count);

/* 1 and up in threads, 0 in setup and check. */
unsigned rill_model_self(void);

/* A pointer of each thread's own, as thread-local storage would be. */
void *rill_model_local(void);
void rill_model_set_local(void *local);

/* Memory that lasts as long as the execution. Zeroed. */
void *rill_model_alloc(size_t size);

/* In setup: rill_cpu_relax() in func is no waiting, for the loop ends by itself. */
void rill_model_no_wait_in(const char *func);

/* How traces call these bytes. */
void rill_model_name(const volatile void *p, size_t len, const char *name);

/*
 * Atomic accesses to these bytes have to be ordered like plain ones. For what is accessed by
 * relaxed operations, but only ever by one thread at a time.
 */
void rill_model_exclusive(const volatile void *p, size_t len);

/* Waits until ready(arg), which must depend on modelled memory only, e.g. rill_model_peek(). */
void rill_model_wait(bool (*ready)(const void *arg), const void *arg,
		     const struct rill_model_site *site);

/* Waits for the end of another thread. */
void rill_model_join(unsigned thread);

/* A plain access that must not race. For code which the compiler does not instrument. */
void rill_model_plain(const volatile void *p, size_t size, bool write, const void *from,
		      const struct rill_model_site *site);

#define RILL_MODEL_READ(x)                                                                         \
	({                                                                                         \
		rill_model_plain(&(x), sizeof(x), false, NULL, RILL_MODEL_SITE(#x));               \
		(x);                                                                               \
	})
#define RILL_MODEL_WRITE(x, v)                                                                     \
	do {                                                                                       \
		rill_model_plain(&(x), sizeof(x), true, NULL, RILL_MODEL_SITE(#x));                \
		(x) = (v);                                                                         \
	} while (0)

#endif
