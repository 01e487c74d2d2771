/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An IP packet as rules, look-ups and headers see it, and how it is parsed.
 *
 * Requires before the include:
 *   PACKET_NEEDS: of the NEED_ flags below, what the program needs of a packet. Other members are
 *     not written. With NEED_SOCKET also SOCKET_FACTS, see encap_socket_facts.h
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_wire.h"

#define NEED_PROTOCOL (1 << 0) /* and the offset of the transport header */
#define NEED_PORTS (1 << 1)
#define NEED_DSCP (1 << 2) /* and ECN */
#define NEED_TTL (1 << 3)
#define NEED_MARK (1 << 4)
#define NEED_LENGTH (1 << 5)
#define NEED_FRAGMENT (1 << 6) /* whether it is a fragment, and of which packet */
/* Later fragments have the first one's ports and protocol, see encap_fragments.h. */
#define NEED_FIRST_FRAGMENT (1 << 7)
#define NEED_DISCOVERY (1 << 8) /* whether it is neighbour discovery, see encap_link_local.h */
#define NEED_SOCKET (1 << 9) /* facts of its socket, and TCP's flags */

#if PACKET_NEEDS & NEED_SOCKET
#include "encap_socket_facts.h"
#endif

struct packet {
	bool is_ipv4;
	__u8 protocol;
	__u8 dscp;
	__u8 ecn;
	__u8 ttl; /* or hop limit */
	__u8 tcp_flags;
	bool ports_unseen; /* a later fragment, or unreadable headers: any port is possible */
	bool fragment; /* the first or a later one */
	bool later_fragment;
	__be16 source_port;
	__be16 destination_port;
	__be32 fragment_id; /* the IP header's, the same in all fragments of a packet */
	struct ip_address saddr;
	struct ip_address daddr;
	__u32 mark;
	__u32 length; /* bytes, from the IP header on */
	__u32 transport; /* offset of the transport header in the packet's data; 0: unknown */
	int verdict; /* of a packet that got no headers, see encap_encapsulate.h */
	__u32 chosen; /* the counter of the rule that chose the packet: offset in struct counters */
	struct ip_address endpoint; /* the outer destination, see encap_path_mtu.h */
	__u32 mtu; /* bytes that fit on the path to it */
	bool fragmentable; /* routers may fragment the outer packet */
#if PACKET_NEEDS & NEED_SOCKET
	struct socket_facts socket;
#endif
};

/*
 * The packet is parsed into a map and read from there. On the stack, the verifier would remember
 * each value that a path through the headers can leave, and walk all rules once for each. A value
 * read from a map may be anything.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} scratch SEC(".maps");

/* Return the packet that this CPU works on, as it was parsed. */
static __always_inline struct packet *current_packet(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&scratch, &only);
}

/* TCP, UDP and SCTP begin with the two ports. */
static __always_inline void parse_ports(
	const struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	const __be16 *ports = packet_data(skb) + offset;

	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP &&
		packet->protocol != IPPROTO_SCTP)
		return;
	if ((void *)(ports + 2) > packet_end(skb)) {
		packet->ports_unseen = true;
		return;
	}
	packet->source_port = ports[0];
	packet->destination_port = ports[1];
	if (PACKET_NEEDS & NEED_SOCKET && packet->protocol == IPPROTO_TCP &&
		(void *)ports + TCP_FLAGS < packet_end(skb))
		packet->tcp_flags = ((const __u8 *)ports)[TCP_FLAGS];
}

/* Parse an IPv4 header. Return the offset of the transport header; 0: unknown. */
static __always_inline __u32 parse_ipv4(
	const struct ipv4_header *ip, __u32 offset, struct packet *packet)
{
	packet->saddr = mapped_ipv4(ip->saddr);
	packet->daddr = mapped_ipv4(ip->daddr);
	if (PACKET_NEEDS & NEED_DSCP) {
		packet->dscp = ip->tos >> IPV4_DSCP_SHIFT;
		packet->ecn = ip->tos & INET_ECN_MASK;
	}
	if (PACKET_NEEDS & NEED_TTL)
		packet->ttl = ip->ttl;
	if (PACKET_NEEDS & NEED_FRAGMENT) {
		packet->fragment = ip->fragment & bpf_htons(IPV4_FRAGMENT);
		packet->later_fragment = ip->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET);
		packet->fragment_id = ip->id;
	}
	if (PACKET_NEEDS & (NEED_PROTOCOL | NEED_DISCOVERY))
		packet->protocol = ip->protocol;
	if (ip->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET))
		return 0;
	return offset + (ip->version_ihl & 0x0f) * 4;
}

/*
 * Find the transport header behind the extension headers (RFC 8200, section 4). A chain that is
 * longer than any in use, or truncated, leaves the protocol unknown: any is possible. Return the
 * offset of the transport header; 0: unknown.
 */
