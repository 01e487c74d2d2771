/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The outer IP header of an incoming packet: whether the packet carries one of the spec's stacks
 * and is addressed to this tunnel endpoint. Callers see IPv4 and IPv6 alike.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_limit.h"
#include "encap_wire.h"

struct outer {
	bool is_ipv4;
	__u8 version_ihl; /* of IPv6, the version in the upper half */
	__u8 protocol; /* of the next header, also behind a tunnel encapsulation limit */
	__u8 tos; /* or the traffic class */
	__u8 ttl; /* or the hop limit */
	__be16 frag_off; /* of IPv4 */
	__be16 dport; /* of UDP; 0: not UDP, or a fragment without ports */
	__u32 flow_label;
	__u32 length; /* bytes: of IPv4 without options, of IPv6 with `extension` */
	__u32 extension; /* bytes of the tunnel encapsulation limit */
	__u32 end; /* offset of the next header from the end of the Ethernet header */
	__u32 datagram; /* bytes of the packet, as in its header */
	struct ip_address saddr;
	struct ip_address daddr;
};

/* Return the destination port of the UDP header `offset` bytes behind the Ethernet header, or 0. */
static __always_inline __be16 udp_port_at(const struct __sk_buff *skb, __u32 offset)
{
	const struct udp_header *udp = packet_data(skb) + ETH_HLEN + offset;

	return (void *)(udp + 1) > packet_end(skb) ? 0 : udp->destination_port;
}

/*
 * Read an outer IPv4 header, and make `seen` bytes behind it readable. Return false if there is
 * none. A later fragment has no port and is left alone: it is useless without the first one, which
 * is refused.
 */
static __always_inline bool read_outer_ipv4(struct __sk_buff *skb, __u32 seen, struct outer *outer)
{
	const struct ipv4_header *ip;

	linearize(skb, ETH_HLEN + sizeof(*ip) + seen);
	ip = packet_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > packet_end(skb))
		return false;
	*outer = (struct outer){
		.is_ipv4 = true,
		.version_ihl = ip->version_ihl,
		.protocol = ip->protocol,
		.tos = ip->tos,
		.ttl = ip->ttl,
		.frag_off = ip->fragment,
		.length = sizeof(*ip),
		.end = (ip->version_ihl & 0x0f) * 4,
		.datagram = bpf_ntohs(ip->total_length),
		.saddr = mapped_ipv4(ip->saddr),
		.daddr = mapped_ipv4(ip->daddr),
	};
	if (ip->protocol == IPPROTO_UDP && !(ip->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET)))
		outer->dport = udp_port_at(skb, outer->end);
	return true;
}

/*
 * Read an outer IPv6 header. Return false if there is none, or if it has extension headers other
 * than a tunnel encapsulation limit: such a packet is not of this spec.
 */
static __always_inline bool read_outer_ipv6(struct __sk_buff *skb, __u32 seen, struct outer *outer)
{
	const struct encapsulation_limit *limit;
	const struct ipv6_header *ip;

	linearize(skb, ETH_HLEN + sizeof(*ip) + sizeof(*limit) + seen);
	ip = packet_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > packet_end(skb))
		return false;
	*outer = (struct outer){
		.version_ihl = bpf_ntohl(ip->version_class_label) >> 24,
		.protocol = ip->next_header,
		.tos = bpf_ntohl(ip->version_class_label) >> 20,
		.ttl = ip->hop_limit,
		.flow_label = bpf_ntohl(ip->version_class_label) & 0xfffff,
		.length = sizeof(*ip),
		.datagram = bpf_ntohs(ip->payload_length) + sizeof(*ip),
		.saddr = from_ipv6(&ip->saddr),
		.daddr = from_ipv6(&ip->daddr),
	};
	if (ip->next_header == IPPROTO_DSTOPTS) {
		limit = (void *)(ip + 1);
		if ((void *)(limit + 1) > packet_end(skb) || !is_encapsulation_limit(limit))
			return false;
		outer->protocol = limit->next_header;
		outer->extension = sizeof(*limit);
		outer->length += sizeof(*limit);
	}
	outer->end = outer->length;
	if (outer->protocol == IPPROTO_UDP)
		outer->dport = udp_port_at(skb, outer->end);
	return true;
}

/*
 * Read the outer header of a packet of either family. Return false if there is none. clang must not
 * know the values that only one family has, or it would evaluate later conditions here, and the
 * verifier would walk on once for each outcome.
 */
static __always_inline bool read_outer(struct __sk_buff *skb, __u32 seen, struct outer *outer)
{
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		if (!read_outer_ipv4(skb, seen, outer))
			return false;
		break;
	case bpf_htons(ETH_P_IPV6):
		if (!read_outer_ipv6(skb, seen, outer))
			return false;
		break;
	default:
		return false;
	}
	/* A pointer that is one of two is a number to the verifier: read it again. */
	barrier();
	forget_value(outer->frag_off);
	for (int i = 0; i < 3; i++)
		forget_value(outer->saddr.word[i]);
	return true;
}

/*
 * Return whether a protocol number is that of an IP packet of either version. In one test, or the
 * verifier would walk on once for each of the two.
 */
static __always_inline bool is_ip_in_ip(__u8 protocol)
{
	return protocol < 64 && (1ULL << IPPROTO_IPIP | 1ULL << IPPROTO_IPV6) >> protocol & 1;
}

/* Return whether the packet is addressed to an IPv4 address of this tunnel endpoint. */
static __always_inline bool comes_to_ipv4(const struct outer *outer, __be32 address)
{
	return outer->is_ipv4 && outer->daddr.word[3] == address;
}

static __always_inline bool comes_to_ipv6(
	const struct outer *outer, const volatile struct ipv6_address *address)
{
	return !outer->is_ipv4 && outer->daddr.word[0] == address->word[0] &&
		outer->daddr.word[1] == address->word[1] &&
		outer->daddr.word[2] == address->word[2] &&
		outer->daddr.word[3] == address->word[3];
}
