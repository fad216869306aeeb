/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/toeplitz.h"

#include <errno.h>
#include <netinet/in.h>
#include <rill/addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "base/rand.h"

/* "Verifying the RSS Hash Calculation", of the RSS specification. */
static const struct vector {
	int family;
	const char *to;
	uint16_t to_port;
	const char *from;
	uint16_t from_port;
	uint32_t by_addresses, by_ports;
} vectors[] = {
	{AF_INET, "161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
	{AF_INET, "65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
	{AF_INET, "12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
	{AF_INET, "209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
	{AF_INET, "202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
	{AF_INET6, "3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5,
	 0x40207d3d},
	{AF_INET6, "ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c,
	 0xdde51bbf},
	{AF_INET6, "fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
	 0x4b61e985, 0x02d1feef},
};

static struct rill_addr addr_of(int family, const char *text, uint16_t port)
{
	struct rill_addr a = {.port = port};

	a.ip.family = family == AF_INET6 ? RILL_AF_IP6 : RILL_AF_IP4;
	assert_int_equal(inet_pton(family, text, a.ip.bytes), 1);
	return a;
}

static void check(const struct rill_toeplitz *t, const struct vector *v, bool ports,
		  uint32_t expected)
{
	struct rill_addr from = addr_of(v->family, v->from, v->from_port);
	struct rill_addr to = addr_of(v->family, v->to, v->to_port);
	uint8_t input[RILL_TOEPLITZ_INPUT_MAX];
	size_t len = rill_toeplitz_input(&from, &to, ports, input);

	assert_int_equal(len, (v->family == AF_INET6 ? 32 : 8) + (ports ? 4 : 0));
	assert_int_equal(rill_toeplitz_hash(t, input, len), expected);
	assert_int_equal(rill_toeplitz_by_bits(rill_toeplitz_key_msft, input, len), expected);
}

static void test_the_specifications_vectors(void **state)
{
	static struct rill_toeplitz t;

	assert_int_equal(rill_toeplitz_init(&t, rill_toeplitz_key_msft, RILL_TOEPLITZ_KEY_LEN), 0);
	assert_int_equal(t.input_max, RILL_TOEPLITZ_INPUT_MAX);
	for (size_t i = 0; i < RILL_ARRAY_SIZE(vectors); i++) {
		check(&t, &vectors[i], false, vectors[i].by_addresses);
		check(&t, &vectors[i], true, vectors[i].by_ports);
	}
}

static void test_table_and_bits_agree(void **state)
{
	static struct rill_toeplitz t;
	struct rill_rand rand;
	uint8_t key[52], input[RILL_TOEPLITZ_INPUT_MAX];

	rill_rand_init(&rand, 6);
	for (unsigned round = 0; round < 200; round++) {
		size_t key_len = RILL_TOEPLITZ_KEY_MIN +
				 rill_rand_below(&rand, sizeof(key) - RILL_TOEPLITZ_KEY_MIN + 1);

		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)rill_rand_next(&rand);
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)rill_rand_next(&rand);
		assert_int_equal(rill_toeplitz_init(&t, key, key_len), 0);
		assert_in_range(t.input_max, 12, RILL_TOEPLITZ_INPUT_MAX);
		assert_int_equal(rill_toeplitz_hash(&t, input, t.input_max),
				 rill_toeplitz_by_bits(key, input, t.input_max));
	}
}

static void test_short_keys_are_refused(void **state)
{
	struct rill_toeplitz *t = malloc(sizeof(*t));

	assert_int_equal(rill_toeplitz_init(t, rill_toeplitz_key_msft, 0), -EINVAL);
	assert_int_equal(rill_toeplitz_init(t, rill_toeplitz_key_msft, 15), -EINVAL);
	assert_int_equal(rill_toeplitz_init(t, rill_toeplitz_key_msft, 16), 0);
	assert_int_equal(t->input_max, 12);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_specifications_vectors),
		cmocka_unit_test(test_table_and_bits_agree),
		cmocka_unit_test(test_short_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
