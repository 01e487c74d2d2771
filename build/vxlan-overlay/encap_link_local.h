/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Link-local traffic, which keeps a link working and never leaves it: it passes before the rules.
 * Requires what encap_packet.h does; is_discovery() needs NEED_DISCOVERY.
 */
#pragma once

#include "encap_packet.h"

#define IPV4_LINK_LOCAL 0xa9fe0000 /* 169.254.0.0/16: RFC 3927 */
#define IPV4_LINK_LOCAL_MASK 0xffff0000
#define IPV4_LINK_MULTICAST 0xe0000000 /* 224.0.0.0/24: RFC 5771, section 4 */
#define IPV4_LINK_MULTICAST_MASK 0xffffff00
#define IPV4_BROADCAST 0xffffffff /* RFC 919 */

/* The first 32 bits: RFC 4291, sections 2.5.6 and 2.7. */
#define IPV6_LINK_LOCAL 0xfe800000 /* fe80::/10 */
#define IPV6_LINK_LOCAL_MASK 0xffc00000
#define IPV6_INTERFACE_MULTICAST 0xff010000 /* ff01::/16 */
#define IPV6_LINK_MULTICAST 0xff020000 /* ff02::/16 */
#define IPV6_MULTICAST_SCOPE_MASK 0xffff0000

static __always_inline bool is_link_local_ipv4(const struct packet *packet)
{
	__be32 daddr = packet->daddr.word[3];

	return packet->is_ipv4 &&
		((daddr & bpf_htonl(IPV4_LINK_LOCAL_MASK)) == bpf_htonl(IPV4_LINK_LOCAL) ||
			(daddr & bpf_htonl(IPV4_LINK_MULTICAST_MASK)) ==
				bpf_htonl(IPV4_LINK_MULTICAST) ||
			daddr == bpf_htonl(IPV4_BROADCAST));
}

static __always_inline bool is_link_local_ipv6(const struct packet *packet)
{
	__be32 daddr = packet->daddr.word[0];
	__be32 scope = daddr & bpf_htonl(IPV6_MULTICAST_SCOPE_MASK);

	return !packet->is_ipv4 &&
		((daddr & bpf_htonl(IPV6_LINK_LOCAL_MASK)) == bpf_htonl(IPV6_LINK_LOCAL) ||
			scope == bpf_htonl(IPV6_INTERFACE_MULTICAST) ||
			scope == bpf_htonl(IPV6_LINK_MULTICAST));
}

/*
 * Return whether the packet is neighbour discovery (RFC 4861). A router would have decremented the
 * hop limit, so a spoofed packet from beyond the link is not.
 */
static __always_inline bool is_discovery(const struct __sk_buff *skb, const struct packet *packet)
{
	__u8 type;

	return packet->protocol == IPPROTO_ICMPV6 && !packet->is_ipv4 &&
		packet->ttl == ND_HOP_LIMIT && packet->transport &&
		!bpf_skb_load_bytes(skb, packet->transport, &type, sizeof(type)) &&
		type >= ND_ROUTER_SOLICIT && type <= ND_REDIRECT;
}
