/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of <errno.h>, <poll.h> and the states of connections. */
#ifndef RILL_TESTS_SCRIPT_CONSTANTS_H
#define RILL_TESTS_SCRIPT_CONSTANTS_H

#include <stdbool.h>
#include <stdint.h>

/* -EAGAIN, EAGAIN, POLLIN, ESTABLISHED, or a number as of number.h. */
bool constants_parse(const char *text, int64_t *ret_value);
/* "EAGAIN", or NULL. */
const char *constants_errno(int64_t number);
/* "POLLIN POLLOUT"; out: 128 bytes. */
const char *constants_poll(int bits, char *out);
/* "ESTABLISHED" */
const char *constants_state(int64_t state);

#endif
