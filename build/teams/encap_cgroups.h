/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cgroups: record in which of the cgroups that the spec names a packet's socket was created.
 *
 * Provides record_cgroups(), and record_listener(), which is the whole program of the hook for
 * packets that a cgroup receives.
 *
 * Requires before the include:
 *   SOCKET_FACTS: see encap_socket_facts.h, with FACT_CGROUPS
 *   CGROUPS_MAX: entries of the map of cgroups
 *   CGROUP_LEVELS: bit n is set if rules name a cgroup n levels below the attached one
 *   CGROUP_NAMES: identifies the spec's list of cgroups, and so the meaning of each bit
 *   struct host: `cgroup_level` of the attached cgroup, 0 is the hierarchy's root; with
 *     FACT_CGROUP `cgroup_levels`, as CGROUP_LEVELS, of the cgroups that rows are found by
 */
#pragma once

#include "encap_socket.h"
#include "encap_socket_facts.h"

#define CGROUP_DEPTH 8 /* levels below the attached cgroup that a spec may name */
#define CGROUP_OF_ROW (1ULL << 63) /* among the bits of a cgroup: rows are found by it */

/* The cgroups that the spec and its rows name, by the kernel's ID, with their bits. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CGROUPS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} cgroups SEC(".maps");

/* Return the levels of the cgroups that rules or rows name, as CGROUP_LEVELS. */
static __always_inline __u32 required_levels(void)
{
#if SOCKET_FACTS & FACT_CGROUP
	return CGROUP_LEVELS | host.cgroup_levels;
#else
	return CGROUP_LEVELS;
#endif
}

/*
 * Record the cgroups of the packet's socket. For a SYN-ACK the kernel reports the listener's. A
 * cgroup matches its descendants too.
 */
static __always_inline void record_cgroups(struct __sk_buff *skb, struct socket_facts *facts)
{
	for (__u32 level = 1; level <= CGROUP_DEPTH; level++) {
		__u64 cgroup, *bit;

		if (!(required_levels() >> level & 1))
			continue;
		cgroup = bpf_skb_ancestor_cgroup_id(skb, host.cgroup_level + level);
		bit = bpf_map_lookup_elem(&cgroups, &cgroup);
		if (!bit)
			continue;
		facts->cgroups |= *bit;
#if SOCKET_FACTS & FACT_CGROUP
		if (*bit & CGROUP_OF_ROW)
			facts->cgroup = cgroup;
#endif
	}
}

/*
 * Record a listener's cgroups with the listener when a packet reaches it. If the listener answers
 * with a SYN cookie, the answer has no socket, and the kernel only reports cgroups of a packet's
 * own socket.
 */
static __always_inline int record_listener(struct __sk_buff *skb)
{
	const struct bpf_sock *socket = (void *)skb->sk;
	struct socket_facts facts = {};
	struct socket_choice *own;

	socket = socket ? bpf_sk_fullsock(socket) : NULL;
	if (!socket || socket->type != SOCK_STREAM || socket->state != TCP_LISTEN)
		return CGROUP_GO_ON;
	own = bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!own)
		return CGROUP_GO_ON;
	record_cgroups(skb, &facts);
	own->cgroups = facts.cgroups;
#if SOCKET_FACTS & FACT_CGROUP
	own->cgroup = facts.cgroup;
#endif
	own->names = CGROUP_NAMES;
	return CGROUP_GO_ON;
}
