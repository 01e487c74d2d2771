/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attribute an outgoing packet to a socket: the cgroups in which the socket was created, and the
 * choice made for it. The packet may have its own socket, or belong to a listener. A packet
 * without either is attributed by the record of its connection in the flow table.
 *
 * Provides attribute_packet() for egress and record_socket() for other hooks.
 *
 * Requires before the include, besides what the headers below require:
 *   OLDEST_KERNEL: see encap_socket.h
 *   CHOOSING_CGROUPS: bits of the cgroups whose sockets may choose, 0 for any; with FACT_CHOICE
 */
#pragma once

#include "encap_connections.h"
#if SOCKET_FACTS & FACT_CGROUPS
#include "encap_cgroups.h"
#endif
#if SOCKET_FACTS & FACT_CHOICE
#include "encap_choice.h"
#else
#include "encap_socket.h"
#endif

/* Whether the choice for a TCP socket may be recorded with its MPTCP socket. */
#define MPTCP_CHOOSES (SOCKET_FACTS & FACT_CHOICE && OLDEST_KERNEL >= KERNEL(5, 19))

/* Record the facts of the packet's socket, whose choice is `choice`. */
static __always_inline void record_socket(struct __sk_buff *skb __maybe_unused,
	const struct bpf_sock *socket __maybe_unused,
	const struct socket_choice *choice __maybe_unused, struct socket_facts *facts)
{
	/* In this order, or the verifier would walk the cgroups once for each path to a choice. */
#if SOCKET_FACTS & FACT_CGROUPS
	record_cgroups(skb, facts);
#endif
#if SOCKET_FACTS & FACT_CHOICE
	facts->choice = choice_in_force(socket, choice);
#endif
}

/*
 * Fill in how this host's socket for a packet is looked up, and return the size: by its source if
 * the packet `leaves`, else by its destination.
 */
static __always_inline __u32 socket_tuple(
	const struct packet *packet, bool leaves, struct bpf_sock_tuple *tuple)
{
	const struct ip_address *saddr = leaves ? &packet->daddr : &packet->saddr;
	const struct ip_address *daddr = leaves ? &packet->saddr : &packet->daddr;
	__be16 source_port = leaves ? packet->destination_port : packet->source_port;
	__be16 destination_port = leaves ? packet->source_port : packet->destination_port;

	if (packet->is_ipv4) {
		tuple->ipv4.saddr = saddr->word[3];
		tuple->ipv4.daddr = daddr->word[3];
		tuple->ipv4.sport = source_port;
		tuple->ipv4.dport = destination_port;
		return sizeof(tuple->ipv4);
	}
	for (int i = 0; i < 4; i++) {
		tuple->ipv6.saddr[i] = saddr->word[i];
		tuple->ipv6.daddr[i] = daddr->word[i];
	}
	tuple->ipv6.sport = source_port;
	tuple->ipv6.dport = destination_port;
	return sizeof(tuple->ipv6);
}

/*
 * Attribute the packet to the listener of its connection: a SYN-ACK without a socket, because it
 * carries a SYN cookie (RFC 4987, section 3.6), or with `accepted` a later packet. The kernel finds
 * an accepted connection before its listener, unless the peer's port is 0. Return whether there is
 * a listener.
 */
static __always_inline bool attribute_to_listener(
	struct __sk_buff *skb, struct packet *packet, bool accepted)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = socket_tuple(packet, true, &tuple);
	const struct bpf_sock *found, *listener;
#if SOCKET_FACTS & FACT_CGROUPS
	const struct socket_choice *own;
#endif

	if (accepted)
		*(size == sizeof(tuple.ipv4) ? &tuple.ipv4.sport : &tuple.ipv6.sport) = 0;
	found = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!found)
		return false;
	listener = bpf_get_listener_sock(found);
#if SOCKET_FACTS & FACT_CHOICE
	if (listener)
		packet->socket.choice = choice_in_force(listener, choice_of(listener));
