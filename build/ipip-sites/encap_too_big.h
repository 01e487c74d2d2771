/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answering a packet that does not fit: ICMPv4 "fragmentation needed" (RFC 1191) or ICMPv6 "packet
 * too big" (RFC 8201), made of the packet itself, and received on the device that it would have
 * left by. So the kernel delivers or forwards it to the sender like one that a router sent.
 *
 * Before the include:
 *   struct counters: egress, and counters_of_this_cpu()
 *   PACKET_NEEDS: see encap_packet.h; NEED_PROTOCOL and NEED_LENGTH are among them
 */
#pragma once

#include "encap_address.h"
#include "encap_checksum.h"
#include "encap_count_too_big.h"
#include "encap_counters.h"
#include "encap_icmp.h"
#include "encap_packet.h"
#include "encap_routed.h"

/* As much of the packet as an answer may have: RFC 1812, 4.3.2.3, and RFC 4443, 3.2. */
#define QUOTE_IPV4 (576 - IPV4_HLEN - ICMP_HLEN)
#define QUOTE_IPV6 (1280 - IPV6_HLEN - ICMP_HLEN)

/* Types: RFC 1122, section 3.2.2 */
#define ICMP_ERRORS (1U << 3 | 1U << 4 | 1U << 5 | 1U << 11 | 1U << 12)
#define ICMPV6_INFORMATIONAL 128 /* the first type that is no error: RFC 4443, 2.1 */
#define UDP_CHECKSUM 6 /* where a UDP header has its checksum */
#define ANSWER_TTL 64
#define ANSWER_TOS 0xc0 /* internetwork control, as the kernel's own: RFC 1812, 4.3.2.5 */

/*
 * Each sender is told 100 times a second at most, after a pause 100 times at once, whatever others
 * send: with one limit for all, who floods keeps the others from learning what fits.
 */
#define ANSWER_INTERVAL 10000000ULL /* ns */
#define ANSWER_BURST 1000000000ULL
#define ANSWERED_MAX 4096

struct answered_key {
	struct ip_address saddr;
	__u32 mark; /* tenants may have the same addresses */
};

/* When a sender may be told next, had it been told as often as it may: ns, CLOCK_MONOTONIC. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ANSWERED_MAX);
	__type(key, struct answered_key);
	__type(value, __u64);
} answered SEC(".maps");

/* Whether the limit lets the sender of a packet be told. */
static __always_inline bool may_answer_now(const struct packet *packet, __u32 mark)
{
	struct answered_key key = {.saddr = packet->saddr, .mark = mark};
	__u64 now = bpf_ktime_get_ns();
	__u64 *known = bpf_map_lookup_elem(&answered, &key);
	__u64 next = known && *known > now ? *known : now;

	if (next > now + ANSWER_BURST)
		return false;
	next += ANSWER_INTERVAL;
	if (known)
		WRITE_ONCE(*known, next);
	else
		bpf_map_update_elem(&answered, &key, &next, BPF_ANY);
	return true;
}

/* Whether an address is that of one host: no other is sent an error, or named as its source. */
static __always_inline bool is_one_host(const struct ip_address *address, bool is_ipv4)
{
	__u32 first = is_ipv4 ? address->word[3] & 0xff : address->word[0] & 0xff;

	if (is_ipv4)
		return first != 0 && first != 127 && first < 224;
	return first != 0xff &&
		(address->word[0] | address->word[1] | address->word[2] |
			(address->word[3] & bpf_htonl(~1U)));
}

/* Whether what a packet carries is itself an error, or cannot be told from one. */
static __always_inline bool may_be_error(const struct __sk_buff *skb, const struct packet *packet)
{
	const __u8 *type = packet_data(skb) + packet_offset(packet->transport);

	if (!packet->transport || packet->protocol == PROTOCOL_UNSEEN)
		return true;
	if (packet->protocol != IPPROTO_ICMP && packet->protocol != IPPROTO_ICMPV6)
		return false;
	if ((void *)(type + 1) > packet_end(skb))
		return true;
	return packet->protocol == IPPROTO_ICMP ? *type < 32 && ICMP_ERRORS >> *type & 1
						: *type < ICMPV6_INFORMATIONAL;
}