static __always_inline __u32 parse_ipv6_chain(
	const struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	/*
	 * Not unrolled, as that would be a third of the program. The verifier takes loops since
	 * 5.3.
	 */
#pragma clang loop unroll(disable)
	for (int i = 0; i <= IPV6_EXTENSIONS_MAX; i++) {
		const struct ipv6_extension *extension = packet_data(skb) + offset;

		switch (packet->protocol) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if ((void *)(extension + 1) > packet_end(skb))
				goto unseen;
			packet->protocol = extension->next_header;
			offset += (extension->length + 1) * 8;
			break;
		case IPPROTO_FRAGMENT:
			if ((void *)(extension + 1) > packet_end(skb))
				goto unseen;
			packet->protocol = extension->next_header;
			if (PACKET_NEEDS & NEED_FRAGMENT) {
				packet->fragment = true;
				packet->fragment_id = extension->identification;
			}
			if (extension->fragment & bpf_htons(IPV6_FRAGMENT_OFFSET)) {
				packet->later_fragment = true;
				if (PACKET_NEEDS & NEED_FIRST_FRAGMENT)
					packet->protocol =
						PROTOCOL_UNSEEN; /* the first fragment's counts */
				return 0;
			}
			offset += sizeof(*extension);
			break;
		default:
			return offset;
		}
	}
unseen:
	packet->protocol = PROTOCOL_UNSEEN;
	return 0;
}

/* Parse an IPv6 header and its extension headers. Return as parse_ipv4() does. */
static __always_inline __u32 parse_ipv6(const struct __sk_buff *skb, const struct ipv6_header *ip,
	__u32 offset, struct packet *packet)
{
	__u32 first = bpf_ntohl(ip->version_class_label);

	packet->saddr = from_ipv6(&ip->saddr);
	packet->daddr = from_ipv6(&ip->daddr);
	if (PACKET_NEEDS & NEED_DSCP) {
		packet->dscp = first >> IPV6_DSCP_SHIFT & IP_DSCP_MASK;
		packet->ecn = first >> IPV6_ECN_SHIFT & INET_ECN_MASK;
	}
	if (PACKET_NEEDS & (NEED_TTL | NEED_DISCOVERY))
		packet->ttl = ip->hop_limit;
	if (!(PACKET_NEEDS & (NEED_PROTOCOL | NEED_DISCOVERY)))
		return 0;
	packet->protocol = ip->next_header;
	return parse_ipv6_chain(skb, offset + sizeof(*ip), packet);
}

/* Parse the IP packet at `offset` into `packet`. Return false if its header is unreadable. */
static __always_inline bool parse_packet_to(
	const struct __sk_buff *skb, __u32 offset, bool is_ipv4, struct packet *packet)
{
	const struct ipv4_header *ipv4 = packet_data(skb) + offset;
	const struct ipv6_header *ipv6 = packet_data(skb) + offset;
	__u32 transport;

	if (PACKET_NEEDS != 0)
		__builtin_memset(packet, 0, offsetof(struct packet, saddr));
#if PACKET_NEEDS & NEED_SOCKET
	packet->socket = (struct socket_facts){};
#endif
	packet->is_ipv4 = is_ipv4;
	if (PACKET_NEEDS & NEED_MARK)
		packet->mark = skb->mark;
	if (PACKET_NEEDS & NEED_LENGTH)
		packet->length = skb->len - offset;
	if (is_ipv4) {
		if ((void *)(ipv4 + 1) > packet_end(skb) || ipv4->version_ihl >> 4 != 4 ||
			(ipv4->version_ihl & 0x0f) * 4 < (__s32)sizeof(*ipv4))
			return false;
		transport = parse_ipv4(ipv4, offset, packet);
	} else {
		if ((void *)(ipv6 + 1) > packet_end(skb) || *(const __u8 *)ipv6 >> 4 != 6)
			return false;
		transport = parse_ipv6(skb, ipv6, offset, packet);
	}
	if (PACKET_NEEDS & (NEED_PROTOCOL | NEED_DISCOVERY))
		packet->transport = transport;
	if (PACKET_NEEDS & NEED_PORTS && transport)
		parse_ports(skb, transport, packet);
	else if (PACKET_NEEDS & NEED_PORTS)
		packet->ports_unseen = true;
	return true;
}

/*
 * Parse the IP packet at `offset` as the current one. Return false if its header is unreadable. A
 * global function, so that the verifier checks it once, and walks the code after it once instead of
 * for each path through the headers.
 */
__noinline int parse_packet(struct __sk_buff *skb, __u32 offset, bool is_ipv4)
{
	struct packet *packet = current_packet();

	return packet && parse_packet_to(skb, packet_offset(offset), is_ipv4, packet);
}