#endif
#if SOCKET_FACTS & FACT_CGROUPS
	/* The listener's own record, also with MPTCP: see record_listener(). */
	own = listener ? bpf_sk_storage_get(&sockets, listener, NULL, 0) : NULL;
	if (own && own->names == CGROUP_NAMES) {
		packet->socket.cgroups = own->cgroups;
#if SOCKET_FACTS & FACT_CGROUP
		packet->socket.cgroup = own->cgroup;
#endif
	}
#endif
	bpf_sk_release(found);
	return listener;
}

/* Return whether a segment starts or ends a connection. */
static __always_inline bool is_turning_point(const struct packet *packet)
{
	return packet->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST);
}

#if MPTCP_CHOOSES

/* Return whether the packet's socket may choose. */
static __always_inline bool may_have_chosen(const struct packet *packet)
{
#if SOCKET_FACTS & FACT_CGROUPS
	if (CHOOSING_CGROUPS != 0)
		return packet->socket.cgroups & CHOOSING_CGROUPS;
#endif
	return packet;
}

/*
 * Find the choice for a connection that an MPTCP listener accepted without MPTCP. Nothing is
 * inherited, because the choice is recorded with the MPTCP socket of the listener. The record of
 * the SYN-ACK has it, or else the listener, if it still exists. Looked up once. Return the socket's
 * record.
 */
static __always_inline struct socket_choice *inherit_choice(
	struct __sk_buff *skb, struct packet *packet, const struct bpf_sock *socket)
{
	struct socket_facts facts = packet->socket;
	struct socket_choice *own;

	if (!recall_socket(packet))
		attribute_to_listener(skb, packet, true);
	facts.choice = packet->socket.choice;
	packet->socket = facts;
	own = bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (own) {
		own->listener_checked = true;
		/* 0 is not written: the socket may be choosing on another CPU. */
		if (facts.choice) {
			own->choice = facts.choice;
			own->fits = true;
		}
	}
	return own;
}

#endif

/*
 * Update the table of flows for a packet that has a full TCP socket: at the start of a connection,
 * at its end, and periodically in between.
 */
