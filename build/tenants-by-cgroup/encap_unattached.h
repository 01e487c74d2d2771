/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The guard for devices without our program: a packet of a socket in one of the cgroups is dropped
 * if it leaves by such a device and the egress rules would encapsulate it.
 *
 * Provides drop_unattached(), the whole program of its hook. It also runs in task context, where a
 * softirq may send another packet meanwhile, so it keeps nothing in per-CPU maps.
 *
 * Requires before the include:
 *   MARKS_SOCKETS: 1 if sockets are marked, see encap_netns.h, else 0
 *   SEES_IPV4, SEES_IPV6: 1 if the rules see packets of the family, else 0
 *   what encap_attribution.h does
 *   struct host: `attached`, ifindexes of the devices whose packets reach our programs, terminated
 *     by 0 if there are fewer than ATTACHED_MAX; `packet_netns_cookie` of our network namespace, 0
 *     if packets do not carry it (before 6.13)
 *   struct counters: `egress_unattached`
 * and after it passes_before_rules() and rules_encapsulate().
 */
#pragma once

#include "encap_attribution.h"
#include "encap_packet.h"
#if MARKS_SOCKETS
#include "encap_netns.h"
#endif

/* Return whether a packet passes before the rules: link-local, or encapsulated by this host. */
static bool passes_before_rules(struct __sk_buff *skb, const struct packet *packet);

/* Return whether the egress rules encapsulate a packet, or drop it for a missing row. */
static bool rules_encapsulate(struct __sk_buff *skb, const struct packet *packet);

/* Return whether packets that leave by a device pass one of our programs. */
static __always_inline bool is_attached(__u32 ifindex)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ATTACHED_MAX && host.attached[i]; i++) {
		if (host.attached[i] == ifindex)
			return true;
	}
	return false;
}

/*
 * Return whether the packet's socket belongs to our network namespace. The cgroup may contain
 * sockets of others, whose devices may have the same ifindexes. A socket with a choice belongs to
 * ours, because no other may choose.
 */
static __always_inline bool is_own_socket(struct __sk_buff *skb,
	const struct bpf_sock *socket __maybe_unused,
	const struct socket_facts *facts __maybe_unused)
{
#if MARKS_SOCKETS
	if (!host.packet_netns_cookie) {
#if SOCKET_FACTS & FACT_CHOICE
		if (facts->choice)
			return true;
#endif
		return is_marked(socket);
	}
#endif
	return bpf_get_netns_cookie(skb) == host.packet_netns_cookie;
}

#if FLOWS_LEARN

/*
 * Return whether `rule` has learned the flow of an outgoing packet. Not for ICMP, whose replies the
 * kernel sends itself.
 */
static __always_inline bool was_learned(
	const struct __sk_buff *skb, const struct packet *packet, __u32 rule)
{
	struct flow_key key = {
		.mark = skb->mark,
		.saddr = packet->saddr,
		.daddr = packet->daddr,
		.source_port = packet->source_port,
		.destination_port = packet->destination_port,
		.protocol = packet->protocol,
	};
	__u32 hash = flow_key_hash(&key, host.flow_seed);
	struct flow_bucket *bucket = flow_bucket(hash);
	__u64 now = bpf_ktime_get_ns();
	bool found = false;

	if (!bucket || packet->ports_unseen)
		return false;
	bpf_spin_lock(&bucket->lock);
	if (has_flow(bucket, hash, &key)) {
		const struct flow *flow = &bucket->flow[bucket->way % FLOW_WAYS];

		found = flow->expires > now && flow->learned.rule == rule;
	}
	bpf_spin_unlock(&bucket->lock);
	return found;
}

#endif

static __always_inline int drop_unattached(struct __sk_buff *skb)
{
	const struct bpf_sock *socket = (void *)skb->sk;
	struct counters *counters;
	struct packet packet;
	bool parsed = false;

	if (skb->ifindex == LOOPBACK_IFINDEX || is_attached(skb->ifindex))
		return CGROUP_GO_ON;
	socket = socket ? bpf_sk_fullsock(socket) : NULL;
	if (!socket)
		return CGROUP_GO_ON;
	if (SEES_IPV4 && skb->protocol == bpf_htons(ETH_P_IP))
		parsed = parse_packet_to(skb, 0, true, &packet);
	else if (SEES_IPV6 && skb->protocol == bpf_htons(ETH_P_IPV6))
		parsed = parse_packet_to(skb, 0, false, &packet);
	if (!parsed || passes_before_rules(skb, &packet))
		return CGROUP_GO_ON;
	record_socket(
		skb, socket, SOCKET_FACTS & FACT_CHOICE ? choice_of(socket) : NULL, &packet.socket);
	if (!is_own_socket(skb, socket, &packet.socket) || !rules_encapsulate(skb, &packet))
		return CGROUP_GO_ON;
	counters = counters_of_this_cpu();
	if (counters) {
		__atomic_fetch_add(
			&counters->egress_unattached.packets, segments_of(skb), __ATOMIC_RELAXED);
		__atomic_fetch_add(&counters->egress_unattached.bytes, skb->len, __ATOMIC_RELAXED);
	}
	return CGROUP_DROP;
}
