/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A recording that is played again: which packet comes next, and when. Reads pcap and pcapng, with
 * micro- or nanoseconds, packet by packet: memory does not depend on the file's size. The order is
 * the file's, also where its times go back.
 */
#ifndef RILL_DRIVERS_PCAP_REPLAY_H
#define RILL_DRIVERS_PCAP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct pcap;

enum rill_replay_pace {
	RILL_REPLAY_RECORDED, /* by the gaps of the recording, divided by factor */
	RILL_REPLAY_PPS,      /* rate packets a second */
	RILL_REPLAY_BPS,      /* rate bits a second, of frames */
	RILL_REPLAY_MAX,      /* as they are asked for */
};

struct rill_replay_packet {
	const uint8_t *data; /* until the next one is asked for */
	uint32_t len;
	uint32_t wire_len;
	uint64_t time_ns; /* recorded, since 1970 */
	uint64_t due_ns;  /* by the clock of rill_replay_start() */
};

struct rill_replay {
	/* set by the caller */
	const char *path;
	enum rill_replay_pace pace;
	double factor;
	uint64_t rate;
	uint64_t loops; /* 0: for ever */

	struct pcap *file;
	bool started, ended;
	uint64_t base_ns;    /* when this loop began */
	uint64_t first_ns;   /* recorded */
	uint64_t last_ns;    /* recorded; never goes back */
	double due_after_ns; /* base_ns: of the next one, by rate */
	uint64_t loops_played;
	struct rill_replay_packet next;
	uint64_t damaged; /* loops that ended in a broken file */
};

/* -errno, and why in error (RILL_NIC_ERROR_LEN). */
int rill_replay_open(struct rill_replay *r, char *error);
void rill_replay_close(struct rill_replay *r);
/* The next packet, due by now or not; NULL: there are none any more. The clock starts with the
 * first call. */
const struct rill_replay_packet *rill_replay_peek(struct rill_replay *r, uint64_t now_ns);
/* It was taken. */
void rill_replay_advance(struct rill_replay *r);

#endif
