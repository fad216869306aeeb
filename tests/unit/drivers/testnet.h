/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver tests share: frames, and a network namespace of their own for those that need
 * one. */
#ifndef RILL_TESTS_DRIVERS_TESTNET_H
#define RILL_TESTS_DRIVERS_TESTNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/driver.h"

/* Meson's exit status for a skipped test. */
#define TESTNET_SKIP 77
/* How long a test waits for what must happen, before it fails. */
#define TESTNET_PATIENCE_MS 5000

/* Moves the process into a fresh network namespace; where that is impossible says why and exits 77.
 */
void testnet_isolate(void);
/* Runs a command; it must succeed. */
void testnet_run(const char *fmt, ...) RILL_PRINTF(1, 2);

/* A raw socket on the interface: sees what its kernel sees, and sends from it. */
int testnet_raw_open(const char *ifname);
void testnet_raw_send(int fd, const uint8_t *frame, size_t len);
/* The next frame whose last four bytes are tag; 0 when none comes within ms. */
size_t testnet_raw_recv(int fd, uint32_t tag, uint8_t *buf, size_t size, int ms);

/* An UDP frame, 198.18.0.0/15, with a payload that ends in tag. The length. */
size_t testnet_udp4(uint8_t *buf, const uint8_t *dst_mac, uint32_t dst_ip, uint16_t dst_port,
		    uint32_t tag);
/* The last four bytes. */
uint32_t testnet_tag(const uint8_t *frame, size_t len);

struct rill_nic *testnet_nic_open(const char *spec, unsigned queues);
/* The next buffer of queue 0, waiting for the descriptor; NULL when none comes within ms. */
struct rill_buf *testnet_nic_recv(struct rill_nic *nic, int ms);
/* The next one with that tag. */
struct rill_buf *testnet_nic_recv_tag(struct rill_nic *nic, uint32_t tag, int ms);
/* Sends one frame from queue 0. */
void testnet_nic_send(struct rill_nic *nic, const uint8_t *frame, size_t len);

#endif
