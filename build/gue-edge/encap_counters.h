/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters: of each outcome, the packets and their bytes. They stand in a per-CPU map, so nothing
 * is atomic.
 */
#pragma once

#include "encap_bpf.h"

struct counter {
	__u64 packets; /* segments on the wire */
	__u64 bytes; /* of IP packets, without Ethernet */
};

/* What becomes of a packet that leaves, whatever the rules are. */
struct egress_outcomes {
	struct counter other; /* passed: of no family that the rules see, by its frame */
	struct counter malformed; /* dropped: an IP header that cannot be read */
	/* a later fragment whose first was not seen: rules by port follow on_miss */
	struct counter no_first_fragment;
	struct counter own_stack; /* passed: encapsulated by this host already */
	struct counter link_local; /* passed: what keeps the link alive */
	struct counter too_big; /* dropped: encapsulated, it would not fit the device's MTU */
	struct counter answered; /* beside too_big: its sender was told what fits */
	struct counter answers_limited; /* beside too_big: its sender was told too often */
	struct counter gso; /* dropped: the kernel cannot write these headers in each segment */
	struct counter no_headroom; /* dropped: the kernel has no headroom for the headers */
	struct counter unknown_stack; /* dropped: a row of a kind that the program does not know */
	/* beside the others: a SYN that TCP-AO authenticates with its MSS, which stays */
	struct counter mss_kept;
};

/* What becomes of a packet that comes in, whatever the rules are. */
struct ingress_outcomes {
	struct counter mss_kept; /* as of one that leaves */
};

/* Why a packet of an encapsulation is refused, in the order in which it is validated. */
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

/* What becomes of the record of a flow. */
struct flow_outcomes {
	struct counter learned; /* it was not known */
	struct counter changed; /* something else was recorded */
	/* other headers, by a segment that does not fit its connection */
	struct counter disbelieved;
	struct counter evicted; /* it was in use, and gave way to another */
};

/*
 * Where a counter stands, in bytes: what is handed to global functions, which take no pointers.
 */
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

/* Let a packet go on to the next program. */
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
