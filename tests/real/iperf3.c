/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As much of an iperf3 server as its client asks for with one TCP stream, one test at a time. Every
 * connection begins with the test's cookie; the first one of a test is the control connection, on
 * which both sides name the next state in a byte, and JSON goes behind its length.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/real/rill_peer.h"

#define COOKIE_BYTES 37
#define CHUNK_BYTES (128 * 1024)
#define JSON_MAX 4096

enum state {
	TEST_START = 1,
	TEST_RUNNING = 2,
	TEST_END = 4,
	PARAM_EXCHANGE = 9,
	CREATE_STREAMS = 10,
	EXCHANGE_RESULTS = 13,
	DISPLAY_RESULTS = 14,
	IPERF_DONE = 16,
};

static struct test {
	atomic_bool busy, reverse, over, stream_open;
	char cookie[COOKIE_BYTES];
	atomic_uint_least64_t bytes;
} test;

static bool put_state(struct rill_tcp *c, enum state s)
{
	uint8_t byte = (uint8_t)s;

	return rill_tcp_send(c, &byte, 1) == 1;
}

static bool await_state(struct rill_tcp *c, enum state s)
{
	uint8_t byte;

	return rill_tcp_recv_all(c, &byte, 1) == 1 && byte == s;
}

static bool get_json(struct rill_tcp *c, char *text)
{
	uint8_t head[4];
	uint32_t len;

	if (rill_tcp_recv_all(c, head, sizeof(head)) != sizeof(head))
		return false;
	len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
	if (len >= JSON_MAX || rill_tcp_recv_all(c, text, len) != (ssize_t)len)
		return false;
	text[len] = 0;
	return true;
}

static bool put_json(struct rill_tcp *c, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	const uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				 (uint8_t)len};

	return rill_tcp_send(c, head, sizeof(head)) == sizeof(head) &&
	       rill_tcp_send(c, text, len) == (ssize_t)len;
}

static bool open_stream(struct rill_tcp *c)
{
	if (!put_state(c, CREATE_STREAMS))
		return false;
	while (!atomic_load(&test.stream_open)) {
		if (rill_sleep(RILL_MS) < 0)
			return false;
	}
	return put_state(c, TEST_START) && put_state(c, TEST_RUNNING);
}

static bool exchange_results(struct rill_tcp *c, char *text)
{
	if (!put_state(c, EXCHANGE_RESULTS) || !get_json(c, text))
		return false;
	snprintf(text, JSON_MAX,
		 "{\"cpu_util_total\":0,\"cpu_util_user\":0,\"cpu_util_system\":0,"
		 "\"sender_has_retransmits\":0,\"streams\":[{\"id\":1,\"bytes\":%llu,"
		 "\"retransmits\":-1,\"jitter\":0,\"errors\":0,\"packets\":0}]}",
		 (unsigned long long)atomic_load(&test.bytes));
	return put_json(c, text) && put_state(c, DISPLAY_RESULTS);
}

static bool control(struct rill_tcp *c)
{
	char text[JSON_MAX];
	bool ended;

	if (!put_state(c, PARAM_EXCHANGE) || !get_json(c, text))
		return false;
	atomic_store(&test.reverse, strstr(text, "\"reverse\":true") != NULL);
	if (!open_stream(c))
		return false;
	ended = await_state(c, TEST_END);
	atomic_store(&test.over, true);
	return ended && exchange_results(c, text) && await_state(c, IPERF_DONE);
}

static void stream(struct rill_tcp *c)
{
	uint8_t *buf = calloc(1, CHUNK_BYTES);
	ssize_t n = 1;

	atomic_store(&test.stream_open, true);
	while (buf && n > 0) {
		if (!atomic_load(&test.reverse))
			n = rill_tcp_recv(c, buf, CHUNK_BYTES);
		else
			n = atomic_load(&test.over) ? 0 : rill_tcp_send(c, buf, CHUNK_BYTES);
		if (n > 0)
			atomic_fetch_add(&test.bytes, (uint64_t)n);
	}
	free(buf);
}

void *peer_iperf3(void *conn)
{
	char cookie[COOKIE_BYTES];

	if (rill_tcp_recv_all(conn, cookie, sizeof(cookie)) == sizeof(cookie)) {
		if (!atomic_exchange(&test.busy, true)) {
			memcpy(test.cookie, cookie, sizeof(cookie));
			atomic_store(&test.over, false);
			atomic_store(&test.stream_open, false);
			atomic_store(&test.bytes, 0);
			if (!control(conn))
				fprintf(stderr, "real-rill: the iperf3 client broke off\n");
			atomic_store(&test.over, true);
			atomic_store(&test.busy, false);
		} else if (memcmp(cookie, test.cookie, sizeof(cookie)) == 0) {
			stream(conn);
		}
	}
	rill_tcp_close(conn);
	return NULL;
}
