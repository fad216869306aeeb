/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rill_rand_init(struct rill_rand *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}

static __thread struct rill_rand *secret_source;

/* Out of line: a task reads its own thread's, whichever that is by now. */
static RILL_NOINLINE struct rill_rand *get_secret_source(void)
{
	__asm__ volatile("");
	return secret_source;
}

void rill_rand_secret_from(struct rill_rand *r)
{
	secret_source = r;
}

static void draw(struct rill_rand *r, void *buf, unsigned len)
{
	unsigned char *p = buf;

	for (unsigned i = 0; i < len; i++)
		p[i] = (unsigned char)(rill_rand_next(r) >> 56);
}

void rill_rand_secret(void *buf, unsigned len)
{
	struct rill_rand *source = get_secret_source();
	unsigned char *p = buf;

	if (RILL_UNLIKELY(source != NULL)) {
		draw(source, buf, len);
		return;
	}
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0) {
			RILL_ASSERT(errno == EINTR);
			continue;
		}
		p += n;
		len -= (unsigned)n;
	}
}
