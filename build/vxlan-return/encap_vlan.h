/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VLAN tags of inner frames: IEEE 802.1Q, 9.6. A tag of VLAN 0 names no VLAN and carries only a
 * priority. Linux accepts such a frame as if it were untagged, and so does a program that
 * decapsulates.
 *
 * Its functions return what those of encap_decapsulate.h do, and require the same before the
 * include.
 */
#pragma once

#include "encap_bpf.h"
#include "encap_counters.h"
#include "encap_decapsulate.h"

#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define VLAN_VID_MASK 0x0fff

struct vlan_tag {
	__be16 control; /* priority 3, drop eligible 1, VLAN 12 */
	__be16 type; /* of what follows the tag */
};

/*
 * Skip the tag `overhead` bytes behind the Ethernet header, if `type`, the frame's EtherType, is
 * that of one. If it names no VLAN, `type` becomes that of what follows, and the tag is pulled with
 * the headers (IEEE 802.1Q, 6.9.1).
 */
static __always_inline __u32 skip_priority_tag(
	const struct __sk_buff *skb, __be16 *type, __u32 *overhead, __u32 refused)
{
	const struct vlan_tag *tag = packet_data(skb) + ETH_HLEN + *overhead;

	if (*type != bpf_htons(ETH_P_8021Q) && *type != bpf_htons(ETH_P_8021AD))
		return 0;
	if ((void *)(tag + 1) > packet_end(skb))
		return refused + offsetof(struct refusals, truncated);
	if (tag->control & bpf_htons(VLAN_VID_MASK))
		return refused + offsetof(struct refusals, vlan);
	*type = tag->type;
	*overhead += sizeof(*tag);
	return 0;
}

/* validate_inner() of a frame whose header names the packet by its EtherType, `type`. */
static __always_inline __u32 validate_inner_frame(struct __sk_buff *skb, const struct outer *outer,
	__u32 lengths_differ, __be16 type, struct inner *inner, __u32 refused)
{
	__u32 wrong = skip_priority_tag(skb, &type, &inner->overhead, refused);

	if (wrong)
		return wrong;
	return validate_inner(
		skb, outer, lengths_differ, bpf_ntohs(type), ETH_P_IP, ETH_P_IPV6, inner, refused);
}
