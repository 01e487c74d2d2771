/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Explicit congestion notification through a tunnel: RFC 6040, section 4.2.
 */
#pragma once

#include "encap_bpf.h"

enum ecn {
	ECN_NOT_ECT = 0,
	ECN_ECT_1 = 1,
	ECN_ECT_0 = 2,
	ECN_CE = 3,
	ECN_MASK = 3,
	ECN_INVALID = 4, /* congestion on a packet that cannot say so: drop it */
};

/* The inner field after decapsulation (RFC 6040, figure 4). */
static __always_inline __u8 ecn_decapsulated(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? ECN_INVALID : ECN_CE;
	if (outer == ECN_ECT_1 && inner == ECN_ECT_0)
		return ECN_ECT_1;
	return inner;
}

/*
 * Write the ECN bits of an IPv4 header, and mend its checksum (RFC 1624, equation 3). `tos_word` is the header's
 * first 16 bits, version to TOS.
 */
static __always_inline void ecn_write_ipv4(__be16 *tos_word, __sum16 *checksum, __u8 ecn)
{
	__be16 was = *tos_word;
	__be16 is = (was & ~bpf_htons(ECN_MASK)) | bpf_htons(ecn);
	__u32 sum = (__u16)~*checksum + (__u16)~was + is;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*checksum = ~sum;
	*tos_word = is;
}

/* The same for the first 32 bits of an IPv6 header: version 4, traffic class 8 (its last two are ECN), label 20. */
static __always_inline void ecn_write_ipv6(__be32 *class_word, __u8 ecn)
{
	*class_word = (*class_word & ~bpf_htonl((__u32)ECN_MASK << 20)) | bpf_htonl((__u32)ecn << 20);
}
