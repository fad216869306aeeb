/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options that every subcommand with a NIC understands. A subcommand puts RILL_CLI_OPTIONS into
 * its getopt_long() table and hands what it does not know itself to rill_cli_option().
 */
#ifndef RILL_CLI_OPTIONS_H
#define RILL_CLI_OPTIONS_H

#include <getopt.h>
#include <rill/runtime.h>
#include <stdbool.h>
#include <stdint.h>

/* The exit code for a wrong command line. */
#define RILL_EXIT_USAGE 2

/* The NIC when none is named: it needs no privilege. */
#define RILL_CLI_NIC "mem:rill"
/* The address of a server (198.18.0.0/15 is set apart for tests, RFC 2544, C.2.2). */
#define RILL_CLI_ADDR "198.18.0.1/24"

/* Subcommands number their own options from RILL_OPT_OWN. */
enum rill_cli_opt {
	RILL_OPT_NIC = 256,
	RILL_OPT_ADDR,
	RILL_OPT_GATEWAY,
	RILL_OPT_WORKERS,
	RILL_OPT_IDLE,
	RILL_OPT_QUEUES,
	RILL_OPT_METRICS_FILE,
	RILL_OPT_QUIET,
	RILL_OPT_HELP,
	RILL_OPT_OWN,
};

/* clang-format off */
#define RILL_CLI_OPTIONS \
	{"nic", required_argument, NULL, RILL_OPT_NIC}, \
	{"addr", required_argument, NULL, RILL_OPT_ADDR}, \
	{"gateway", required_argument, NULL, RILL_OPT_GATEWAY}, \
	{"workers", required_argument, NULL, RILL_OPT_WORKERS}, \
	{"idle", required_argument, NULL, RILL_OPT_IDLE}, \
	{"queues", required_argument, NULL, RILL_OPT_QUEUES}, \
	{"metrics-file", required_argument, NULL, RILL_OPT_METRICS_FILE}, \
	{"quiet", no_argument, NULL, RILL_OPT_QUIET}, \
	{"help", no_argument, NULL, RILL_OPT_HELP}
/* clang-format on */

/* Strings belong to the command line. */
struct rill_cli_options {
	const char *nic; /* never NULL after rill_cli_options_init() */
	const char *addr;
	const char *gateway;	  /* NULL: none */
	const char *metrics_file; /* NULL: SIGUSR1 prints to stderr */
	enum rill_idle idle;
	unsigned workers; /* 0: one per CPU */
	unsigned queues;  /* 0: as many as NIC and workers allow */
	bool nic_given;
	bool quiet;
	bool help;
};

/* addr is what --addr defaults to. */
void rill_cli_options_init(struct rill_cli_options *o, const char *addr);

/* Takes one result of getopt_long(). 0, or -EINVAL after a message on stderr ('?' included). */
int rill_cli_option(struct rill_cli_options *o, int opt, const char *value);

/* A decimal number from min to max for option --name. 0, or -EINVAL after a message on stderr. */
int rill_cli_number(const char *name, const char *text, unsigned min, unsigned max,
		    unsigned *ret_number);

/* After getopt_long(), for a subcommand without operands. 0, or -EINVAL after a message on stderr.
 */
int rill_cli_no_operands(int argc, char **argv);

/* The part of a subcommand's help that speaks of these options. */
extern const char rill_cli_options_help[];

#endif
