/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The MSS of sockets' flows: a segment of this host that is encapsulated because of its socket or
 * cgroup must fit, so the MSS in the peer's SYN or SYN-ACK is clamped.
 *
 * Provides fit_segments() for the current packet, an incoming one, and fit_unencapsulated() for
 * one that is not parsed yet.
 *
 * Requires before the include, besides what encap_attribution.h requires:
 *   SOCKETS_OVERHEAD: bytes; the most that a socket's or a cgroup's encapsulation adds
 *   CLAMPS_MSS: 1 if the MSS is lowered, see clamp_mss(), else 0
 *   CLAMPS_EVERY_SOCKET: 1 if a cgroup alone selects the encapsulation, else 0. A socket's cgroups
 *     are only known for outgoing packets, so the SYNs of every socket are clamped then
 *   SEES_IPV4, SEES_IPV6: 1 if the rules see packets of the family, else 0: none of the other
 *     family is encapsulated because of a socket
 *   struct host: `mtu`; struct counters: `ingress`; both with CLAMPS_MSS
 */
#pragma once

#include "encap_counters.h"
#include "encap_attribution.h"
#if CLAMPS_MSS
#include "encap_mss.h"

/* Clamp the MSS of a packet that a socket receives. */
static __always_inline void clamp_received(struct __sk_buff *skb, const struct packet *packet)
{
	struct counters *counters = counters_of_this_cpu();

	if (clamp_mss(skb, packet->transport, packet->is_ipv4, SOCKETS_OVERHEAD, host.mtu) &&
		counters)
		count(&counters->ingress.mss_kept, skb);
}

#endif

__noinline int fit_segments(struct __sk_buff *skb)
{
	const struct packet *packet = current_packet();
	struct bpf_sock_tuple tuple = {};
	const struct bpf_sock *found, *socket;
	__u32 size;
	bool fit __maybe_unused;

	if (!packet || packet->protocol != IPPROTO_TCP || packet->ports_unseen ||
		!(packet->tcp_flags & TCP_FLAG_SYN))
		return 0;
	size = socket_tuple(packet, false, &tuple);
	found = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!found)
		return 0;
	socket = bpf_sk_fullsock(found);
	if (!socket)
		socket = bpf_get_listener_sock(found);
	fit = CLAMPS_EVERY_SOCKET && socket;
#if SOCKET_FACTS & FACT_CHOICE
	if (socket) {
		struct socket_choice *choice = choice_of(socket);

		if (choice_in_force(socket, choice)) {
			choice->fits = true;
			fit = true;
		}
	}
#endif
	bpf_sk_release(found);
#if CLAMPS_MSS
	if (fit)
		clamp_received(skb, packet);
#endif
	return 0;
}

/* Clamp the MSS of an unencapsulated SYN, for the segments that answer it. */
static __always_inline void fit_unencapsulated(struct __sk_buff *skb)
{
	const struct ipv4_header *ipv4 = packet_data(skb) + ETH_HLEN;
	const struct ipv6_header *ipv6 = packet_data(skb) + ETH_HLEN;
	const struct packet *packet = current_packet();
	bool parsed = false;

	if (!packet)
		return;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		if (SEES_IPV4 && (void *)(ipv4 + 1) <= packet_end(skb) &&
			ipv4->protocol == IPPROTO_TCP) {
			linearize(skb, ETH_HLEN + INNER_HEADERS_MAX);
			parsed = parse_packet(skb, ETH_HLEN, true);
		}
		break;
	case bpf_htons(ETH_P_IPV6):
		if (SEES_IPV6 && (void *)(ipv6 + 1) <= packet_end(skb) &&
			ipv6->next_header == IPPROTO_TCP) {
			linearize(skb, ETH_HLEN + INNER_HEADERS_MAX);
			parsed = parse_packet(skb, ETH_HLEN, false);
		}
		break;
	}
	if (parsed && packet->tcp_flags & TCP_FLAG_SYN)
		fit_segments(skb);
}
