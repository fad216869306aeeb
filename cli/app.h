/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a rill program: signals, runtime, NIC, one main task, the end. The plain thread that
 * calls these functions waits for signals while the tasks run:
 *
 *   SIGINT, SIGTERM   first: cancels app.stop, and the main task winds down by itself;
 *                     second: cancels app.cut, so that everything ends at once;
 *                     third: kills the process, as signals do by default
 *   SIGUSR1           writes the metrics, and app.report's lines
 */
#ifndef RILL_CLI_APP_H
#define RILL_CLI_APP_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "cli/options.h"

struct rill_net;
struct rill_token;

struct rill_app {
	const struct rill_cli_options *options;
	struct rill_runtime *rt;
	struct rill_net *net;
	struct rill_token *stop; /* begin nothing new, finish what has begun */
	struct rill_token *cut;	 /* end now */
	sigset_t signals;
	pthread_t thread; /* the plain one */
	/* More to print to stderr on SIGUSR1, on the plain thread; NULL: nothing. */
	void (*report)(void *arg);
	void *report_arg;
	bool aborted; /* by a second signal */
};

/*
 * Blocks the signals, starts the runtime and opens the NIC. Call it before any other thread exists:
 * all threads inherit the blocked signals. Negative errno after a message on stderr, with nothing
 * left open.
 */
int rill_app_open(struct rill_app *app, const struct rill_cli_options *o);

/* The same without a NIC: for programs that open ports. app.net is NULL. */
int rill_app_start(struct rill_app *app, const struct rill_cli_options *o);

/* One more NIC of the same spec: for programs that are both ends. As rill_app_open(). */
int rill_app_open_net(struct rill_app *app, const char *addr, struct rill_net **ret_net);

/* Prints "listening on 198.18.0.1:80 (NIC)", unless it is to be quiet. */
void rill_app_announce(const struct rill_app *app, uint16_t port);

/* Runs fn(arg) as a task and serves signals until it has ended. Returns the exit code: what fn
 * returned, or EXIT_FAILURE after a second signal. */
int rill_app_run(struct rill_app *app, int (*fn)(void *arg), void *arg);

/* Writes the metrics when a file was named, then closes and frees everything. */
void rill_app_close(struct rill_app *app);

#endif
