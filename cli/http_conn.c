/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_conn.h"

#include "cli/http_file.h"
#include "cli/http_response.h"

#include <errno.h>
#include <limits.h>
#include <rill/task.h>
#include <rill/time.h>
#include <rill/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Static_assert(RILL_HTTP_RESPONSE_MAX <= RILL_HTTP_HEADROOM, "a head fits before a piece");

/* On the heap: a task's stack is small. */
struct http_conn {
	struct rill_server *server;
	struct rill_tcp *tcp;
	int root;
	bool broken; /* a response was begun and could not be finished */
	size_t have; /* bytes in buf */
	char path[PATH_MAX];
	/* Requests received and not yet answered. Longer than a head, so that a body finds room
	 * behind it. */
	char buf[RILL_HTTP_HEAD_MAX + 4096];
};

/* Takes len bytes out of buf at offset. */
static void consume(struct http_conn *c, size_t offset, size_t len)
{
	c->have -= len;
	memmove(c->buf + offset, c->buf + offset + len, c->have - offset);
}

static bool send_all(struct http_conn *c, const char *data, size_t len)
{
	struct rill_scope scope;
	ssize_t n;

	rill_scope_begin(&scope, rill_after(RILL_HTTP_SEND_NS), NULL);
	n = rill_tcp_send(c->tcp, data, len);
	rill_scope_end(&scope);
	if (n == (ssize_t)len)
		return true;
	c->broken = true;
	return false;
}

/* Receives more into buf. How much, 0 at the end of the stream, negative errno. */
static ssize_t receive(struct http_conn *c, uint64_t deadline_ns, struct rill_token *token)
{
	struct rill_scope scope;
	ssize_t n;

	rill_scope_begin(&scope, deadline_ns, token);
	n = rill_tcp_recv(c->tcp, c->buf + c->have, sizeof(c->buf) - c->have);
	rill_scope_end(&scope);
	if (n > 0)
		c->have += (size_t)n;
	return n;
}

/* An empty line before a request is some client's habit (RFC 9112, 2.2). */
static void skip_empty_lines(struct http_conn *c)
{
	size_t len = 0;

	while (c->have - len >= 2 && !memcmp(c->buf + len, "\r\n", 2))
		len += 2;
	if (len)
		consume(c, 0, len);
}

/* Between requests the server may stop, and the peer may go. False: one of them did. */
static bool wait_for_request(struct http_conn *c)
{
	uint64_t deadline = rill_after(RILL_HTTP_IDLE_NS);

	skip_empty_lines(c);
	while (c->have == 0 || (c->have == 1 && c->buf[0] == '\r')) {
		if (rill_token_is_cancelled(c->server->stop))
			return false;
		if (receive(c, deadline, c->server->stop) <= 0)
			return false;
		skip_empty_lines(c);
	}
	return true;
}

/* The length of the head; 0: nobody there to answer; minus the status to answer with. */
static ssize_t read_head(struct http_conn *c)
{
	uint64_t deadline = rill_after(RILL_HTTP_HEAD_NS);
	struct rill_http_scan scan = {0};

	for (;;) {
		ssize_t n = rill_http_find_head(&scan, c->buf, c->have);

		if (n)
			return n;
		n = receive(c, deadline, NULL);
		if (n == -ETIMEDOUT && rill_now() >= deadline)
			return -408;
		if (n <= 0)
			return 0;
	}
}

/* An answer whose body is its own status line. */
static bool send_status(struct http_conn *c, const struct rill_http_request *req,
			struct rill_http_response *resp)
{
	char out[RILL_HTTP_RESPONSE_MAX + 64];
	char body[64];
	size_t len;

	snprintf(body, sizeof(body), "%u %s\n", resp->status, rill_http_reason(resp->status));
	resp->length = strlen(body);
	len = rill_http_format_response(resp, time(NULL), out);
	/* 304 has no body, and HEAD asks for none. */
	if (resp->status != 304 && req->method != RILL_HTTP_HEAD) {
		memcpy(out + len, body, resp->length);
		len += resp->length;
	}
	return send_all(c, out, len) && resp->keep_alive;
}

/* Refuses a request that cannot be trusted to end where we think: the connection ends with it. */
static bool refuse(struct http_conn *c, unsigned status)
{
	struct rill_http_request req = {.method = RILL_HTTP_GET};
	struct rill_http_response resp = {.status = status, .minor = 1};

	return send_status(c, &req, &resp);
}

/*
 * Reads the body of a request and drops it; the head stays, for req points into it. 0, or the
 * status to refuse it with; -1: the peer has gone.
 */
static int discard_body(struct http_conn *c, const struct rill_http_request *req, size_t head_len)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	uint64_t deadline = rill_after(RILL_HTTP_HEAD_NS);
	uint64_t left = req->content_length;

	if (req->has_coding)
		return 411;
	if (left > RILL_HTTP_BODY_MAX)
		return 413;
	if (req->expects_continue && left > c->have - head_len &&
	    !send_all(c, go_on, sizeof(go_on) - 1))
		return -1;
	while (left) {
		size_t have = c->have - head_len;
		size_t n = have < left ? have : (size_t)left;

		consume(c, head_len, n);
		left -= n;
		if (left && receive(c, deadline, NULL) <= 0)
			return -1;
	}
	return 0;
}

