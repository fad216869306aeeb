/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill fwd": forwards between ports, on layer 2 or 3. */
#include "cli/fwd.h"

#include <errno.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>
#include <stdlib.h>

#include "cli/app.h"
#include "cli/command.h"

enum {
	OPT_PORT = RILL_OPT_OWN,
	OPT_ROUTE,
	OPT_BRIDGE,
};

struct program {
	struct rill_app app;
	struct fwd fwd;
};

/* ---- life ---- */

static void report(void *arg)
{
	rill_fwd_report(arg);
}

static int run_task(void *arg)
{
	struct program *pr = arg;
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, pr->app.stop);
	while (rill_sleep(RILL_FWD_TICK_NS) == 0)
		rill_fwd_tick(&pr->fwd);
	rill_scope_end(&scope);
	return EXIT_SUCCESS;
}

static void announce(const struct program *pr)
{
	if (pr->app.options->quiet)
		return;
	for (unsigned i = 0; i < pr->fwd.port_count; i++)
		printf("%s\n", rill_port_describe(pr->fwd.ports[i].port));
	printf("forwarding between %u ports on layer %d\n", pr->fwd.port_count,
	       pr->fwd.ports[0].ip ? 3 : 2);
	fflush(stdout);
}

static int serve(struct program *pr)
{
	int exit_code = EXIT_FAILURE;

	if (rill_fwd_open(&pr->fwd, pr->app.rt, pr->app.options->queues) == 0) {
		announce(pr);
		pr->app.report = report;
		pr->app.report_arg = &pr->fwd;
		exit_code = rill_app_run(&pr->app, run_task, pr);
		if (!pr->app.options->quiet)
			rill_fwd_report(&pr->fwd);
	}
	rill_fwd_close(&pr->fwd);
	return exit_code;
}

/* ---- options ---- */

static void print_help(void)
{
	printf("usage: rill fwd --port SPEC [--addr CIDR] --port SPEC [--addr CIDR] ... [options]\n"
	       "\n"
	       "Forwards between NICs that it opens raw: with addresses as an IPv4 router, "
	       "without\n"
	       "as a patch between two, or as a learning bridge.\n\n"
	       "  --port SPEC          one more port\n"
	       "  --addr CIDR          address of the port named before it\n"
	       "  --route CIDR,IP      a net behind the gateway IP; 0.0.0.0/0 for all others\n"
	       "  --bridge             learn who is where, with two ports as well\n"
	       "SIGUSR1 and the end print what was forwarded and dropped.\n\n%s",
	       rill_cli_options_help);
}

static int wrong(const char *option, const char *value, const char *want)
{
	fprintf(stderr, "rill: %s: '%s' is not %s\n", option, value, want);
	return -EINVAL;
}

static int add_port(struct fwd *fwd, const char *spec)
{
	struct fwd_port *p = &fwd->ports[fwd->port_count];

	if (fwd->port_count == FWD_PORTS_MAX) {
		fprintf(stderr, "rill: more than %d ports\n", FWD_PORTS_MAX);
		return -EINVAL;
	}
	*p = (struct fwd_port){.fwd = fwd, .index = fwd->port_count++, .spec = spec};
	return 0;
}

static int add_addr(struct fwd *fwd, const char *text)
{
	struct rill_ip ip;
	struct fwd_port *p;

	if (fwd->port_count == 0)
		return wrong("--addr", text, "behind a --port");
	p = &fwd->ports[fwd->port_count - 1];
	if (rill_cidr_parse(text, &ip, &p->prefix) < 0 || ip.family != RILL_AF_IP4)
		return wrong("--addr", text, "an address such as 198.18.0.1/24");
	p->ip = fwd_get_ip(ip.bytes);
	return 0;
}

static int add_route(struct fwd *fwd, const char *text)
{
	struct fwd_route *r = &fwd->routes[fwd->route_count];
	const char *comma = strchr(text, ',');
	struct rill_addr gateway;
	struct rill_ip net;
	char cidr[RILL_ADDR_STRLEN];

	if (fwd->route_count == FWD_ROUTES_MAX) {
		fprintf(stderr, "rill: more than %d routes\n", FWD_ROUTES_MAX);
		return -EINVAL;
	}
	snprintf(cidr, sizeof(cidr), "%.*s", comma ? (int)(comma - text) : 0, text);
	if (!comma || rill_cidr_parse(cidr, &net, &r->prefix) < 0 ||
	    rill_addr_parse(comma + 1, &gateway) < 0 || gateway.port || net.family != RILL_AF_IP4 ||
	    gateway.ip.family != RILL_AF_IP4)
		return wrong("--route", text, "a route such as 198.19.0.0/16,198.18.0.9");
	r->net = fwd_get_ip(net.bytes);
	r->gateway = fwd_get_ip(gateway.ip.bytes);
	fwd->route_count++;
	return 0;
}

static int take_option(struct program *pr, struct rill_cli_options *o, int c)
{
	switch (c) {
	case OPT_PORT:
		return add_port(&pr->fwd, optarg);
	case RILL_OPT_ADDR:
		return add_addr(&pr->fwd, optarg);
	case OPT_ROUTE:
		return add_route(&pr->fwd, optarg);
	case OPT_BRIDGE:
		pr->fwd.bridge = true;
		return 0;
	default:
		return rill_cli_option(o, c, optarg);
	}
}

static int check(struct program *pr)
{
	struct fwd *fwd = &pr->fwd;
	unsigned with_ip = 0;

	for (unsigned i = 0; i < fwd->port_count; i++)
		with_ip += fwd->ports[i].ip != 0;
	if (fwd->port_count < 2 || (with_ip && with_ip < fwd->port_count) ||
	    (with_ip && pr->fwd.bridge) || (!with_ip && fwd->route_count)) {
		fprintf(stderr, "rill: want two or more --port, all with --addr (and --route) or "
				"all without\n");
		return -EINVAL;
	}
	return 0;
}

static int parse(int argc, char **argv, struct program *pr, struct rill_cli_options *o)
{
	static const struct option options[] = {
		RILL_CLI_OPTIONS,
		{"port", required_argument, NULL, OPT_PORT},
		{"route", required_argument, NULL, OPT_ROUTE},
		{"bridge", no_argument, NULL, OPT_BRIDGE},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int err = take_option(pr, o, c);

		if (err < 0)
			return err;
	}
	if (o->nic_given || o->gateway) {
		fprintf(stderr, "rill: fwd wants --port and --route, not --nic and --gateway\n");
		return -EINVAL;
	}
	if (o->help)
		return 0;
	return rill_cli_no_operands(argc, argv) < 0 ? -EINVAL : check(pr);
}

int rill_cmd_fwd(int argc, char **argv)
{
	struct rill_cli_options o;
	struct program *pr = calloc(1, sizeof(*pr));
	int exit_code = EXIT_FAILURE;

	if (!pr)
		return EXIT_FAILURE;
	rill_cli_options_init(&o, NULL);
	if (parse(argc, argv, pr, &o) < 0) {
		exit_code = RILL_EXIT_USAGE;
	} else if (o.help) {
		print_help();
		exit_code = EXIT_SUCCESS;
	} else if (rill_app_start(&pr->app, &o) == 0) {
		exit_code = serve(pr);
		rill_app_close(&pr->app);
	}
	free(pr);
	return exit_code;
}
