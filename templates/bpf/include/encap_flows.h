/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table: what is recorded of a flow for its later packets. Replies need the headers that
 * arrived; packets without a socket need the facts of the connection's socket.
 *
 * Provides find_flow() and record_flow() for the current flow of this CPU, current_flow().
 *
 * Requires before the include:
 *   FLOW_BUCKETS: the size of the table, in buckets of FLOW_WAYS flows
 *   FLOWS_LEARN: of the FOR_ flags below, for which packets ingress rules learn headers; 0: for
 *     none
 *   SOCKET_FACTS: see encap_socket_facts.h; 0 if the facts of sockets are not recorded
 *   struct host: `flow_seed`, secret, constant until the next boot
 *   struct counters: `flows`, and counters_of_this_cpu()
 *   struct learned: its `rule` comes first; with FLOWS_LEARN
 */
#pragma once

#include "encap_counters.h"
#include "encap_flow_key.h"
#include "encap_socket_facts.h"

#define FOR_REPLIES (1 << 0) /* the replies to the packet that arrived */
#define FOR_FORWARDED (1 << 1) /* the packet itself, on its way out */

#define FLOW_WAYS 16 /* flows of a bucket */
#define FLOW_OPENING 60000000000ULL /* ns: a half-open connection, from its SYN */

struct flow {
	__u64 expires; /* CLOCK_MONOTONIC, ns; 0: never used */
	struct flow_key key;
#if FLOWS_LEARN
	struct learned learned;
#endif
#if SOCKET_FACTS
	struct socket_facts socket; /* in an entry of its own, see FLOW_SOCKET */
#endif
};

/*
 * A bucket of flows. `tag` distinguishes most of them without reading them. A hash map of the
 * kernel does not fit: a full one refuses entries, and the LRU kind evicts flows in use without an
 * event.
 */
struct flow_bucket {
	struct bpf_spin_lock lock;
	/* Scratch of the lock's holder: the verifier does not track values in a map. */
	__u32 way;
	__u32 tag[FLOW_WAYS];
	struct flow flow[FLOW_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOW_BUCKETS);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} flow_table SEC(".maps");

static __always_inline struct flow_bucket *flow_bucket(__u32 hash)
{
	__u32 index = (__u64)hash * FLOW_BUCKETS >> 32;

	return bpf_map_lookup_elem(&flow_table, &index);
}

/* The flow of the current packet. It is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} flow_scratch SEC(".maps");

static __always_inline struct flow *current_flow(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&flow_scratch, &only);
}

/* Return whether a bucket has a flow, and set `way` to its index. The caller holds the lock. */
static __always_inline bool has_flow(
	struct flow_bucket *bucket, __u32 tag, const struct flow_key *key)
{
	for (__u32 i = 0; i < FLOW_WAYS; i++) {
		if (bucket->tag[i] == tag &&
			same_words(&bucket->flow[i].key, key, FLOW_KEY_WORDS)) {
			bucket->way = i;
			return true;
		}
	}
	return false;
}

/* Set `way` to the flow that becomes idle first. The caller holds the lock. */
static __always_inline void find_oldest(struct flow_bucket *bucket)
{
	bucket->way = 0;
	for (__u32 i = 1; i < FLOW_WAYS; i++) {
		if (bucket->flow[i].expires < bucket->flow[bucket->way % FLOW_WAYS].expires)
			bucket->way = i;
	}
}

/* Return whether two flows have the same record. */
static __always_inline bool same_record(const struct flow *one, const struct flow *other)
{
#if FLOWS_LEARN
	if (!same_words(&one->learned, &other->learned, sizeof(one->learned) / sizeof(__u32)))
		return false;
#endif
#if SOCKET_FACTS
	if (!same_words(&one->socket, &other->socket, SOCKET_FACTS_WORDS))
		return false;
#endif
	return true;
}

static __always_inline void copy_record(struct flow *flow, const struct flow *from)
{
#if FLOWS_LEARN
	flow->learned = from->learned;
#endif
#if SOCKET_FACTS
	flow->socket = from->socket;
#endif
}

/* Return whether a flow was recorded by `rule`; the facts of sockets are recorded by none, 0. */
static __always_inline bool is_recorded_by(const struct flow *flow __maybe_unused, __u32 rule)
{
#if FLOWS_LEARN
	return flow->learned.rule == rule;
#else
	return !rule;
#endif
}

/*
 * Fill in the record of the current flow that `rule` made, or with 0 that of a socket. Return false
 * if there is none, or its flow is idle. Finding a flow keeps it from becoming idle for `idle` ns.
 *
 * A global function, as those that follow, so that the verifier checks it once and not per call
 * site (5.6). It is passed no pointer but the context, so it finds packet and flow for itself.
 */
__noinline int find_flow(__u32 rule, __u64 idle)
{
	struct flow *wanted = current_flow();
	__u64 now = bpf_ktime_get_ns();
	struct flow_bucket *bucket;
	bool found = false;
	struct flow *flow;
	__u32 hash;

	if (!wanted)
		return false;
	hash = flow_key_hash(&wanted->key, host.flow_seed);
	bucket = flow_bucket(hash);
	if (!bucket)
		return false;
	bpf_spin_lock(&bucket->lock);
	if (has_flow(bucket, hash, &wanted->key)) {
		flow = &bucket->flow[bucket->way % FLOW_WAYS];
		found = flow->expires > now && is_recorded_by(flow, rule);
		copy_record(wanted, flow);
		/* A segment that fits no connection does not keep a half-open one. */
		if (found && (SOCKET_FACTS == 0 || rule || flow->expires - now > FLOW_OPENING))
			flow->expires = now + idle;
	}
	bpf_spin_unlock(&bucket->lock);
	return found;
}

/*
 * Record the current flow for `idle` ns. In a full bucket it evicts the flow that would become idle
 * first. Return false if another record of the flow is in use, and `may_change` does not let it be
 * replaced.
 */
__noinline int record_flow(struct __sk_buff *skb, __u64 idle, bool may_change)
{
	struct counters *counters = counters_of_this_cpu();
	const struct flow *seen = current_flow();
	bool known, was_idle, same, done;
	__u64 now = bpf_ktime_get_ns();
	struct flow_bucket *bucket;
	struct flow *flow;
	__u32 hash;

	if (!seen || !counters)
		return true;
	hash = flow_key_hash(&seen->key, host.flow_seed);
	bucket = flow_bucket(hash);
	if (!bucket)
		return true;
	bpf_spin_lock(&bucket->lock);
	known = has_flow(bucket, hash, &seen->key);
	if (!known)
		find_oldest(bucket);
	flow = &bucket->flow[bucket->way % FLOW_WAYS];
	was_idle = flow->expires <= now;
	same = same_record(flow, seen);
	done = !known || was_idle || same || may_change;
	if (done) {
		bucket->tag[bucket->way % FLOW_WAYS] = hash;
		flow->key = seen->key;
		copy_record(flow, seen);
		flow->expires = now + idle;
	}
	bpf_spin_unlock(&bucket->lock);
	if (!done)
		return false;
	if (was_idle)
		count(&counters->flows.learned, skb);
	else if (!known)
		count(&counters->flows.evicted, skb);
	else if (!same)
		count(&counters->flows.changed, skb);
	return true;
}
