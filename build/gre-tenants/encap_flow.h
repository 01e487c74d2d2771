/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow entropy in outer headers, so that routers can spread flows over paths (RFC 7348, section 5;
 * RFC 6438).
 */
#pragma once

#include "encap_bpf.h"

#define FLOW_PORT_FIRST 49152 /* the dynamic ports: RFC 6335, section 6 */
#define FLOW_PORT_COUNT 16384

/* 2^32 divided by the golden ratio: mixes a factor into the upper bits (Knuth). */
#define FLOW_HASH_PRIME 0x9e3779b1

/* Multiplication carries differences into upper bits, the shift back into lower ones. */
static __always_inline __u32 flow_hash_add(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * FLOW_HASH_PRIME;
	return hash ^ hash >> 15;
}

/* Return the UDP source port of a flow: its hash, scaled to the dynamic ports. */
static __always_inline __be16 flow_port(__u32 hash)
{
	return bpf_htons(FLOW_PORT_FIRST + ((__u64)hash * FLOW_PORT_COUNT >> 32));
}
