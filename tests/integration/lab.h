/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the integration tests share: two interfaces on one in-process switch, a server's and a
 * client's, on one runtime or two. Tasks assert with RILL_ASSERT: cmocka's asserts would jump off
 * the task's stack.
 */
#ifndef RILL_TESTS_INTEGRATION_LAB_H
#define RILL_TESTS_INTEGRATION_LAB_H

#include <errno.h>
#include <rill/rill.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/rand.h"
#include "drivers/mem_hub.h"

/* Rounds of a stress test; the sanitizers make each one dearer. */
#if defined(RILL_TSAN)
#define LAB_ROUNDS(n) ((n) / 10)
#elif defined(RILL_ASAN)
#define LAB_ROUNDS(n) ((n) / 4)
#else
#define LAB_ROUNDS(n) (n)
#endif

enum lab_side {
	LAB_SERVER,
	LAB_CLIENT,
	LAB_SIDES,
};

struct lab_options {
	enum rill_flavor flavor;
	bool paused;	   /* CURRENT_THREAD: virtual time */
	bool two_runtimes; /* else both interfaces are on one */
	unsigned workers;
	unsigned queues;
	uint64_t tcp_memory; /* see struct rill_runtime_options */
	const char *link;    /* more options of the mem: NICs, with a comma in front; NULL: none */
};

struct lab {
	struct rill_runtime *rt[LAB_SIDES];
	struct rill_net *net[LAB_SIDES];
	struct rill_mem_hub *hub; /* the switch; its ports are numbered as the sides */
	unsigned hub_port;	  /* ours on it, which is never up */
	bool two_runtimes;
};

void lab_open(struct lab *lab, const struct lab_options *o);
/* Checks that no connection and no buffer is left, closes everything. */
void lab_close(struct lab *lab);
/* Runs fn(lab) as a task on the client's runtime. */
void lab_run(struct lab *lab, void *(*fn)(void *));
/* The same in a lab of its own. */
void lab_run_in(const struct lab_options *o, void *(*fn)(void *));
/* The same, but fn is called by this thread, which belongs to no runtime. */
void lab_run_in_thread(const struct lab_options *o, void *(*fn)(void *));
/* As lab_run_in(), in every kind of lab. */
void lab_run_in_each(void *(*fn)(void *), const char *link);

/* From a task or a plain thread. */
struct rill_task *lab_spawn(struct rill_runtime *rt, void *(*fn)(void *), void *arg);
void *lab_join(struct rill_task *t);

struct rill_listener *lab_listen(struct lab *lab, uint16_t port, const struct rill_tcp_options *o);
/* The address of a port of that side's. */
struct rill_addr lab_addr(const struct lab *lab, enum lab_side side, uint16_t port);
/* Connects to a listener of the server's. */
struct rill_tcp *lab_connect(struct lab *lab, const struct rill_listener *l,
			     const struct rill_tcp_options *o);
/* A connection, both ends of it. */
void lab_pair(struct lab *lab, const struct rill_tcp_options *o, struct rill_tcp *pair[LAB_SIDES]);
/* Accepts and echoes until the listener (arg) is shut down; returns when all its connections ended.
 */
void *lab_echo_server(void *listener);
/* Sends what pattern seed gives and expects it back. */
void lab_echo_once(struct rill_tcp *c, uint64_t seed, size_t len);

/* The sum of a metric over the interface's shards, as printed. */
uint64_t lab_metric(struct rill_runtime *rt, struct rill_net *net, const char *name);
/* Waits until all buffers of a side are back and all connections gone or in TIME-WAIT. */
void lab_settle(struct lab *lab, enum lab_side side);

/* Contents that depend on seed and place only. */
void lab_fill(uint64_t seed, uint64_t at, uint8_t *buf, size_t len);
bool lab_same(uint64_t seed, uint64_t at, const uint8_t *buf, size_t len);

#endif
