/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decapsulation: validate the headers from the outside in, then pull them. The C of the spec
 * contains the headers between the outer IP header and the inner packet, and which packets a rule
 * accepts.
 *
 * A validate_ function returns the offset in struct counters of the counter of the mistake it
 * found, or 0. `refused` is the offset there of the encapsulation's struct refusals, which is
 * never 0.
 *
 * Requires before the include:
 *   struct counters, counters_of_this_cpu(), counter_at()
 *   OLDEST_KERNEL: see encap_bpf.h; since 6.3 flags of bpf_skb_adjust_room give the family of the
 *     inner packet
 *   REFUSED: the verdict on a malformed or unauthorized tunnel packet: TC_ACT_SHOT drops it,
 *     TC_ACT_UNSPEC leaves it unchanged
 */
#pragma once

#include "encap_bpf.h"
#include "encap_checksum.h"
#include "encap_counters.h"
#include "encap_ecn.h"
#include "encap_outer.h"
#include "encap_wire.h"

/* The offset of an encapsulation's struct refusals: `refused` of the functions below. */
#define REFUSALS(member)                                                                           \
	({                                                                                         \
		_Static_assert(COUNTER(member) != 0, "0 means that nothing is wrong");             \
		COUNTER(member);                                                                   \
	})

/* The inner packet. */
struct inner {
	struct ipv4_header *ipv4; /* the same address as `ipv6` */
	struct ipv6_header *ipv6;
	bool in_udp; /* it is in a UDP datagram, below whatever headers */
	__u32 overhead; /* bytes of all headers before it, without Ethernet's */
	__u32 length; /* as in its header */
	bool is_ipv4;
};

/* For validate_inner(): no header names the inner packet, its own version decides. */
#define ITS_OWN_VERSION 0x10000 /* no number that a header can hold */
#define NAMED_BY_ITSELF ITS_OWN_VERSION, 4, 6
/* The outer IP header names it, by its protocol. */
#define OUTER_PROTOCOL 0x20000
#define NAMED_BY_OUTER OUTER_PROTOCOL, IPPROTO_IPIP, IPPROTO_IPV6

/*
 * Drop a malformed or unauthorized tunnel packet, or leave it unchanged, and count the reason. A
 * global function, so that the verifier checks it once instead of for every reason.
 */
__noinline int refuse(struct __sk_buff *skb, __u32 reason)
{
	struct counters *counters = counters_of_this_cpu();
	struct counter *counter = counters ? counter_at(counters, reason) : NULL;

	if (!counter)
		return TC_ACT_SHOT;
	count(counter, skb);
	return REFUSED;
}

/* Validate the outer IP header, except its lengths and its checksum. */
static __always_inline __u32 validate_outer(const struct outer *outer, __u32 refused)
{
	if (!outer->is_ipv4)
		return outer->version_ihl >> 4 == 6 ? 0
						    : refused + offsetof(struct refusals, version);
	if (outer->version_ihl != 0x45)
		return refused + offsetof(struct refusals, options);
	if (outer->frag_off & bpf_htons(IPV4_FRAGMENT))
		return refused + offsetof(struct refusals, fragment);
	return 0;
}

/*
 * Return the headers behind the outer IP header: `length` bytes, and `more` that may follow.
 * `wrong` is 0 if the packet has these bytes and its outer header is valid.
 */
static __always_inline void *outer_headers(struct __sk_buff *skb, const struct outer *outer,
	__u32 length, __u32 more, __u32 refused, __u32 *wrong)
{
	void *headers;

	linearize(skb, ETH_HLEN + outer->length + length + more + INNER_HEADERS_MAX);
	/* The packet may have moved: to the verifier, an earlier pointer is a number. */
	barrier();
	headers = packet_data(skb) + ETH_HLEN + outer->length;
	if (headers + length > packet_end(skb))
		*wrong = refused + offsetof(struct refusals, truncated);
	else
		*wrong = validate_outer(outer, refused);
	return headers;
}

/*
 * Validate the lengths, and the inner packet behind `inner->overhead` bytes of headers. The last of
 * these names it by `number`, which is `of_ipv4` or `of_ipv6`. `lengths_differ` is not zero if a
 * header in between has another length than the outer one. No argument is a condition: it would be
 * evaluated before the call, and the verifier would walk the function once for each outcome.
 */
