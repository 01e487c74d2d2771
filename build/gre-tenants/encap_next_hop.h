/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The next hop of an encapsulated packet: the one that the kernel's routes name for the outer
 * destination, as for a packet of the host's own.
 *
 * bpf_fib_lookup answers with the device and both MAC addresses. It is asked as from the loopback
 * device, or from the VRF that the attached device belongs to: so the routing rules apply as to
 * what the host itself sends. The kernel answers only for a device that forwards, which
 * net.ipv4.conf.lo.forwarding and net.ipv6.conf.lo.forwarding decide; nothing arrives on the
 * loopback device from elsewhere, so the host becomes no router by it. Where the kernel names no
 * next hop, bpf_redirect_neigh has it look for one on the attached device, packet by packet.
 *
 * A look-up costs more than all else that is done with a packet, so its answer is kept for a while,
 * by each CPU. Neither the look-up nor what is sent by its answer keeps the kernel's neighbour
 * entry fresh: that of a neighbour whose MAC address changed would stay as it is for good. So now
 * and then one packet goes by bpf_redirect_neigh, which confirms the neighbour, and resolves the
 * one that is not known yet. It is given no next hop: of a packet that has to wait for one that it
 * is given, the kernel asks the inner destination's route instead.
 *
 * Requires before the include:
 *   struct counters: egress; counters_of_this_cpu()
 *   struct host: lookup_ifindex; with a route device uplink_ifindex
 *   ROUTED: see encap_routed.h
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_counters.h"
#include "encap_flow.h"
#include "encap_routed.h"
#include "encap_wire.h"

#define NEXT_HOPS_MAX 1024
/* In jiffies, at 250 in a second (CONFIG_HZ): how long an answer is kept ... */
#define NEXT_HOP_KEPT 25
#define NEXT_HOP_UNRESOLVED_KEPT 1
/* ... and how often a neighbour is confirmed. */
#define NEIGHBOUR_CONFIRMED 250

#define AF_INET 2
#define AF_INET6 10
#define BPF_FIB_LKUP_RET_SUCCESS 0
#define BPF_FIB_LKUP_RET_NO_NEIGH 7
#define BPF_FIB_LKUP_RET_FRAG_NEEDED 8

/* What bpf_fib_lookup is asked, and its answer in the same place. */
struct bpf_fib_lookup {
	__u8 family;
	__u8 l4_protocol;
	__be16 sport;
	__be16 dport;
	__u16 tot_len;
	__u32 ifindex; /* asked: of the device that it comes from; answered: that it leaves by */
	__u32 tos;
	__be32 saddr[4]; /* IPv4: the first word */
	__be32 daddr[4];
	__be16 h_vlan_proto;
	__be16 h_vlan_TCI;
	struct mac_address smac;
	struct mac_address dmac;
};

struct next_hop {
	struct ip_address saddr;
	struct ip_address daddr;
	__u32 lookup_ifindex;
	bool resolved; /* the neighbour's MAC address is known */
	__u64 expires; /* jiffies */
	__u64 confirm;
	struct bpf_fib_lookup route; /* ifindex 0: the kernel names no next hop */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NEXT_HOPS_MAX);
	__type(key, __u32);
	__type(value, struct next_hop);
} next_hops SEC(".maps");

/* Whether a time in jiffies has come. */
static __always_inline bool has_come(__u64 time, __u64 now)
{
	return (__s64)(now - time) >= 0;
}

/* Read the addresses of the outer header. Return false if it is not all there. */
static __always_inline bool read_outer_addresses(
	const struct __sk_buff *skb, struct ip_address *saddr, struct ip_address *daddr)
{
	const struct ipv4_header *ipv4 = packet_data(skb) + ETH_HLEN;
	const struct ipv6_header *ipv6 = packet_data(skb) + ETH_HLEN;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if ((void *)(ipv4 + 1) > packet_end(skb))
			return false;
		*saddr = mapped_ipv4(ipv4->saddr);
		*daddr = mapped_ipv4(ipv4->daddr);
		return true;
	}
	if ((void *)(ipv6 + 1) > packet_end(skb))
		return false;
	*saddr = from_ipv6(&ipv6->saddr);
	*daddr = from_ipv6(&ipv6->daddr);
	return true;
}

