/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Later fragments take the decision of their packet's first one, which alone has ports and
 * protocol: those are kept in a map. Requires what encap_packet.h does.
 */
#pragma once

#include "encap_packet.h"

#define FRAGMENTS_MAX 4096 /* packets whose later fragments are awaited */
/* ns: as long as Linux waits for missing fragments (net.ipv4.ipfrag_time) */
#define FRAGMENTS_IDLE 30000000000ULL

/* Set beside the protocol: incoming fragments must not decide for outgoing ones. */
#define FRAGMENT_LEAVES (1U << 8)

/*
 * The packet of a fragment: RFC 791, section 3.2, and RFC 8200, section 4.5, and its tenant's mark.
 */
struct fragment_key {
	struct ip_address saddr;
	struct ip_address daddr;
	__u32 mark;
	__be32 id;
	/* IPv4's, and FRAGMENT_LEAVES. Of IPv6 packets only the first fragment's counts. */
	__u32 protocol;
};

/* The ports and the protocol of a packet's first fragment. */
struct first_fragment {
	__u64 expires; /* CLOCK_MONOTONIC, ns */
	__be16 source_port;
	__be16 destination_port;
	__u32 protocol;
};

/*
 * The least recently used entry can be evicted: the fragments of a packet follow each other
 * closely, and a later one without its first is counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAGMENTS_MAX);
	__type(key, struct fragment_key);
	__type(value, struct first_fragment);
} fragments SEC(".maps");

/*
 * Give the current packet, a later fragment, the ports and the protocol of the first one. Return
 * false if the first was not seen, or had none either. A global function, so that the verifier
 * checks it once instead of per call site.
 */
__noinline int follow_first_fragment(struct __sk_buff *skb, bool leaves)
{
	struct packet *packet = current_packet();
	__u64 now = bpf_ktime_get_ns();
	const struct first_fragment *known;
	struct first_fragment first = {};
	struct fragment_key key = {};

	if (!packet)
		return false;
	key.saddr = packet->saddr;
	key.daddr = packet->daddr;
	key.mark = skb->mark;
	key.id = packet->fragment_id;
	key.protocol = packet->is_ipv4 ? packet->protocol : 0;
	if (leaves)
		key.protocol |= FRAGMENT_LEAVES;
	if (!packet->later_fragment && packet->ports_unseen) {
		/* It has no readable ports, and a record of the same ID is of an earlier packet. */
		bpf_map_delete_elem(&fragments, &key);
		return false;
	}
	if (!packet->ports_unseen) {
		first.expires = now + FRAGMENTS_IDLE;
		first.source_port = packet->source_port;
		first.destination_port = packet->destination_port;
		first.protocol = packet->protocol;
		bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
		return true;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known || known->expires < now)
		return false;
	packet->source_port = known->source_port;
	packet->destination_port = known->destination_port;
	packet->protocol = known->protocol;
	packet->ports_unseen = false;
	return true;
}
