/* SPDX-License-Identifier: BSD-3-Clause */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"

enum kind {
	KIND_TIME_US,
	KIND_NUMBER,
	KIND_TEXT,
	KIND_HEX,
};

struct key {
	const char *name;
	enum kind kind;
	bool of_stack; /* of struct rill_stack_options, else of its profile */
	uint16_t offset, size;
};

#define SIZE(type, field) sizeof(((struct type *)0)->field)
#define PROFILE(name, kind, field)                                                                 \
	{                                                                                          \
		name, kind, false, offsetof(struct rill_stack_profile, field),                     \
			SIZE(rill_stack_profile, field)                                            \
	}
#define STACK(name, kind, field)                                                                   \
	{                                                                                          \
		name, kind, true, offsetof(struct rill_stack_options, field),                      \
			SIZE(rill_stack_options, field)                                            \
	}

static const struct key keys[] = {
	PROFILE("delack", KIND_TIME_US, delayed_ack_us),
	PROFILE("quick", KIND_NUMBER, quick_acks),
	PROFILE("iw", KIND_NUMBER, initial_window),
	PROFILE("rto_initial", KIND_TIME_US, rto_initial_us),
	PROFILE("rto_min", KIND_TIME_US, rto_min_us),
	PROFILE("rto_max", KIND_TIME_US, rto_max_us),
	PROFILE("cc", KIND_TEXT, congestion),
	PROFILE("pacing", KIND_NUMBER, pacing),
	PROFILE("irwin", KIND_NUMBER, initial_recv_window),
	PROFILE("wscale", KIND_NUMBER, window_scale),
	PROFILE("ts", KIND_NUMBER, timestamps),
	PROFILE("sack", KIND_NUMBER, sack),
	PROFILE("simultaneous_all", KIND_NUMBER, simultaneous_all_options),
	PROFILE("ecn", KIND_NUMBER, ecn),
	PROFILE("fastopen", KIND_NUMBER, fast_open),
	PROFILE("fastopen_keys", KIND_NUMBER, fast_open_key_count),
	PROFILE("fastopen_key", KIND_HEX, fast_open_keys),
	PROFILE("syn_retries", KIND_NUMBER, syn_retries),
	PROFILE("synack_retries", KIND_NUMBER, synack_retries),
	PROFILE("data_retries", KIND_NUMBER, data_retries),
	PROFILE("orphan_retries", KIND_NUMBER, orphan_retries),
	PROFILE("time_wait", KIND_TIME_US, time_wait_us),
	PROFILE("fin_wait2", KIND_TIME_US, fin_wait2_us),
	PROFILE("keep_idle", KIND_TIME_US, keep_idle_us),
	PROFILE("keep_interval", KIND_TIME_US, keep_interval_us),
	PROFILE("keep_count", KIND_NUMBER, keep_count),
	PROFILE("challenges", KIND_NUMBER, challenge_acks_per_sec),
	PROFILE("uto", KIND_TIME_US, user_timeout_option_us),
	STACK("mtu", KIND_NUMBER, mtu),
	STACK("seed", KIND_NUMBER, seed),
	STACK("sockets", KIND_NUMBER, sockets),
	STACK("packets", KIND_NUMBER, packets),
	STACK("connections", KIND_NUMBER, connections),
	STACK("send_buffer", KIND_NUMBER, send_buffer),
	STACK("recv_buffer", KIND_NUMBER, recv_buffer),
};

static const struct {
	const char *name;
	int64_t value;
} values[] = {
	{"off", 0},
	{"on", 1},
	{"auto", RILL_STACK_WSCALE_AUTO},
	{"none", RILL_STACK_WSCALE_NONE},
	{"passive", RILL_STACK_ECN_PASSIVE},
	{"active", RILL_STACK_ECN_ACTIVE},
	{"accurate", RILL_STACK_ECN_ACCURATE},
	{"client", RILL_STACK_FAST_OPEN_CLIENT},
	{"server", RILL_STACK_FAST_OPEN_SERVER},
	{"both", RILL_STACK_FAST_OPEN_CLIENT | RILL_STACK_FAST_OPEN_SERVER},
};

static bool parse_number(const char *text, int64_t *ret_value)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		if (strcmp(values[i].name, text) != 0)
			continue;
		*ret_value = values[i].value;
		return true;
	}
	return number_whole(text, ret_value);
}

static void store(void *to, size_t size, uint64_t value)
{
	if (size == 1)
		*(uint8_t *)to = (uint8_t)value;
	else if (size == 2)
		*(uint16_t *)to = (uint16_t)value;
	else if (size == 4)
		*(uint32_t *)to = (uint32_t)value;
	else
		*(uint64_t *)to = value;
}

static bool set(struct world *w, const struct key *key, const char *text)
{
	char *to = (key->of_stack ? (char *)&w->options : (char *)&w->profile) + key->offset;
	uint64_t ns;
	int64_t number;

	switch (key->kind) {
	case KIND_TIME_US:
		if (!number_time(text, &ns))
			return false;
		store(to, key->size, ns / RILL_US);
		return true;
	case KIND_NUMBER:
		if (!parse_number(text, &number))
			return false;
		store(to, key->size, (uint64_t)number);
		return true;
	case KIND_TEXT:
		if (strlen(text) >= key->size)
			return false;
		strcpy(to, text);
		return true;
	case KIND_HEX:
		return number_hex(text, (uint8_t *)to, key->size) > 0;
	}
	return false;
}

static void set_pair(struct world *w, const char *pair)
{
	size_t len = strcspn(pair, "=");

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strlen(keys[i].name) != len || strncmp(keys[i].name, pair, len) != 0)
			continue;
		if (!pair[len] || !set(w, &keys[i], pair + len + 1))
			world_fail(w, "not a value: %s", pair);
		return;
	}
	world_fail(w, "no such knob: %s", pair);
}

void profile_run(struct world *w, char *const *words, unsigned count)
{
	if (w->stack)
		world_fail(w, "too late: the stack was made by a line before");
	for (unsigned i = 1; i < count; i++)
		set_pair(w, words[i]);
}