static unsigned status_of(int err)
{
	switch (err) {
	case -ENOENT:
		return 404;
	case -EACCES:
	case -EPERM:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EAGAIN:
		return 503;
	default:
		return 500;
	}
}

/* RFC 9110, 13.1.3: a date that is not understood is ignored. */
static bool is_unmodified(const struct rill_http_request *req, time_t modified)
{
	time_t since;

	return req->if_modified_since.data &&
	       rill_http_parse_date(req->if_modified_since, &since) == 0 && modified <= since;
}

/* RFC 9110, 13.1.5: only the very version that was named; entity tags we have none. */
static bool range_applies(const struct rill_http_request *req, time_t modified)
{
	time_t date;

	if (req->method != RILL_HTTP_GET || !req->range.data)
		return false;
	if (!req->if_range.data)
		return true;
	return rill_http_parse_date(req->if_range, &date) == 0 && date == modified;
}

/* Which of 200, 206, 304 and 416 it is. */
static void choose_status(const struct rill_http_request *req, const struct rill_http_file *file,
			  struct rill_http_response *resp)
{
	int err = -ENOENT;

	resp->status = 200;
	resp->size = file->size;
	resp->range = (struct rill_http_range){.first = 0, .len = file->size};
	resp->has_modified = true;
	resp->modified = file->modified;
	if (is_unmodified(req, file->modified)) {
		resp->status = 304;
		return;
	}
	if (range_applies(req, file->modified))
		err = rill_http_parse_range(req->range, file->size, &resp->range);
	if (!err)
		resp->status = 206;
	if (err == -ERANGE)
		resp->status = 416;
	resp->length = resp->range.len;
}

/* Sends the head and, piece by piece, the body. */
static bool send_body(struct http_conn *c, struct rill_http_file *file,
		      const struct rill_http_response *resp, const char *head, size_t head_len)
{
	uint64_t offset = resp->range.first, left = resp->length;

	while (left) {
		char *data;
		ssize_t n = rill_http_file_read(file, offset, left, &data);

		if (n <= 0) {
			/* The length was promised: only a RST says that it is not kept. */
			c->broken = true;
			return false;
		}
		/* Before the first piece lie headroom or bytes that are not asked for. */
		memcpy(data - head_len, head, head_len);
		if (!send_all(c, data - head_len, (size_t)n + head_len))
			return false;
		head_len = 0;
		offset += (size_t)n;
		left -= (size_t)n;
	}
	return true;
}

static bool send_file(struct http_conn *c, const struct rill_http_request *req,
		      struct rill_http_file *file, struct rill_http_response *resp)
{
	char head[RILL_HTTP_RESPONSE_MAX];
	size_t len;

	choose_status(req, file, resp);
	if (resp->status == 304 || resp->status == 416) {
		resp->type = NULL;
		return send_status(c, req, resp);
	}
	len = rill_http_format_response(resp, time(NULL), head);
	if (req->method == RILL_HTTP_HEAD || !resp->length)
		return send_all(c, head, len) && resp->keep_alive;
	return send_body(c, file, resp, head, len) && resp->keep_alive;
}

/* Answers a request whose target has been copied to c->path. */
static bool answer(struct http_conn *c, const struct rill_http_request *req, unsigned status)
{
	struct rill_http_response resp = {
		.status = status,
		.minor = req->minor,
		.keep_alive = req->keep_alive && !rill_token_is_cancelled(c->server->stop),
	};
	struct rill_http_file file;
	bool go_on;
	int err;

	if (status)
		return send_status(c, req, &resp);
	err = rill_http_file_open(c->root, c->path, &file);
	if (err < 0) {
		resp.status = status_of(err);
		return send_status(c, req, &resp);
	}
	resp.type = rill_http_media_type(file.is_index ? RILL_HTTP_INDEX : c->path);
	go_on = send_file(c, req, &file, &resp);
	rill_http_file_close(&file);
	return go_on;
}

/* A request whose head is the first len bytes of buf. */
static bool serve_head(struct http_conn *c, size_t len)
{
	struct rill_http_request req;
	int status = rill_http_parse_request(c->buf, len, &req);
	bool go_on;
	int err;

	if (status)
		return refuse(c, (unsigned)status);
	err = discard_body(c, &req, len);
	if (err)
		return err > 0 ? refuse(c, (unsigned)err) : false;
	if (req.method == RILL_HTTP_OTHER)
		status = 405;
	else
		status = rill_http_target_path(req.target, c->path, sizeof(c->path));
	go_on = answer(c, &req, (unsigned)status);
	consume(c, 0, len);
	return go_on;
}

/* One request. True: the connection stays for the next. */
static bool serve_request(struct http_conn *c)
{
	ssize_t len;

	if (!wait_for_request(c))
		return false;
	len = read_head(c);
	if (len < 0)
		return refuse(c, (unsigned)-len);
	return len && serve_head(c, (size_t)len);
}

bool rill_http_serve(struct rill_server *server, struct rill_tcp *tcp)
{
	const struct rill_http_site *site = server->arg;
	struct http_conn *c = malloc(sizeof(*c));
	bool whole;

	if (!c)
		return false;
	c->server = server;
	c->tcp = tcp;
	c->root = site->root;
	c->broken = false;
	c->have = 0;
	while (serve_request(c))
		;
	whole = !c->broken;
	free(c);
	return whole;
}
