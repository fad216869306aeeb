/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/app.h"

#include <errno.h>
#include <rill/net.h>
#include <rill/task.h>
#include <rill/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sent by the main task to the plain thread, which then waits in one place for everything. */
#define SIG_DONE SIGRTMIN

/* What the main task is started with; lies on the stack of rill_app_run(). */
struct main_task {
	struct rill_app *app;
	int (*fn)(void *arg);
	void *arg;
	int exit_code;
};

static void block_signals(struct rill_app *app)
{
	app->thread = pthread_self();
	sigemptyset(&app->signals);
	sigaddset(&app->signals, SIGINT);
	sigaddset(&app->signals, SIGTERM);
	sigaddset(&app->signals, SIGUSR1);
	sigaddset(&app->signals, SIG_DONE);
	pthread_sigmask(SIG_BLOCK, &app->signals, NULL);
	/* A closed stdout is an error of write(), not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
}

int rill_app_open_net(struct rill_app *app, const char *addr, struct rill_net **ret_net)
{
	const struct rill_cli_options *o = app->options;
	struct rill_net_options net_options = {
		RILL_OPTIONS(net_options), .nic = o->nic,	.addr = addr,
		.gateway = o->gateway,	   .queues = o->queues,
	};
	int err = rill_net_open(app->rt, &net_options, ret_net);

	if (err < 0)
		fprintf(stderr, "rill: cannot open %s: %s\n", o->nic, rill_net_error());
	return err;
}

static int start_runtime(struct rill_app *app)
{
	struct rill_runtime_options o = {
		RILL_OPTIONS(o),
		.flavor = RILL_MULTI_THREAD,
		.idle = app->options->idle,
		.workers = app->options->workers,
	};
	int err = rill_runtime_create(&o, &app->rt);

	if (err < 0)
		fprintf(stderr, "rill: cannot start the runtime: %s\n", strerror(-err));
	return err;
}

static int create_tokens(struct rill_app *app)
{
	int err = rill_token_create(&app->stop);

	if (!err)
		err = rill_token_create(&app->cut);
	if (err < 0)
		fprintf(stderr, "rill: %s\n", strerror(-err));
	return err;
}

int rill_app_start(struct rill_app *app, const struct rill_cli_options *o)
{
	int err;

	*app = (struct rill_app){.options = o};
	block_signals(app);
	err = start_runtime(app);
	if (!err)
		err = create_tokens(app);
	if (err < 0)
		rill_app_close(app);
	return err;
}

int rill_app_open(struct rill_app *app, const struct rill_cli_options *o)
{
	int err = rill_app_start(app, o);

	if (err < 0)
		return err;
	err = rill_app_open_net(app, o->addr, &app->net);
	if (err < 0)
		rill_app_close(app);
	return err;
}

void rill_app_announce(const struct rill_app *app, uint16_t port)
{
	const struct rill_cli_options *o = app->options;
	struct rill_addr addr = {.ip = rill_net_ip(app->net), .port = port};
	char text[RILL_ADDR_STRLEN];

	if (o->quiet)
		return;
	printf("listening on %s (%s)\n", rill_addr_format(&addr, text),
	       rill_net_describe(app->net));
	if (!o->nic_given)
		puts("note: no --nic given, and nothing outside this process can "
		     "reach " RILL_CLI_NIC);
	fflush(stdout);
}

/* A reader of the file sees the old text or the new, never half of it. */
static int write_metrics_file(struct rill_app *app, const char *path)
{
	char *temp;
	FILE *file;
	int err;

	if (asprintf(&temp, "%s.tmp", path) < 0)
		return -ENOMEM;
	file = fopen(temp, "we");
	if (!file) {
		err = -errno;
		goto out;
	}
	err = rill_runtime_print_metrics(app->rt, file);
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temp, path))
		err = -errno;
	if (err < 0)
		unlink(temp);
out:
	free(temp);
	return err;
}

static void write_metrics(struct rill_app *app)
{
	const char *path = app->options->metrics_file;
	int err;

	if (!path) {
		rill_runtime_print_metrics(app->rt, stderr);
		return;
	}
	err = write_metrics_file(app, path);
	if (err < 0)
		fprintf(stderr, "rill: cannot write %s: %s\n", path, strerror(-err));
}

static void *main_task(void *arg)
{
	struct main_task *m = arg;

	m->exit_code = m->fn(m->arg);
	pthread_kill(m->app->thread, SIG_DONE);
	return NULL;
}

static void on_stop_signal(struct rill_app *app)
{
	sigset_t fatal;

	if (!rill_token_is_cancelled(app->stop)) {
		rill_token_cancel(app->stop);
		return;
	}
	app->aborted = true;
	rill_token_cancel(app->cut);
	/* A third one gets its default effect, should anything hang. */
	sigemptyset(&fatal);
	sigaddset(&fatal, SIGINT);
	sigaddset(&fatal, SIGTERM);
	sigdelset(&app->signals, SIGINT);
	sigdelset(&app->signals, SIGTERM);
	pthread_sigmask(SIG_UNBLOCK, &fatal, NULL);
}

int rill_app_run(struct rill_app *app, int (*fn)(void *arg), void *arg)
{
	struct main_task m = {.app = app, .fn = fn, .arg = arg};
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "main", .runtime = app->rt};
	struct rill_task *task;
	int err = rill_spawn_with(&o, main_task, &m, &task);

	if (err < 0) {
		fprintf(stderr, "rill: cannot start the main task: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	for (;;) {
		int sig = sigwaitinfo(&app->signals, NULL);

		if (sig == SIG_DONE)
			break;
		if (sig == SIGUSR1)
			write_metrics(app);
		if (sig == SIGUSR1 && app->report)
			app->report(app->report_arg);
		if (sig == SIGINT || sig == SIGTERM)
			on_stop_signal(app);
	}
	rill_join(task, NULL);
	return app->aborted ? EXIT_FAILURE : m.exit_code;
}

void rill_app_close(struct rill_app *app)
{
	if (app->rt && app->cut && app->options->metrics_file)
		write_metrics(app);
	if (app->net)
		rill_net_close(app->net);
	if (app->rt)
		rill_runtime_destroy(app->rt);
	if (app->stop)
		rill_token_unref(app->stop);
	if (app->cut)
		rill_token_unref(app->cut);
	*app = (struct rill_app){0};
}
