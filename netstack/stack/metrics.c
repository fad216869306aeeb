/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/metrics.h"

#include <inttypes.h>

#include "netstack/stack/net.h"
#include "netstack/stack/shard.h"

/* Counters of a shard: where they lie, name, help. All are 64 bits with one writer at a time. */
#define SHARD_COUNTERS(X)                                                                          \
	X(queue->stats.rx_packets, "rx_packets", "Packets received")                               \
	X(queue->stats.rx_bytes, "rx_bytes", "Bytes received")                                     \
	X(queue->stats.tx_packets, "tx_packets", "Packets sent")                                   \
	X(queue->stats.tx_bytes, "tx_bytes", "Bytes sent")                                         \
	X(stats.mailbox_ops, "shard_mailbox_ops", "Operations run for another task or thread")     \
	X(stats.steered_out, "rss_mismatches", "Segments handed to the shard that owns them")      \
	X(stats.rss_right, "rss_predicted", "SYNs that came to the queue foretold")                \
	X(stats.rss_wrong, "rss_mispredicted", "SYNs that came to another queue than foretold")    \
	X(stats.rss_unknown, "rss_unpredicted", "SYNs for which no queue was foretold")            \
	X(stats.rss_learned, "rss_learned", "SYNs from which the queue of others was learned")     \
	X(stats.polls_busy, "shard_polls_busy", "Polls that found the shard held")                 \
	X(core.env.stats.segs_in, "tcp_segments_in", "TCP segments received")                      \
	X(core.env.stats.segs_out, "tcp_segments_out", "TCP segments sent")                        \
	X(core.env.stats.opened_active, "tcp_opened_active", "Connections opened by us")           \
	X(core.env.stats.opened_passive, "tcp_opened_passive", "Connections opened by peers")      \
	X(core.env.stats.retransmits, "tcp_retransmits", "TCP segments sent again")                \
	X(core.env.stats.rtos, "tcp_rtos", "Retransmission timeouts")                              \
	X(core.env.stats.fast_recoveries, "tcp_fast_recoveries",                                   \
	  "Times fast recovery was entered")                                                       \
	X(core.env.stats.out_of_order, "tcp_out_of_order", "TCP segments out of order")            \
	X(core.env.stats.resets_in, "tcp_resets_in", "RSTs received")                              \
	X(core.env.stats.resets_out, "tcp_resets_out", "RSTs sent")                                \
	X(core.env.stats.challenge_acks, "tcp_challenge_acks", "Challenge ACKs sent (RFC 5961)")   \
	X(core.env.stats.timeouts, "tcp_timeouts", "Connections given up")                         \
	X(core.env.stats.syn_cookies_out, "tcp_syn_cookies_sent", "SYNs answered with a cookie")   \
	X(core.env.stats.syn_cookies_in, "tcp_syn_cookies_received",                               \
	  "Connections opened by a cookie")                                                        \
	X(core.env.stats.syn_cookies_bad, "tcp_syn_cookies_bad", "ACKs with a forged cookie")      \
	X(core.env.stats.syn_cache_full, "tcp_syn_cache_full",                                     \
	  "SYNs for which the SYN cache had no room")                                              \
	X(core.env.stats.accept_overflows, "tcp_accept_overflows",                                 \
	  "Handshakes put off by a full accept queue")                                             \
	X(core.env.stats.mem_pressure, "tcp_memory_pressure",                                      \
	  "Windows not grown, and data refused, for lack of memory")                               \
	X(core.env.stats.prefix_limited, "tcp_limited",                                            \
	  "Handshakes put off by a limit of connections")

static unsigned counter_count(void)
{
#define X(field, name, help) +1
	return 0 SHARD_COUNTERS(X);
#undef X
}

static void print_labels(const struct rill_shard *sh, FILE *out, const char *more)
{
	const uint8_t *ip = sh->net->ip.bytes;

	fprintf(out, "{addr=\"%u.%u.%u.%u\",shard=\"%u\"%s}", ip[0], ip[1], ip[2], ip[3], sh->index,
		more);
}

static void print_header(FILE *out, const char *type, const char *name, const char *help)
{
	fprintf(out, "# TYPE rill_%s %s\n# HELP rill_%s %s.\n", name, type, name, help);
}

static void print_counter(const struct rill_shard *sh, FILE *out, const char *name,
			  const char *help, const uint64_t *value, bool header)
{
	if (header)
		print_header(out, "counter", name, help);
	fprintf(out, "rill_%s_total", name);
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu64 "\n", rill_load_relaxed(value));
}

