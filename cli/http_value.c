/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_value.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* "-500": the last 500 bytes. */
static int parse_suffix_range(struct rill_http_slice s, uint64_t size,
			      struct rill_http_range *ret_range)
{
	uint64_t len;

	if (rill_http_parse_number(s, &len) < 0)
		return -ENOENT;
	if (!len || !size)
		return -ERANGE;
	if (len > size)
		len = size;
	*ret_range = (struct rill_http_range){.first = size - len, .len = len};
	return 0;
}

int rill_http_parse_range(struct rill_http_slice s, uint64_t size,
			  struct rill_http_range *ret_range)
{
	static const char unit[] = "bytes=";
	uint64_t first, last = UINT64_MAX;
	struct rill_http_slice a, b;
	const char *dash;

	if (s.len < sizeof(unit) - 1 || strncasecmp(s.data, unit, sizeof(unit) - 1))
		return -ENOENT;
	s.data += sizeof(unit) - 1;
	s.len -= sizeof(unit) - 1;
	dash = memchr(s.data, '-', s.len);
	if (!dash)
		return -ENOENT;
	a = (struct rill_http_slice){s.data, (size_t)(dash - s.data)};
	b = (struct rill_http_slice){dash + 1, s.len - a.len - 1};
	if (!a.len)
		return parse_suffix_range(b, size, ret_range);
	if (rill_http_parse_number(a, &first) < 0)
		return -ENOENT;
	if (b.len && (rill_http_parse_number(b, &last) < 0 || last < first))
		return -ENOENT;
	if (first >= size)
		return -ERANGE;
	if (last >= size)
		last = size - 1;
	*ret_range = (struct rill_http_range){.first = first, .len = last - first + 1};
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* absolute-form, which every server must accept (RFC 9112, 3.2.2): "http://host/path" becomes
 * "/path". */
static struct rill_http_slice origin_form(struct rill_http_slice t)
{
	static const char scheme[] = "http://";
	size_t skip = sizeof(scheme) - 1;
	const char *slash;

	if (t.len <= skip || strncasecmp(t.data, scheme, skip))
		return t;
	slash = memchr(t.data + skip, '/', t.len - skip);
	if (!slash)
		return (struct rill_http_slice){"/", 1};
	return (struct rill_http_slice){slash, (size_t)(t.data + t.len - slash)};
}

/* Decodes %XX from s into buf. The decoded length, or -EINVAL. */
static ssize_t percent_decode(struct rill_http_slice s, char *buf)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int high, low;

		if (s.data[i] != '%') {
			buf[n++] = s.data[i];
			continue;
		}
		if (s.len - i < 3)
			return -EINVAL;
		high = hex_digit(s.data[i + 1]);
		low = hex_digit(s.data[i + 2]);
		if (high < 0 || low < 0 || (high | low) == 0)
			return -EINVAL;
		buf[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return (ssize_t)n;
}

/*
 * Clients take dot segments out before they send (RFC 3986, 5.2.4). The kernel keeps us below the
 * root in any case; this is the second fence.
 */
static bool has_dot_segment(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if ((len == 1 && path[0] == '.') || (len == 2 && !memcmp(path, "..", 2)))
			return true;
		path += len + (path[len] == '/');
	}
	return false;
}

int rill_http_target_path(struct rill_http_slice target, char *buf, size_t cap)
{
	struct rill_http_slice path = origin_form(target);
	const char *query = memchr(path.data, '?', path.len);
	ssize_t n;

	if (query)
		path.len = (size_t)(query - path.data);
	if (!path.len || path.data[0] != '/')
		return 400;
	while (path.len && path.data[0] == '/') {
		path.data++;
		path.len--;
	}
	if (path.len + 2 > cap)
		return 414;
	n = percent_decode(path, buf);
	if (n < 0)
		return 400;
	buf[n] = 0;
	/* "%2fetc" decodes to a path that looks absolute. */
	if (buf[0] == '/' || has_dot_segment(buf))
		return 404;
	if (!n)
		strcpy(buf, ".");
	return 0;
}

static const char *const media_types[][2] = {
	{"avif", "image/avif"},
	{"bin", "application/octet-stream"},
	{"css", "text/css; charset=utf-8"},
	{"csv", "text/csv; charset=utf-8"},
	{"gif", "image/gif"},
	{"gz", "application/gzip"},
	{"htm", "text/html; charset=utf-8"},
	{"html", "text/html; charset=utf-8"},
	{"ico", "image/x-icon"},
	{"jpeg", "image/jpeg"},
	{"jpg", "image/jpeg"},
	{"js", "text/javascript; charset=utf-8"},
	{"json", "application/json"},
	{"md", "text/markdown; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"mp3", "audio/mpeg"},
	{"mp4", "video/mp4"},
	{"pdf", "application/pdf"},
	{"png", "image/png"},
	{"svg", "image/svg+xml"},
	{"tar", "application/x-tar"},
	{"txt", "text/plain; charset=utf-8"},
	{"wasm", "application/wasm"},
	{"webm", "video/webm"},
	{"webp", "image/webp"},
	{"woff2", "font/woff2"},
	{"xml", "application/xml"},
	{"zip", "application/zip"},
};

const char *rill_http_media_type(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');

	for (size_t i = 0; dot && i < sizeof(media_types) / sizeof(media_types[0]); i++) {
		if (!strcasecmp(dot + 1, media_types[i][0]))
			return media_types[i][1];
	}
	return "application/octet-stream";
}
