/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

/* RFC 9110, 5.5: visible, space, tab, and anything above ASCII. */
static bool is_field_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= ' ' && u != 0x7f);
}

static bool all_chars(struct rill_http_slice s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is(s.data[i]))
			return false;
	}
	return true;
}

bool rill_http_slice_is(struct rill_http_slice s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct rill_http_slice trim(struct rill_http_slice s)
{
	while (s.len && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

bool rill_http_next_element(struct rill_http_slice *list, struct rill_http_slice *ret_element)
{
	while (list->len) {
		const char *comma = memchr(list->data, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->data) : list->len;
		size_t skip = comma ? len + 1 : len;
		struct rill_http_slice element = trim((struct rill_http_slice){list->data, len});

		list->data += skip;
		list->len -= skip;
		if (element.len) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

int rill_http_parse_number(struct rill_http_slice s, uint64_t *ret_number)
{
	uint64_t n = 0;

	if (!s.len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.data[i] - '0'), &n))
			return -EINVAL;
	}
	*ret_number = n;
	return 0;
}

/* What a head that grew beyond the limits is refused with; 0 while it is within. */
static int check_limits(const struct rill_http_scan *scan, size_t len)
{
	if (!scan->line_len && len > RILL_HTTP_LINE_MAX)
		return 414;
	return len > RILL_HTTP_HEAD_MAX ? 431 : 0;
}

ssize_t rill_http_find_head(struct rill_http_scan *scan, const char *buf, size_t len)
{
	while (scan->scanned < len) {
		const char *lf = memchr(buf + scan->scanned, '\n', len - scan->scanned);
		size_t end = lf ? (size_t)(lf - buf) + 1 : len;
		int status = check_limits(scan, end);

		if (status)
			return -status;
		scan->scanned = end;
		if (!lf)
			return 0;
		if (end < 2 || buf[end - 2] != '\r')
			return -400;
		if (!scan->line_len)
			scan->line_len = end;
		if (end >= 4 && !memcmp(buf + end - 4, "\r\n\r\n", 4))
			return (ssize_t)end;
	}
	return 0;
}

bool rill_http_next_line(struct rill_http_slice *rest, struct rill_http_slice *ret_line)
{
	const char *cr = rest->len ? memmem(rest->data, rest->len, "\r\n", 2) : NULL;
	size_t len;

	if (!cr)
		return false;
	len = (size_t)(cr - rest->data);
	*ret_line = (struct rill_http_slice){rest->data, len};
	rest->data += len + 2;
	rest->len -= len + 2;
	return true;
}

/* "HTTP/1.1": 0 with the minor version, or the status. */
static int parse_version(struct rill_http_slice v, unsigned *ret_minor)
{
	if (v.len != 8 || memcmp(v.data, "HTTP/", 5) || v.data[6] != '.')
		return 400;
	if (v.data[5] < '0' || v.data[5] > '9' || v.data[7] < '0' || v.data[7] > '9')
		return 400;
	if (v.data[5] != '1')
		return 505;
	*ret_minor = v.data[7] > '0';
	return 0;
}

static bool is_target_char(char c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

static enum rill_http_method parse_method(struct rill_http_slice s)
{
	/* Unlike everything else here, methods have a case (RFC 9110, 9.1). */
	if (s.len == 3 && !memcmp(s.data, "GET", 3))
		return RILL_HTTP_GET;
	if (s.len == 4 && !memcmp(s.data, "HEAD", 4))
		return RILL_HTTP_HEAD;
	return RILL_HTTP_OTHER;
}

/* method SP request-target SP HTTP-version (RFC 9112, 3): one space each, nothing else. */
static int parse_request_line(struct rill_http_slice line, struct rill_http_request *r)
{
	const char *end = line.data + line.len;
	const char *sp1 = memchr(line.data, ' ', line.len);
	const char *sp2 = sp1 ? memchr(sp1 + 1, ' ', (size_t)(end - sp1 - 1)) : NULL;
	struct rill_http_slice method;

	if (!sp2)
		return 400;
	method = (struct rill_http_slice){line.data, (size_t)(sp1 - line.data)};
	r->target = (struct rill_http_slice){sp1 + 1, (size_t)(sp2 - sp1 - 1)};
	if (!method.len || !all_chars(method, is_token_char))
		return 400;
	if (!r->target.len || !all_chars(r->target, is_target_char))
		return 400;
	r->method = parse_method(method);
	return parse_version((struct rill_http_slice){sp2 + 1, (size_t)(end - sp2 - 1)}, &r->minor);
}

int rill_http_split_field(struct rill_http_slice line, struct rill_http_slice *ret_name,
			  struct rill_http_slice *ret_value)
{
	const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
	struct rill_http_slice name, value;

	if (!colon)
		return -EINVAL;
	name = (struct rill_http_slice){line.data, (size_t)(colon - line.data)};
	value = (struct rill_http_slice){colon + 1, line.len - name.len - 1};
	/* A folded line begins with a space, which no name has (RFC 9112, 5.2). */
	if (!name.len || !all_chars(name, is_token_char) || !all_chars(value, is_field_char))
		return -EINVAL;
	*ret_name = name;
	*ret_value = trim(value);
	return 0;
}

/* Fields that may stand only once. */
static int set_once(struct rill_http_slice *field, struct rill_http_slice value)
{
	if (field->data)
		return 400;
	*field = value;
	return 0;
}

static bool is_host_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr(",/\\?#@\"<>", c);
}

static int on_host(struct rill_http_request *r, struct rill_http_slice value)
{
	return all_chars(value, is_host_char) ? set_once(&r->host, value) : 400;
}

/* A list of equal lengths would be allowed (RFC 9110, 8.6), and nobody honest sends one. */
static int on_content_length(struct rill_http_request *r, struct rill_http_slice value)
{
	if (r->has_length || rill_http_parse_number(value, &r->content_length) < 0)
		return 400;
	r->has_length = true;
	return 0;
}

static int on_transfer_encoding(struct rill_http_request *r, struct rill_http_slice value)
{
	if (r->has_coding)
		return 400;
	r->has_coding = true;
	r->chunked = rill_http_slice_is(value, "chunked");
	return 0;
}

/* "close" anywhere wins, until the next request (RFC 9112, 9.3). */
static int on_connection(struct rill_http_request *r, struct rill_http_slice value, bool *closes)
{
	struct rill_http_slice option;

	while (rill_http_next_element(&value, &option)) {
		if (rill_http_slice_is(option, "close"))
			*closes = true;
		if (rill_http_slice_is(option, "keep-alive"))
			r->keep_alive = true;
	}
	return 0;
}

static int on_field(struct rill_http_request *r, struct rill_http_slice name,
		    struct rill_http_slice value, bool *closes)
{
	if (rill_http_slice_is(name, "host"))
		return on_host(r, value);
	if (rill_http_slice_is(name, "connection"))
		return on_connection(r, value, closes);
	if (rill_http_slice_is(name, "content-length"))
		return on_content_length(r, value);
	if (rill_http_slice_is(name, "transfer-encoding"))
		return on_transfer_encoding(r, value);
	if (rill_http_slice_is(name, "range"))
		return set_once(&r->range, value);
	if (rill_http_slice_is(name, "if-range"))
		return set_once(&r->if_range, value);
	if (rill_http_slice_is(name, "if-modified-since"))
		return set_once(&r->if_modified_since, value);
	if (rill_http_slice_is(name, "expect") && rill_http_slice_is(value, "100-continue"))
		r->expects_continue = true;
	return 0;
}

static int parse_fields(struct rill_http_slice rest, struct rill_http_request *r, bool *closes)
{
	struct rill_http_slice line, name, value;

	while (rill_http_next_line(&rest, &line) && line.len) {
		int status;

		if (r->fields++ == RILL_HTTP_FIELDS_MAX)
			return 431;
		if (rill_http_split_field(line, &name, &value) < 0)
			return 400;
		status = on_field(r, name, value, closes);
		if (status)
			return status;
	}
	/* The empty line is the last one, and nothing follows it. */
	return rest.len ? 400 : 0;
}

/* What no single field shows. */
static int check_request(const struct rill_http_request *r)
{
	/* RFC 9112, 3.2. */
	if (r->minor >= 1 && !r->host.data)
		return 400;
	if (!r->has_coding)
		return 0;
	/* RFC 9112, 6.1: how requests are smuggled past another parser. */
	if (r->has_length || r->minor == 0)
		return 400;
	return r->chunked ? 0 : 501;
}

int rill_http_parse_request(const char *head, size_t len, struct rill_http_request *ret_request)
{
	struct rill_http_slice rest = {head, len}, line;
	struct rill_http_request r = {0};
	bool closes = false;
	int status;

	if (!rill_http_next_line(&rest, &line))
		return 400;
	status = parse_request_line(line, &r);
	r.keep_alive = r.minor >= 1;
	if (!status)
		status = parse_fields(rest, &r, &closes);
	if (!status)
		status = check_request(&r);
	if (status)
		return status;
	r.keep_alive = r.keep_alive && !closes;
	*ret_request = r;
	return 0;
}
