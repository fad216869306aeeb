/* SPDX-License-Identifier: BSD-3-Clause */
/* "rill doctor": what this machine can do. */
#include "cli/doctor.h"

#include "cli/command.h"
#include "cli/options.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_HELP = RILL_OPT_HELP,
	OPT_JSON = RILL_OPT_OWN,
	OPT_MEASURE,
	OPT_PEER,
};

static const char *const state_names[] = {"ok", "missing", "info"};

static void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void print_json(const struct rill_doctor *d, enum rill_doctor_state state, const char *name,
		       const char *fix, const char *detail)
{
	printf("%s\n  {\"item\": ", d->items ? "," : "");
	print_json_string(name);
	printf(", \"state\": \"%s\", \"detail\": ", state_names[state]);
	print_json_string(detail);
	if (fix) {
		printf(", \"fix\": ");
		print_json_string(fix);
	}
	putchar('}');
}

void rill_doctor_item(struct rill_doctor *d, enum rill_doctor_state state, const char *name,
		      const char *fix, const char *format, ...)
{
	char detail[256];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	if (state != RILL_DOCTOR_MISSING)
		fix = NULL;
	if (d->json) {
		print_json(d, state, name, fix, detail);
	} else {
		printf("%-7s  %-22s  %s\n", state_names[state], name, detail);
		if (fix)
			printf("%-7s  %-22s  fix: %s\n", "", "", fix);
	}
	d->items++;
	d->missing += state == RILL_DOCTOR_MISSING;
}

bool rill_doctor_read(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, cap - 1);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return true;
}

static void print_help(void)
{
	puts("usage: rill doctor [--json] [--measure[=DRIVER] | --nic SPEC --peer SPEC]\n\n"
	     "Says what this machine can do for rill, and for what is missing the command\n"
	     "that brings it. Changes nothing. The exit code is 0 whatever it finds.\n\n"
	     "  --json               an array of objects: item, state, detail, fix\n"
	     "  --measure[=DRIVER]   instead of that: how fast a sleeping worker wakes up for a\n"
	     "                       packet, and what two of them cost while none comes; for\n"
	     "                       mem, tap and af_xdp, on interfaces made for it in a\n"
	     "                       network namespace of its own\n"
	     "  --nic, --peer SPEC   the same between these two, which are connected");
}

static void begin(const struct rill_doctor *d)
{
	if (d->json)
		putchar('[');
}

static void end(const struct rill_doctor *d, const char *last)
{
	if (d->json)
		puts("\n]");
	else
		printf("\n%u items, %u missing%s\n", d->items, d->missing, last);
}

static void look(struct rill_doctor *d)
{
	begin(d);
	rill_doctor_kernel(d);
	rill_doctor_cpu(d);
	rill_doctor_net(d);
	end(d, "; the in-process NIC (mem:) needs no privilege");
}

struct measuring {
	bool wanted;
	const char *driver, *nic, *peer;
};

static int measure(struct rill_doctor *d, const struct measuring *m)
{
	bool known = true;

	if (!m->nic != !m->peer) {
		fputs("rill doctor: --nic and --peer go together\n", stderr);
		return RILL_EXIT_USAGE;
	}
	begin(d);
	if (m->nic)
		rill_doctor_measure_between(d, m->nic, m->peer);
	else
		known = rill_doctor_measure(d, m->driver);
	end(d, "");
	if (known)
		return EXIT_SUCCESS;
	fprintf(stderr, "rill doctor: --measure=%s: want mem, tap or af_xdp\n", m->driver);
	return RILL_EXIT_USAGE;
}

int rill_cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, OPT_HELP},
		{"json", no_argument, NULL, OPT_JSON},
		{"measure", optional_argument, NULL, OPT_MEASURE},
		{"nic", required_argument, NULL, RILL_OPT_NIC},
		{"peer", required_argument, NULL, OPT_PEER},
		{NULL, 0, NULL, 0},
	};
	struct rill_doctor d = {0};
	struct measuring m = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case OPT_HELP:
			print_help();
			return EXIT_SUCCESS;
		case OPT_JSON:
			d.json = true;
			break;
		case OPT_MEASURE:
			m.wanted = true;
			m.driver = optarg;
			break;
		case RILL_OPT_NIC:
			m.nic = optarg;
			break;
		case OPT_PEER:
			m.peer = optarg;
			break;
		default:
			return RILL_EXIT_USAGE;
		}
	}
	if (rill_cli_no_operands(argc, argv) < 0)
		return RILL_EXIT_USAGE;
	if (m.wanted || m.nic || m.peer)
		return measure(&d, &m);
	look(&d);
	return EXIT_SUCCESS;
}