__noinline int update_connection(struct __sk_buff *skb)
{
	const struct bpf_sock *socket = (void *)skb->sk;
	struct packet *packet = current_packet();
	__u32 now = bpf_jiffies64() | 1; /* 0: never */
	struct socket_choice *own;

	socket = socket ? bpf_sk_fullsock(socket) : NULL;
	if (!packet || !socket)
		return 0;
	if (socket->state == TCP_LISTEN) {
		/*
		 * A reset for a segment that fits no connection (6.13). A listener must not record
		 * facts of one connection: all that it accepts would inherit them.
		 */
		recall_socket(packet);
		return 0;
	}
	own = bpf_sk_storage_get(&sockets, socket, NULL, 0);
#if MPTCP_CHOOSES
	if ((packet->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN &&
		may_have_chosen(packet)) {
		own = bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (own)
			own->listener_checked = true; /* not accepted, so there is no listener */
	}
	if (!packet->socket.choice && !(packet->tcp_flags & TCP_FLAG_SYN) &&
		!(own && own->listener_checked) && may_have_chosen(packet))
		own = inherit_choice(skb, packet, socket);
#endif
	if (!has_facts(&packet->socket)) {
		/* The rules use no fact of the socket, or it has cleared its choice. */
		if (packet->tcp_flags & TCP_FLAG_SYN || (own && !own->last_recorded))
			clear_connection(skb, packet);
	} else {
		if (!own)
			own = bpf_sk_storage_get(
				&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		record_connection(skb, packet);
	}
	if (own) /* again when it is established */
		own->last_recorded = packet->tcp_flags & TCP_FLAG_SYN ? 0 : now;
	return 0;
}

/*
 * Attribute a packet that has no socket. A SYN-ACK belongs to its listener, which the kernel
 * reports, or which is looked up if it carries a SYN cookie. Resets and answers for a closed
 * connection (TIME_WAIT) take the record of their connection. Which packets have a socket differs
 * between kernels; the record makes up for it.
 */
__noinline int attribute_without_socket(struct __sk_buff *skb)
{
	const struct bpf_sock *listener = (void *)skb->sk;
	struct packet *packet = current_packet();
	bool begins;

	if (!packet || packet->protocol != IPPROTO_TCP || packet->ports_unseen)
		return 0;
	begins = packet->tcp_flags & TCP_FLAG_SYN;
	if (begins && packet->tcp_flags & TCP_FLAG_ACK) {
		listener = listener ? bpf_get_listener_sock(listener) : NULL;
		if (listener)
			record_socket(skb, listener,
				SOCKET_FACTS & FACT_CHOICE ? choice_of(listener) : NULL,
				&packet->socket);
		else if (!skb->ingress_ifindex)
			begins = attribute_to_listener(skb, packet, false);
	}
	/*
	 * Without a socket and a listener, the packet is forwarded. NAT may have given it the ports
	 * of a local connection.
	 */
	if (!begins)
		recall_socket(packet);
	else if (has_facts(&packet->socket))
		record_connection(skb, packet);
	else
		clear_connection(skb, packet);
	return 0;
}

/* Return whether the facts of a socket that several connections share hold for this packet. */
static __always_inline bool holds_for_shared(const struct packet *packet)
{
#if SOCKET_FACTS & FACT_CHOICE
	if (packet->socket.choice)
		return true;
#endif
#if SOCKET_FACTS & FACT_CGROUPS
	if (packet->socket.cgroups && packet->tcp_flags & TCP_FLAG_SYN)
		return true;
#endif
	return false;
}

/* Return whether a packet needs a record, if its socket has none yet. */
static __always_inline bool needs_record(const struct packet *packet)
{
#if MPTCP_CHOOSES
	if (CHOOSING_CGROUPS == 0)
		return true; /* its listener may have a choice */
#endif
	return has_facts(&packet->socket) || packet->tcp_flags & TCP_FLAG_SYN;
}

/*
 * Attribute a packet to its socket, or to that of its connection. Return the record that counts
 * packets sent by a choice, or NULL.
 */
static __always_inline struct socket_choice *attribute_packet(
	struct __sk_buff *skb, struct packet *packet)
{
	const struct bpf_sock *socket = (void *)skb->sk;
	struct socket_choice *own, *choice;
	bool shared = false;

	/* Only full sockets have storage. */
	own = socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;
	choice = own;
	if (!own || (MPTCP_CHOOSES && !own->choice)) {
		socket = socket ? bpf_sk_fullsock(socket) : NULL;
		if (!socket) {
			attribute_without_socket(skb);
			return NULL;
		}
		shared = socket->type == SOCK_RAW || socket->state == TCP_LISTEN;
#if MPTCP_CHOOSES
		choice = choice_above(socket, own);
#endif
	}
	record_socket(skb, socket, choice, &packet->socket);
	if (packet->protocol != IPPROTO_TCP || packet->ports_unseen)
		return choice;
	/*
	 * All of IPv4's resets and acknowledgements from TIME_WAIT are sent through one raw socket.
	 * Before 5.18 its cgroup is that of the network namespace's creator, such as a container,
	 * so the record takes precedence. It also takes precedence over a listener, which sends the
	 * reset for a segment that fits no connection (6.13).
	 */
	if (shared && !holds_for_shared(packet)) {
		attribute_without_socket(skb);
		return NULL;
	}
	if (own ? !own->last_recorded || is_turning_point(packet) ||
				(__u32)(bpf_jiffies64() | 1) - own->last_recorded >= RECORD_TICKS
		: needs_record(packet))
		update_connection(skb);
	return choice;
}
