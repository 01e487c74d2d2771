/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maximum segment size in TCP's SYN, by which both peers of a connection learn how much the
 * headers added to their segments take (RFC 9293, section 3.7.1).
 */
#pragma once

#include "encap_bpf.h"
#include "encap_syn.h"

/*
 * Return the length of a TCP option; 0: unknown. Without a branch, or the verifier would follow
 * both sides.
 */
static __always_inline __u32 tcp_option_length(const __u8 *option)
{
	__u64 other = option[0] ^ TCPOPT_NOP;
	__u32 nop;

	asm volatile("" : "+r"(other));
	nop = (other - 1) >> 63;
	return nop + (1 - nop) * option[1];
}

/* Return the offset of a SYN's option of `kind` with at least `length` bytes; 0: there is none. */
static __always_inline __u32 find_tcp_option(
	const struct __sk_buff *skb, __u32 transport, __u8 kind, __u32 length)
{
	__u32 at = transport + TCP_HLEN, step, end;
	__u8 option[TCPOLEN_HEAD];

	if (bpf_skb_load_bytes(skb, transport + TCP_DATA_OFFSET, option, 1))
		return 0;
	end = transport + (option[0] >> 4) * 4;
#pragma clang loop unroll(disable)
	for (int i = 0; i < TCP_HLEN_MAX - TCP_HLEN; i++) {
		if (at + TCPOLEN_HEAD > end ||
			bpf_skb_load_bytes(skb, at, option, sizeof(option)) ||
			*option == TCPOPT_EOL)
			return 0;
		if (*option == kind)
			return option[1] >= length && at + length <= end ? at : 0;
		step = tcp_option_length(option);
		if (!step)
			return 0;
		at += step;
	}
	return 0;
}

/*
 * Clamp the MSS in the SYN whose TCP header begins at `transport`, so that segments fit into `mtu`
 * with `overhead` bytes of headers. The MSS is lowered, never raised. Without the option a sender
 * stays below 536 or 1220 bytes.
 *
 * Return true if the segment is authenticated with its options (TCP-AO, RFC 5925, section 5.1): it
 * is left unchanged, because the peer would refuse it. The MD5 signature does not cover options
 * (RFC 2385, section 2.0).
 *
 * A global function, so that the verifier checks it once instead of per call site.
 */
__noinline int clamp_mss(
	struct __sk_buff *skb, __u32 transport, bool is_ipv4, __u32 overhead, __u32 mtu)
{
	__u32 headers = overhead + (is_ipv4 ? IPV4_HLEN : IPV6_HLEN) + TCP_HLEN;
	__be16 old, new;
	__u32 at;

	transport = packet_offset(transport);
	if (headers >= mtu)
		return false;
	at = find_tcp_option(skb, transport, TCPOPT_MSS, TCPOLEN_MSS);
	if (!at || bpf_skb_load_bytes(skb, at + TCPOLEN_HEAD, &old, sizeof(old)) ||
		bpf_ntohs(old) <= mtu - headers)
		return false;
	if (find_tcp_option(skb, transport, TCPOPT_AO, TCPOLEN_HEAD))
		return true;
	new = bpf_htons(mtu - headers);
	if (bpf_skb_store_bytes(skb, at + TCPOLEN_HEAD, &new, sizeof(new), 0))
		return false;
	/*
	 * At an odd place the two bytes belong to two words of the checksum, each to the other
	 * half.
	 */
	if ((at - transport) & 1) {
		old = __builtin_bswap16(old);
		new = __builtin_bswap16(new);
	}
	bpf_l4_csum_replace(skb, transport + TCP_CHECKSUM, old, new, sizeof(new));
	return false;
}
