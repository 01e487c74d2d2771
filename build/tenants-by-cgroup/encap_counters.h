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
	struct counter room;
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
