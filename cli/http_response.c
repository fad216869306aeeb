/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_response.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct out {
	char *buf;
	size_t len;
};

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{200, "OK"},
	{206, "Partial Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{416, "Range Not Satisfiable"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

const char *rill_http_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Unknown";
}

/* Everything written here is bounded, and RILL_HTTP_RESPONSE_MAX is more than its sum. */
__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	o->len += (size_t)vsnprintf(o->buf + o->len, RILL_HTTP_RESPONSE_MAX - o->len, format, args);
	va_end(args);
}

static void put_content(struct out *o, const struct rill_http_response *r)
{
	char date[RILL_HTTP_DATE_LEN];

	if (r->has_modified)
		put(o, "Last-Modified: %s\r\n", rill_http_format_date(r->modified, date));
	if (r->status == 304)
		return;
	put(o, "Content-Type: %s\r\nContent-Length: %" PRIu64 "\r\n",
	    r->type ? r->type : "text/plain; charset=utf-8", r->length);
	if (r->status == 200)
		put(o, "Accept-Ranges: bytes\r\n");
	if (r->status == 206)
		put(o, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
		    r->range.first, r->range.first + r->range.len - 1, r->size);
	if (r->status == 416)
		put(o, "Content-Range: bytes */%" PRIu64 "\r\n", r->size);
	if (r->status == 405)
		put(o, "Allow: GET, HEAD\r\n");
}

size_t rill_http_format_response(const struct rill_http_response *r, time_t now, char *buf)
{
	struct out o = {.buf = buf};
	char date[RILL_HTTP_DATE_LEN];

	put(&o, "HTTP/1.1 %u %s\r\n", r->status, rill_http_reason(r->status));
	put(&o, "Date: %s\r\nServer: rill\r\n", rill_http_format_date(now, date));
	put_content(&o, r);
	if (!r->keep_alive)
		put(&o, "Connection: close\r\n");
	else if (r->minor == 0)
		put(&o, "Connection: keep-alive\r\n");
	put(&o, "\r\n");
	return o.len;
}
