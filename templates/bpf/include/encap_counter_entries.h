/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The counters of a program that has more of them than one value of a per-CPU map holds, which is
 * 32 KiB (PCPU_MIN_UNIT_SIZE). They stand in the values of several entries, one behind the other; a
 * place is an offset over all of them. None crosses from one to the next.
 *
 * In place of encap_counters_map.h. Requires before the include:
 *   struct counters, whose `egress`, `ingress` and `flows` stand in the first entry
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"

#define COUNTERS_IN_ENTRY 256 /* a page */

struct counters_entry {
	struct counter counter[COUNTERS_IN_ENTRY];
};

#define COUNTERS_ENTRIES                                                                           \
	((sizeof(struct counters) + sizeof(struct counters_entry) - 1) /                           \
		sizeof(struct counters_entry))

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS_ENTRIES);
	__type(key, __u32);
	__type(value, struct counters_entry);
} counters SEC(".maps");

/* The first entry: the members of struct counters that stand in it, and no others. */
static __always_inline struct counters *counters_of_this_cpu(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&counters, &first);
}

/* The counter that stands at a place, or NULL. */
static __always_inline struct counter *counter_at(struct counters *first, __u32 place)
{
	__u32 number = place / sizeof(struct counter);
	__u32 entry = number / COUNTERS_IN_ENTRY;
	struct counters_entry *found = bpf_map_lookup_elem(&counters, &entry);

	(void)first; /* where there is one entry, the place is in it */
	return found ? &found->counter[number % COUNTERS_IN_ENTRY] : NULL;
}

/* Add to the counter at a place. Not inlined: most rules do no more than call it. */
static __noinline void add_at(__u32 place, __u32 packets, __u32 bytes)
{
	struct counter *counter = counter_at(NULL, place);

	if (!counter)
		return;
	counter->packets += packets;
	counter->bytes += bytes;
}

static __always_inline void count_at(__u32 place, const struct __sk_buff *skb)
{
	add_at(place, segments_of(skb), skb->len - ETH_HLEN);
}

static __always_inline int pass_at(const struct __sk_buff *skb, __u32 place)
{
	count_at(place, skb);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop_at(const struct __sk_buff *skb, __u32 place)
{
	count_at(place, skb);
	return TC_ACT_SHOT;
}
