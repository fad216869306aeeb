/* SPDX-License-Identifier: BSD-3-Clause */
/* Recordings are played by a clock that the test moves; files lie in a folder of the test's own. */
#include "drivers/driver.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rand.h"
#include "drivers/pcapng.h"

#define START_S 1700000000u
#define NS_PER_SEC UINT64_C(1000000000)
#define NOW 5000000000u /* the test's clock when it begins */

static char folder[] = "/tmp/rill-test-pcap-XXXXXX";
static char in_path[64], out_path[64];

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(in_path, sizeof(in_path), "%s/in", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	return 0;
}

static int remove_folder(void **state)
{
	unlink(in_path);
	unlink(out_path);
	return rmdir(folder);
}

/* ---- recordings ---- */

struct recorded {
	uint64_t at_ns; /* after START_S */
	uint32_t len;
};

static void make_frame(uint8_t *frame, uint32_t len, uint32_t number)
{
	memset(frame, (int)(number * 7), len);
	memcpy(frame, &number, sizeof(number));
}

static void write32(FILE *f, uint32_t v)
{
	assert_int_equal(fwrite(&v, sizeof(v), 1, f), 1);
}

/* The old format, with this magic number. */
static void write_pcap(const struct recorded *r, unsigned n, uint32_t magic, uint32_t unit_ns)
{
	FILE *f = fopen(in_path, "w");
	static uint8_t frame[65536];

	assert_non_null(f);
	write32(f, magic);
	write32(f, 2 | 4 << 16);
	write32(f, 0);
	write32(f, 0);
	write32(f, 65535);
	write32(f, 1);
	for (unsigned i = 0; i < n; i++) {
		write32(f, START_S + (uint32_t)(r[i].at_ns / NS_PER_SEC));
		write32(f, (uint32_t)(r[i].at_ns % NS_PER_SEC / unit_ns));
		write32(f, r[i].len);
		write32(f, r[i].len);
		make_frame(frame, r[i].len, i);
		assert_int_equal(fwrite(frame, r[i].len, 1, f), 1);
	}
	fclose(f);
}

#define MAGIC_MICRO 0xa1b2c3d4u
#define MAGIC_NANO 0xa1b23c4du

static void write_pcapng(const struct recorded *r, unsigned n)
{
	FILE *f = fopen(in_path, "w");
	static uint8_t frame[65536], block[66000];
	size_t len = rill_pcapng_section(block, sizeof(block), "test");

	assert_non_null(f);
	len += rill_pcapng_interface(block + len, sizeof(block) - len, "if0");
	assert_int_equal(fwrite(block, len, 1, f), 1);
	for (unsigned i = 0; i < n; i++) {
		make_frame(frame, r[i].len, i);
		len = rill_pcapng_packet(block, sizeof(block),
					 &(struct rill_pcapng_packet){
						 .time_ns = START_S * NS_PER_SEC + r[i].at_ns,
						 .data = frame,
						 .len = r[i].len,
						 .wire_len = r[i].len,
						 .comment = i % 2 ? "odd" : NULL,
					 });
		assert_int_equal(fwrite(block, len, 1, f), 1);
	}
	fclose(f);
}

/* ---- playing ---- */

static struct rill_nic *open_with(const char *options)
{
	char spec[256], error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic = NULL;

	snprintf(spec, sizeof(spec), "pcap:in=%s%s", in_path, options);
	if (rill_nic_open(spec, 1, &nic, error) < 0)
		fail_msg("%s: %s", spec, error);
	return nic;
}

static struct rill_buf *take(struct rill_nic *nic, uint64_t now)
{
	struct rill_buf *b = NULL;

	nic->queues[0]->now_ns = now;
	return nic->driver->rx_burst(nic->queues[0], &b, 1) ? b : NULL;
}

static uint64_t next_due(struct rill_nic *nic, uint64_t now)
{
	nic->queues[0]->now_ns = now;
	return nic->driver->rx_next(nic->queues[0]);
}

/* The packet with that number, at that time and not before. */
static void expect(struct rill_nic *nic, uint64_t at, uint32_t number, uint32_t len)
{
	static uint8_t frame[65536];
	struct rill_buf *b;

	assert_null(take(nic, at - 1));
	assert_int_equal(next_due(nic, at - 1), at);
	b = take(nic, at);
	assert_non_null(b);
	make_frame(frame, len, number);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, frame, len);
	rill_buf_put(b);
}

