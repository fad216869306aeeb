/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/options.h"

#include <errno.h>
#include <rill/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 1024 /* struct rill_runtime_options */
#define QUEUES_MAX 64	 /* more than any NIC that this was tried on gives to one process */

const char rill_cli_options_help[] =
	"NIC and runtime:\n"
	"  --nic SPEC           mem:NAME, tap:NAME, af_xdp:NAME, dpdk:DEVICE\n"
	"                       (default " RILL_CLI_NIC ")\n"
	"  --addr CIDR          own address with prefix length, such as 198.18.0.1/24\n"
	"  --gateway IP         next hop for everything outside the prefix\n"
	"  --queues N           NIC queues to open (default: as many as NIC and workers allow)\n"
	"  --workers N          worker threads (default: one per CPU)\n"
	"  --idle spin|adaptive what a worker without work does (default adaptive)\n"
	"  --metrics-file FILE  write OpenMetrics text at exit and on SIGUSR1\n"
	"                       (without it, SIGUSR1 prints to stderr)\n"
	"  --quiet              only errors\n"
	"  --help               this text\n";

void rill_cli_options_init(struct rill_cli_options *o, const char *addr)
{
	*o = (struct rill_cli_options){
		.nic = RILL_CLI_NIC,
		.addr = addr,
		.idle = RILL_IDLE_ADAPTIVE,
	};
}

int rill_cli_number(const char *name, const char *text, unsigned min, unsigned max,
		    unsigned *ret_number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	/* strtoul() would take "-1" and " 1". */
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < min || value > max) {
		fprintf(stderr, "rill: --%s: '%s' is not a number from %u to %u\n", name, text, min,
			max);
		return -EINVAL;
	}
	*ret_number = (unsigned)value;
	return 0;
}

int rill_cli_no_operands(int argc, char **argv)
{
	if (optind == argc)
		return 0;
	fprintf(stderr, "%s: takes no '%s'\n", argv[0], argv[optind]);
	return -EINVAL;
}

static int set_addr(struct rill_cli_options *o, const char *value)
{
	struct rill_ip ip;
	unsigned prefix;

	if (rill_cidr_parse(value, &ip, &prefix) < 0) {
		fprintf(stderr, "rill: --addr: '%s' is not an address such as 198.18.0.1/24\n",
			value);
		return -EINVAL;
	}
	o->addr = value;
	return 0;
}

static int set_gateway(struct rill_cli_options *o, const char *value)
{
	struct rill_addr addr;

	if (rill_addr_parse(value, &addr) < 0 || addr.port) {
		fprintf(stderr, "rill: --gateway: '%s' is not an IP address\n", value);
		return -EINVAL;
	}
	o->gateway = value;
	return 0;
}

static int set_idle(struct rill_cli_options *o, const char *value)
{
	if (!strcmp(value, "spin")) {
		o->idle = RILL_IDLE_SPIN;
		return 0;
	}
	if (!strcmp(value, "adaptive")) {
		o->idle = RILL_IDLE_ADAPTIVE;
		return 0;
	}
	fprintf(stderr, "rill: --idle: '%s' is neither 'spin' nor 'adaptive'\n", value);
	return -EINVAL;
}

int rill_cli_option(struct rill_cli_options *o, int opt, const char *value)
{
	switch (opt) {
	case RILL_OPT_NIC:
		o->nic = value;
		o->nic_given = true;
		return 0;
	case RILL_OPT_ADDR:
		return set_addr(o, value);
	case RILL_OPT_GATEWAY:
		return set_gateway(o, value);
	case RILL_OPT_WORKERS:
		return rill_cli_number("workers", value, 1, WORKERS_MAX, &o->workers);
	case RILL_OPT_IDLE:
		return set_idle(o, value);
	case RILL_OPT_QUEUES:
		return rill_cli_number("queues", value, 1, QUEUES_MAX, &o->queues);
	case RILL_OPT_METRICS_FILE:
		o->metrics_file = value;
		return 0;
	case RILL_OPT_QUIET:
		o->quiet = true;
		return 0;
	case RILL_OPT_HELP:
		o->help = true;
		return 0;
	default:
		/* getopt_long() has said what is wrong. */
		return -EINVAL;
	}
}
