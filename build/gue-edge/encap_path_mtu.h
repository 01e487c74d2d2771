/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path MTU to each tunnel endpoint, learned from the ICMP errors that routers send about our
 * outer packets (RFC 1191, RFC 8201). The kernel learns nothing from them: it has no socket and no
 * tunnel device that sent such a packet. They are passed on to it all the same.
 *
 * An ICMP error is believed if it quotes a packet that this host sends: our own address, protocol,
 * ports and tunnel endpoint are right, and the packet is longer than the MTU that it names. Who
 * knows all this can lower the MTU, as he can with the kernel, but never below IPV4_MIN_PMTU or
 * IPV6_MIN_MTU, and for ten minutes.
 *
 * Requires before the include:
 *   struct counters: ingress, and counters_of_this_cpu()
 *   struct host: mtu
 *   PACKET_NEEDS: see encap_packet.h
 *   SOURCE_PORTS: the first and the last source port of what we encapsulate, if any of it in UDP
 */
#pragma once

#include "encap_address.h"
#include "encap_bpf.h"
#include "encap_checksum.h"
#include "encap_counters.h"
#include "encap_icmp.h"
#include "encap_match.h"
#include "encap_packet.h"
#include "encap_wire.h"

#define PATHS_MAX 16384 /* tunnel endpoints */
#define PATH_MTU_EXPIRES 600000000000ULL /* ns: RFC 1191, 6.3; net.ipv4.route.mtu_expires */

/* The longest ICMP error that is read; RFC 1812, 4.3.2.3, and RFC 4443, 2.4 allow less. */
#define CHUNK 64 /* bytes */
#define ICMP_CHUNKS 24

struct path_mtu {
	__u64 expires; /* ns, CLOCK_MONOTONIC */
	__u32 mtu;
	__u32 pad;
};

/* By tunnel endpoint. What is evicted is learned again from the next ICMP error. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PATHS_MAX);
	__type(key, struct ip_address);
	__type(value, struct path_mtu);
} path_mtus SEC(".maps");

/* When the last of them expires; 0: nothing was learned, and nothing is looked up. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} paths_expire SEC(".maps");

/* Return whether a packet is one that this host sends encapsulated. */
static bool carries_own_stack(const struct packet *packet);

/* Return what was learned of the path to an endpoint and has not expired, or NULL. */
static __always_inline struct path_mtu *known_path(const struct ip_address *endpoint, __u64 now)
{
	struct path_mtu *known = bpf_map_lookup_elem(&path_mtus, endpoint);

	return known && known->expires > now ? known : NULL;
}

/*
 * Write into the current packet what fits on the path to its endpoint, if that is known to be less
 * than on the device. A global function, so that the verifier checks it once.
 */
__noinline int find_path_mtu(void)
{
	struct packet *packet = current_packet();
	const struct path_mtu *known;

	if (!packet)
		return 0;
	known = known_path(&packet->endpoint, bpf_ktime_get_ns());
	if (known && known->mtu < packet->mtu)
		packet->mtu = known->mtu;
	return 0;
}

/* Return what fits on the path to a tunnel endpoint: bytes of the outer packet. */
static __always_inline __u32 path_mtu(struct packet *packet, struct ip_address endpoint)
{
	__u32 only = 0;
	const __u64 *expire = bpf_map_lookup_elem(&paths_expire, &only);

	packet->mtu = host.mtu;
	if (expire && *expire) {
		packet->endpoint = endpoint;
		find_path_mtu();
	}
	barrier(); /* read from the map, it is one unknown number to the verifier */
	return packet->mtu;
}

/* Return whether `length` bytes at `offset` add up with `sum`, that of a pseudo-header. */
static __always_inline bool icmp_checksum_is_right(
	const struct __sk_buff *skb, __u32 offset, __u32 length, __u64 sum)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < ICMP_CHUNKS && length; i++) {
		__be32 chunk[CHUNK / sizeof(__be32)] = {};
		__u32 size = length < CHUNK ? length : CHUNK;

		forget_value(size);
		size = ((size - 1) & (CHUNK - 1)) + 1; /* not 0, as the verifier sees */
		if (bpf_skb_load_bytes(skb, offset, chunk, size))
			return false;
		sum = sum_folded(sum + bpf_csum_diff(NULL, 0, chunk, sizeof(chunk), 0));
		offset += size;
		length -= size;
	}
	return !length && sum_folded(sum) == 0xffff;
}

