/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Encapsulation: check that the packet fits with the added headers, make headroom for them, and
 * write the outer IP header. The C of the spec writes the headers behind it.
 *
 * Requires before the include:
 *   struct counters: egress; counter_at(), counters_of_this_cpu()
 *   struct host: mtu, no_tx_checksum
 *   PACKET_NEEDS: see encap_packet.h
 *   ANSWERS_TOO_BIG: 1 to answer a packet that does not fit, see encap_too_big.h
 *   LEARNS_PATH_MTU: 1 if a path may have a smaller MTU than the device, see encap_path_mtu.h
 *   ROUTED: where the packet goes to the next hop of its outer destination, see encap_routed.h;
 *     elsewhere it keeps the inner packet's. If anywhere, encap_next_hop.h is included
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_checksum.h"
#include "encap_count_too_big.h"
#include "encap_counters.h"
#include "encap_flow.h"
#include "encap_icmp.h"
#include "encap_packet.h"
#include "encap_routed.h"
#include "encap_segmentation.h"
#include "encap_wire.h"
#if ANSWERS_TOO_BIG
#include "encap_too_big.h"
#endif
#if LEARNS_PATH_MTU
#include "encap_path_mtu.h"
#endif

/*
 * Return a hash of the inner flow, so that routers can spread flows over paths. It includes the
 * kernel's hash, if there is one: TCP changes that when a path seems dead.
 */
static __always_inline __u32 flow_hash(const struct __sk_buff *skb, const struct packet *packet)
{
	__u32 hash = skb->hash;

	if (packet->is_ipv4) {
		hash = flow_hash_add(hash, packet->saddr.word[3]);
		hash = flow_hash_add(hash, packet->daddr.word[3]);
	} else {
		for (int i = 0; i < 4; i++) {
			hash = flow_hash_add(hash, packet->saddr.word[i]);
			hash = flow_hash_add(hash, packet->daddr.word[i]);
		}
	}
	hash = flow_hash_add(hash, packet->protocol);
	/* Only the first fragment has the ports, and all must take the same path. */
	if (!packet->fragment)
		hash = flow_hash_add(
			hash, (__u32)packet->source_port << 16 | packet->destination_port);
	return hash;
}

/*
 * Return what fits on a path of `mtu` bytes, if the packet grows by `overhead`. Where that is less
 * than the MTU that a host may rely on, routers may fragment an outer IPv4 packet that is no longer
 * (RFC 4459, section 3.3). Otherwise a host would send on what is too big: it takes no notice of an
 * MTU that is smaller, or of IPv4 lets routers fragment what we must not.
 */
static __always_inline __u32 relied_on_mtu(
	struct packet *packet, __u32 overhead, __u32 mtu, bool over_ipv4)
{
	__u32 least = overhead + (packet->is_ipv4 ? IPV4_MIN_PMTU : IPV6_MIN_MTU);

	packet->fragmentable = over_ipv4 && mtu < least && mtu < host.mtu;
	if (!packet->fragmentable)
		return mtu;
	return least < host.mtu ? least : host.mtu;
}

/*
 * Return whether a packet that grows by `overhead` bytes fits `mtu`, and with which flags of
 * bpf_skb_adjust_room. FIXED_GSO keeps the size of segments. TCP segments that would not fit are
 * made smaller; datagrams keep their boundaries.
 */
static __always_inline bool mtu_allows(const struct __sk_buff *skb, const struct packet *packet,
	__u32 overhead, __u32 mtu, __u64 *flags)
{
	__u32 transport = packet_offset(packet->transport);
	const __u8 *data_offset = packet_data(skb) + transport + TCP_DATA_OFFSET;
	__u32 headers = transport - ETH_HLEN;

	*flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	if (!skb->gso_size)
		return packet->length + overhead <= mtu;
	if (!transport)
		return false;
	if (packet->protocol != IPPROTO_TCP)
		return headers + UDP_HLEN + skb->gso_size + overhead <= mtu;
	if ((void *)(data_offset + 1) > packet_end(skb))
		return false;
	headers += (*data_offset >> 4) * 4;
	if (headers + skb->gso_size > mtu)
		return false; /* smaller by the overhead, they still would not fit */
	if (headers + skb->gso_size + overhead > mtu)
		*flags = 0;
	return true;
}

/*
 * Count a packet that does not fit `mtu`, and tell its sender what does if that is possible. Return
 * its verdict.
 */
static __always_inline int refuse_too_big(struct __sk_buff *skb, const struct packet *packet,
	__u32 overhead, __u32 mtu, struct counters *counters)
{
	if (LEARNS_PATH_MTU && !packet->is_ipv4 && mtu < host.mtu && mtu < overhead + IPV6_MIN_MTU)
		return drop(skb, &counters->egress.path_too_small);
#if ANSWERS_TOO_BIG
	return answer_too_big(skb, mtu - overhead);
#else
	count_too_big(skb, packet, counters);
	return TC_ACT_SHOT;
#endif
}

/*
 * Make headroom for `fixed` bytes of headers behind the Ethernet header and for a variable-length
 * part of `variable` bytes behind them, and write their family into the frame's type. `flags`, of
 * bpf_skb_adjust_room, describe the headers to the kernel; `mtu` fits the path. Return
 * the outer IP header, or NULL: then the packet was counted, and `packet->verdict` is its verdict.
 */
