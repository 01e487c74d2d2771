/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The outer sources of this host, on every device. An instance knows only the address of its own
 * device, and packets that another device's instance encapsulated have another source.
 *
 * What this host has encapsulated already, on another device or before a redirect, must not be
 * encapsulated again: carries_own_stack() in the C of the spec recognises it. Its outer protocol
 * and port, its source, and its destination must all be ours, unless replies may go anywhere: the
 * protocol alone, or a source that programs can bind to, would let any of them leave
 * unencapsulated.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"

#define OWN_ADDRESSES_MAX 1024 /* of all devices, before and after a change */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, OWN_ADDRESSES_MAX);
	__type(key, struct ip_address);
	__type(value, __u32);
} own_addresses SEC(".maps");

static __always_inline bool is_own_address(struct ip_address address)
{
	return has_address(&own_addresses, address);
}
