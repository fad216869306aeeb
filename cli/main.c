/* SPDX-License-Identifier: BSD-3-Clause */
/* The program "rill": a table of subcommands. */
#include "cli/command.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
	{"echo", rill_cmd_echo, "serve TCP and UDP echo"},
	{"http", rill_cmd_http, "serve the files of a directory over HTTP"},
	{"fwd", rill_cmd_fwd, "forward packets between NICs: a patch, a bridge, an IPv4 router"},
	{"get", rill_cmd_get, "fetch a URL; with --serve, from a server in the same process"},
	{"caps", rill_cmd_caps, "say what a NIC can do, as tried on it"},
	{"doctor", rill_cmd_doctor, "say what this machine can do, and how to get what is missing"},
	{"help", cmd_help, "this text"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "rill: unknown command '%s'; 'rill help' lists them\n", name);
	return RILL_EXIT_USAGE;
}

static void print_help(FILE *out)
{
	fputs("usage: rill COMMAND [options]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'rill COMMAND --help' lists the options of a command.\n", out);
}

/* getopt_long() begins its messages with argv[0]. */
static int run_command(const struct command *c, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "rill %s", c->name);
	argv[0] = name;
	return c->run(argc, argv);
}

/* "rill help echo" is "rill echo --help". */
static int cmd_help(int argc, char **argv)
{
	char help[] = "--help";
	const struct command *c;

	if (argc < 2) {
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	if (c->run == cmd_help)
		return cmd_help(1, argv);
	return run_command(c, 2, (char *[]){argv[1], help, NULL});
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		print_help(stderr);
		return RILL_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("rill " RILL_VERSION);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(1, argv);
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	return run_command(c, argc - 1, argv + 1);
}