static __always_inline __u32 validate_inner(struct __sk_buff *skb, const struct outer *outer,
	__u32 lengths_differ, __u32 number, __u32 of_ipv4, __u32 of_ipv6, struct inner *inner,
	__u32 refused)
{
	const struct ipv4_header *ip = packet_data(skb) + ETH_HLEN;

	inner->ipv4 = packet_data(skb) + ETH_HLEN + packet_offset(inner->overhead);
	inner->ipv6 = (void *)inner->ipv4;
	if ((void *)(inner->ipv4 + 1) > packet_end(skb))
		return refused + offsetof(struct refusals, truncated);
	if (outer->is_ipv4 &&
		((void *)(ip + 1) > packet_end(skb) || !checksum_is_right(ip, sizeof(*ip))))
		return refused + offsetof(struct refusals, header_checksum);
	/* The frame may be longer than the packet, padded to Ethernet's minimum. */
	if (outer->datagram > skb->len - ETH_HLEN ||
		outer->datagram < inner->overhead + sizeof(*inner->ipv4) || lengths_differ)
		return refused + offsetof(struct refusals, length);
	if (number == ITS_OWN_VERSION)
		number = inner->ipv4->version_ihl >> 4;
	if (number == OUTER_PROTOCOL)
		number = outer->protocol;
	if (number == of_ipv4) {
		if (inner->ipv4->version_ihl >> 4 != 4)
			return refused + offsetof(struct refusals, payload);
		inner->is_ipv4 = true;
		inner->length = bpf_ntohs(inner->ipv4->total_length);
	} else if (number == of_ipv6) {
		if ((void *)(inner->ipv6 + 1) > packet_end(skb))
			return refused + offsetof(struct refusals, truncated);
		if (inner->ipv4->version_ihl >> 4 != 6)
			return refused + offsetof(struct refusals, payload);
		inner->is_ipv4 = false;
		inner->length = bpf_ntohs(inner->ipv6->payload_length) + sizeof(*inner->ipv6);
	} else {
		return refused + offsetof(struct refusals, payload);
	}
	/*
	 * A GSO packet of several tunnel datagrams has one outer header here, and the other outer
	 * headers within its payload. Only one with a single inner packet can be decapsulated.
	 */
	if (skb->gso_size && inner->length != skb->len - ETH_HLEN - inner->overhead)
		return refused + offsetof(struct refusals, gso);
	/*
	 * Inner datagrams with UDP_SEGMENT: the kernel mistakes the outer UDP header's GSO bit for
	 * theirs, and loses them.
	 */
	if (skb->gso_size && inner->in_udp &&
		(inner->is_ipv4 ? inner->ipv4->protocol : inner->ipv6->next_header) == IPPROTO_UDP)
		return refused + offsetof(struct refusals, gso);
	if (inner->length > outer->datagram - inner->overhead)
		return refused + offsetof(struct refusals, length);
	return 0;
}

/* Write congestion marked in the tunnel (RFC 6040) into the inner header, before it is moved. */
static __always_inline __u32 carry_ecn(
	struct __sk_buff *skb, const struct outer *outer, const struct inner *inner, __u32 refused)
{
	__u8 was = inner->is_ipv4 ? inner->ipv4->tos & INET_ECN_MASK
				  : ecn_of_ipv6(inner->ipv6->version_class_label);
	__u8 ecn = ecn_decapsulated(outer->tos & INET_ECN_MASK, was);

	if (ecn == ECN_INVALID)
		return refused + offsetof(struct refusals, ecn);
	if (ecn == was)
		return 0;
	if (inner->is_ipv4)
		ecn_write_ipv4((__be16 *)inner->ipv4, &inner->ipv4->checksum, ecn);
	else if (ecn_write_ipv6(
			 skb, ETH_HLEN + inner->overhead, inner->ipv6->version_class_label, ecn))
		return refused + offsetof(struct refusals, pull_failed);
	return 0;
}

/*
 * Pull the headers before a valid inner packet, and count it as `decapsulated`. Pointers into the
 * packet are invalid afterwards.
 */
static __always_inline __u32 pull_headers(struct __sk_buff *skb, const struct outer *outer,
	const struct inner *inner, struct counter *decapsulated, __u32 refused)
{
	__u32 wrong = carry_ecn(skb, outer, inner, refused);
	bool changes_family = inner->is_ipv4 != outer->is_ipv4;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	__u32 segments = segments_of(skb);
	__s32 length = inner->overhead;

	if (wrong)
		return wrong;
	if (changes_family && OLDEST_KERNEL >= KERNEL(6, 3)) {
		flags |= inner->is_ipv4 ? BPF_F_ADJ_ROOM_DECAP_L3_IPV4
					: BPF_F_ADJ_ROOM_DECAP_L3_IPV6;
	} else if (changes_family && !skb->gso_size) {
		/*
		 * The helper that translates headers changes skb->protocol. It also adds or removes
		 * the bytes by which an IPv6 header is longer.
		 */
		if (bpf_skb_change_proto(
			    skb, inner->is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6), 0))
			return refused + offsetof(struct refusals, pull_failed);
		length += inner->is_ipv4 ? IPV4_HLEN - IPV6_HLEN : IPV6_HLEN - IPV4_HLEN;
	}
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, flags))
		return refused + offsetof(struct refusals, pull_failed);
	decapsulated->packets += segments;
	decapsulated->bytes += inner->length;
	return 0;
}

/* The EtherType of the inner packet, in network byte order. */
static __always_inline __be16 inner_ether_type(const struct inner *inner)
{
	return inner->is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/* Pass a decapsulated packet on to the network stack: the frame has the inner family's type. */
static __always_inline int deliver(
	struct __sk_buff *skb, const struct outer *outer, const struct inner *inner)
{
	__be16 *type = packet_data(skb) + ETH_HLEN - sizeof(*type);

	if (inner->is_ipv4 == outer->is_ipv4)
		return TC_ACT_UNSPEC;
	if ((void *)(type + 1) > packet_end(skb))
		return TC_ACT_SHOT;
	*type = inner_ether_type(inner);
	if (OLDEST_KERNEL >= KERNEL(6, 3) || !skb->gso_size)
		return TC_ACT_UNSPEC;
	/*
	 * Before 6.3 no helper changes skb->protocol of every incoming GSO packet. Redirecting the
	 * frame to ingress does: the kernel reads its type again. It passes this hook again, as a
	 * plain packet.
	 */
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}
