/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/fetch.h"

#include <errno.h>
#include <rill/runtime.h>
#include <rill/task.h>
#include <rill/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each full buffer is one visit to the blocking pool. */
#define BUFFER_LEN (256 * 1024)
_Static_assert(BUFFER_LEN > RILL_HTTP_HEAD_MAX, "a head fits");

struct write_job {
	int fd;
	const char *data;
	size_t len;
	int err;
};

static void *run_write(void *arg)
{
	struct write_job *job = arg;

	while (job->len) {
		ssize_t n = write(job->fd, job->data, job->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			job->err = -errno;
			break;
		}
		job->data += n;
		job->len -= (size_t)n;
	}
	return NULL;
}

static int write_out(struct rill_fetch *f, size_t len)
{
	struct write_job job = {.fd = f->out, .data = f->buf, .len = len};
	int err = len ? rill_blocking(run_write, &job, NULL) : 0;

	f->bytes += len;
	return err ? err : job.err;
}

int rill_fetch_init(struct rill_fetch *f)
{
	f->conn = NULL;
	f->have = 0;
	f->bytes = 0;
	f->connects = 0;
	f->buf = malloc(BUFFER_LEN);
	return f->buf ? 0 : -ENOMEM;
}

static void disconnect(struct rill_fetch *f)
{
	if (f->conn)
		rill_tcp_close(f->conn);
	f->conn = NULL;
	f->have = 0;
}

void rill_fetch_fini(struct rill_fetch *f)
{
	disconnect(f);
	free(f->buf);
}

static int connect_server(struct rill_fetch *f)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};
	struct rill_scope scope;
	int err;

	rill_scope_begin(&scope, rill_after(RILL_FETCH_CONNECT_NS), NULL);
	err = rill_tcp_connect(f->net, NULL, &f->url.addr, &o, &f->conn);
	rill_scope_end(&scope);
	if (!err)
		f->connects++;
	return err;
}

static int send_request(struct rill_fetch *f)
{
	/* buf is empty between two requests. */
	int len = snprintf(
		f->buf, BUFFER_LEN,
		"GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: rill\r\nAccept: */*\r\n\r\n",
		f->url.path[0] ? f->url.path : "/", (int)f->url.host.len, f->url.host.data);
	struct rill_scope scope;
	ssize_t n;

	if (len >= BUFFER_LEN)
		return -ENAMETOOLONG;
	rill_scope_begin(&scope, rill_after(RILL_FETCH_RECV_NS), NULL);
	n = rill_tcp_send(f->conn, f->buf, (size_t)len);
	rill_scope_end(&scope);
	if (n < 0)
		return (int)n;
	return n == len ? 0 : -EPIPE;
}

/* Fills buf with at least one byte more, with all of want if they come. 0: the end of the stream.
 */
static ssize_t receive(struct rill_fetch *f, size_t want, bool all)
{
	struct rill_scope scope;
	ssize_t n;

	rill_scope_begin(&scope, rill_after(RILL_FETCH_RECV_NS), NULL);
	if (all)
		n = rill_tcp_recv_all(f->conn, f->buf + f->have, want);
	else
		n = rill_tcp_recv(f->conn, f->buf + f->have, want);
	rill_scope_end(&scope);
	if (n > 0)
		f->have += (size_t)n;
	return n;
}

/* The length of the head in buf, or negative errno; -EPIPE: the connection ended before it. */
static ssize_t read_head(struct rill_fetch *f)
{
	struct rill_http_scan scan = {0};

	for (;;) {
		ssize_t n = rill_http_find_head(&scan, f->buf, f->have);

		if (n)
			return n > 0 ? n : -EBADMSG;
		n = receive(f, BUFFER_LEN - f->have, false);
		if (n <= 0)
			return n < 0 ? n : -EPIPE;
	}
}

static void consume(struct rill_fetch *f, size_t len)
{
	f->have -= len;
	memmove(f->buf, f->buf + len, f->have);
}

static int read_sized_body(struct rill_fetch *f, uint64_t left)
{
	for (;;) {
		size_t n = f->have < left ? f->have : (size_t)left;
		int err = write_out(f, n);
		ssize_t got;

		if (err < 0)
			return err;
		consume(f, n);
		left -= n;
		if (!left)
			return 0;
		got = receive(f, left < BUFFER_LEN ? (size_t)left : BUFFER_LEN, true);
		if (got <= 0)
			return got < 0 ? (int)got : -EPIPE;
	}
}

static int read_body_to_end(struct rill_fetch *f)
{
	for (;;) {
		int err = write_out(f, f->have);
		ssize_t got;

		if (err < 0)
			return err;
		f->have = 0;
		got = receive(f, BUFFER_LEN, true);
		if (got <= 0)
			return (int)got;
	}
}

/* Sends the request and reads the head of the answer. Its length, or negative errno. */
static ssize_t exchange(struct rill_fetch *f)
{
	int err = f->conn ? 0 : connect_server(f);

	if (!err)
		err = send_request(f);
	if (err < 0)
		return err;
	return read_head(f);
}

/* A server may close an idle connection just as we send on it (RFC 9112, 9.3.1): GET is safe to
 * repeat. */
static ssize_t exchange_again(struct rill_fetch *f)
{
	bool reused = f->conn;
	ssize_t len = exchange(f);

	if (!reused || f->have || (len != -EPIPE && len != -ECONNRESET))
		return len;
	disconnect(f);
	return exchange(f);
}

static int get(struct rill_fetch *f, struct rill_http_reply *reply)
{
	ssize_t len = exchange_again(f);
	int err;

	if (len < 0)
		return (int)len;
	err = rill_http_parse_reply(f->buf, (size_t)len, reply);
	if (err < 0)
		return err;
	if (reply->has_coding)
		return -ENOTSUP;
	consume(f, (size_t)len);
	if (reply->has_length)
		return read_sized_body(f, reply->length);
	return read_body_to_end(f);
}

int rill_fetch_get(struct rill_fetch *f, unsigned *ret_status)
{
	struct rill_http_reply reply;
	int err = get(f, &reply);

	/* Bytes that nobody asked for make the next answer doubtful. */
	if (err < 0 || !reply.keep_alive || f->have)
		disconnect(f);
	if (!err)
		*ret_status = reply.status;
	return err;
}
