/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a TC program needs of the kernel's and libbpf's interface, and nothing else: so that the program compiles from
 * its own folder. Names, numbers and layouts are the kernel's ABI (include/uapi/linux/bpf.h, pkt_cls.h).
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef __u16 __be16; /* network byte order */
typedef __u32 __be32;
typedef __u16 __sum16; /* one's complement, network byte order */
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define SEC(name) __attribute__((section(name), used))
#define offsetof(type, member) __builtin_offsetof(type, member)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "compile with -target bpfel"
#endif
#define bpf_htons(x) ((__be16)__builtin_bswap16(x))
#define bpf_htonl(x) ((__be32)__builtin_bswap32(x))
#define bpf_ntohs(x) ((__u16)__builtin_bswap16(x))
#define bpf_ntohl(x) ((__u32)__builtin_bswap32(x))

/* How libbpf reads a map's definition out of BTF. */
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LPM_TRIE = 11,
};
#define BPF_F_NO_PREALLOC (1U << 0)

/* Verdicts. TC_ACT_UNSPEC lets the next program on the hook decide; TCX calls the same number TCX_NEXT. */
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2

#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD

/* The first of an IPv6 header's extensions, to the transport protocols (IANA "Protocol Numbers"). */
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ICMP 1
#define IPPROTO_IPIP 4
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_GRE 47
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#define IPPROTO_SCTP 132
#define PROTOCOL_UNSEEN 255 /* reserved by IANA: a packet that does not show its protocol */

#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset: it is one */
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_EXTENSIONS_MAX 6
#define ND_ROUTER_SOLICIT 133 /* the first ICMPv6 type of RFC 4861 */
#define ND_REDIRECT 137 /* the last */
#define ND_HOP_LIMIT 255
#define IP_DSCP_MASK 0x3f
#define IP_ECN_MASK 3
#define IPV4_DSCP_SHIFT 2 /* within the type of service */
#define IPV6_DSCP_SHIFT 22 /* within the first word */
#define IPV6_ECN_SHIFT 20
#define IPV4_HLEN 20
#define IPV6_HLEN 40
#define UDP_HLEN 8
#define TCP_SEQUENCE 4 /* where a TCP header has its sequence number; the acknowledged one follows */
#define TCP_FLAGS 13 /* where a TCP header has its flags */
#define TCP_FLAG_SYN 0x02
#define TCP_DATA_OFFSET 12 /* where a TCP header says its own length, in 32-bit words, in the upper four bits */

/* The longest IPv4 header, or IPv6 with its usual extensions, and TCP without options. */
#define IPV4_HLEN_MAX 60
#define TCP_HLEN 20
#define TCP_HLEN_MAX 60
#define TCP_CHECKSUM 16 /* where a TCP header has its checksum */
#define TCP_OPTIONS_MAX 10 /* to be looked through for one that comes early */
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOLEN_MSS 4
#define INNER_HEADERS_MAX (IPV4_HLEN_MAX + TCP_HLEN)

/* Where a transport header can begin: behind Ethernet and what parse_ipv6_chain follows. For the verifier. */
#define TRANSPORT_MASK 0x3fff

/* bpf_skb_adjust_room: 5.2, where nothing else is said. */
#define BPF_ADJ_ROOM_MAC 1
#define BPF_F_ADJ_ROOM_FIXED_GSO (1ULL << 0)
#define BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 (1ULL << 1)
#define BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 (1ULL << 2)
#define BPF_F_ADJ_ROOM_ENCAP_L4_GRE (1ULL << 3)
#define BPF_F_ADJ_ROOM_ENCAP_L4_UDP (1ULL << 4)
#define BPF_F_ADJ_ROOM_ENCAP_L2_ETH (1ULL << 6) /* 5.13 */
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7) /* 6.3 */
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8) /* 6.3 */
/* The length of the inner Ethernet header alone: the tunnel's own header belongs to the transport part. */
#define BPF_F_ADJ_ROOM_ENCAP_L2(len) (((__u64)(len) & 0xff) << 56)

