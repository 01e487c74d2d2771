/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that came in by a tunnel, and whose answers leave unencapsulated: what follows the
 * answer comes in as many headers again, and must fit.
 *
 * Before the include:
 *   struct counters: egress
 */
#pragma once

#include "encap_counters.h"
#include "encap_mss.h"

#define ARRIVALS_MAX 8192 /* connections that came in and wait for their answer */

/*
 * How long the headers were that a connection's SYN came in, under its ends as the answer shows
 * them. That follows within moments, so the least recently used may go.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ARRIVALS_MAX);
	__type(key, struct connection);
	__type(value, __u32);
} arrivals SEC(".maps");

/*
 * A packet came in, in `arrived` bytes of headers: if it is a SYN or SYN-ACK, keep that. A global
 * function, so that the verifier checks it once.
 */
__noinline int remember_arrival(struct __sk_buff *skb, __u32 ether_type, __u32 arrived)
{
	struct connection came, answer;

	if (!find_syn(skb, ether_type, &came))
		return false;
	turn_connection(&came, &answer);
	bpf_map_update_elem(&arrivals, &answer, &arrived, BPF_ANY);
	return true;
}

/*
 * A packet leaves. If it is the SYN-ACK to a SYN that came in by a tunnel, let what follows that
 * one fit. True: it is authenticated, see clamp_mss. A global function, so that the verifier checks
 * it once.
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

/* The same, counted. */
static __always_inline void fit_leaving(struct __sk_buff *skb, __u32 mtu, struct counters *counters)
{
	if (fit_arrivals(skb, mtu))
		count(&counters->egress.mss_kept, skb);
}
