/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reason for which a packet is dropped: enum, counter name and documentation in one list.
 * Zero means "not dropped". Counted per shard, shown as rill_drops{reason="..."}.
 */
#ifndef RILL_NETSTACK_WIRE_DROP_H
#define RILL_NETSTACK_WIRE_DROP_H

#include <stdint.h>

#define RILL_DROP_REASONS(X)                                                                       \
	X(ETH_SHORT, eth_short, "frame shorter than an Ethernet header")                           \
	X(ETH_TYPE, eth_type, "EtherType that rill does not speak")                                \
	X(ETH_DEST, eth_dest, "frame to another station")                                          \
	X(VLAN, vlan, "frame of another VLAN, or of none")                                         \
	X(ARP_SHORT, arp_short, "frame shorter than its ARP packet")                               \
	X(ARP_FORMAT, arp_format, "ARP for other than IPv4 on Ethernet, or wrong address sizes")   \
	X(ARP_OP, arp_op, "ARP operation other than request and reply")                            \
	X(ARP_SENDER, arp_sender, "ARP from an own, zero or group address")                        \
	X(ARP_CONFLICT, arp_conflict, "ARP from another station that uses our address")            \
	X(NEIGH_QUEUE_FULL, neigh_queue_full,                                                      \
	  "too many packets wait for one unresolved neighbour, or for all")                        \
	X(NEIGH_TABLE_FULL, neigh_table_full, "every neighbour entry is being resolved")           \
	X(NEIGH_FAILED, neigh_failed, "the next hop did not answer ARP")                           \
	X(IP4_SHORT, ip4_short, "packet shorter than an IPv4 header")                              \
	X(IP4_VERSION, ip4_version, "IPv4 header with another version number")                     \
	X(IP4_HEADER_LEN, ip4_header_len, "IPv4 header length below 20 or past the total length")  \
	X(IP4_TOTAL_LEN, ip4_total_len, "IPv4 total length past the end of the frame")             \
	X(IP4_CSUM, ip4_csum, "wrong IPv4 header checksum")                                        \
	X(IP4_SOURCE, ip4_source,                                                                  \
	  "IPv4 source that cannot be one: loopback, net 0, group, broadcast, own")                \
	X(IP4_DEST, ip4_dest, "IPv4 packet for another address")                                   \
	X(IP4_SOURCE_ROUTE, ip4_source_route, "IPv4 source route option, refused")                 \
	X(IP4_BROADCAST, ip4_broadcast, "TCP to a broadcast address")                              \
	X(IP4_PROTO, ip4_proto, "IPv4 protocol that rill does not speak")                          \
	X(FRAG_LEN, frag_len, "IPv4 fragment of a length that is zero or not a multiple of 8")     \
	X(FRAG_PAST_END, frag_past_end,                                                            \
	  "IPv4 fragment that ends past 65,535 bytes (ping of death)")                             \
	X(FRAG_OVERLAP, frag_overlap,                                                              \
	  "IPv4 fragments that overlap, or disagree on where the datagram ends")                   \
	X(FRAG_LIMIT, frag_limit, "no room left for IPv4 fragments, or too many of one datagram")  \
	X(FRAG_TIMEOUT, frag_timeout, "IPv4 datagram whose fragments did not all arrive in time")  \
	X(FRAG_TOO_BIG, frag_too_big, "reassembled segment that does not fit one buffer")          \
	X(ICMP_SHORT, icmp_short, "ICMP message shorter than its header")                          \
	X(ICMP_CSUM, icmp_csum, "wrong ICMP checksum")                                             \
	X(ICMP_TYPE, icmp_type, "ICMP type or code that rill does not act on")                     \
	X(ICMP_BROADCAST, icmp_broadcast, "ICMP to a broadcast address")                           \
	X(ICMP_EMBEDDED, icmp_embedded, "ICMP error without a packet of ours in it")               \
	X(ICMP_RATE, icmp_rate, "ICMP error not sent, as there were too many")                     \
	X(UDP_SHORT, udp_short, "UDP datagram shorter than its header")                            \
	X(UDP_LEN, udp_len, "UDP length field below 8 or past the datagram")                       \
	X(UDP_CSUM, udp_csum, "wrong UDP checksum")                                                \
	X(UDP_NO_PORT, udp_no_port, "UDP datagram to a port that nobody has bound")                \
	X(UDP_QUEUE_FULL, udp_queue_full, "UDP receive buffer full")                               \
	X(NO_BUFFER, no_buffer, "no packet buffer free")                                           \
	X(TX_FULL, tx_full, "transmit ring full")                                                  \
	X(TCP_SHORT, tcp_short, "segment shorter than its TCP header")                             \
	X(TCP_CHECKSUM, tcp_checksum, "wrong TCP checksum")                                        \
	X(TCP_PORT, tcp_port, "TCP port zero")                                                     \
	X(TCP_CLOSED, tcp_closed, "segment for no connection")                                     \
	X(TCP_LISTEN, tcp_listen, "segment to a listener that opens nothing")                      \
	X(TCP_SYN_SENT, tcp_syn_sent, "segment that answers no SYN of ours")                       \
	X(TCP_PAWS, tcp_paws, "old timestamp (RFC 7323, 5)")                                       \
	X(TCP_NO_TIMESTAMP, tcp_no_timestamp, "timestamp missing where agreed (RFC 7323, 3.2)")    \
	X(TCP_WINDOW, tcp_window, "segment outside the receive window")                            \
	X(TCP_OLD, tcp_old, "only data that was received before")                                  \
	X(TCP_RST, tcp_rst, "RST that is not exactly in sequence (RFC 5961, 3)")                   \
	X(TCP_SYN, tcp_syn, "SYN in a synchronized state (RFC 5961, 4)")                           \
	X(TCP_NO_ACK, tcp_no_ack, "segment without ACK in a synchronized state")                   \
	X(TCP_ACK, tcp_ack, "ACK of what was not sent or is too old (RFC 5961, 5)")                \
	X(TCP_AFTER_FIN, tcp_after_fin, "data after the peer's FIN")                               \
	X(TCP_NO_READER, tcp_no_reader, "data that nobody will read")                              \
	X(TCP_REASSEMBLY, tcp_reassembly, "reassembly queue full")                                 \
	X(TCP_BACKLOG, tcp_backlog, "handshake with a listener whose backlog is full")             \
	X(TCP_LIMIT, tcp_limit, "handshake past a listener's or a remote network's limit")         \
	X(TCP_NO_MEMORY, tcp_no_memory, "no memory for a connection")

enum rill_drop {
	RILL_DROP_NONE = 0,
#define X(id, name, doc) RILL_DROP_##id,
	RILL_DROP_REASONS(X)
#undef X
		RILL_DROP_COUNT,
};

/* Name and description of a reason, for metrics and documentation. */
const char *rill_drop_name(enum rill_drop reason);
const char *rill_drop_doc(enum rill_drop reason);

#endif
