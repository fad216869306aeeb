/* SPDX-License-Identifier: BSD-3-Clause */
/* The applications: what the plans say, by the public API, as tasks. */
#ifndef RILL_TESTS_SIM_APPS_H
#define RILL_TESTS_SIM_APPS_H

#include "tests/sim/world.h"

struct app {
	struct world *w;
	struct plan *plan;
};

/* A task for the client of one plan; arg is a struct app. */
void *app_client(void *arg);
/* The server's task: accepts until the listener is shut down, serves all; arg is the world. */
void *app_server(void *arg);

#endif
