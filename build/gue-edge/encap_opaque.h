/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The opaque part of a header: bytes that mean something to the peers alone. They are kept as they
 * came in, and sent back so.
 */
#pragma once

#include "encap_bpf.h"

/*
 * Keep `length` bytes of a packet, whole words and at most `most`, from `offset` of its data on.
 * Return false if the packet ends before.
 */
static __noinline __maybe_unused bool keep_opaque(
	const struct __sk_buff *skb, __u32 offset, __u32 length, __be32 *kept, __u32 most)
{
	const __be32 *from = packet_data(skb) + offset;

	for (__u32 i = 0; i < most / sizeof(*kept) && i < length / sizeof(*kept); i++) {
		if ((void *)(from + i + 1) > packet_end(skb))
			return false;
		kept[i] = from[i];
	}
	return true;
}

/* Write them behind the headers of a packet. Return false if it has no bytes for them. */
static __noinline __maybe_unused bool put_opaque(
	const struct __sk_buff *skb, __u32 offset, __u32 length, const __be32 *kept, __u32 most)
{
	__be32 *to = packet_data(skb) + offset;

	for (__u32 i = 0; i < most / sizeof(*kept) && i < length / sizeof(*kept); i++) {
		if ((void *)(to + i + 1) > packet_end(skb))
			return false;
		to[i] = kept[i];
	}
	return true;
}
