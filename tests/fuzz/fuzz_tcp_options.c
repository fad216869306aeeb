/* SPDX-License-Identifier: BSD-3-Clause */
/* The option parser: whatever it reads is within bounds, and survives being written and read again.
 */
#include "fuzz.h"
#include "netstack/tcp/options.h"

static void check_bounds(const struct rill_tcp_options_seen *o)
{
	if (o->present & RILL_TCP_OPT_WSCALE)
		FUZZ_CHECK(o->wscale <= RILL_TCP_WSCALE_MAX);
	if (o->present & RILL_TCP_OPT_SACK)
		FUZZ_CHECK(o->sack_count > 0 && o->sack_count <= RILL_TCP_SACK_BLOCKS_MAX);
	if (o->present & RILL_TCP_OPT_FAST_OPEN)
		FUZZ_CHECK(o->fast_open_len <= RILL_TCP_FAST_OPEN_MAX);
}

static void check_same(const struct rill_tcp_options_seen *a, const struct rill_tcp_options_seen *b)
{
	FUZZ_CHECK(a->present == b->present);
	if (a->present & RILL_TCP_OPT_MSS)
		FUZZ_CHECK(a->mss == b->mss);
	if (a->present & RILL_TCP_OPT_WSCALE)
		FUZZ_CHECK(a->wscale == b->wscale);
	if (a->present & RILL_TCP_OPT_TIMESTAMPS)
		FUZZ_CHECK(a->tsval == b->tsval && a->tsecr == b->tsecr);
	if (a->present & RILL_TCP_OPT_USER_TIMEOUT)
		FUZZ_CHECK(a->user_timeout == b->user_timeout);
	if (a->present & RILL_TCP_OPT_ACCECN)
		FUZZ_CHECK(a->e0b == b->e0b && a->ceb == b->ceb && a->e1b == b->e1b);
	if (a->present & RILL_TCP_OPT_SACK) {
		FUZZ_CHECK(a->sack_count == b->sack_count);
		FUZZ_CHECK(memcmp(a->sack, b->sack, a->sack_count * sizeof(a->sack[0])) == 0);
	}
	if (a->present & RILL_TCP_OPT_FAST_OPEN) {
		FUZZ_CHECK(a->fast_open_len == b->fast_open_len);
		FUZZ_CHECK(memcmp(a->fast_open, b->fast_open, a->fast_open_len) == 0);
	}
}

/* At most one of the long ones, so that it fits. */
static void leave_what_fits(struct rill_tcp_options_seen *o)
{
	if ((o->present & RILL_TCP_OPT_SACK) && (o->present & RILL_TCP_OPT_FAST_OPEN))
		o->present &= (uint8_t)~RILL_TCP_OPT_FAST_OPEN;
	if ((o->present & RILL_TCP_OPT_SACK) && o->sack_count > 1)
		o->sack_count = 1;
	if (o->present & RILL_TCP_OPT_SACK)
		o->present &= (uint8_t)~RILL_TCP_OPT_USER_TIMEOUT;
	if (o->present & (RILL_TCP_OPT_SACK | RILL_TCP_OPT_FAST_OPEN))
		o->present &= (uint8_t)~RILL_TCP_OPT_ACCECN;
	if (o->fast_open_len > 8)
		o->fast_open_len = 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rill_tcp_options_seen first, second;
	uint8_t bytes[RILL_TCP_OPTIONS_MAX];
	uint8_t len;

	if (size > RILL_TCP_OPTIONS_MAX)
		size = RILL_TCP_OPTIONS_MAX;
	rill_tcp_options_parse(data, (uint32_t)size, &first);
	check_bounds(&first);
	leave_what_fits(&first);
	len = rill_tcp_options_emit(bytes, &first);
	FUZZ_CHECK(len <= RILL_TCP_OPTIONS_MAX && len % 4 == 0);
	rill_tcp_options_parse(bytes, len, &second);
	check_same(&first, &second);
	return 0;
}