/* Ask the kernel for the next hop between the entry's addresses. */
static __always_inline void look_up_route(struct __sk_buff *skb, struct next_hop *hop, __u64 now)
{
	struct bpf_fib_lookup *route = &hop->route;
	bool is_ipv4 = is_mapped_ipv4(&hop->daddr);
	long answer;

	*route = (struct bpf_fib_lookup){
		.family = is_ipv4 ? AF_INET : AF_INET6,
		.ifindex = hop->lookup_ifindex,
	};
	for (int i = 0; i < 4; i++) {
		route->saddr[i] = hop->saddr.word[is_ipv4 ? 3 : i];
		route->daddr[i] = hop->daddr.word[is_ipv4 ? 3 : i];
	}
	answer = bpf_fib_lookup(skb, route, sizeof(*route), 0);
	/* Before 6.3 a neighbour that is still being resolved has an address of zeros. */
	hop->resolved = answer != BPF_FIB_LKUP_RET_NO_NEIGH &&
		(route->dmac.half[0] | route->dmac.half[1] | route->dmac.half[2]);
	hop->expires = now + (hop->resolved ? NEXT_HOP_KEPT : NEXT_HOP_UNRESOLVED_KEPT);
	/* What needs fragmentation is this packet; the answer is there. */
	if (answer == BPF_FIB_LKUP_RET_SUCCESS || answer == BPF_FIB_LKUP_RET_NO_NEIGH ||
		answer == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return;
	route->ifindex = 0;
	hop->expires = now + NEXT_HOP_KEPT;
}

/* Find the next hop of a packet from `saddr` to `daddr`, or NULL. */
static __always_inline struct next_hop *find_next_hop(struct __sk_buff *skb,
	const struct ip_address *saddr, const struct ip_address *daddr, __u64 now)
{
	__u32 prefix = daddr->word[0] ^ daddr->word[1] ^ daddr->word[2];
	__u32 slot = flow_hash_add(flow_hash_add(prefix, daddr->word[3]), saddr->word[3]) %
		NEXT_HOPS_MAX;
	struct next_hop *hop = bpf_map_lookup_elem(&next_hops, &slot);

	if (!hop)
		return NULL;
	if (hop->lookup_ifindex != host.lookup_ifindex || !same_address(&hop->daddr, daddr) ||
		!same_address(&hop->saddr, saddr)) {
		hop->saddr = *saddr;
		hop->daddr = *daddr;
		hop->lookup_ifindex = host.lookup_ifindex;
		hop->expires = now;
		hop->confirm = now; /* that of another endpoint confirmed another neighbour */
	}
	if (has_come(hop->expires, now))
		look_up_route(skb, hop, now);
	return hop;
}

/* Leave the next hop to bpf_redirect_neigh, on the device that the packet leaves by. */
static __always_inline int send_to_neighbour(const struct __sk_buff *skb)
{
#if ROUTED & ROUTED_AT_DEVICE
	if (on_route_device())
		return bpf_redirect_neigh(host.uplink_ifindex, NULL, 0, 0);
#endif
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* Whether the route of an outer packet leads back to the route device, for ever. */
static __always_inline bool loops(__u32 ifindex)
{
#if ROUTED & ROUTED_AT_DEVICE
	return ifindex == host.route_device;
#else
	(void)ifindex;
	return false;
#endif
}

/*
 * Transmit an encapsulated packet to its next hop. By another device, or by bpf_redirect_neigh, it
 * passes an egress hook again, which recognises it as encapsulated. A global function, so that the
 * verifier checks it once.
 */
__noinline int send_to_next_hop(struct __sk_buff *skb)
{
	struct counters *counters = counters_of_this_cpu();
	struct ip_address saddr, daddr;
	__u64 now = bpf_jiffies64();
	struct mac_address *frame;
	struct next_hop *hop;
	__u32 ifindex;

	if (!counters || !read_outer_addresses(skb, &saddr, &daddr))
		return TC_ACT_SHOT;
	hop = find_next_hop(skb, &saddr, &daddr, now);
	frame = packet_data(skb);
	if (!hop || (void *)(frame + 2) > packet_end(skb))
		return TC_ACT_SHOT;
	/*
	 * bpf_redirect_neigh loses frames to a multicast or broadcast MAC. It replaces the MAC, so
	 * any unicast one will do.
	 */
	frame->half[0] &= ~bpf_htons(MAC_GROUP << 8);
	ifindex = hop->route.ifindex;
	if (!ifindex) {
		count(&counters->egress.next_hop_fallback, skb);
		return send_to_neighbour(skb);
	}
	if (loops(ifindex))
		return drop(skb, &counters->egress.route_loop);
	if (!hop->resolved || has_come(hop->confirm, now)) {
		hop->confirm = now + NEIGHBOUR_CONFIRMED;
		return bpf_redirect_neigh(ifindex, NULL, 0, 0);
	}
	frame[0] = hop->route.dmac;
	frame[1] = hop->route.smac;
	return ifindex == skb->ifindex ? TC_ACT_UNSPEC : bpf_redirect(ifindex, 0);
}
