/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sockets of connections, recorded in the flow table for packets that no longer have a socket.
 *
 * Provides record_connection(), recall_socket() and clear_connection() for the current packet.
 *
 * Requires before the include, besides what encap_flows.h requires:
 *   SOCKETS_IDLE: ns; how long the facts of a socket are kept after the last packet
 *   CGROUP_NAMES: see encap_cgroups.h; with FACT_CGROUPS
 */
#pragma once

#include "encap_flows.h"
#include "encap_packet.h"

/*
 * The facts of sockets have entries of their own in the table of flows, without the mark: a reset
 * or an acknowledgement for a closed socket does not carry its mark (net.ipv4.fwmark_reflect).
 */
static __always_inline void connection_key(const struct packet *packet, struct flow_key *key)
{
	*key = (struct flow_key){
		.saddr = packet->saddr,
		.daddr = packet->daddr,
		.source_port = packet->source_port,
		.destination_port = packet->destination_port,
		.protocol = packet->protocol | FLOW_SOCKET,
	};
}

/* Attribute the packet to the socket that was recorded for its connection. */
static __always_inline bool recall_socket(struct packet *packet)
{
	struct flow *flow = current_flow();

	if (!flow)
		return false;
	connection_key(packet, &flow->key);
	if (!find_flow(0, SOCKETS_IDLE))
		return false;
	packet->socket = flow->socket;
	return true;
}

/*
 * Record the socket of the connection. Half-open connections are evicted first, because a peer can
 * create them without limit.
 */
static __always_inline void record_connection(struct __sk_buff *skb, const struct packet *packet)
{
	struct flow *flow = current_flow();

	if (!flow)
		return;
	connection_key(packet, &flow->key);
#if FLOWS_LEARN
	flow->learned = (struct learned){};
#endif
	flow->socket = packet->socket;
#if SOCKET_FACTS & FACT_CGROUPS
	flow->socket.names = CGROUP_NAMES;
#endif
	record_flow(skb, packet->tcp_flags & TCP_FLAG_SYN ? FLOW_OPENING : SOCKETS_IDLE, true);
}

/* Clear the record of an earlier connection with the same addresses and ports. */
static __always_inline void clear_connection(struct __sk_buff *skb, struct packet *packet)
{
	if (!recall_socket(packet))
		return;
	packet->socket = (struct socket_facts){};
	record_connection(skb, packet);
}
