/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GSO packets that the kernel cannot segment once they have outer headers, whatever these are. They
 * would be lost behind this hook.
 *
 * Requires before the include:
 *   struct counters: egress; counters_of_this_cpu()
 *   struct host: no_tx_checksum
 *   PACKET_NEEDS: see encap_packet.h; NEED_PROTOCOL and NEED_LENGTH are among them
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"
#include "encap_packet.h"
#include "encap_wire.h"

#define IPV6_MAXPLEN 0xffff
#define NO_TX_CHECKSUM_IPV4 (1 << 0) /* of host.no_tx_checksum */
#define NO_TX_CHECKSUM_IPV6 (1 << 1)

/*
 * Return whether it is a GSO packet of IPv6 BIG TCP. Before 7.0 the kernel writes a hop-by-hop
 * header with the length into it, and removes that before it segments (ipv6_hopopt_jumbo_remove),
 * but not behind other headers.
 */
static __always_inline bool has_jumbo_header(
	const struct __sk_buff *skb, const struct packet *packet)
{
	const struct ipv6_header *ipv6 = packet_data(skb) + ETH_HLEN;

	return !packet->is_ipv4 && packet->length > sizeof(*ipv6) + IPV6_MAXPLEN &&
		(void *)(ipv6 + 1) <= packet_end(skb) && ipv6->next_header == IPPROTO_HOPOPTS;
}

/*
 * Return whether a local socket sent datagrams by UDP_SEGMENT, and the device fills in no
 * checksums. Then ip_summed is not CHECKSUM_PARTIAL, so making headroom moves the packet and leaves
 * csum_start behind (skb_headers_offset_update), and __udp_gso_segment() refuses that. Before 6.11
 * the socket is refused (EIO).
 */
static __always_inline bool lacks_checksum(const struct __sk_buff *skb, const struct packet *packet)
{
	__u32 lacking = packet->is_ipv4 ? NO_TX_CHECKSUM_IPV4 : NO_TX_CHECKSUM_IPV6;

	return packet->protocol == IPPROTO_UDP && !skb->ingress_ifindex &&
		host.no_tx_checksum & lacking;
}

/*
 * Count the current packet, a GSO packet, if it cannot be segmented behind outer headers, and
 * return whether it is so. A global function, so that the verifier checks it once.
 */
__noinline int cannot_segment(struct __sk_buff *skb)
{
	struct counters *counters = counters_of_this_cpu();
	struct packet *packet = current_packet();

	if (!counters || !packet)
		return true;
	if (has_jumbo_header(skb, packet)) {
		count(&counters->egress.gso_jumbo, skb);
		return true;
	}
	if (lacks_checksum(skb, packet)) {
		count(&counters->egress.gso_checksum, skb);
		return true;
	}
	return false;
}
