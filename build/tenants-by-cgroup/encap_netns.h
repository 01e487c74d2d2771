/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets of our network namespace, which is that of the attached devices. A cgroup may contain
 * sockets of other namespaces: their packets never reach our devices, and their devices may have
 * the same ifindexes. Before 6.13 a packet does not carry its namespace, so sockets are marked
 * when they are created.
 *
 * Provides mark_socket(), the whole program of its hook, is_own_netns() for a socket's cookie, and
 * is_marked().
 *
 * Requires before the include:
 *   OLDEST_KERNEL: see encap_socket.h
 *   struct host: `socket_netns_cookie`, 0 where user space cannot read it (before 5.14), and
 *     `initial_netns`, 1 for the machine's first network namespace
 */
#pragma once

#include "encap_socket.h"

/* A socket is marked if it has an entry. Accepted connections and clones inherit the mark. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u32);
} own_sockets SEC(".maps");

/*
 * Return whether a cookie is that of our network namespace. Before 5.14 the loader does not know
 * it, and a program can only distinguish the machine's first namespace (5.7: without a context, the
 * helper returns that one's cookie).
 */
static __always_inline bool is_own_netns(__u64 cookie)
{
	if (host.socket_netns_cookie)
		return cookie == host.socket_netns_cookie;
	return (cookie == bpf_get_netns_cookie(NULL)) == (host.initial_netns != 0);
}

/*
 * Mark a new socket of our network namespace. A socket that cannot be marked is refused, because it
 * could send unencapsulated.
 */
static __always_inline int mark_socket(struct bpf_sock *socket)
{
	if (!is_own_netns(bpf_get_netns_cookie(socket)))
		return CREATE_GO_ON;
	return bpf_sk_storage_get(&own_sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE)
		? CREATE_GO_ON
		: CREATE_REFUSE;
}

/* Return whether a socket or its MPTCP socket is marked: the hook does not run for subflows. */
static __always_inline bool is_marked(const struct bpf_sock *socket)
{
	void *mptcp;

	if (bpf_sk_storage_get(&own_sockets, socket, NULL, 0))
		return true;
	mptcp = mptcp_socket(socket);
	return mptcp && bpf_sk_storage_get(&own_sockets, mptcp, NULL, 0);
}
