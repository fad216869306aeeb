/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that a signal handler may write: no allocation, no lock, no locale. */
#ifndef RILL_RUNTIME_CRASH_TEXT_H
#define RILL_RUNTIME_CRASH_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A line that is cut off where it is full. */
struct rill_crash_text {
	size_t len;
	char buf[512];
};

void rill_crash_put(struct rill_crash_text *t, const char *s);
void rill_crash_put_name(struct rill_crash_text *t, const char *s, size_t max);
void rill_crash_put_number(struct rill_crash_text *t, uint64_t n);
void rill_crash_put_hex(struct rill_crash_text *t, uint64_t n);
/* 0xaddress, and module+0xoffset where the C library can tell it to a handler. */
void rill_crash_put_pc(struct rill_crash_text *t, const void *pc);
/* Ends the line, writes it to stderr and empties it. */
void rill_crash_flush(struct rill_crash_text *t);

#endif
