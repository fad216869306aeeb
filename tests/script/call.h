/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket calls and questions: "[socket.]name argument ... [= result ...]". */
#ifndef RILL_TESTS_SCRIPT_CALL_H
#define RILL_TESTS_SCRIPT_CALL_H

#include "world.h"

/* A call, taken apart. */
struct call {
	struct world *w;
	struct world_socket *socket;
	char *const *args;
	unsigned arg_count;
	char *const *results; /* what follows "=" */
	unsigned result_count;
};

/* false: there is no call of that name. */
bool call_run(struct world *w, char *const *words, unsigned count);

/* Compares with the one result, or, without any, with otherwise. */
void call_result(const struct call *c, int64_t got, int64_t otherwise);
/* args[i] as a number or constant; fails if there is none. */
int64_t call_number(const struct call *c, unsigned i);

/* option.c */
void call_setsockopt(const struct call *c);
void call_getsockopt(const struct call *c);
/* facts.c: "info FIELD == VALUE" and the like */
void call_info(const struct call *c);
void call_state(const struct call *c);
void call_stats(const struct call *c);
void call_drops(const struct call *c);
void call_endpoints(const struct call *c);
void call_trouble(const struct call *c);

#endif
