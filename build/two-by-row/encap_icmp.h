/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ICMP errors of Path MTU Discovery: ICMPv4 "fragmentation needed" (RFC 1191) and ICMPv6
 * "packet too big" (RFC 8201).
 */
#pragma once

#include "encap_bpf.h"

#define ICMP_HLEN 8
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_PKT_TOOBIG 2
#define IPV4_MIN_PMTU 552 /* below this Linux no longer sets DF: net.ipv4.route.min_pmtu */
#define IPV6_MIN_MTU 1280

struct icmp_error {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 mtu; /* of ICMPv4 the lower half is */
};
