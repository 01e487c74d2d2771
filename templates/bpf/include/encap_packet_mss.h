/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clamp the MSS of the current packet, after it is parsed.
 *
 * Requires before the include:
 *   PACKET_NEEDS: see encap_packet.h
 */
#pragma once

#include "encap_counters.h"
#include "encap_mss.h"
#include "encap_packet.h"

/*
 * Clamp the MSS of a SYN or SYN-ACK, so that the segments that answer it fit into `mtu` with
 * `overhead` bytes of headers. `kept` counts an authenticated one, see clamp_mss().
 */
static __always_inline void clamp_packet(struct __sk_buff *skb, const struct packet *packet,
	__u32 overhead, __u32 mtu, struct counter *kept)
{
	if (packet->protocol == IPPROTO_TCP && is_syn(skb, packet->transport) &&
		clamp_mss(skb, packet->transport, packet->is_ipv4, overhead, mtu))
		count(kept, skb);
}
