/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting a packet that does not fit.
 *
 * Requires before the include:
 *   struct counters: egress
 *   PACKET_NEEDS: see encap_packet.h
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"
#include "encap_packet.h"
#include "encap_wire.h"

/* Return whether routers may fragment a packet: IPv4 without DF. */
static __always_inline bool may_fragment(const struct __sk_buff *skb, const struct packet *packet)
{
	const struct ipv4_header *ipv4 = packet_data(skb) + ETH_HLEN;

	return packet->is_ipv4 && (void *)(ipv4 + 1) <= packet_end(skb) &&
		!(ipv4->fragment & bpf_htons(IPV4_DF));
}

static __always_inline void count_too_big(
	const struct __sk_buff *skb, const struct packet *packet, struct counters *counters)
{
	count(&counters->egress.too_big, skb);
	if (may_fragment(skb, packet))
		count(&counters->egress.without_df, skb);
}
