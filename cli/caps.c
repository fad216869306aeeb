/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill caps": what a NIC can do, as tried. */
#include <rill/caps.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options.h"

enum {
	OPT_JSON = RILL_OPT_OWN,
};

static void print_mac(const uint8_t *mac)
{
	printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* ---- text ---- */

static const char *verdict(const struct rill_caps_fact *fact)
{
	if (fact->tried > 0)
		return "works";
	if (fact->tried < 0)
		return "does not work";
	return fact->claimed ? "claimed" : "no";
}

static void print_text(const struct rill_caps *caps)
{
	printf("%s\n%u queue%s, mtu %u, ", caps->describe, caps->queues,
	       caps->queues == 1 ? "" : "s", caps->mtu);
	print_mac(caps->mac);
	printf("\n");
	for (unsigned i = 0; i < caps->fact_count; i++) {
		const struct rill_caps_fact *fact = &caps->facts[i];

		printf("  %-18s %-14s", fact->name, verdict(fact));
		if (fact->tried < 0)
			printf("%s: ", strerror(-fact->tried));
		printf("%s\n", fact->detail);
	}
}

/* ---- JSON ---- */

static void print_string(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void print_json(const struct rill_caps *caps)
{
	printf("{\"describe\":");
	print_string(caps->describe);
	printf(",\"queues\":%u,\"mtu\":%u,\"mac\":\"", caps->queues, caps->mtu);
	print_mac(caps->mac);
	printf("\",\"facts\":[");
	for (unsigned i = 0; i < caps->fact_count; i++) {
		const struct rill_caps_fact *fact = &caps->facts[i];

		printf("%s\n{\"name\":", i ? "," : "");
		print_string(fact->name);
		printf(",\"claimed\":%s,\"tried\":%s,\"works\":%s,\"error\":",
		       fact->claimed ? "true" : "false", fact->tried ? "true" : "false",
		       fact->tried > 0 ? "true" : "false");
		print_string(fact->tried < 0 ? strerror(-fact->tried) : "");
		printf(",\"detail\":");
		print_string(fact->detail);
		printf("}");
	}
	printf("\n]}\n");
}

/* ---- command ---- */

static void print_help(void)
{
	puts("usage: rill caps [--json] SPEC\n\n"
	     "Opens a NIC (mem:NAME, tap:NAME, af_xdp:NAME, ...), tries what it can do, and says\n"
	     "how that came out. Nobody else may use the NIC meanwhile.\n\n"
	     "  --json               for programs\n"
	     "  --help               this text");
}

static int try_nic(const char *spec, bool json)
{
	struct rill_caps *caps = malloc(sizeof(*caps));
	char error[RILL_CAPS_ERROR] = "out of memory";
	int err = caps ? rill_caps_try(spec, caps, error) : -ENOMEM;

	if (err < 0)
		fprintf(stderr, "rill: cannot open %s: %s\n", spec, error);
	else if (json)
		print_json(caps);
	else
		print_text(caps);
	free(caps);
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int rill_cmd_caps(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, RILL_OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == RILL_OPT_HELP) {
			print_help();
			return EXIT_SUCCESS;
		}
		if (c != OPT_JSON)
			return RILL_EXIT_USAGE;
		json = true;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "rill: caps wants one NIC, such as af_xdp:eth0\n");
		return RILL_EXIT_USAGE;
	}
	return try_nic(argv[optind], json);
}
