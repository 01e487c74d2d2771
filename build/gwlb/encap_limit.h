/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tunnel encapsulation limit: RFC 2473, section 4.1.1. ip6tnl and ip6gre devices of Linux
 * write it behind the outer IPv6 header unless they are created with `encaplimit none`. It
 * addresses nodes that would encapsulate the packet again; the tunnel endpoint can ignore it.
 */
#pragma once

#include "encap_bpf.h"

#define IPV6_OPTION_PADN 1 /* RFC 8200, section 4.2 */
#define IPV6_OPTION_ENCAPSULATION_LIMIT 4

/* A destination options header that holds this option alone, padded to 8 bytes. */
struct encapsulation_limit {
	__u8 next_header;
	__u8 length; /* in 8 bytes, the first 8 not counted: 0 */
	__u8 option;
	__u8 data_length; /* 1 */
	__u8 limit; /* any value: how many further encapsulations are allowed */
	__u8 padding;
	__u8 padding_length; /* 1 */
	__u8 zero;
};

static __always_inline bool is_encapsulation_limit(const struct encapsulation_limit *header)
{
	return header->length == 0 && header->option == IPV6_OPTION_ENCAPSULATION_LIMIT &&
		header->data_length == 1 && header->padding == IPV6_OPTION_PADN &&
		header->padding_length == 1 && header->zero == 0;
}