#define BPF_F_INGRESS (1ULL << 0) /* bpf_redirect */
#define BPF_F_RECOMPUTE_CSUM (1ULL << 0) /* bpf_skb_store_bytes */

/* A lock within a map's value; BTF tells the kernel where (5.1). */
struct bpf_spin_lock {
	__u32 val;
};

/* The context of a TC program. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__be32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__be32 remote_ip4;
	__be32 local_ip4;
	__be32 remote_ip6[4];
	__be32 local_ip6[4];
	__be32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys __attribute__((aligned(8)));
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	__u64 sk __attribute__((aligned(8)));
	__u32 gso_size;
};

#define BPF_F_CURRENT_NETNS (-1L)

/* Whose socket is looked up: seen from a packet that comes in. */
struct bpf_sock_tuple {
	union {
		struct {
			__be32 saddr;
			__be32 daddr;
			__be16 sport;
			__be16 dport;
		} ipv4;
		struct {
			__be32 saddr[4];
			__be32 daddr[4];
			__be16 sport;
			__be16 dport;
		} ipv6;
	};
};

#define TCP_LISTEN 10

/* What a program may see of any socket. */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__be32 src_ip4;
	__be32 src_ip6[4];
	__u32 src_port;
	__be16 dst_port;
	__u16 pad;
	__be32 dst_ip4;
	__be32 dst_ip6[4];
	__u32 state;
};

/* What a program may see of a TCP connection; more follows. */
struct bpf_tcp_sock {
	__u32 snd_cwnd;
	__u32 srtt_us;
	__u32 rtt_min;
	__u32 snd_ssthresh;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
};

/* An IPv6 extension header; in the fragment header, `length` is reserved and `fragment` tells the offset. */
struct ipv6_extension {
	__u8 next_header;
	__u8 length; /* in 8 bytes, the first 8 not counted */
	__be16 fragment;
	__be32 identification;
};

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_skb_store_bytes)(
	struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags) = (void *)9;
static long (*const bpf_l4_csum_replace)(
	struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 flags) = (void *)11;
static long (*const bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;
static long (*const bpf_skb_load_bytes)(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len) = (void *)26;
static long (*const bpf_skb_change_proto)(struct __sk_buff *skb, __be16 proto, __u64 flags) = (void *)31;
static long (*const bpf_skb_pull_data)(struct __sk_buff *skb, __u32 len) = (void *)39;
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 len_diff, __u32 mode, __u64 flags) = (void *)50;
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;
static long (*const bpf_sk_release)(const void *sk) = (void *)86;
static const struct bpf_tcp_sock *(*const bpf_tcp_sock)(const void *sk) = (void *)96;
static const struct bpf_sock *(*const bpf_skc_lookup_tcp)(
	void *ctx, struct bpf_sock_tuple *tuple, __u32 size, __u64 netns, __u64 flags) = (void *)99;
static long (*const bpf_redirect_neigh)(__u32 ifindex, void *params, int plen, __u64 flags) = (void *)152;

/* The packet's bytes, from the Ethernet header on. Every helper that changes the packet makes old pointers invalid. */
static __always_inline void *packet_data(const struct __sk_buff *skb)
{
	return (void *)(unsigned long)skb->data;
}

static __always_inline void *packet_end(const struct __sk_buff *skb)
{
	return (void *)(unsigned long)skb->data_end;
}

/*
 * Headers may lie in fragments: of forwarded packets, and of what AF_PACKET sends. Bring the first bytes, as many as
 * there are of `len`, where the program can read them. If that fails, the bounds checks that follow fail too.
 */
static __always_inline void linearize(struct __sk_buff *skb, __u32 len)
{
	__u32 linear = skb->data_end - skb->data;

	if (linear < len && linear < skb->len)
		bpf_skb_pull_data(skb, len < skb->len ? len : skb->len);
}
