/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill http": a static file server. */
#include "cli/app.h"
#include "cli/command.h"
#include "cli/http_conn.h"
#include "cli/http_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PORT 80

enum {
	OPT_PORT = RILL_OPT_OWN,
	OPT_ROOT,
};

struct http {
	struct rill_app app;
	struct rill_server server;
	struct rill_http_site site;
	const char *root;
	unsigned port;
};

static int http_task(void *arg)
{
	struct http *http = arg;

	rill_server_run(&http->server);
	return EXIT_SUCCESS;
}

static int serve(struct http *http)
{
	http->server = (struct rill_server){
		.name = "http",
		.serve = rill_http_serve,
		.arg = &http->site,
		.stop = http->app.stop,
		.cut = http->app.cut,
	};
	if (rill_server_listen(&http->server, http->app.net, (uint16_t)http->port) < 0)
		return EXIT_FAILURE;
	rill_app_announce(&http->app, (uint16_t)http->port);
	return rill_app_run(&http->app, http_task, http);
}

static void print_help(void)
{
	printf("usage: rill http --root DIR [options]\n\n"
	       "Serves a directory's files over HTTP/1.1: GET, HEAD, keep-alive, ranges.\n\n"
	       "  --root DIR           what to serve; nothing outside of it can be reached\n"
	       "  --port N             TCP port (default %u)\n\n%s",
	       DEFAULT_PORT, rill_cli_options_help);
}

static int parse(int argc, char **argv, struct rill_cli_options *o, struct http *http)
{
	static const struct option options[] = {
		RILL_CLI_OPTIONS,
		{"port", required_argument, NULL, OPT_PORT},
		{"root", required_argument, NULL, OPT_ROOT},
		{NULL, 0, NULL, 0},
	};
	int c, err = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_PORT)
			err = rill_cli_number("port", optarg, 1, 65535, &http->port);
		else if (c == OPT_ROOT)
			http->root = optarg;
		else
			err = rill_cli_option(o, c, optarg);
		if (err < 0)
			return err;
	}
	if (!http->root && !o->help) {
		fputs("rill http: --root DIR is needed\n", stderr);
		return -EINVAL;
	}
	return rill_cli_no_operands(argc, argv);
}

int rill_cmd_http(int argc, char **argv)
{
	struct http http = {.port = DEFAULT_PORT};
	struct rill_cli_options o;
	int exit_code = EXIT_FAILURE;

	rill_cli_options_init(&o, RILL_CLI_ADDR);
	if (parse(argc, argv, &o, &http) < 0)
		return RILL_EXIT_USAGE;
	if (o.help) {
		print_help();
		return EXIT_SUCCESS;
	}
	http.site.root = rill_http_root_open(http.root);
	if (http.site.root < 0) {
		fprintf(stderr, "rill: cannot open %s: %s\n", http.root, strerror(-http.site.root));
		return EXIT_FAILURE;
	}
	if (rill_app_open(&http.app, &o) == 0) {
		exit_code = serve(&http);
		rill_app_close(&http.app);
	}
	close(http.site.root);
	return exit_code;
}
