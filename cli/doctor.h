/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What "rill doctor" finds. Each check looks without touching: it opens nothing for writing, and
 * what it makes to try a system call (a socket, a page, a ring) is its own and gone at once. It
 * reports what it looked at, never what it concludes from it.
 */
#ifndef RILL_CLI_DOCTOR_H
#define RILL_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum rill_doctor_state {
	RILL_DOCTOR_OK,
	RILL_DOCTOR_MISSING,
	RILL_DOCTOR_INFO, /* neither good nor bad, or not to be told without trying */
};

struct rill_doctor {
	bool json;
	unsigned items;
	unsigned missing;
};

/*
 * One line of the report. fix is the command that brings what is missing, NULL when there is none;
 * format and what follows say what was seen.
 */
__attribute__((format(printf, 5, 6))) void rill_doctor_item(struct rill_doctor *d,
							    enum rill_doctor_state state,
							    const char *name, const char *fix,
							    const char *format, ...);

/* Reads a small file of /proc or /sys, without its last newline. False: it cannot be read. */
bool rill_doctor_read(const char *path, char *buf, size_t cap);

/* The sections, one per file. */
void rill_doctor_kernel(struct rill_doctor *d);
void rill_doctor_net(struct rill_doctor *d);
void rill_doctor_cpu(struct rill_doctor *d);

/*
 * Wake-up latency and idle CPU, adaptive and spinning: of one driver between two NICs of its own,
 * NULL: of each. False: there is no such driver here.
 */
bool rill_doctor_measure(struct rill_doctor *d, const char *driver);
/* The same between two NICs by their specs, which are connected with one another. */
void rill_doctor_measure_between(struct rill_doctor *d, const char *nic, const char *peer);

#endif
