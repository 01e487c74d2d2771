/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters: packets and bytes for each outcome. They are in a per-CPU map, so updates are not
 * atomic.
 */
#pragma once

#include "encap_bpf.h"

struct counter {
	__u64 packets; /* segments on the wire */
	__u64 bytes; /* of IP packets, without Ethernet headers */
};

/* Outcomes of outgoing packets that do not depend on a rule. */
struct egress_outcomes {
	struct counter other; /* passed: by its frame of no family that the rules see */
	struct counter malformed; /* dropped: an unreadable IP header */
	/* also counted: a later fragment whose first was not seen; rules by port follow on_miss */
	struct counter no_first_fragment;
	struct counter own_stack; /* passed: already encapsulated by this host */
	struct counter link_local; /* passed: link-local and neighbour discovery */
	struct counter too_big; /* dropped: longer than the device's MTU when encapsulated */
	/* also counted, as too_big: IPv4 that may be fragmented, whose sender may not be told */
	struct counter without_df;
	struct counter answered; /* also counted, as too_big: its sender was told what fits */
	struct counter answers_limited; /* also counted, as too_big: its sender is told too often */
	struct counter gso; /* dropped: the kernel cannot write these headers in each segment */
	/* dropped: datagrams of UDP_SEGMENT, and the device does not fill in checksums */
	struct counter gso_checksum;
	/* dropped: IPv6 BIG TCP, and the kernel leaves its jumbo header in each segment */
	struct counter gso_jumbo;
	struct counter no_headroom; /* dropped: the kernel could not add headroom */
	struct counter unknown_stack; /* dropped: the row's stack is not known to the program */
	/* also counted: a SYN whose options TCP-AO authenticates, so its MSS is not lowered */
	struct counter mss_kept;
	/* also counted: the kernel named no next hop, so it was left to bpf_redirect_neigh */
	struct counter next_hop_fallback;
	/* dropped: IPv6 whose smallest MTU, 1280, does not fit the path, which is IPv6's too */
	struct counter path_too_small;
	/* dropped: routed to the route device, and not encapsulated by any rule */
	struct counter unrouted;
	/* dropped, counted by its rule too: the outer route leads to the route device */
	struct counter route_loop;
};

/* Outcomes of incoming packets that do not depend on a rule. */
struct ingress_outcomes {
	struct counter mss_kept; /* as for outgoing packets */
	/* also counted: an ICMP error that lowered the MTU of the path to a tunnel endpoint */
	struct counter path_learned;
	/* also counted: one about a packet of ours that cannot be true, or lowers nothing */
	struct counter path_ignored;
	struct counter injected; /* dropped: came to the route device from elsewhere */
};

/* Why a packet of an encapsulation is refused, in the order of validation. */
struct refusals {
	struct counter truncated;
	struct counter options;
	struct counter fragment;
	struct counter version;
	struct counter header_checksum;
	struct counter length;
	struct counter vlan;
	struct counter payload;
	struct counter source;
	struct counter match;
	struct counter ecn;
	struct counter gso;
	struct counter pull_failed;
};

/* Changes of flow records. */
struct flow_outcomes {
	struct counter learned; /* a new flow */
	struct counter changed; /* the record differed */
	/* not changed: a segment with other headers does not fit its connection */
	struct counter disbelieved;
	struct counter evicted; /* evicted while in use */
};

/* A counter's offset in bytes, for global functions, which take no pointers. */
#define COUNTER(member) offsetof(struct counters, member)

static __always_inline __u32 segments_of(const struct __sk_buff *skb)
{
	return skb->gso_segs ? skb->gso_segs : 1;
}

static __always_inline void count(struct counter *counter, const struct __sk_buff *skb)
{
	counter->packets += segments_of(skb);
	counter->bytes += skb->len - ETH_HLEN;
}

/* Pass a packet on to the next program. */
static __always_inline int pass(const struct __sk_buff *skb, struct counter *outcome)
{
	count(outcome, skb);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop(const struct __sk_buff *skb, struct counter *outcome)
{
	count(outcome, skb);
	return TC_ACT_SHOT;
}
