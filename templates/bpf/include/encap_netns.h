/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sockets of our network namespace, the one that the attached devices are in. A cgroup may hold
 * sockets of others, whose packets never reach our devices, and whose devices have the same numbers
 * as ours. Before 6.13 a packet does not show its namespace: there sockets are marked when they are
 * made.
 *
 * Gives mark_socket(), the whole program of its hook, is_own_netns() for a socket's cookie, and
 * is_marked().
 *
 * Needs before the include:
 *   OLDEST_KERNEL: see encap_socket.h
 *   struct host: `socket_netns_cookie`, 0 where user space does not know it (before 5.14), and
 *   `initial_netns`, 1 for the
 *   machine's first network namespace
 */
#pragma once

#include "encap_socket.h"

/* The marked sockets, by being there. Accepted connections and clones inherit the mark. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u32);
} own_sockets SEC(".maps");

/*
 * Return whether a cookie is that of our network namespace. Before 5.14 the loader does not know
 * it, and a program can only tell the machine's first namespace from the others (5.7: without a
 * context, the cookie is that one's).
 */
static __always_inline bool is_own_netns(__u64 cookie)
{
	if (host.socket_netns_cookie)
		return cookie == host.socket_netns_cookie;
	return (cookie == bpf_get_netns_cookie(NULL)) == (host.initial_netns != 0);
}

/*
 * Mark a new socket of our network namespace. One that cannot be marked could send unencapsulated:
 * it is refused.
 */
static __always_inline int mark_socket(struct bpf_sock *socket)
{
	if (!is_own_netns(bpf_get_netns_cookie(socket)))
		return CREATE_GO_ON;
	return bpf_sk_storage_get(&own_sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE)
		? CREATE_GO_ON
		: CREATE_REFUSE;
}

/*
 * Return whether a socket is marked, or the MPTCP socket above it: subflows are made without asking
 * the hook.
 */
static __always_inline bool is_marked(const struct bpf_sock *socket)
{
	void *mptcp;

	if (bpf_sk_storage_get(&own_sockets, socket, NULL, 0))
		return true;
	mptcp = mptcp_socket(socket);
	return mptcp && bpf_sk_storage_get(&own_sockets, mptcp, NULL, 0);
}