/*
 * Whether the sender may be told at all: RFC 1122, section 3.2.2, RFC 1812, section 4.3.2.7, and
 * RFC 4443, section 2.4. An IPv6 host takes no notice of an MTU below IPv6's smallest (RFC 8201).
 */
static __always_inline bool may_answer(
	const struct __sk_buff *skb, const struct packet *packet, __u32 mtu)
{
	const struct ipv4_header *ip = packet_data(skb) + ETH_HLEN;
	const struct mac_address *to = packet_data(skb);

	if ((void *)(ip + 1) > packet_end(skb) || is_group_mac(to))
		return false;
	if (packet->is_ipv4 ? !(ip->fragment & bpf_htons(IPV4_DF)) : mtu < IPV6_MIN_MTU)
		return false;
	return packet->length >= (packet->is_ipv4 ? QUOTE_IPV4 : QUOTE_IPV6) &&
		is_one_host(&packet->saddr, packet->is_ipv4) &&
		is_one_host(&packet->daddr, packet->is_ipv4) && !may_be_error(skb, packet);
}

/* What stands before the transport header in a quote: whole words. */
#define QUOTED_HEADERS_MAX 0x1fc
#define SUM_MAX 512 /* bytes that bpf_csum_diff takes at once */

/* The sum of `size` bytes of the packet, a constant and whole words. */
static __always_inline __u32 sum_of(const void *data, __u32 size)
{
	__u64 sum = 0;

	for (__u32 at = 0; at < size; at += SUM_MAX)
		sum += sum_folded(bpf_csum_diff(
			NULL, 0, (void *)data + at, size - at < SUM_MAX ? size - at : SUM_MAX, 0));
	return sum_folded(sum);
}

/*
 * The sum of a quote, once its transport checksum cannot make the answer's wrong. Where the
 * packet's was still to be filled in (CHECKSUM_PARTIAL), the kernel may do so on the way to the
 * sender, within the quote: it then stores ~(R + f), f being what stands there and R the sum of all
 * else behind the network headers. With f = -R / 2 that is f again. No program is shown whether it
 * will happen.
 */
