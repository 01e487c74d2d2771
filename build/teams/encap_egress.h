/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parse an outgoing packet before the egress rules.
 *
 * Requires before the include:
 *   struct counters: egress
 *   PACKET_NEEDS: see encap_packet.h
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"
#include "encap_packet.h"

/*
 * Parse a packet of a family that the rules see. Return false if it is of another family, or its
 * headers are unreadable: then it is counted, and `verdict` is set.
 */
static __always_inline bool parse_leaving(struct __sk_buff *skb, bool sees_ipv4, bool sees_ipv6,
	struct counters *counters, int *verdict)
{
	bool is_ipv4 = skb->protocol == bpf_htons(ETH_P_IP);
	bool is_ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6);

	if (!(is_ipv4 && sees_ipv4) && !(is_ipv6 && sees_ipv6)) {
		*verdict = pass(skb, &counters->egress.other);
		return false;
	}
	linearize(skb, ETH_HLEN + INNER_HEADERS_MAX);
	if (!parse_packet(skb, ETH_HLEN, is_ipv4)) {
		*verdict = drop(skb, &counters->egress.malformed);
		return false;
	}
	return true;
}
