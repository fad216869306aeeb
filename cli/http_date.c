/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dates by arithmetic: gmtime_r() and timegm() may read the time zone file, and a task must not
 * block its worker.
 */
#include "cli/http_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

#define DAY_S INT64_C(86400)
/* Days of 400 Gregorian years, and from 0000-03-01 to 1970-01-01. */
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468
/* 0000-03-01 00:00:00, and 9999-12-31 23:59:59. */
#define TIME_MIN (-EPOCH_DAYS * DAY_S)
#define TIME_MAX INT64_C(253402300799)

struct civil {
	unsigned year, month, day; /* month and day from 1 */
	unsigned hour, minute, second;
};

/* Years that begin in March have the leap day at their end, and months whose lengths follow one
 * line. */
static void set_date(struct civil *c, unsigned day)
{
	unsigned era = day / ERA_DAYS, in_era = day % ERA_DAYS;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153;

	c->day = in_year - (153 * month + 2) / 5 + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = year + era * 400 + (c->month <= 2);
}

static int64_t days_since_epoch(const struct civil *c)
{
	int64_t year = (int64_t)c->year - (c->month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t month = c->month > 2 ? c->month - 3 : c->month + 9;
	int64_t in_year = (153 * month + 2) / 5 + c->day - 1;
	int64_t in_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year;

	return era * ERA_DAYS + in_era - EPOCH_DAYS;
}

const char *rill_http_format_date(time_t t, char *buf)
{
	int64_t s = t < TIME_MIN ? TIME_MIN : t > TIME_MAX ? TIME_MAX : t;
	int64_t since = s - TIME_MIN;
	unsigned day = (unsigned)(since / DAY_S), second = (unsigned)(since % DAY_S);
	struct civil c;

	set_date(&c, day);
	/* 0000-03-01 was a Wednesday. The moduli tell the compiler what fits. */
	snprintf(buf, RILL_HTTP_DATE_LEN, "%s, %02u %s %04u %02u:%02u:%02u GMT",
		 days[(day + 3) % 7], c.day % 32, months[(c.month - 1) % 12], c.year % 10000,
		 second / 3600 % 24, second / 60 % 60, second % 60);
	return buf;
}

static unsigned find_month(const char *name)
{
	for (unsigned i = 0; i < 12; i++) {
		if (!strcmp(months[i], name))
			return i + 1;
	}
	return 0;
}

static int to_time(const struct civil *c, time_t *ret_time)
{
	/* 60: a leap second, which becomes the next minute's first. */
	if (!c->month || c->day < 1 || c->day > 31 || c->hour > 23 || c->minute > 59 ||
	    c->second > 60)
		return -EINVAL;
	*ret_time = days_since_epoch(c) * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
	return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_imf(const char *text, struct civil *c)
{
	char month[4];
	int end = 0;

	sscanf(text, "%*3[A-Za-z], %2u %3[A-Za-z] %4u %2u:%2u:%2u GMT%n", &c->day, month, &c->year,
	       &c->hour, &c->minute, &c->second, &end);
	if (!end || text[end])
		return false;
	c->month = find_month(month);
	return true;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": the year is in the last or this century, as in POSIX. */
static bool parse_rfc850(const char *text, struct civil *c)
{
	char month[4];
	int end = 0;

	sscanf(text, "%*9[A-Za-z], %2u-%3[A-Za-z]-%2u %2u:%2u:%2u GMT%n", &c->day, month, &c->year,
	       &c->hour, &c->minute, &c->second, &end);
	if (!end || text[end])
		return false;
	c->month = find_month(month);
	c->year += c->year < 69 ? 2000 : 1900;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(const char *text, struct civil *c)
{
	char month[4];
	int end = 0;

	sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2u %2u:%2u:%2u %4u%n", month, &c->day, &c->hour,
	       &c->minute, &c->second, &c->year, &end);
	if (!end || text[end])
		return false;
	c->month = find_month(month);
	return true;
}

int rill_http_parse_date(struct rill_http_slice s, time_t *ret_time)
{
	struct civil c = {0};
	char text[40];

	if (s.len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.data, s.len);
	text[s.len] = 0;
	/* sscanf() would take signs. */
	if (strpbrk(text, "+") || strstr(text, " -"))
		return -EINVAL;
	if (!parse_imf(text, &c) && !parse_rfc850(text, &c) && !parse_asctime(text, &c))
		return -EINVAL;
	return to_time(&c, ret_time);
}