static void expect_end(struct rill_nic *nic)
{
	struct rill_nic_link link;

	assert_null(take(nic, UINT64_MAX - 1));
	assert_int_equal(next_due(nic, UINT64_MAX - 1), UINT64_MAX);
	nic->driver->link(nic, &link);
	assert_false(link.up);
	assert_false(link.gone);
}

static const struct recorded four[] = {{0, 60}, {100000, 1500}, {100000, 64}, {1000250000, 9000}};

static void play_four(uint64_t recorded_base)
{
	struct rill_nic *nic = open_with("");
	struct rill_nic_link link;
	struct rill_buf *b;

	nic->driver->link(nic, &link);
	assert_true(link.up);
	/* the clock begins with the first look */
	b = take(nic, NOW);
	assert_non_null(b);
	assert_int_equal(b->time_ns, recorded_base);
	assert_true(b->flags & RILL_BUF_HW_TIME);
	rill_buf_put(b);
	expect(nic, NOW + 100000, 1, 1500);
	b = take(nic, NOW + 100000);
	assert_non_null(b);
	assert_int_equal(b->len, 64);
	rill_buf_put(b);
	expect(nic, NOW + 1000250000, 3, 9000);
	expect_end(nic);
	assert_int_equal(nic->queues[0]->stats.rx_packets, 4);
	assert_int_equal(nic->queues[0]->stats.rx_bytes, 60 + 1500 + 64 + 9000);
	rill_nic_close(nic);
}

static void test_recorded_gaps(void **state)
{
	write_pcap(four, 4, MAGIC_MICRO, 1000);
	play_four(START_S * NS_PER_SEC);
	write_pcap(four, 4, MAGIC_NANO, 1);
	play_four(START_S * NS_PER_SEC);
	write_pcapng(four, 4);
	play_four(START_S * NS_PER_SEC);
}

static void test_nanoseconds(void **state)
{
	const struct recorded r[] = {{1, 60}, {124, 60}};
	struct rill_nic *nic;

	write_pcapng(r, 2);
	nic = open_with("");
	struct rill_buf *b = take(nic, NOW);

	assert_int_equal(b->time_ns, START_S * NS_PER_SEC + 1);
	rill_buf_put(b);
	expect(nic, NOW + 123, 1, 60);
	rill_nic_close(nic);
}

static void test_factor_and_rates(void **state)
{
	struct rill_nic *nic;
	struct rill_buf *b;

	write_pcapng(four, 4);
	nic = open_with(",factor=2.5");
	rill_buf_put(take(nic, NOW));
	expect(nic, NOW + 40000, 1, 1500);
	rill_nic_close(nic);

	nic = open_with(",pps=1000");
	rill_buf_put(take(nic, NOW));
	for (uint32_t i = 1; i < 4; i++)
		expect(nic, NOW + i * 1000000u, i, four[i].len);
	rill_nic_close(nic);

	/* each one's bits, then the next */
	nic = open_with(",bps=1000000");
	rill_buf_put(take(nic, NOW));
	expect(nic, NOW + 60 * 8000u, 1, 1500);
	expect(nic, NOW + (60 + 1500) * 8000u, 2, 64);
	rill_nic_close(nic);

	nic = open_with(",pace=max");
	for (uint32_t i = 0; i < 4; i++) {
		b = take(nic, NOW);
		assert_int_equal(b->len, four[i].len);
		rill_buf_put(b);
	}
	expect_end(nic);
	rill_nic_close(nic);
}

static void test_loops(void **state)
{
	struct rill_nic *nic;

	write_pcapng(four, 2);
	nic = open_with(",loop=3");
	rill_buf_put(take(nic, NOW));
	for (uint64_t i = 0; i < 3; i++) {
		struct rill_buf *b;

		expect(nic, NOW + 100000 * (i + 1), 1, 1500);
		b = take(nic, NOW + 100000 * (i + 1));
		if (i < 2)
			assert_int_equal(b->len, 60);
		else
			assert_null(b);
		rill_buf_put(b);
	}
	expect_end(nic);
	rill_nic_close(nic);

	nic = open_with(",loop=0,pace=max");
	for (unsigned i = 0; i < 1000; i++)
		rill_buf_put(take(nic, NOW));
	rill_nic_close(nic);
}

/* A time that goes back does not turn the order round. */
static void test_order_is_the_files(void **state)
{
	const struct recorded r[] = {{0, 60}, {5000, 61}, {1000, 62}, {6000, 63}};
	struct rill_nic *nic;
	struct rill_buf *b;

	write_pcapng(r, 4);
	nic = open_with("");
	rill_buf_put(take(nic, NOW));
	expect(nic, NOW + 5000, 1, 61);
	b = take(nic, NOW + 5000);
	assert_int_equal(b->len, 62);
	rill_buf_put(b);
	expect(nic, NOW + 6000, 3, 63);
	rill_nic_close(nic);
}

