/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/crash_text.h"

#include <dlfcn.h>
#ifdef RILL_HAVE_DL_FIND_OBJECT
#include <link.h>
#endif
#include <errno.h>
#include <unistd.h>

#include "base/compiler.h"

static void put_char(struct rill_crash_text *t, char c)
{
	/* the last byte is for the end of the line */
	if (t->len < sizeof(t->buf) - 1)
		t->buf[t->len++] = c;
}

void rill_crash_put(struct rill_crash_text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

void rill_crash_put_name(struct rill_crash_text *t, const char *s, size_t max)
{
	for (size_t i = 0; i < max && s[i]; i++)
		put_char(t, s[i] < ' ' || s[i] == 127 ? '?' : s[i]);
}

static void put_digits(struct rill_crash_text *t, uint64_t n, unsigned base)
{
	char digits[20];
	unsigned i = 0;

	do {
		digits[i++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	while (i > 0)
		put_char(t, digits[--i]);
}

void rill_crash_put_number(struct rill_crash_text *t, uint64_t n)
{
	put_digits(t, n, 10);
}

void rill_crash_put_hex(struct rill_crash_text *t, uint64_t n)
{
	rill_crash_put(t, "0x");
	put_digits(t, n, 16);
}

void rill_crash_put_pc(struct rill_crash_text *t, const void *pc)
{
	rill_crash_put_hex(t, (uintptr_t)pc);
#ifdef RILL_HAVE_DL_FIND_OBJECT
	/* The one lookup that glibc allows in a handler. The program itself has an empty name. */
	struct dl_find_object found;

	if (_dl_find_object((void *)(uintptr_t)pc, &found) != 0)
		return;
	const char *name = found.dlfo_link_map->l_name;

	rill_crash_put(t, " ");
	rill_crash_put(t, *name ? name : "program");
	rill_crash_put(t, "+");
	rill_crash_put_hex(t, (uintptr_t)pc - found.dlfo_link_map->l_addr);
#endif
}

void rill_crash_flush(struct rill_crash_text *t)
{
	size_t done = 0;

	t->buf[t->len++] = '\n';
	while (done < t->len) {
		ssize_t n = write(STDERR_FILENO, t->buf + done, t->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	t->len = 0;
}