static __always_inline void *push_headers(struct __sk_buff *skb, struct packet *packet, __u32 fixed,
	__u32 variable, __u32 mtu, bool is_ipv4, __u64 flags, struct counters *counters)
{
	__be16 *ether_type;
	__u64 segments;
	void *outer;

	packet->verdict = TC_ACT_SHOT;
	if (skb->gso_size && cannot_segment(skb))
		return NULL;
	if (LEARNS_PATH_MTU)
		mtu = relied_on_mtu(packet, fixed + variable, mtu, is_ipv4);
	if (!mtu_allows(skb, packet, fixed + variable, mtu, &segments)) {
		packet->verdict = refuse_too_big(skb, packet, fixed + variable, mtu, counters);
		return NULL;
	}
	flags |= is_ipv4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (bpf_skb_adjust_room(skb, fixed + variable, BPF_ADJ_ROOM_MAC, flags | segments)) {
		count(&counters->egress.no_headroom, skb);
		return NULL;
	}
	outer = packet_data(skb) + ETH_HLEN;
	if (outer + fixed > packet_end(skb)) {
		count(&counters->egress.no_headroom, skb);
		return NULL;
	}
	/* bpf_skb_adjust_room changes skb->protocol, but not the frame's type. */
	ether_type = outer - sizeof(*ether_type);
	*ether_type = is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return outer;
}

/*
 * Return a 16-bit length field. A GSO packet may be longer before segmentation: then it is zero, as
 * the kernel writes it (BIG TCP, 5.19).
 */
static __always_inline __be16 length_field(__u32 length)
{
	return length > 0xffff ? 0 : bpf_htons(length);
}

/*
 * Write an IPv4 header without options, and return its end. DF is set: a tunnel endpoint must not
 * have to reassemble, and the ID has no meaning then (RFC 6864). clang sums up the constant words
 * of the checksum.
 */
static __always_inline void *write_ipv4(struct ipv4_header *ip, __u8 tos, __u32 length, __u8 ttl,
	__u8 protocol, __be32 saddr, __be32 daddr)
{
	__u32 sum = bpf_htons(0x4500 | tos) + bpf_htons(IPV4_DF) + bpf_htons(ttl << 8 | protocol);

	ip->version_ihl = 0x45;
	ip->tos = tos;
	ip->total_length = length_field(length);
	ip->id = 0;
	ip->fragment = bpf_htons(IPV4_DF);
	ip->ttl = ttl;
	ip->protocol = protocol;
	ip->saddr = saddr;
	ip->daddr = daddr;
	sum += ip->total_length;
	sum = checksum_add_be32(sum, saddr);
	sum = checksum_add_be32(sum, daddr);
	ip->checksum = checksum_fold(sum);
	return ip + 1;
}

/* Write an IPv6 header of a packet of `length` bytes, and return its end. */
static __always_inline void *write_ipv6(struct ipv6_header *ip, __u8 tos, __u32 flow_label,
	__u32 length, __u8 hop_limit, __u8 next_header, struct ipv6_address saddr,
	struct ipv6_address daddr)
{
	ip->version_class_label = bpf_htonl(6U << 28 | (__u32)tos << 20 | flow_label);
	ip->payload_length = length_field(length - sizeof(*ip));
	ip->next_header = next_header;
	ip->hop_limit = hop_limit;
	ip->saddr = saddr;
	ip->daddr = daddr;
	return ip + 1;
}

/* Count a packet of `segments` for the rule that chose it. */
static __always_inline void count_chosen(
	struct counters *counters, const struct packet *packet, __u32 segments)
{
	struct counter *counter = counter_at(counters, packet->chosen);

	if (!counter)
		return;
	counter->packets += segments;
	counter->bytes += packet->length;
}

/*
 * Let routers fragment a packet: no DF, and an ID of its own (RFC 6864, section 4.3). The kernel
 * counts on from it in the segments of a GSO packet.
 */
static __always_inline void allow_fragments(const struct __sk_buff *skb)
{
	struct ipv4_header *ip = packet_data(skb) + ETH_HLEN;

	if ((void *)(ip + 1) > packet_end(skb))
		return;
	ip->id = bpf_get_prandom_u32();
	ip->fragment = 0;
	/* RFC 1624, equation 3: what changed are DF, and an ID that was 0 */
	ip->checksum = checksum_fold((__u16)~ip->checksum + (__u16)~bpf_htons(IPV4_DF) + ip->id);
}

/* Transmit an encapsulated packet. */
static __always_inline int transmit(struct __sk_buff *skb, const struct packet *packet)
{
	if (LEARNS_PATH_MTU && packet->fragmentable)
		allow_fragments(skb);
#if ROUTED
	if (ROUTED & ROUTED_AT_UPLINKS || on_route_device())
		return send_to_next_hop(skb);
#endif
	return TC_ACT_UNSPEC;
}

/* Return whether the loader had an address to write here. */
static __always_inline bool is_given(const volatile struct ipv6_address *address)
{
	return address->word[0] | address->word[1] | address->word[2] | address->word[3];
}
