/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP segment, taken apart. Nothing above this file looks at raw header bytes on receive; nothing
 * but seg.c and options.c writes them.
 */
#ifndef RILL_NETSTACK_TCP_SEG_H
#define RILL_NETSTACK_TCP_SEG_H

#include <rill/net.h>

#include "drivers/buf.h"
#include "netstack/wire/drop.h"

#define RILL_TCP_HEADER_LEN 20
#define RILL_TCP_OPTIONS_MAX 40
/* Timestamps with two no-operations in front (RFC 7323, appendix A). */
#define RILL_TCP_TIMESTAMPS_LEN 12
#define RILL_TCP_USER_TIMEOUT_LEN 4
/* RFC 7323, 2.3. */
#define RILL_TCP_WSCALE_MAX 14

enum rill_tcp_flags {
	RILL_TCP_FIN = 1,
	RILL_TCP_SYN = 2,
	RILL_TCP_RST = 4,
	RILL_TCP_PSH = 8,
	RILL_TCP_ACK = 16,
	RILL_TCP_URG = 32,
	RILL_TCP_ECE = 64,  /* RFC 3168 */
	RILL_TCP_CWR = 128, /* RFC 3168 */
	RILL_TCP_AE = 256,  /* RFC 9768; the three together are its ACE field */
};

/* The ECN field of the IP header (RFC 3168, 5). */
enum rill_ecn {
	RILL_ECN_NOT_ECT = 0,
	RILL_ECN_ECT1 = 1,
	RILL_ECN_ECT0 = 2,
	RILL_ECN_CE = 3,
};

/* Which options were there. */
enum rill_tcp_opts {
	RILL_TCP_OPT_MSS = 1,
	RILL_TCP_OPT_WSCALE = 2,
	RILL_TCP_OPT_TIMESTAMPS = 4,
	RILL_TCP_OPT_SACK_PERMITTED = 8,
	RILL_TCP_OPT_SACK = 16,
	RILL_TCP_OPT_FAST_OPEN = 32,	/* RFC 7413; a length of 0 asks for a cookie */
	RILL_TCP_OPT_USER_TIMEOUT = 64, /* RFC 5482 */
	RILL_TCP_OPT_ACCECN = 128,	/* RFC 9768, either kind, with all three or ECT and CE */
};

#define RILL_TCP_SACK_BLOCKS_MAX 4
#define RILL_TCP_FAST_OPEN_MAX 16
/* With two counters; padded. */
#define RILL_TCP_ACCECN_LEN_MIN 8

/* RFC 2018: received in full, from start up to, but not with, end. */
struct rill_tcp_sack_block {
	uint32_t start, end;
};

struct rill_tcp_options_seen {
	uint8_t present; /* enum rill_tcp_opts */
	uint8_t wscale;	 /* at most RILL_TCP_WSCALE_MAX */
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	uint8_t sack_count;
	uint8_t fast_open_len; /* 0, or 4 to 16, even */
	uint16_t user_timeout; /* as on the wire: the highest bit says minutes, else seconds */
	struct rill_tcp_sack_block sack[RILL_TCP_SACK_BLOCKS_MAX];
	uint8_t fast_open[RILL_TCP_FAST_OPEN_MAX];
	uint32_t e0b, ceb, e1b; /* with OPT_ACCECN: 24 bits each */
};

struct rill_tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint32_t len;	/* payload bytes; SYN and FIN not counted */
	uint16_t wnd;	/* as on the wire, unscaled */
	uint16_t flags; /* enum rill_tcp_flags */
	uint16_t urg;	/* the urgent pointer; means something with URG (RFC 6093) */
	uint8_t ecn;	/* enum rill_ecn; from the IP header, by the caller */
	struct rill_tcp_options_seen opt;
	uint16_t src_port; /* host order */
	uint16_t dst_port;
	const struct rill_ip *src; /* the caller's; must outlive the segment */
	const struct rill_ip *dst;
};

/* Sequence numbers that the segment takes: payload, SYN and FIN. */
static inline uint32_t rill_tcp_seg_span(const struct rill_tcp_seg *seg)
{
	return seg->len + !!(seg->flags & RILL_TCP_SYN) + !!(seg->flags & RILL_TCP_FIN);
}

/*
 * b holds the TCP header and everything after it, exactly as long as IP says. Verifies the checksum
 * unless RILL_BUF_CSUM_OK. On success b is left with the payload alone. The reference stays with
 * the caller.
 */
enum rill_drop rill_tcp_parse(struct rill_buf *b, const struct rill_ip *src,
			      const struct rill_ip *dst, struct rill_tcp_seg *ret_seg);

/* What goes into a header to be sent. */
struct rill_tcp_header {
	const struct rill_addr *src;
	const struct rill_addr *dst;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint16_t flags;
	uint16_t urg;	     /* goes out with URG only */
	uint8_t options_len; /* a multiple of 4 */
	const uint8_t *options;
};

/*
 * Puts the header in front of the payload in b, checksum included: whole, or left to the NIC when
 * csum_offload. b must be exclusive and have the headroom.
 */
void rill_tcp_emit(struct rill_buf *b, const struct rill_tcp_header *h, bool csum_offload);

/*
 * What segments of one connection that are sent one after the other have in common: all of the
 * header but sequence number, flags and checksum.
 */
struct rill_tcp_template {
	uint8_t bytes[RILL_TCP_HEADER_LEN + RILL_TCP_OPTIONS_MAX];
	uint8_t len;
	uint32_t pseudo; /* sum of the pseudo header without the length */
	uint64_t sum;	 /* and of bytes besides */
};

/* h->seq and h->flags are not looked at. */
void rill_tcp_template_init(struct rill_tcp_template *t, const struct rill_tcp_header *h);
/*
 * The same header as rill_tcp_emit() puts there. payload_sum: NULL, or the folded sum of the
 * payload, where that is known. more: bytes of payload that follow in other buffers, with
 * csum_offload only.
 */
void rill_tcp_template_emit(const struct rill_tcp_template *t, struct rill_buf *b, uint32_t seq,
			    uint16_t flags, const uint16_t *payload_sum, uint32_t more,
			    bool csum_offload);

#endif
