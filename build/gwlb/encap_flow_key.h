/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What tells one flow from others: its scope and its inner 5-tuple.
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_flow.h"

/* Set in `protocol`: the ports are those of no packet, but an IP fragment's identification. */
#define FLOW_FRAGMENT 0x100
#define FLOW_FRAGMENT_IDLE 60000000000ULL /* ns: longer than any host waits for fragments (RFC 8200, section 4.5) */

/* As the packets of one direction show it. */
struct flow_key {
	__u32 mark; /* tenants with the same addresses are told apart by it */
	struct ip_address source;
	struct ip_address destination;
	__be16 source_port; /* or an ICMP echo's identifier, in both */
	__be16 destination_port;
	__u32 protocol;
};

#define FLOW_KEY_WORDS (sizeof(struct flow_key) / sizeof(__u32))

/* ICMP and ICMPv6 begin alike: RFC 792, RFC 4443. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 id; /* of an echo */
	__be16 sequence;
};

/* How far a segment may be from what is expected next, either way, to be taken for one of a connection. */
#define TCP_WINDOW (1U << 21)

#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMPV6_ERROR_LAST 127
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

static __always_inline bool is_icmp_echo(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMP)
		return type == ICMP_ECHO || type == ICMP_ECHOREPLY;
	return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
}

/* Errors that quote the packet they are about. */
static __always_inline bool is_icmp_error(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMP)
		return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
	return type && type <= ICMPV6_ERROR_LAST;
}

/* Compare all of `count` words; the compiler shall not leave early, for the verifier would follow each way out. */
static __always_inline bool same_words(const void *one, const void *other, __u32 count)
{
	const __u32 *a = one, *b = other;
	__u32 difference = 0;

	for (__u32 i = 0; i < count; i++) {
		difference |= a[i] ^ b[i];
		asm volatile("" : "+r"(difference));
	}
	return !difference;
}

/* `seed` is secret: who chooses addresses and ports must not be able to choose which flows share a bucket. */
static __always_inline __u32 flow_key_hash(const struct flow_key *key, __u32 seed)
{
	const __u32 *word = (const void *)key;

	for (__u32 i = 0; i < FLOW_KEY_WORDS; i++)
		seed = flow_hash_add(seed, word[i]);
	return seed;
}

/* Turn a key into that of the packets that answer. */
static __always_inline void flow_turn(struct flow_key *key)
{
	struct ip_address address = key->source;
	__be16 port = key->source_port;

	key->source = key->destination;
	key->destination = address;
	key->source_port = key->destination_port;
	key->destination_port = port;
}
