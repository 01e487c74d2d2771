/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP's SYN and SYN-ACK segments, the only ones that carry the MSS (RFC 9293, section 3.7.1).
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"

/*
 * Return whether the TCP header at `transport` is that of a SYN or SYN-ACK; 0: there is no
 * transport header.
 */
static __always_inline bool is_syn(const struct __sk_buff *skb, __u32 transport)
{
	const __u8 *flags = packet_data(skb) + packet_offset(transport) + TCP_FLAGS;

	return transport && (void *)(flags + 1) <= packet_end(skb) && *flags & TCP_FLAG_SYN;
}

/* A connection's addresses and ports, as in one of its packets. */
struct connection {
	struct ip_address saddr;
	struct ip_address daddr;
	__be16 source_port;
	__be16 destination_port;
};

/* Exchange source and destination: the same connection in the packets that answer. */
static __always_inline void turn_connection(struct connection *connection)
{
	struct ip_address saddr = connection->saddr;
	__be16 source_port = connection->source_port;

	connection->saddr = connection->daddr;
	connection->daddr = saddr;
	connection->source_port = connection->destination_port;
	connection->destination_port = source_port;
}

/*
 * Return the offset of the TCP header of a SYN or SYN-ACK, and write its connection to `found`; 0:
 * it is no such packet. IPv6 extension headers, with which hardly any stack sends TCP, are not
 * skipped.
 */
static __always_inline __u32 find_syn(
	struct __sk_buff *skb, __be16 ether_type, struct connection *found)
{
	const __be32 *words;
	const __be16 *ports;
	const __u8 *ip;
	__u32 transport;

	linearize(skb, ETH_HLEN + INNER_HEADERS_MAX);
	ip = packet_data(skb) + ETH_HLEN;
	words = (const void *)ip;
	if (ether_type == bpf_htons(ETH_P_IP)) {
		if ((void *)(ip + IPV4_HLEN) > packet_end(skb) ||
			ip[IPV4_PROTOCOL] != IPPROTO_TCP ||
			((const __be16 *)ip)[3] & bpf_htons(IPV4_FRAGMENT_OFFSET))
			return 0;
		transport = ETH_HLEN + (*ip & 0x0f) * 4;
		if (!is_syn(skb, transport))
			return 0;
		found->saddr = mapped_ipv4(words[3]);
		found->daddr = mapped_ipv4(words[4]);
	} else if (ether_type == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip + IPV6_HLEN) > packet_end(skb) ||
			ip[IPV6_NEXT_HEADER] != IPPROTO_TCP)
			return 0;
		transport = ETH_HLEN + IPV6_HLEN;
		if (!is_syn(skb, transport))
			return 0;
		found->saddr = from_ipv6((const void *)&words[2]);
		found->daddr = from_ipv6((const void *)&words[6]);
	} else {
		return 0;
	}
	ports = packet_data(skb) + transport;
	if ((void *)(ports + 2) > packet_end(skb))
		return 0;
	found->source_port = ports[0];
	found->destination_port = ports[1];
	return transport;
}