/*
 * An ICMP error. What it quotes is read into the current packet, and the MTU that it names: read
 * from the map, these are unknown numbers to the verifier, whatever way led to them.
 */
struct too_big_error {
	__u32 least; /* what can be believed at least */
	__u32 offset;
	__u32 length;
	__u64 sum; /* of its pseudo-header */
};

/* Read the ports of a quoted packet, and see that 8 bytes are quoted, as in any error: RFC 792. */
static __always_inline bool read_quoted_ports(
	const struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	__be16 ports[4];

	if (bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
		return false;
	packet->source_port = ports[0];
	packet->destination_port = ports[1];
	return true;
}

/* Return the bytes that a length field says; 0: more than it can, see length_field(). */
static __always_inline __u32 quoted_length(__be16 field, __u32 added)
{
	return field ? bpf_ntohs(field) + added : 0x10000;
}

/*
 * Return what a router may take that names no MTU, for a packet of `length` bytes: the next smaller
 * of the MTUs in use, RFC 1191, section 7.
 */
static __always_inline __u32 plateau_below(__u32 length)
{
	return length > 8166    ? 8166
		: length > 4352 ? 4352
		: length > 2002 ? 2002
		: length > 1492 ? 1492
		: length > 1006 ? 1006
				: IPV4_MIN_PMTU;
}

/* Return whether an IP header's protocol is `number`, or cannot be seen without a helper. */
static __always_inline bool may_carry(const struct __sk_buff *skb, __u32 at, __u8 number)
{
	const __u8 *protocol = packet_data(skb) + ETH_HLEN + at;

	return (void *)(protocol + 1) > packet_end(skb) || *protocol == number;
}

/* Read an ICMPv4 error. It is not ours if it quotes IPv4 options, or another's packet. */
static __always_inline bool read_error_ipv4(
	const struct __sk_buff *skb, struct packet *packet, struct too_big_error *found)
{
	struct icmp_error error;
	struct ipv4_header ip;
	__u32 quoted, mtu;
	__be32 daddr;

	if (!may_carry(skb, IPV4_PROTOCOL, IPPROTO_ICMP) ||
		bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.protocol != IPPROTO_ICMP ||
		ip.fragment & bpf_htons(IPV4_FRAGMENT))
		return false;
	found->offset = ETH_HLEN + (ip.version_ihl & 0x0f) * 4;
	found->length = bpf_ntohs(ip.total_length) + ETH_HLEN - found->offset;
	found->sum = 0;
	daddr = ip.daddr;
	if (bpf_skb_load_bytes(skb, found->offset, &error, sizeof(error)) ||
		error.type != ICMP_DEST_UNREACH || error.code != ICMP_FRAG_NEEDED ||
		bpf_skb_load_bytes(skb, found->offset + ICMP_HLEN, &ip, sizeof(ip)) ||
		ip.version_ihl != 0x45 || ip.saddr != daddr ||
		ip.fragment & bpf_htons(IPV4_FRAGMENT_OFFSET))
		return false;
	packet->is_ipv4 = true;
	packet->protocol = ip.protocol;
	packet->saddr = mapped_ipv4(ip.saddr);
	packet->daddr = mapped_ipv4(ip.daddr);
	quoted = quoted_length(ip.total_length, 0);
	mtu = bpf_ntohl(error.mtu) & 0xffff;
	if (!mtu)
		mtu = plateau_below(quoted);
	packet->length = quoted;
	packet->mtu = mtu < IPV4_MIN_PMTU ? IPV4_MIN_PMTU : mtu;
	found->least = IPV4_MIN_PMTU;
	return read_quoted_ports(skb, found->offset + ICMP_HLEN + IPV4_HLEN, packet);
}

/*
 * Read an ICMPv6 error. Our packets have no extension headers. An MTU below IPv6's smallest is not
 * believed: RFC 8201, section 4.
 */
static __always_inline bool read_error_ipv6(
	const struct __sk_buff *skb, struct packet *packet, struct too_big_error *found)
{
	struct icmp_error error;
	struct ipv6_header ip;

	if (!may_carry(skb, IPV6_NEXT_HEADER, IPPROTO_ICMPV6) ||
		bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
		ip.next_header != IPPROTO_ICMPV6)
		return false;
	found->offset = ETH_HLEN + IPV6_HLEN;
	found->length = bpf_ntohs(ip.payload_length);
	/* RFC 8200, section 8.1; the addresses stand one behind the other */
	found->sum =
		sum_folded(bpf_csum_diff(NULL, 0, (void *)&ip.saddr, 2 * sizeof(ip.saddr), 0)) +
		ip.payload_length + bpf_htons(IPPROTO_ICMPV6);
	packet->daddr = from_ipv6(&ip.daddr);
	if (bpf_skb_load_bytes(skb, found->offset, &error, sizeof(error)) ||
		error.type != ICMPV6_PKT_TOOBIG ||
		bpf_skb_load_bytes(skb, found->offset + ICMP_HLEN, &ip, sizeof(ip)) ||
		*(__u8 *)&ip >> 4 != 6)
		return false;
	packet->saddr = from_ipv6(&ip.saddr);
	if (!same_address(&packet->saddr, &packet->daddr))
		return false;
	packet->is_ipv4 = false;
	packet->protocol = ip.next_header;
	packet->daddr = from_ipv6(&ip.daddr);
	packet->length = quoted_length(ip.payload_length, IPV6_HLEN);
	packet->mtu = bpf_ntohl(error.mtu);
	found->least = IPV6_MIN_MTU;
	return read_quoted_ports(skb, found->offset + ICMP_HLEN + IPV6_HLEN, packet);
}

/* Return whether an error is about a packet of ours: one that this host sends encapsulated. */
static __always_inline bool is_about_ours(const struct packet *packet)
{
#ifdef SOURCE_PORTS
	if (packet->protocol == IPPROTO_UDP &&
		!in_range(bpf_ntohs(packet->source_port), SOURCE_PORTS))
		return false;
#endif
	return carries_own_stack(packet);
}

/* Record what fits on the path to an endpoint. Return false if less is known already. */
static __always_inline bool record_path(const struct ip_address *endpoint, __u32 mtu)
{
	__u64 now = bpf_ktime_get_ns();
	struct path_mtu path = {.expires = now + PATH_MTU_EXPIRES, .mtu = mtu};
	const struct path_mtu *known = known_path(endpoint, now);
	__u32 only = 0;
	__u64 *expire = bpf_map_lookup_elem(&paths_expire, &only);

	if (!expire || (known && known->mtu < mtu))
		return false;
	if (bpf_map_update_elem(&path_mtus, endpoint, &path, BPF_ANY))
		return false;
	WRITE_ONCE(*expire, path.expires);
	return true;
}

/*
 * If an incoming packet is an ICMP error about a packet of ours, learn from it. A global function,
 * so that the verifier checks it once.
 */
__noinline int learn_path_mtu(struct __sk_buff *skb)
{
	struct counters *counters = counters_of_this_cpu();
	struct packet *packet = current_packet();
	struct too_big_error found = {};

	if (!counters || !packet)
		return 0;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		if (!read_error_ipv4(skb, packet, &found))
			return 0;
		break;
	case bpf_htons(ETH_P_IPV6):
		if (!read_error_ipv6(skb, packet, &found))
			return 0;
		break;
	default:
		return 0;
	}
	if (!is_about_ours(packet))
		return 0;
	barrier();
	/* Another device than this one may have sent the packet, and have a larger MTU. */
	if (packet->mtu >= found.least && packet->mtu < packet->length &&
		icmp_checksum_is_right(skb, found.offset, found.length, found.sum) &&
		record_path(&packet->daddr, packet->mtu))
		count(&counters->ingress.path_learned, skb);
	else
		count(&counters->ingress.path_ignored, skb);
	return 0;
}
