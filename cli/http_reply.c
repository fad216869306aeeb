/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT 80

/* Anything that could end the request line early, or mean something else to the server. */
static bool is_path_ok(const char *path)
{
	for (; *path; path++) {
		if (*path <= ' ' || *path >= 0x7f || *path == '#')
			return false;
	}
	return true;
}

const char *rill_http_parse_url(const char *text, struct rill_http_url *ret_url)
{
	static const char scheme[] = "http://";
	struct rill_http_url url;
	char host[RILL_ADDR_STRLEN];

	if (!strncasecmp(text, "https://", 8))
		return "https is not supported";
	if (strncasecmp(text, scheme, sizeof(scheme) - 1))
		return "a URL begins with http://";
	text += sizeof(scheme) - 1;
	url.host = (struct rill_http_slice){text, strcspn(text, "/?")};
	url.path = text + url.host.len;
	if (!url.host.len || url.host.data[0] == ':')
		return "the URL names no host";
	if (url.host.len >= sizeof(host))
		return "the host is not an IPv4 address (names are not resolved)";
	snprintf(host, sizeof(host), "%.*s", (int)url.host.len, url.host.data);
	if (rill_addr_parse(host, &url.addr) < 0 || url.addr.ip.family != RILL_AF_IP4)
		return "the host is not an IPv4 address with an optional port (names are not "
		       "resolved)";
	if (url.path[0] == '?')
		return "the URL has no path before its '?'";
	if (!is_path_ok(url.path))
		return "the path has characters that must be written as %XX";
	if (!url.addr.port)
		url.addr.port = DEFAULT_PORT;
	*ret_url = url;
	return NULL;
}

/* "HTTP/1.1 200 OK" (RFC 9112, 4): the reason may be missing, with its space. */
static int parse_status_line(struct rill_http_slice line, struct rill_http_reply *r)
{
	uint64_t status;

	if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) || line.data[8] != ' ')
		return -EBADMSG;
	if (line.len > 12 && line.data[12] != ' ')
		return -EBADMSG;
	if (rill_http_parse_number((struct rill_http_slice){line.data + 9, 3}, &status) < 0 ||
	    status < 100)
		return -EBADMSG;
	r->status = (unsigned)status;
	r->keep_alive = line.data[7] >= '1';
	return 0;
}

static int on_field(struct rill_http_reply *r, struct rill_http_slice name,
		    struct rill_http_slice value)
{
	struct rill_http_slice option;

	if (rill_http_slice_is(name, "content-length")) {
		if (r->has_length || rill_http_parse_number(value, &r->length) < 0)
			return -EBADMSG;
		r->has_length = true;
	}
	if (rill_http_slice_is(name, "transfer-encoding"))
		r->has_coding = true;
	if (!rill_http_slice_is(name, "connection"))
		return 0;
	while (rill_http_next_element(&value, &option)) {
		if (rill_http_slice_is(option, "close"))
			r->keep_alive = false;
		if (rill_http_slice_is(option, "keep-alive"))
			r->keep_alive = true;
	}
	return 0;
}

int rill_http_parse_reply(const char *head, size_t len, struct rill_http_reply *ret_reply)
{
	struct rill_http_slice rest = {head, len}, line, name, value;
	struct rill_http_reply r = {0};

	if (!rill_http_next_line(&rest, &line) || parse_status_line(line, &r) < 0)
		return -EBADMSG;
	while (rill_http_next_line(&rest, &line) && line.len) {
		if (rill_http_split_field(line, &name, &value) < 0 || on_field(&r, name, value) < 0)
			return -EBADMSG;
	}
	/* These never have a body, whatever the fields say (RFC 9112, 6.3). */
	if (r.status < 200 || r.status == 204 || r.status == 304) {
		r.has_length = true;
		r.has_coding = false;
		r.length = 0;
	}
	if (!r.has_length)
		r.keep_alive = false;
	*ret_reply = r;
	return 0;
}
