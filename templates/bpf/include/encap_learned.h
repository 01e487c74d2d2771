/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reflection: ingress rules learn the headers that arrived, and egress finds them for the reply,
 * or for the same packet on its way out.
 *
 * Provides learn_headers() for ingress and find_learned() for egress. The current flow contains
 * the headers to learn, and those that were found.
 *
 * Requires before the include what encap_flows.h does, with FLOWS_LEARN.
 */
#pragma once

#include "encap_flows.h"
#include "encap_packet.h"

/*
 * Read the flow of the packet that an ICMP error quotes, as the key of its replies. Return false if
 * it is unreadable.
 */
static __always_inline bool quoted_flow(
	const struct __sk_buff *skb, __u32 offset, bool is_ipv4, struct flow_key *key)
{
	const struct ipv4_header *ipv4 = packet_data(skb) + offset;
	const struct ipv6_header *ipv6 = packet_data(skb) + offset;
	const struct icmp_header *icmp;
	const __be16 *ports;

	if (is_ipv4) {
		if ((void *)(ipv4 + 1) > packet_end(skb) ||
			ipv4->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET))
			return false;
		key->saddr = mapped_ipv4(ipv4->daddr);
		key->daddr = mapped_ipv4(ipv4->saddr);
		key->protocol = ipv4->protocol;
		offset += (ipv4->version_ihl & 0x0f) * 4;
	} else {
		if ((void *)(ipv6 + 1) > packet_end(skb))
			return false;
		key->saddr = from_ipv6(&ipv6->daddr);
		key->daddr = from_ipv6(&ipv6->saddr);
		key->protocol = ipv6->next_header;
		offset += sizeof(*ipv6);
	}
	ports = packet_data(skb) + offset;
	icmp = packet_data(skb) + offset;
	switch (key->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		if ((void *)(ports + 2) > packet_end(skb))
			return false;
		key->source_port = ports[1];
		key->destination_port = ports[0];
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((void *)(icmp + 1) > packet_end(skb) ||
			!is_icmp_echo(key->protocol, icmp->type))
			return false;
		key->source_port = icmp->id;
		key->destination_port = icmp->id;
		return true;
	}
	return true;
}

/*
 * Set the key of the current flow to that of the packet, or with `quoted` for an ICMP error to that
 * of the quoted packet. Return false if the packet does not have all of it.
 */
__noinline int find_key(struct __sk_buff *skb, bool quoted)
{
	const struct packet *packet = current_packet();
	struct flow *flow = current_flow();
	const struct icmp_header *icmp;
	struct flow_key *key;
	__u32 transport;

	if (!packet || !flow)
		return false;
	transport = packet_offset(packet->transport);
	key = &flow->key;
	*key = (struct flow_key){
		.mark = skb->mark,
		.saddr = packet->saddr,
		.daddr = packet->daddr,
		.source_port = packet->source_port,
		.destination_port = packet->destination_port,
		.protocol = packet->protocol,
	};
	if (packet->ports_unseen || !packet->transport) {
		if (!packet->fragment)
			return false;
		key->source_port = packet->fragment_id;
		key->destination_port = packet->fragment_id >> 16;
		key->protocol = FLOW_FRAGMENT; /* only the first fragment has the right protocol */
		return true;
	}
	if (packet->protocol != IPPROTO_ICMP && packet->protocol != IPPROTO_ICMPV6)
		return true;
	linearize(skb, transport + sizeof(*icmp) + IPV4_HLEN_MAX + sizeof(*icmp));
	icmp = packet_data(skb) + transport;
	if ((void *)(icmp + 1) > packet_end(skb))
		return false;
	if (is_icmp_echo(packet->protocol, icmp->type)) {
		key->source_port = icmp->id;
		key->destination_port = icmp->id;
		return true;
	}
	return quoted && is_icmp_error(packet->protocol, icmp->type) &&
		quoted_flow(skb, transport + sizeof(*icmp), packet->protocol == IPPROTO_ICMP, key);
}

