/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reason for which a worker drops a packet: one list that makes the
 * enum, the counter (struct sl_worker_stats, drops[]), the name in the API and
 * CLI and the sentence that a person reads. A packet is dropped for one reason.
 *
 * Append only within one ABI number: the value is an index in shared memory.
 */
#ifndef SL_DROP_H
#define SL_DROP_H

/* X(symbol, name in API and metrics, sentence) */
#define SL_DROP_REASONS(X)                                                                        \
	X(FRAME_SHORT, "frame_short", "frame shorter than its headers")                           \
	X(OTHER_HOST, "other_host", "frame addressed to another host's MAC")                      \
	X(ETHERTYPE, "ethertype", "ethertype that is not served")                                 \
	X(ARP_MALFORMED, "arp_malformed", "ARP that is not Ethernet/IPv4 or has bad addresses")   \
	X(ARP_NOT_OURS, "arp_not_ours", "ARP request for an address that is not ours")            \
	X(IP_VERSION, "ip_version", "IP version field does not fit the ethertype")                \
	X(IP_HEADER_LENGTH, "ip_header_length", "IP header length under 20 or over the packet")   \
	X(IP_OPTIONS, "ip_options", "IPv4 options are not accepted")                              \
	X(IP_TOTAL_LENGTH, "ip_total_length",                                                     \
	  "IP total length under its header or over the frame")                                   \
	X(IP_CHECKSUM, "ip_checksum", "IP header checksum wrong")                                 \
	X(IP_SOURCE, "ip_source", "source is multicast, broadcast, loopback or zero")             \
	X(IP_SOURCE_OURS, "ip_source_ours", "source is one of our own addresses")                 \
	X(IP_FRAGMENT, "ip_fragment", "fragment of what is neither TCP nor UDP")                  \
	X(TTL_EXCEEDED, "ttl_exceeded", "TTL ran out here")                                       \
	X(L4_SHORT, "l4_short", "TCP, UDP or ICMP header does not fit the packet")                \
	X(L4_HEADER_LENGTH, "l4_header_length", "TCP data offset or UDP length wrong")            \
	X(L4_CHECKSUM, "l4_checksum", "TCP, UDP or ICMP checksum wrong")                          \
	X(PROTOCOL, "protocol", "IP protocol that is not served")                                 \
	X(ICMP_TYPE, "icmp_type", "ICMP type that is not served")                                 \
	X(NO_SERVICE, "no_service", "no virtual server at this address, protocol and port")       \
	X(NO_CONNECTION, "no_connection",                                                         \
	  "packet of no known connection, and not one that opens one")                            \
	X(NO_BACKEND, "no_backend", "virtual server has no backend with a weight")                \
	X(NO_LOCAL_PORT, "no_local_port", "every local address is out of ports to this backend")  \
	X(CONNECTION_TABLE_FULL, "connection_table_full", "no free connection entry")             \
	X(CONNECTION_INDEX_FULL, "connection_index_full",                                         \
	  "both index buckets of a tuple are full")                                               \
	X(NO_ROUTE, "no_route", "no route to the destination")                                    \
	X(BLACKHOLE, "blackhole", "route is a blackhole")                                         \
	X(NEIGHBOUR_TABLE_FULL, "neighbour_table_full", "no free neighbour entry")                \
	X(NEIGHBOUR_QUEUE_FULL, "neighbour_queue_full", "too many packets wait for a neighbour")  \
	X(NEIGHBOUR_FAILED, "neighbour_failed", "neighbour did not answer")                       \
	X(TOO_BIG, "too_big", "packet over the egress MTU")                                       \
	X(REDIRECT_FULL, "redirect_full", "owner's redirect ring is full")                        \
	X(REDIRECT_LOOP, "redirect_loop", "redirected packet that is not ours either")            \
	X(TX_FULL, "tx_full", "port's transmit queue is full")                                    \
	X(NO_BUFFER, "no_buffer", "buffer pool is empty")                                         \
	X(NO_CONFIG, "no_config", "no configuration has been published yet")                      \
	X(WORKER_STOP, "worker_stop", "packet was queued for a neighbour when the worker ended")  \
	X(SERVER_LIMIT, "server_limit",                                                           \
	  "virtual server or SNAT policy has as many connections as it may")                      \
	X(BACKEND_LIMIT, "backend_limit",                                                         \
	  "no backend takes connections: limits or overload marks")                               \
	X(ICMP_QUOTE_SHORT, "icmp_quote_short",                                                   \
	  "ICMP error that quotes less than a packet's header and 8 bytes")                       \
	X(ICMP_UNRELATED, "icmp_unrelated", "ICMP error about a packet of no known connection")   \
	X(IP_EXTENSION, "ip_extension",                                                           \
	  "IPv6 extension headers that are malformed, too many, or route the packet")             \
	X(NDP_MALFORMED, "ndp_malformed", "neighbour discovery that RFC 4861 calls invalid")      \
	X(NDP_NOT_OURS, "ndp_not_ours", "neighbour solicitation for an address that is not ours") \
	X(FRAGMENT_MALFORMED, "fragment_malformed",                                               \
	  "fragment of no byte, over a datagram's end, or not the last and of an odd length")     \
	X(FRAGMENT_TINY, "fragment_tiny", "first fragment without the whole transport header")    \
	X(FRAGMENT_DUPLICATE, "fragment_duplicate", "fragment that came before")                  \
	X(FRAGMENT_OVERLAP, "fragment_overlap",                                                   \
	  "fragment that overlaps others of its datagram, or comes after such a one")             \
	X(FRAGMENT_TOO_MANY, "fragment_too_many", "datagram in too many fragments")               \
	X(FRAGMENT_TIMEOUT, "fragment_timeout", "the datagram's first fragment did not come")     \
	X(FRAGMENT_QUEUE_FULL, "fragment_queue_full",                                             \
	  "too many fragments wait for the first of their datagram")                              \
	X(FRAGMENT_TABLE_FULL, "fragment_table_full",                                             \
	  "fragment waited, and its datagram gave its place to a newer one")

enum sl_drop_reason {
#define X(symbol, name, text) SL_DROP_##symbol,
	SL_DROP_REASONS(X)
#undef X
		SL_DROP_MAX
};

struct sl_drop_text {
	const char *name;
	const char *text;
};

/* Indexed by enum sl_drop_reason. */
static const struct sl_drop_text sl_drop_texts[SL_DROP_MAX] __attribute__((unused)) = {
#define X(symbol, name, text) [SL_DROP_##symbol] = {name, text},
	SL_DROP_REASONS(X)
#undef X
};

#endif
