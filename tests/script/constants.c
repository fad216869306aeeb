/* SPDX-License-Identifier: BSD-3-Clause */
#include "constants.h"

#include <errno.h>
#include <poll.h>
#include <rill/stack.h>
#include <strings.h>
#include <string.h>

#include "number.h"

struct name {
	const char *name;
	int64_t value;
};

#define NAME(x)                                                                                    \
	{                                                                                          \
#x, x                                                                              \
	}

static const struct name errors[] = {
	NAME(EACCES),	       NAME(EADDRINUSE),  NAME(EADDRNOTAVAIL), NAME(EAFNOSUPPORT),
	NAME(EAGAIN),	       NAME(EALREADY),	  NAME(EBADF),	       NAME(ECONNABORTED),
	NAME(ECONNREFUSED),    NAME(ECONNRESET),  NAME(EDESTADDRREQ),  NAME(EFAULT),
	NAME(EHOSTUNREACH),    NAME(EINPROGRESS), NAME(EINVAL),	       NAME(EISCONN),
	NAME(EMFILE),	       NAME(EMSGSIZE),	  NAME(ENETUNREACH),   NAME(ENOBUFS),
	NAME(ENOENT),	       NAME(ENOMEM),	  NAME(ENOPROTOOPT),   NAME(ENOTCONN),
	NAME(EOPNOTSUPP),      NAME(EPERM),	  NAME(EPIPE),	       NAME(EPROTO),
	NAME(EPROTONOSUPPORT), NAME(ETIMEDOUT),	  NAME(EDOM),	       NAME(ENOSYS),
};

static const struct name polls[] = {
	NAME(POLLIN),  NAME(POLLPRI), NAME(POLLOUT),  NAME(POLLRDHUP),
	NAME(POLLERR), NAME(POLLHUP), NAME(POLLNVAL),
};

static const struct name states[] = {
	{"ESTABLISHED", RILL_STACK_ESTABLISHED},
	{"SYN_SENT", RILL_STACK_SYN_SENT},
	{"SYN_RECEIVED", RILL_STACK_SYN_RECEIVED},
	{"FIN_WAIT_1", RILL_STACK_FIN_WAIT_1},
	{"FIN_WAIT_2", RILL_STACK_FIN_WAIT_2},
	{"TIME_WAIT", RILL_STACK_TIME_WAIT},
	{"CLOSED", RILL_STACK_CLOSED},
	{"CLOSE_WAIT", RILL_STACK_CLOSE_WAIT},
	{"LAST_ACK", RILL_STACK_LAST_ACK},
	{"LISTEN", RILL_STACK_LISTEN},
	{"CLOSING", RILL_STACK_CLOSING},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool find(const struct name *names, size_t count, const char *text, int64_t *ret_value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(names[i].name, text) != 0)
			continue;
		*ret_value = names[i].value;
		return true;
	}
	return false;
}

bool constants_parse(const char *text, int64_t *ret_value)
{
	if (find(errors, COUNT(errors), text, ret_value) ||
	    find(polls, COUNT(polls), text, ret_value) ||
	    find(states, COUNT(states), text, ret_value))
		return true;
	if (*text == '-' && find(errors, COUNT(errors), text + 1, ret_value)) {
		*ret_value = -*ret_value;
		return true;
	}
	return number_whole(text, ret_value);
}

const char *constants_errno(int64_t number)
{
	for (size_t i = 0; i < COUNT(errors); i++)
		if (errors[i].value == number)
			return errors[i].name;
	return NULL;
}

const char *constants_poll(int bits, char *out)
{
	strcpy(out, bits ? "" : "0");
	for (size_t i = 0; i < COUNT(polls); i++) {
		if (!(bits & polls[i].value))
			continue;
		strcat(out, *out ? " " : "");
		strcat(out, polls[i].name);
	}
	return out;
}

const char *constants_state(int64_t state)
{
	for (size_t i = 0; i < COUNT(states); i++)
		if (states[i].value == state)
			return states[i].name;
	return "?";
}