/* A gap that no clock can measure: never, and not long ago. */
static void test_a_gap_too_long(void **state)
{
	const struct recorded r[] = {{0, 60}, {(UINT32_MAX - START_S) * NS_PER_SEC, 61}};
	struct rill_nic *nic;

	write_pcap(r, 2, MAGIC_MICRO, 1000);
	for (unsigned i = 0; i < 2; i++) {
		nic = open_with(i ? ",bps=1" : ",factor=0.000001");
		rill_buf_put(take(nic, i ? UINT64_MAX - 479 * NS_PER_SEC : NOW));
		assert_int_equal(next_due(nic, UINT64_MAX - 1), UINT64_MAX);
		assert_null(take(nic, UINT64_MAX - 1));
		rill_nic_close(nic);
	}
}

static void note_counter(const char *name, uint64_t value, void *ctx)
{
	uint64_t *counters = ctx;

	if (!strcmp(name, "replay_packets"))
		counters[0] = value;
	if (!strcmp(name, "replay_error_max_ns"))
		counters[1] = value;
	if (!strcmp(name, "replay_error_p50_ns"))
		counters[2] = value;
	if (!strcmp(name, "replay_too_long"))
		counters[3] = value;
	if (!strcmp(name, "replay_error_mean_ns"))
		counters[4] = value;
	if (!strcmp(name, "replay_damaged"))
		counters[5] = value;
}

/* Gaps of 100 us between frames of 64 bytes to 9 KB, looked for at odd times: how late is known. */
static void test_schedule_error(void **state)
{
	static struct recorded r[1000];
	uint64_t counters[6] = {0}, sum = 0, max = 0, now = NOW;
	struct rill_rand rand;
	struct rill_nic *nic;

	rill_rand_init(&rand, 7);
	for (unsigned i = 0; i < 1000; i++)
		r[i] = (struct recorded){i * 100000u, 64 + rill_rand_below(&rand, 9000 - 63)};
	write_pcapng(r, 1000);
	nic = open_with("");
	for (unsigned i = 0; i < 1000;) {
		struct rill_buf *b = take(nic, now);

		if (b) {
			uint64_t late = now - (NOW + r[i].at_ns);

			assert_int_equal(b->len, r[i++].len);
			rill_buf_put(b);
			sum += late;
			max = RILL_MAX(max, late);
			continue;
		}
		now += 1 + rill_rand_below(&rand, 3000);
	}
	nic->driver->counters(nic, note_counter, counters);
	assert_int_equal(counters[0], 1000);
	assert_int_equal(counters[1], max);
	assert_int_equal(counters[4], sum / 1000);
	assert_in_range(counters[2], 511, 4095);
	assert_in_range(max, 1, 3000);
	rill_nic_close(nic);
}

/* ---- writing ---- */

static void test_write_and_read_again(void **state)
{
	char spec[256], error[RILL_NIC_ERROR_LEN], why[PCAP_ERRBUF_SIZE];
	struct rill_nic *nic = NULL;
	struct pcap_pkthdr *header;
	uint8_t frame[2000];
	const u_char *data;
	uint64_t last = 0;
	pcap_t *file;

	snprintf(spec, sizeof(spec), "pcap:out=%s", out_path);
	assert_int_equal(rill_nic_open(spec, 4, &nic, error), 0);
	assert_int_equal(nic->queue_count, 1);
	for (uint32_t i = 0; i < 50; i++) {
		struct rill_buf *b = rill_buf_alloc(nic->queues[0]->pool);

		make_frame(rill_buf_append(b, 60 + i), 60 + i, i);
		nic->queues[0]->now_ns = NOW + i * 1003;
		assert_int_equal(nic->driver->tx_burst(nic->queues[0], &b, 1), 1);
	}
	assert_int_equal(nic->queues[0]->stats.tx_packets, 50);
	assert_int_equal(rill_buf_pool_reclaim(nic->queues[0]->pool), nic->queues[0]->pool->size);
	rill_nic_close(nic);
	file = pcap_open_offline_with_tstamp_precision(out_path, PCAP_TSTAMP_PRECISION_NANO, why);
	assert_non_null(file);
	assert_int_equal(pcap_datalink(file), DLT_EN10MB);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(pcap_next_ex(file, &header, &data), 1);
		uint64_t at =
			(uint64_t)header->ts.tv_sec * NS_PER_SEC + (uint64_t)header->ts.tv_usec;

		make_frame(frame, 60 + i, i);
		assert_int_equal(header->caplen, 60 + i);
		assert_memory_equal(data, frame, 60 + i);
		if (i > 0)
			assert_int_equal(at - last, 1003);
		last = at;
	}
	assert_int_equal(pcap_next_ex(file, &header, &data), PCAP_ERROR_BREAK);
	pcap_close(file);
}

