/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about the state of things: "info snd_cwnd == 10", "state TIME_WAIT", "stats ...". */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "call.h"
#include "constants.h"
#include "number.h"
#include "print.h"

struct field {
	const char *name;
	uint16_t offset, size;
};

#define INFO(name)                                                                                 \
	{                                                                                          \
#name, offsetof(struct tcp_info, tcpi_##name),                                     \
			sizeof(((struct tcp_info *)0)->tcpi_##name)                                \
	}

static const struct field info_fields[] = {
	INFO(state),
	INFO(ca_state),
	INFO(retransmits),
	INFO(probes),
	INFO(backoff),
	INFO(options),
	INFO(rto),
	INFO(ato),
	INFO(snd_mss),
	INFO(rcv_mss),
	INFO(unacked),
	INFO(sacked),
	INFO(lost),
	INFO(retrans),
	INFO(last_data_sent),
	INFO(last_data_recv),
	INFO(last_ack_recv),
	INFO(pmtu),
	INFO(rcv_ssthresh),
	INFO(rtt),
	INFO(rttvar),
	INFO(snd_ssthresh),
	INFO(snd_cwnd),
	INFO(advmss),
	INFO(reordering),
	INFO(rcv_rtt),
	INFO(rcv_space),
	INFO(total_retrans),
	INFO(pacing_rate),
	INFO(max_pacing_rate),
	INFO(bytes_acked),
	INFO(bytes_received),
	INFO(segs_out),
	INFO(segs_in),
	INFO(notsent_bytes),
	INFO(min_rtt),
	INFO(data_segs_in),
	INFO(data_segs_out),
	INFO(delivery_rate),
	INFO(busy_time),
	INFO(rwnd_limited),
	INFO(sndbuf_limited),
	INFO(delivered),
	INFO(delivered_ce),
	INFO(bytes_sent),
	INFO(bytes_retrans),
	INFO(dsack_dups),
	INFO(reord_seen),
	INFO(rcv_ooopack),
	INFO(snd_wnd),
};

#define STAT(name)                                                                                 \
	{                                                                                          \
#name, offsetof(struct rill_stack_stats, name),                                    \
			sizeof(((struct rill_stack_stats *)0)->name)                               \
	}

static const struct field stat_fields[] = {
	STAT(packets_in),   STAT(packets_out), STAT(packets_dropped), STAT(segments_in),
	STAT(segments_out), STAT(retransmits), STAT(resets_in),	      STAT(resets_out),
	STAT(sockets),	    STAT(connections), STAT(packet_buffers),  STAT(memory),
};

static int64_t read_field(const struct field *f, const void *from)
{
	const uint8_t *p = (const uint8_t *)from + f->offset;
	uint64_t value = 0;

	/* Little endian or big: by its own type. */
	if (f->size == 1)
		value = *p;
	else if (f->size == 4)
		value = *(const uint32_t *)(const void *)p;
	else
		value = *(const uint64_t *)(const void *)p;
	return (int64_t)value;
}

/* args[at] is an operator, the one after it what to compare with. */
static void compare(const struct call *c, unsigned at, int64_t got)
{
	const char *op = at < c->arg_count ? c->args[at] : "";
	struct number_range r = {0};
	int64_t want;
	bool ok;

	if (at + 2 != c->arg_count)
		world_fail(c->w, "not NAME OPERATOR VALUE");
	if (!number_range(c->args[at + 1], &r)) {
		r.low = r.high = call_number(c, at + 1);
	}
	want = r.low;
	if (strcmp(op, "==") == 0)
		ok = number_in(r, got);
	else if (strcmp(op, "!=") == 0)
		ok = !number_in(r, got);
	else if (strcmp(op, "<=") == 0)
		ok = got <= want;
	else if (strcmp(op, ">=") == 0)
		ok = got >= want;
	else
		world_fail(c->w, "unknown operator %s", op);
	if (!ok)
		world_fail(c->w, "it is %lld", (long long)got);
}

static const struct field *find_field(const struct call *c, const struct field *fields, size_t n)
{
	for (size_t i = 0; c->arg_count && i < n; i++)
		if (strcmp(fields[i].name, c->args[0]) == 0)
			return &fields[i];
	world_fail(c->w, "unknown field");
}

void call_info(const struct call *c)
{
	struct tcp_info info = {0};
	size_t len = sizeof(info);
	int err = rill_stack_getsockopt(c->w->stack, c->socket ? c->socket->fd : -1, IPPROTO_TCP,
					TCP_INFO, &info, &len);
	const struct field *f;

	if (err)
		world_fail(c->w, "TCP_INFO: %s", print_errno(err));
	f = find_field(c, info_fields, sizeof(info_fields) / sizeof(*info_fields));
	if ((size_t)f->offset + f->size > len)
		world_fail(c->w, "TCP_INFO has only %zu bytes", len);
	compare(c, 1, read_field(f, &info));
}

void call_stats(const struct call *c)
{
	struct rill_stack_stats stats;

	rill_stack_stats(c->w->stack, &stats);
	compare(c, 1,
		read_field(find_field(c, stat_fields, sizeof(stat_fields) / sizeof(*stat_fields)),
			   &stats));
}

void call_drops(const struct call *c)
{
	const char *name;
	uint64_t count;

	for (unsigned i = 0; (name = rill_stack_drops(c->w->stack, i, &count)); i++) {
		if (c->arg_count == 0 || strcmp(name, c->args[0]) != 0)
			continue;
		compare(c, 1, (int64_t)count);
		return;
	}
	world_fail(c->w, "no such reason");
}

#define ENDPOINTS_MAX 4096

static struct rill_stack_endpoint list[ENDPOINTS_MAX];

/*
 * The state of a flow's connection, with or without a socket: "state [@2] TIME_WAIT". CLOSED: there
 * is none, or its socket only has its error to tell.
 */
void call_state(const struct call *c)
{
	size_t n = rill_stack_endpoints(c->w->stack, list, ENDPOINTS_MAX);
	bool given = c->arg_count == 2 && c->args[0][0] == '@';
	int64_t number = 1, want, got = RILL_STACK_CLOSED;
	const struct world_flow *f;

	if (given && !number_whole(c->args[0] + 1, &number))
		world_fail(c->w, "not a flow");
	f = world_flow(c->w, number);
	want = call_number(c, given);
	for (size_t i = 0; i < n && i < ENDPOINTS_MAX; i++)
		if (list[i].type == SOCK_STREAM && list[i].remote.port == f->peer_port &&
		    packet_get32(list[i].remote.ip.bytes) == f->peer_ip)
			got = list[i].state;
	if (got != want)
		world_fail(c->w, "it is %s", constants_state(got));
}

/* endpoints == N */
void call_endpoints(const struct call *c)
{
	compare(c, 0, (int64_t)rill_stack_endpoints(c->w->stack, list, ENDPOINTS_MAX));
}

/* ---- "trouble [over EVENT] = EVENT ..." ---- */

struct troubles {
	bool archived;
	unsigned count;
	struct rill_tcp_trouble last;
};

static void note_trouble(void *ctx, const struct rill_tcp_trouble *t)
{
	struct troubles *found = ctx;

	if ((t->over != NULL) != found->archived)
		return;
	found->count++;
	found->last = *t;
}

/* The newest of those that are over, or the only one that is not. */
void call_trouble(const struct call *c)
{
	struct troubles found = {.archived = c->arg_count > 0};

	rill_stack_troubles(c->w->stack, note_trouble, &found);
	if (found.count == 0 && c->result_count == 0)
		return;
	if (found.archived ? found.count == 0 : found.count != 1)
		world_fail(c->w, "there are %u", found.count);
	if (found.archived && strcmp(found.last.over, c->args[c->arg_count - 1]) != 0)
		world_fail(c->w, "over with %s", found.last.over);
	for (unsigned i = 0; i < c->result_count || i < found.last.event_count; i++) {
		const char *want = i < c->result_count ? c->results[i] : "nothing";
		const char *got =
			i < found.last.event_count ? found.last.events[i].name : "nothing";

		if (strcmp(want, got) != 0)
			world_fail(c->w, "event %u is %s", i, got);
	}
}
