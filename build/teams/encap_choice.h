/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which encapsulation is in force for a socket: the one that its application chose, or the one that
 * the connect rules decided. The application's choice takes precedence.
 *
 * Gives choice_in_force() for programs that see packets, decision_in_force() for those that see
 * sockets.
 *
 * Needs before the include:
 *   OLDEST_KERNEL: see encap_socket.h
 */
#pragma once

#include "encap_socket.h"

/*
 * What connect rules decided, with each socket that connected. Accepted connections inherit nothing
 * of it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connect_decisions);
} connects SEC(".maps");

/* Return whether a datagram socket is connected to the destination that a decision was made for. */
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
 * Return the decision in force for a socket, or NULL. A socket that listens, or a datagram socket
 * whose association was dissolved (connect() to AF_UNSPEC), has none. After a connect() that
 * failed, a datagram socket keeps its old peer and with it the old decision. If neither peer fits,
 * somebody has rewritten the address, and the latest holds.
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

/* Count a packet that was sent as its socket chose. Threads share a socket. */
static __always_inline void count_for_socket(
	struct socket_choice *choice, __u32 segments, __u32 bytes)
{
	/* Relaxed: with any other order clang makes an instruction that 5.10 has not. */
	__atomic_fetch_add(&choice->packets, segments, __ATOMIC_RELAXED);
	__atomic_fetch_add(&choice->bytes, bytes, __ATOMIC_RELAXED);
}
