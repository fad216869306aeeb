/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Socket options as a table of names, by level. A getter or setter takes an int, as nearly all of
 * Linux's options are; those with another layout have functions of their own.
 */
#ifndef RILL_NETSTACK_BARE_OPTION_H
#define RILL_NETSTACK_BARE_OPTION_H

#include "netstack/bare/socket.h"

struct rill_option {
	int name;
	bool stream_only;
	/* The value, which is never negative but where that means something. */
	int (*get)(struct rill_socket *so);
	/* 0 or a negative errno. NULL: it can only be read (-ENOPROTOOPT). */
	int (*set)(struct rill_socket *so, int value);
	/* Instead of the two: any layout. get writes at most *len bytes, and sets *len. */
	int (*get_raw)(struct rill_socket *so, void *value, size_t *len);
	int (*set_raw)(struct rill_socket *so, const void *value, size_t len);
};

/* Each ends with an entry without functions. */
extern const struct rill_option rill_options_socket[];
extern const struct rill_option rill_options_tcp[];

/* The settings in force; never NULL. */
const struct rill_tcp_settings *rill_socket_settings(const struct rill_socket *so);
/* The same, to be changed: the socket's own, and its connection's. NULL: no memory. */
struct rill_tcp_settings *rill_socket_settings_own(struct rill_socket *so);
/* After a change: an open connection follows. */
void rill_socket_settings_changed(struct rill_socket *so);
/* One flag of enum rill_tcb_flags, now and of a connection to come. */
bool rill_socket_flag(const struct rill_socket *so, uint32_t flag);
void rill_socket_set_flag(struct rill_socket *so, uint32_t flag, bool on);

/* Writes as much of n bytes as *len allows. */
int rill_option_put(const void *from, size_t n, void *value, size_t *len);

/* info.c: TCP_INFO. */
int rill_socket_info(struct rill_socket *so, void *value, size_t *len);

#endif
