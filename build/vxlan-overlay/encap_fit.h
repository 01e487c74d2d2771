/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet that came in, by a tunnel or not, says of the segments that answer it: where a rule
 * may encapsulate those, they must fit.
 *
 * Defined before:
 *   FIT_ARRIVALS      1 if answers may leave unencapsulated too, so that arrivals are remembered,
 *                     otherwise 0
 *   FIT_MATCHES       1 if the rules ask what an answer shows, 0 if each meets them
 *   PACKET_NEEDS      see encap_packet.h
 *   struct counters   with `ingress`, and counters_of_this_cpu()
 * Behind it: overhead_of_answer().
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
 * By how much an answer can grow, by the rules that it may meet. The packet shows what the answer
 * will, of its addresses and ports; what only the answer itself shows, its DSCP or mark, counts as
 * matching. Without FIT_MATCHES there is no packet.
 *
 * Barriers stand between the rules, so that each reads the packet again: of values that are kept,
 * the verifier would remember what the rules before have found, and walk on once for each.
 */
static __u32 overhead_of_answer(const struct packet *packet);

/* Lower what a SYN says of the segments that its sender takes, to what the answers leave. */
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
 * A packet came in, in `arrived` bytes of headers, or without any. A global function, so that the
 * verifier checks it once.
 */
__noinline int fit_answers(struct __sk_buff *skb, __u32 ether_type, __u32 arrived, __u32 mtu)
{
	struct connection came, answer;
	__u32 transport = find_syn(skb, ether_type, &came);

	if (!transport)
		return 0;
	turn_connection(&came, &answer);
#if FIT_ARRIVALS
	if (arrived)
		bpf_map_update_elem(&arrivals, &answer, &arrived, BPF_ANY);
#else
	/* clang would not pass what nobody reads, and the verifier wants it */
	barrier_var(arrived);
#endif
	fit_answer(skb, transport, ether_type == bpf_htons(ETH_P_IP), &answer, mtu);
	return 0;
}
