/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the match of a rule compares. A prefix is an address and the number of its significant bits,
 * a range its first and its last number: both are several arguments, and one constant in the C of a
 * spec. All of them are known when compiling, so that a comparison is one of the words it needs.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"

/* Addresses as they are written, in words of 32 bits, host order. */
#define IPV4(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define IPV6(a, b, c, d, e, f, g, h)                                                               \
	IPV6_WORD(a, b), IPV6_WORD(c, d), IPV6_WORD(e, f), IPV6_WORD(g, h)
#define IPV6_WORD(high, low) ((__u32)(high) << 16 | (low))

/* Whether a word begins with the first `bits` of `prefix`. */
static __always_inline bool begins_with(__be32 word, __u32 prefix, int bits)
{
	__u32 mask = bits >= 32 ? ~0U : ~(~0U >> bits);

	return bits <= 0 || (word & bpf_htonl(mask)) == bpf_htonl(prefix);
}

static __always_inline bool in_ipv4(const struct ip_address *address, __u32 prefix, int bits)
{
	return begins_with(address->word[3], prefix, bits);
}

static __always_inline bool in_ipv6(const struct ip_address *address, __u32 first, __u32 second,
	__u32 third, __u32 last, int bits)
{
	return begins_with(address->word[0], first, bits) &&
		begins_with(address->word[1], second, bits - 32) &&
		begins_with(address->word[2], third, bits - 64) &&
		begins_with(address->word[3], last, bits - 96);
}

static __always_inline bool in_range(__u32 number, __u32 first, __u32 last)
{
	return number >= first && number <= last;
}
