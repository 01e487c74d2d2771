/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The encapsulation in force for a socket: its application's choice or, without one, the decision
 * of the connect rules.
 *
 * Provides choice_in_force() for programs that see packets, and decision_in_force() for those that
 * see sockets.
 *
 * Requires before the include:
 *   OLDEST_KERNEL: see encap_socket.h
 */
#pragma once

#include "encap_socket.h"

/*
 * The connect rules' decisions for each socket that connected. Accepted connections do not inherit
 * them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connect_decisions);
} connects SEC(".maps");

/* Return whether a datagram socket is connected to the destination of a decision. */
static __always_inline bool is_peer(
	const struct bpf_sock *socket, const struct connect_decision *decision)
{
	if (!decision->made || socket->dst_port != decision->port)
		return false;
	if (is_mapped_ipv4(&decision->peer)) /* also on an IPv6 socket */
		return socket->dst_ip4 == decision->peer.word[3];
	return socket->dst_ip6[0] == decision->peer.word[0] &&
		socket->dst_ip6[1] == decision->peer.word[1] &&
		socket->dst_ip6[2] == decision->peer.word[2] &&
		socket->dst_ip6[3] == decision->peer.word[3];
}

/*
 * Return the decision in force for a socket, or NULL. A listening socket has none, nor has a
 * datagram socket after connect() to AF_UNSPEC. After a failed connect(), a datagram socket keeps
 * its old peer and the old decision. If neither decision's peer matches, another program rewrote
 * the address, and the latest decision is in force.
 */
static __always_inline const struct connect_decision *decision_in_force(
	const struct bpf_sock *socket, const struct connect_decisions *decisions)
{
	const struct connect_decision *latest, *before;

	if (!decisions || socket->state == TCP_LISTEN)
		return NULL;
	latest = &decisions->decision[decisions->latest & 1];
	if (socket->type == SOCK_STREAM)
		return latest;
	if (socket->state != TCP_ESTABLISHED)
		return NULL;
	before = &decisions->decision[~decisions->latest & 1];
	return is_peer(socket, before) && !is_peer(socket, latest) ? before : latest;
}

/* Return the decisions for a socket. Those of an MPTCP subflow are kept with the MPTCP socket. */
static __always_inline struct connect_decisions *decisions_of(const struct bpf_sock *socket)
{
	void *mptcp = mptcp_socket(socket);

	if (mptcp)
		return bpf_sk_storage_get(&connects, mptcp, NULL, 0);
	return bpf_sk_storage_get(&connects, socket, NULL, 0);
}

/* Return the choice in force for a socket whose record is `choice`; 0: none. */
static __always_inline __u64 choice_in_force(const void *sk, const struct socket_choice *choice)
{
	const struct connect_decision *decision;
	const struct bpf_sock *socket;

	if (!choice)
		return 0;
	if (!choice->by_rule)
		return choice->choice;
	socket = bpf_sk_fullsock(sk);
	if (!socket)
		return 0;
	decision = decision_in_force(socket, decisions_of(socket));
	return decision ? decision->choice : 0;
}

/* Count a packet that was sent by its socket's choice. Threads share a socket. */
static __always_inline void count_for_socket(
	struct socket_choice *choice, __u32 segments, __u32 bytes)
{
	/* Relaxed: for any other order clang emits an instruction that 5.10 does not have. */
	__atomic_fetch_add(&choice->packets, segments, __ATOMIC_RELAXED);
	__atomic_fetch_add(&choice->bytes, bytes, __ATOMIC_RELAXED);
}