/*
 * Find the headers that `rule` learned for the flow of an outgoing packet, and keep them for
 * another `idle` ns.
 */
static __always_inline bool find_learned(struct __sk_buff *skb, const struct packet *packet,
	__u32 rule, __u64 idle, struct flow *flow)
{
	if (!find_key(skb, true) || !find_flow(rule, packet->transport ? idle : FLOW_FRAGMENT_IDLE))
		return false;
	if (packet->fragment && packet->transport) {
		/* The fragments that follow have no ports, but they have this ID. */
		flow->key.source_port = packet->fragment_id;
		flow->key.destination_port = packet->fragment_id >> 16;
		flow->key.protocol = FLOW_FRAGMENT;
		record_flow(skb, FLOW_FRAGMENT_IDLE, true);
	}
	return true;
}

#if FLOWS_LEARN & FOR_REPLIES

/*
 * Return whether an incoming TCP segment fits its connection on this host (RFC 5961, section 5).
 * Only then can it move the flow to another encapsulator. The key of the current flow is that of
 * the replies. Without an established connection there is nothing to hijack.
 */
__noinline int fits_connection(struct __sk_buff *skb)
{
	const struct packet *packet = current_packet();
	const struct flow *flow = current_flow();
	const struct bpf_tcp_sock *connection;
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv6);
	__u32 received, acknowledged;
	const struct flow_key *key;
	const __be32 *sequence;
	const struct bpf_sock *socket;
	bool fits = true;

	if (!packet || !flow)
		return false;
	key = &flow->key;
	sequence = packet_data(skb) + packet_offset(packet->transport) + TCP_SEQUENCE;
	if ((void *)(sequence + 2) > packet_end(skb))
		return false;
	received = bpf_ntohl(sequence[0]);
	acknowledged = bpf_ntohl(sequence[1]);
	if (packet->is_ipv4) {
		size = sizeof(tuple.ipv4);
		tuple.ipv4.saddr = key->daddr.word[3];
		tuple.ipv4.daddr = key->saddr.word[3];
		tuple.ipv4.sport = key->destination_port;
		tuple.ipv4.dport = key->source_port;
	} else {
		for (int i = 0; i < 4; i++) {
			tuple.ipv6.saddr[i] = key->daddr.word[i];
			tuple.ipv6.daddr[i] = key->saddr.word[i];
		}
		tuple.ipv6.sport = key->destination_port;
		tuple.ipv6.dport = key->source_port;
	}
	socket = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return true;
	/* A listener, or a socket in the handshake, is no connection. */
	connection = socket->state == TCP_LISTEN ? NULL : bpf_tcp_sock(socket);
	if (connection)
		fits = connection->rcv_nxt - received + TCP_WINDOW < 2 * TCP_WINDOW &&
			connection->snd_nxt - acknowledged < TCP_WINDOW;
	bpf_sk_release(socket);
	return fits;
}

#endif

/*
 * Learn the headers of the incoming packet, which the current flow `flow` contains, in the rule's
 * directions. Return false if the packet has no flow key.
 */
static __always_inline bool learn_headers(struct __sk_buff *skb, const struct packet *packet,
	struct flow *flow __maybe_unused, __u32 directions, __u64 idle,
	struct counters *counters __maybe_unused)
{
	if (!find_key(skb, false))
		return false;
	if (directions & FOR_FORWARDED)
		record_flow(skb, packet->transport ? idle : FLOW_FRAGMENT_IDLE, true);
#if FLOWS_LEARN & FOR_REPLIES
	/* A reply to a fragment has another ID. */
	if (directions & FOR_REPLIES && packet->transport) {
		flow_turn(&flow->key);
		if (!record_flow(skb, idle, packet->protocol != IPPROTO_TCP)) {
			if (fits_connection(skb))
				record_flow(skb, idle, true);
			else
				count(&counters->flows.disbelieved, skb);
		}
	}
#endif
	return true;
}
