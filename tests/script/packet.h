/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 packets that carry TCP or ICMP: to bytes and from bytes. Host order throughout. */
#ifndef RILL_TESTS_SCRIPT_PACKET_H
#define RILL_TESTS_SCRIPT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 9216

enum packet_flags {
	PACKET_FIN = 1,
	PACKET_SYN = 2,
	PACKET_RST = 4,
	PACKET_PSH = 8,
	PACKET_ACK = 16,
	PACKET_URG = 32,
	PACKET_ECE = 64,
	PACKET_CWR = 128,
	PACKET_AE = 256,
};

/* Kinds of TCP options, as IANA numbers them. */
enum packet_option_kind {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_OK = 4,
	OPTION_SACK = 5,
	OPTION_TS = 8,
	OPTION_UTO = 28,
	OPTION_FAST_OPEN = 34,
};

#define PACKET_OPTIONS_MAX 12

/* One option but END and NOP, and where its value lies. */
struct packet_option {
	uint8_t kind;
	uint8_t len; /* of the value */
	const uint8_t *value;
};

struct packet {
	uint32_t src, dst;
	uint8_t protocol; /* 6: TCP, 1: ICMP */
	uint8_t tos, ttl;
	bool df;
	bool bad_ip_checksum, bad_checksum; /* to be made wrong */
	const uint8_t *ip_options;
	unsigned ip_options_len; /* a multiple of 4 */
	/* TCP */
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint16_t flags, win, urg;
	const uint8_t *options;
	unsigned options_len; /* a multiple of 4 */
	unsigned data_offset; /* in words; 0: the right one */
	struct packet_option option[PACKET_OPTIONS_MAX];
	unsigned option_count;
	/* What follows the header. */
	const uint8_t *data;
	unsigned len;
};

/* How long it is; out: PACKET_MAX bytes. */
unsigned packet_emit(const struct packet *p, uint8_t *out);
/*
 * What is wrong with the packet, or NULL. Strict: this is for what the stack sends. p points into
 * bytes.
 */
const char *packet_parse(struct packet *p, const uint8_t *bytes, unsigned len);
const struct packet_option *packet_option(const struct packet *p, uint8_t kind);

uint16_t packet_get16(const uint8_t *p);
uint32_t packet_get32(const uint8_t *p);
void packet_put16(uint8_t *p, uint16_t v);
void packet_put32(uint8_t *p, uint32_t v);
uint16_t packet_checksum(const uint8_t *p, unsigned len, uint32_t sum);

#endif