/* A block that has no room is no block at all. */
static void test_blocks_have_room(void **state)
{
	uint8_t buf[256], data[40] = {0};
	struct rill_pcapng_packet p = {.data = data, .len = sizeof(data), .comment = "hello"};
	size_t whole = rill_pcapng_packet(buf, sizeof(buf), &p);

	assert_int_equal(whole % 4, 0);
	assert_true(whole <= sizeof(data) + RILL_PCAPNG_OVERHEAD);
	for (size_t size = 0; size < whole; size++)
		assert_int_equal(rill_pcapng_packet(buf, size, &p), 0);
	assert_int_equal(rill_pcapng_packet(buf, whole, &p), whole);
	assert_int_equal(rill_pcapng_section(buf, 20, "x"), 0);
	assert_int_equal(rill_pcapng_interface(buf, 20, "x"), 0);
}

/* ---- what is wrong ---- */

static void refuse(const char *options, const char *say)
{
	char spec[256], error[RILL_NIC_ERROR_LEN] = "";
	struct rill_nic *nic = NULL;

	snprintf(spec, sizeof(spec), "pcap:%s", options);
	assert_true(rill_nic_open(spec, 1, &nic, error) < 0);
	assert_null(nic);
	if (!strstr(error, say))
		fail_msg("'%s' has no '%s'", error, say);
}

static void test_bad_specs(void **state)
{
	char text[128];

	write_pcapng(four, 4);
	refuse("loop=2", "want in=FILE");
	refuse("in=/nowhere/x", "/nowhere/x");
	refuse("out=/nowhere/x", "/nowhere/x");
	refuse("in=x,speed=2", "speed");
	snprintf(text, sizeof(text), "in=%s,pps=5,bps=6", in_path);
	refuse(text, "want one of");
	snprintf(text, sizeof(text), "in=%s,factor=0", in_path);
	refuse(text, "factor=0");
	snprintf(text, sizeof(text), "in=%s,factor=nan", in_path);
	refuse(text, "factor=nan");
	FILE *f = fopen(in_path, "w");

	fputs("this is no recording", f);
	fclose(f);
	snprintf(text, sizeof(text), "in=%s", in_path);
	refuse(text, "cannot read");
}

/* Frames too long or too short, files cut off anywhere, and no packet free. */
static void test_damaged_files(void **state)
{
	const struct recorded r[] = {{0, 60}, {0, 10}, {0, 3000}, {0, 61}};
	uint64_t counters[6] = {0};
	struct rill_nic *nic;
	struct rill_buf *b, *held[64];
	unsigned n = 0;

	write_pcapng(r, 4);
	nic = open_with(",mtu=1500");
	rill_buf_put(take(nic, NOW));
	while (!(b = take(nic, NOW)))
		assert_true(n++ < 10);
	assert_int_equal(b->len, 61);
	rill_buf_put(b);
	nic->driver->counters(nic, note_counter, counters);
	assert_int_equal(counters[3], 2);
	assert_int_equal(nic->queues[0]->stats.rx_dropped, 2);
	rill_nic_close(nic);

	nic = open_with(",bufs=16,pace=max,loop=0,mtu=1500");
	for (n = 0; n < 64; n++) {
		held[n] = take(nic, NOW);
		if (!held[n] && nic->queues[0]->pool->available == 0)
			break;
		n -= !held[n];
	}
	assert_int_equal(n, 16);
	while (n > 0)
		rill_buf_put(held[--n]);
	rill_nic_close(nic);

	for (off_t len = 80; len < 160; len += 7) {
		write_pcapng(four, 1);
		assert_int_equal(truncate(in_path, len), 0);
		nic = open_with(",pace=max,loop=0");
		for (n = 0; n < 5; n++)
			rill_buf_put(take(nic, NOW));
		rill_nic_close(nic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_gaps),
		cmocka_unit_test(test_nanoseconds),
		cmocka_unit_test(test_factor_and_rates),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_order_is_the_files),
		cmocka_unit_test(test_a_gap_too_long),
		cmocka_unit_test(test_schedule_error),
		cmocka_unit_test(test_write_and_read_again),
		cmocka_unit_test(test_blocks_have_room),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
