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

void rill_rand_secret(void *buf, unsigned len)
{
	unsigned char *p = buf;

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
