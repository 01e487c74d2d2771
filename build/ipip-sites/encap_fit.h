/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clamp the MSS of an incoming SYN, encapsulated or not: the segments that answer it must fit when
 * a rule encapsulates them.
 *
 * Requires before the include:
 *   FIT_ARRIVALS: 1 if answers may also leave unencapsulated, so that arrivals are recorded, else
 *     0
 *   FIT_MATCHES: 1 if the rules compare what the answer shows, 0 if each applies to every answer
 *   PACKET_NEEDS: see encap_packet.h
 *   struct counters: ingress; counters_of_this_cpu()
 * and after it overhead_of_answer().
 */
#pragma once

#include "encap_counters.h"
#include "encap_mss.h"
#include "encap_packet.h"
#if FIT_ARRIVALS
#include "encap_arrivals.h"
#endif

static __always_inline __u32 larger(__u32 one, __u32 other)
{
	return one > other ? one : other;
}

/*
 * Return by how many bytes the rules can make an answer grow. The packet has the answer's addresses
 * and ports; what only the answer has, its DSCP and mark, counts as matching. Without FIT_MATCHES,
 * `packet` is NULL.
 *
 * Barriers between the rules make each read the packet again. Otherwise the verifier would remember
 * what earlier rules found in the values, and walk on once for each.
 */
static __u32 overhead_of_answer(const struct packet *packet);

/* Lower the MSS in a SYN by what the rules add to the segments that answer it. */
static __always_inline void fit_answer(struct __sk_buff *skb, __u32 transport, bool is_ipv4,
	const struct connection *answer, __u32 mtu)
{
	struct packet *packet = FIT_MATCHES ? current_packet() : NULL;
	struct counters *counters = counters_of_this_cpu();
	__u32 overhead;

	if (FIT_MATCHES) {
		if (!packet)
			return;
		packet->is_ipv4 = is_ipv4;
		packet->saddr = answer->saddr;
		packet->daddr = answer->daddr;
		packet->ports_unseen = false;
		packet->source_port = answer->source_port;
		packet->destination_port = answer->destination_port;
	}
	barrier(); /* the rules read the packet from the map, see encap_packet.h */
	overhead = overhead_of_answer(packet);
	if (counters && overhead && clamp_mss(skb, transport, is_ipv4, overhead, mtu))
		count(&counters->ingress.mss_kept, skb);
}

/*
 * Clamp the MSS of an incoming packet that arrived in `arrived` bytes of headers, 0 if
 * unencapsulated. A global function, so that the verifier checks it once.
 */
__noinline int fit_answers(struct __sk_buff *skb, __u32 ether_type, __u32 arrived, __u32 mtu)
{
	struct connection connection;
	__u32 transport = find_syn(skb, ether_type, &connection);

	if (!transport)
		return 0;
	turn_connection(&connection);
#if FIT_ARRIVALS
	if (arrived)
		bpf_map_update_elem(&arrivals, &connection, &arrived, BPF_ANY);
#else
	/* clang would not pass an unused argument, and the verifier requires it */
	barrier_var(arrived);
#endif
	fit_answer(skb, transport, ether_type == bpf_htons(ETH_P_IP), &connection, mtu);
	return 0;
}
