/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses as the wire and the maps have them: network byte order, aligned for the widest load that is always right.
 */
#pragma once

#include "encap_bpf.h"

struct mac_address {
	__be16 half[3];
};

struct ipv6_address {
	__be32 word[4];
};

/* An IPv6 address, or an IPv4 one mapped into IPv6 (::ffff:a.b.c.d; RFC 4291, section 2.5.5.2). */
struct ip_address {
	__be32 word[4];
};

static __always_inline struct ip_address mapped_ipv4(__be32 address)
{
	return (struct ip_address){{0, 0, bpf_htonl(0xffff), address}};
}

static __always_inline struct ip_address from_ipv6(const struct ipv6_address *address)
{
	return (struct ip_address){{address->word[0], address->word[1], address->word[2], address->word[3]}};
}

/* The IPv6 address in one that may be either. */
static __always_inline struct ipv6_address to_ipv6(const struct ip_address *address)
{
	return (struct ipv6_address){{address->word[0], address->word[1], address->word[2], address->word[3]}};
}

/* Host values are volatile: the compiler must not fold what the loader has yet to write. */
static __always_inline struct ipv6_address host_ipv6(const volatile struct ipv6_address *address)
{
	return (struct ipv6_address){{address->word[0], address->word[1], address->word[2], address->word[3]}};
}

static __always_inline struct mac_address host_mac(const volatile struct mac_address *address)
{
	return (struct mac_address){{address->half[0], address->half[1], address->half[2]}};
}

static __always_inline bool same_ipv6(const struct ipv6_address *one, const volatile struct ipv6_address *other)
{
	return one->word[0] == other->word[0] && one->word[1] == other->word[1] && one->word[2] == other->word[2] &&
		one->word[3] == other->word[3];
}

static __always_inline bool same_mac(const struct mac_address *one, const volatile struct mac_address *other)
{
	return one->half[0] == other->half[0] && one->half[1] == other->half[1] && one->half[2] == other->half[2];
}
