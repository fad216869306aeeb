/* SPDX-License-Identifier: BSD-3-Clause */
/* A segment as a script describes it: numbers are relative, fields may be left open. */
#ifndef RILL_TESTS_SCRIPT_SPEC_H
#define RILL_TESTS_SCRIPT_SPEC_H

#include "number.h"
#include "packet.h"

#define SPEC_OPTIONS_MAX 10
#define SPEC_VALUES_MAX 8

struct spec_option {
	uint8_t kind;
	bool absent; /* must not be there */
	bool raw;    /* kind, length and value as bytes[] has them; may be nonsense */
	bool any;    /* whatever its value is */
	bool last;   /* FO: the cookie that the stack sent last on this flow */
	unsigned count;
	struct number_range value[SPEC_VALUES_MAX]; /* in the order of the wire */
	unsigned len;
	uint8_t bytes[40];
};

/* What <...> says of the options. */
enum spec_options_mode {
	SPEC_OPTIONS_OPEN,    /* it is not there */
	SPEC_OPTIONS_EXACT,   /* these and no others, in any order */
	SPEC_OPTIONS_AT_LEAST /* ends in ... */
};

struct spec {
	bool any;	     /* any segment */
	uint16_t flags;	     /* enum packet_flags */
	uint16_t flags_open; /* "?" behind the letter: either way is right */
	bool psh;	     /* PSH is compared: P, or p for "must not be set" */
	struct number_range seq, end;
	int64_t len; /* -1: whatever */
	struct number_range ack, win, urg, tos, ttl;
	int ecn; /* of the IP header; -1: open */
	enum spec_options_mode mode;
	unsigned option_count;
	struct spec_option option[SPEC_OPTIONS_MAX];
	bool nodata; /* the payload is not looked at */
	/* For what is injected. */
	bool bad_checksum, bad_ip_checksum;
	bool from_given, to_given; /* else the flow's */
	uint32_t from, to;
	unsigned data_offset;
	unsigned ip_options_len;
	uint8_t ip_options[40];
};

/* The words after "<" or ">". What is wrong, or NULL. */
const char *spec_parse(struct spec *spec, char *const *words, unsigned count);
/* The text between '<' and '>', which it cuts up. */
const char *spec_parse_options(struct spec *spec, char *text);
/* As scripts write it, for messages. out: at least 32 bytes. */
const char *spec_flags(uint16_t flags, char *out);

#endif
