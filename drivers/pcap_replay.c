/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pcap_replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>

#include "drivers/driver.h"

#define NS_PER_SEC 1000000000u

static int open_file(struct rill_replay *r, char *why)
{
	/* nanoseconds, whatever the file has */
	r->file = pcap_open_offline_with_tstamp_precision(r->path, PCAP_TSTAMP_PRECISION_NANO, why);
	return r->file ? 0 : -EINVAL;
}

int rill_replay_open(struct rill_replay *r, char *error)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	if (open_file(r, why) < 0)
		return rill_nic_fail(error, -EINVAL, "pcap: cannot read %s", why);
	if (pcap_datalink(r->file) != DLT_EN10MB)
		return rill_nic_fail(error, -EINVAL,
				     "pcap: %s has no Ethernet frames, but link type %s", r->path,
				     pcap_datalink_val_to_name(pcap_datalink(r->file)));
	return 0;
}

void rill_replay_close(struct rill_replay *r)
{
	if (r->file)
		pcap_close(r->file);
	r->file = NULL;
}

/* False: the file is at its end, or broken from here on. */
static bool read_packet(struct rill_replay *r)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int got = pcap_next_ex(r->file, &header, &data);

	if (got == PCAP_ERROR)
		r->damaged++;
	if (got != 1)
		return false;
	r->next = (struct rill_replay_packet){
		.data = data,
		.len = header->caplen,
		.wire_len = header->len,
		.time_ns = (uint64_t)header->ts.tv_sec * NS_PER_SEC + (uint64_t)header->ts.tv_usec,
	};
	return true;
}

/* The next loop follows the last packet at once: it begins when that was due. */
static bool rewind_file(struct rill_replay *r, bool any)
{
	char why[PCAP_ERRBUF_SIZE];

	r->loops_played++;
	/* An empty recording has no time to wait for. */
	if (!any || (r->loops && r->loops_played == r->loops))
		return false;
	rill_replay_close(r);
	if (open_file(r, why) < 0 || !read_packet(r))
		return false;
	r->first_ns = r->last_ns = r->next.time_ns;
	return true;
}

/* Times of a file are anybody's: what is too far off for the clock never comes. */
static uint64_t after(uint64_t base_ns, double ns)
{
	uint64_t whole;

	if (ns >= (double)UINT64_MAX)
		return UINT64_MAX;
	whole = (uint64_t)ns;
	return whole > UINT64_MAX - base_ns ? UINT64_MAX : base_ns + whole;
}

static uint64_t due_of(struct rill_replay *r)
{
	double recorded;

	switch (r->pace) {
	case RILL_REPLAY_RECORDED:
		if (r->next.time_ns > r->last_ns)
			r->last_ns = r->next.time_ns;
		recorded = (double)(r->last_ns - r->first_ns);
		return after(r->base_ns, recorded / r->factor);
	case RILL_REPLAY_PPS:
	case RILL_REPLAY_BPS:
		return after(r->base_ns, r->due_after_ns);
	default:
		return 0;
	}
}

static void prepare(struct rill_replay *r)
{
	bool any = r->next.data != NULL;
	uint64_t due = r->next.due_ns;

	if (!read_packet(r)) {
		if (!rewind_file(r, any)) {
			r->ended = true;
			return;
		}
		/* By rate it simply goes on. */
		if (r->pace == RILL_REPLAY_RECORDED)
			r->base_ns = due;
	}
	r->next.due_ns = due_of(r);
}

static void start(struct rill_replay *r, uint64_t now_ns)
{
	r->started = true;
	r->base_ns = now_ns;
	if (!read_packet(r)) {
		r->ended = true;
		return;
	}
	r->first_ns = r->last_ns = r->next.time_ns;
	r->next.due_ns = due_of(r);
}

const struct rill_replay_packet *rill_replay_peek(struct rill_replay *r, uint64_t now_ns)
{
	if (!r->file)
		return NULL;
	if (!r->started)
		start(r, now_ns);
	return r->ended ? NULL : &r->next;
}

void rill_replay_advance(struct rill_replay *r)
{
	if (r->pace == RILL_REPLAY_PPS)
		r->due_after_ns += (double)NS_PER_SEC / (double)r->rate;
	if (r->pace == RILL_REPLAY_BPS)
		r->due_after_ns += 8.0 * r->next.wire_len * NS_PER_SEC / (double)r->rate;
	prepare(r);
}