static __always_inline __u32 settled_sum(
	const struct __sk_buff *skb, const struct packet *packet, void *quote, __u32 size)
{
	__u32 headers = packet_offset(packet->transport) - ETH_HLEN;
	__u32 sum = sum_of(quote, size);
	__u32 rest, settled;
	__be16 *checksum;

	if (headers > QUOTED_HEADERS_MAX)
		return sum;
	headers &= QUOTED_HEADERS_MAX; /* for the verifier: whole words */
	checksum =
		quote + headers + (packet->protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return sum;
	if ((void *)(checksum + 1) > packet_end(skb) || !*checksum)
		return sum;
	sum = sum_folded((__u64)sum + (__u16) ~*checksum);
	rest = sum_folded(bpf_csum_diff(NULL, 0, quote, headers, 0));
	rest = sum_folded(sum + (~rest & 0xffff));
	settled = (rest & 1 ? rest + 0xffff : rest) >> 1;
	settled = ~settled & 0xffff;
	*checksum = settled ? settled : 0xffff; /* of UDP, 0 is none */
	return sum_folded(sum + *checksum);
}

/* Say in `error` what fits, over the sum of the rest. */
static __always_inline void write_icmp_error(
	struct icmp_error *error, __u8 type, __u8 code, __u32 mtu, __u64 sum)
{
	error->type = type;
	error->code = code;
	error->mtu = bpf_htonl(mtu);
	sum += bpf_htons(type << 8 | code) + (__u64)error->mtu;
	error->checksum = ~sum_folded(sum);
}

/* Cut a packet to `quote` bytes, with headroom for `headers`: false if the kernel does not. */
static __always_inline bool quote_packet(struct __sk_buff *skb, __u32 headers, __u32 quote)
{
	if (bpf_skb_change_tail(skb, ETH_HLEN + quote, 0) ||
		bpf_skb_adjust_room(skb, headers, BPF_ADJ_ROOM_MAC, 0))
		return false;
	linearize(skb, ETH_HLEN + headers + quote);
	return true;
}

static __always_inline bool write_answer_ipv4(
	struct __sk_buff *skb, const struct packet *packet, __u32 mtu)
{
	struct icmp_error *error;
	struct ipv4_header *ip;

	if (!quote_packet(skb, IPV4_HLEN + ICMP_HLEN, QUOTE_IPV4))
		return false;
	ip = packet_data(skb) + ETH_HLEN;
	error = (void *)(ip + 1);
	if ((void *)(error + 1) + QUOTE_IPV4 > packet_end(skb))
		return false;
	write_icmp_error(error, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu,
		settled_sum(skb, packet, error + 1, QUOTE_IPV4));
	*ip = (struct ipv4_header){
		.version_ihl = 0x45,
		.tos = ANSWER_TOS,
		.total_length = bpf_htons(IPV4_HLEN + ICMP_HLEN + QUOTE_IPV4),
		.ttl = ANSWER_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = packet->daddr.word[3],
		.daddr = packet->saddr.word[3],
	};
	ip->checksum = ~sum_of(ip, sizeof(*ip));
	return true;
}

static __always_inline bool write_answer_ipv6(
	struct __sk_buff *skb, const struct packet *packet, __u32 mtu)
{
	const __u32 length = ICMP_HLEN + QUOTE_IPV6;
	struct icmp_error *error;
	struct ipv6_header *ip;
	__u64 sum;

	if (!quote_packet(skb, IPV6_HLEN + ICMP_HLEN, QUOTE_IPV6))
		return false;
	ip = packet_data(skb) + ETH_HLEN;
	error = (void *)(ip + 1);
	if ((void *)(error + 1) + QUOTE_IPV6 > packet_end(skb))
		return false;
	*ip = (struct ipv6_header){
		.version_class_label = bpf_htonl(6U << 28 | ANSWER_TOS << 20),
		.payload_length = bpf_htons(length),
		.next_header = IPPROTO_ICMPV6,
		.hop_limit = ANSWER_TTL,
		.saddr = to_ipv6(&packet->daddr),
		.daddr = to_ipv6(&packet->saddr),
	};
	/* The pseudo-header: RFC 8200, section 8.1. */
	sum = sum_of(&ip->saddr, 2 * sizeof(ip->saddr)) + bpf_htons(length) +
		bpf_htons(IPPROTO_ICMPV6);
	sum += settled_sum(skb, packet, error + 1, QUOTE_IPV6);
	write_icmp_error(error, ICMPV6_PKT_TOOBIG, 0, mtu, sum);
	return true;
}

/*
 * Count the current packet as too big, and tell its sender that packets of `mtu` bytes fit. Returns
 * the verdict: where no answer may be sent the packet is dropped. The answer's source is the
 * packet's destination: an address of this host would be refused as one that cannot arrive, and
 * where sources are validated (rp_filter) that one is right for the device. A global function, so
 * that the verifier checks it once.
 */
__noinline int answer_too_big(struct __sk_buff *skb, __u32 mtu)
{
	struct counters *counters = counters_of_this_cpu();
	struct packet *packet = current_packet();
	struct mac_address sender, *frame;

	if (!counters || !packet)
		return TC_ACT_SHOT;
	count_too_big(skb, packet, counters);
	if (!may_answer(skb, packet, mtu))
		return TC_ACT_SHOT;
	if (!may_answer_now(packet, skb->mark)) {
		count(&counters->egress.answers_limited, skb);
		return TC_ACT_SHOT;
	}
	if (!(packet->is_ipv4 ? write_answer_ipv4(skb, packet, mtu)
			      : write_answer_ipv6(skb, packet, mtu)))
		return TC_ACT_SHOT;
	frame = packet_data(skb);
	if ((void *)(frame + 2) > packet_end(skb))
		return TC_ACT_SHOT;
	sender = frame[1];
	frame[1] = frame[0];
	frame[0] = sender;
	skb->mark = mark_of_redirected();
	count(&counters->egress.answered, skb);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}
