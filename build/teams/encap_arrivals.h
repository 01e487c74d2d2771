/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections whose SYN arrived through a tunnel while the SYN-ACK leaves unencapsulated. The
 * peer's next packets arrive with the same headers, so the SYN-ACK must advertise an MSS that
 * leaves headroom for them.
 *
 * Requires before the include:
 *   struct counters: egress
 */
#pragma once

#include "encap_counters.h"
#include "encap_mss.h"

#define ARRIVALS_MAX 8192 /* connections whose SYN-ACK is awaited */

/*
 * The length of the headers in which a connection's SYN arrived, by the addresses and ports of its
 * SYN-ACK. That follows within moments, so the least recently used entry can be evicted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ARRIVALS_MAX);
	__type(key, struct connection);
	__type(value, __u32);
} arrivals SEC(".maps");

/*
 * If an incoming packet is a SYN or SYN-ACK, record `arrived`, the bytes of headers it arrived in.
 * A global function, so that the verifier checks it once.
 */
__noinline int record_arrival(struct __sk_buff *skb, __u32 ether_type, __u32 arrived)
{
	struct connection connection;

	if (!find_syn(skb, ether_type, &connection))
		return false;
	turn_connection(&connection);
	bpf_map_update_elem(&arrivals, &connection, &arrived, BPF_ANY);
	return true;
}

/*
 * If an outgoing packet is the SYN-ACK to a SYN that arrived through a tunnel, clamp its MSS.
 * Return true if it is authenticated, see clamp_mss(). A global function, so that the verifier
 * checks it once.
 */
__noinline int fit_arrivals(struct __sk_buff *skb, __u32 mtu)
{
	__be16 ether_type = skb->protocol;
	struct connection leaves;
	__u32 transport = find_syn(skb, ether_type, &leaves);
	const __u32 *overhead;

	if (!transport)
		return false;
	overhead = bpf_map_lookup_elem(&arrivals, &leaves);
	if (!overhead)
		return false;
	return clamp_mss(skb, transport, ether_type == bpf_htons(ETH_P_IP), *overhead, mtu);
}

/* Call fit_arrivals() and count an authenticated SYN-ACK. */
static __always_inline void fit_leaving(struct __sk_buff *skb, __u32 mtu, struct counters *counters)
{
	if (fit_arrivals(skb, mtu))
		count(&counters->egress.mss_kept, skb);
}