static void print_drops(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "counter", "drops", "Packets dropped, by reason");
	for (unsigned i = RILL_DROP_NONE + 1; i < RILL_DROP_COUNT; i++) {
		uint64_t n = rill_load_relaxed(&sh->core.l3.drops[i]) +
			     rill_load_relaxed(&sh->core.drops[i]);
		char label[64];

		if (n == 0)
			continue;
		snprintf(label, sizeof(label), ",reason=\"%s\"", rill_drop_name(i));
		fprintf(out, "rill_drops_total");
		print_labels(sh, out, label);
		fprintf(out, " %" PRIu64 "\n", n);
	}
}

static void print_flows(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "gauge", "tcp_connections", "TCP connections in any state");
	fprintf(out, "rill_tcp_connections");
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu32 "\n", rill_load_relaxed(&sh->core.flows.count));
}

static void print_memory(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "gauge", "tcp_memory_bytes",
			     "Packet buffers in the queues of connections");
	fprintf(out, "rill_tcp_memory_bytes");
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu64 "\n", rill_load_relaxed(&sh->core.env.mem_used));
}

static void print_half_open(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "gauge", "tcp_half_open", "Entries of the SYN cache");
	fprintf(out, "rill_tcp_half_open");
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu32 "\n", rill_load_relaxed(&sh->core.syns.count));
}

/* What the NIC lost before the stack saw it: from the driver, which may ask the kernel. */
static void print_nic_drops(const struct rill_shard *sh, FILE *out, bool header)
{
	/* relaxed: a counter */
	struct rill_nic_stats stats = {
		.rx_dropped = rill_load_relaxed(&sh->queue->stats.rx_dropped),
	};

	if (header)
		print_header(out, "counter", "nic_rx_dropped",
			     "Packets the NIC had no buffer or room for");
	if (sh->driver->stats)
		sh->driver->stats(sh->queue, &stats);
	fprintf(out, "rill_nic_rx_dropped_total");
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu64 "\n", stats.rx_dropped);
}

/* See enum rill_steer_by. Of the interface, so that one shard tells. */
static void print_steer(const struct rill_shard *sh, FILE *out, bool header)
{
	struct rill_steer_map *map = sh->net->steer.map;

	if (header)
		print_header(
			out, "gauge", "rss_prediction",
			"By what the receive queue is foretold: 0 nothing, 1 what was learned, "
			"2 the key, 3 the driver");
	if (!map || sh->index != 0)
		return;
	fprintf(out, "rill_rss_prediction");
	print_labels(sh, out, "");
	fprintf(out, " %u\n", (unsigned)rill_steer_map_by(map));
}

/* One line of the interface: shard 0 tells. */
static void print_net(const struct rill_shard *sh, FILE *out, const char *name, uint64_t value)
{
	if (sh->index != 0)
		return;
	fprintf(out, "rill_%s", name);
	print_labels(sh, out, "");
	fprintf(out, " %" PRIu64 "\n", value);
}

static void print_link_up(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "gauge", "link_up", "Whether the link is up");
	print_net(sh, out, "link_up", rill_load_relaxed(&sh->core.link_error) == 0);
}

static void print_link_changes(const struct rill_shard *sh, FILE *out, bool header)
{
	if (header)
		print_header(out, "counter", "link_changes",
			     "Changes of the link: down, up, MTU, MAC, removal");
	print_net(sh, out, "link_changes_total", rill_load_relaxed(&sh->net->link.changes));
}

static void print_numbered(const struct rill_shard *sh, FILE *out, unsigned n, bool header)
{
	unsigned i = 0;

#define X(field, name, help)                                                                       \
	if (i++ == n) {                                                                            \
		print_counter(sh, out, name, help, &sh->field, header);                            \
		return;                                                                            \
	}
	SHARD_COUNTERS(X)
#undef X
}

bool rill_shard_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header)
{
	const struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);
	unsigned counters = counter_count();

	if (family < counters) {
		print_numbered(sh, out, family, header);
		return true;
	}
	switch (family - counters) {
	case 0:
		print_drops(sh, out, header);
		return true;
	case 1:
		print_flows(sh, out, header);
		return true;
	case 2:
		print_nic_drops(sh, out, header);
		return true;
	case 3:
		print_half_open(sh, out, header);
		return true;
	case 4:
		print_steer(sh, out, header);
		return true;
	case 5:
		print_link_up(sh, out, header);
		return true;
	case 6:
		print_link_changes(sh, out, header);
		return true;
	case 7:
		print_memory(sh, out, header);
		return true;
	default:
		return false;
	}
}
