/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a packet is, and what its socket chose: what programs share with applications, and what they ask the kernel.
 */
#pragma once

#include "encap_bpf.h"

/* Among the bits of cgroups: rows are found by it. */
#define CGROUP_OF_ROW (1ULL << 63)
#define CGROUP_DEPTH 8 /* as far below the attached cgroup rows may name one */

#define SOCKET_NAME_MAX 97 /* bytes of TABLE/ROW: 32, a slash, 64 */

/*
 * What a socket chose, kept with the socket. The same in all programs: it outlives every version of them. A child of a
 * listener begins with a copy.
 */
struct socket_choice {
	__u64 choice; /* FNV-1a of the table's name above that of the row's, in one word because they change together */
	__u64 packets; /* sent with it, segments on the wire */
	__u64 bytes; /* of IP packets, before encapsulation */
	__u64 cgroups; /* of a listener: of those that the spec names, where it was made, or above */
	__u64 cgroup; /* the innermost of those by which rows are found */
	__u32 names; /* which bit of `cgroups` is which, by the version that wrote it */
	__u32 told; /* clock ticks: when the table of flows was told whose the connection is */
	bool fits; /* the segments of this connection were made to fit every choice */
	bool asked; /* it chose, or it is known that nobody chose for it */
	__u8 pad[6];
	char name[SOCKET_NAME_MAX + 7]; /* as it was written, filled up with zeros */
};

/* Ticks until the table of flows is told again: 1 to 10 seconds, as the kernel's clock goes (CONFIG_HZ). */
#define TOLD_TICKS 1000

/* The options at SOCKET_LEVEL. */
#define ENCAP_CHOOSE 1 /* setsockopt: TABLE/ROW, or nothing to let the rules decide */
#define ENCAP_STATUS 2 /* getsockopt: struct socket_status */

struct socket_status {
	__u32 size; /* of this struct */
	__u32 state;
	__u32 overhead; /* bytes that the encapsulation adds */
	__u32 mss; /* the largest segment that fits, without TCP's options */
	__u64 packets;
	__u64 bytes;
	char name[SOCKET_NAME_MAX + 7];
};

enum {
	SOCKET_CHOSE_NOTHING,
	SOCKET_CHOSE,
	SOCKET_CHOICE_GONE, /* there is no such row now */
};

/* What a socket option's program may say (include/uapi/asm-generic/errno.h). */
#define EPERM 1
#define ENOENT 2
#define ENOMEM 12
#define EINVAL 22
#define EMSGSIZE 90
#define EOPNOTSUPP 95

#define FNV_BASIS 0x811c9dc5 /* FNV-1a, 32 bit: draft-eastlake-fnv */

static __always_inline __u32 fnv1a(__u32 hash, __u8 byte)
{
	return (hash ^ byte) * 0x01000193;
}

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_RAW 3
#define IPPROTO_MPTCP 262
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10
#define TCPOLEN_TIMESTAMP_ALIGNED 12

/* The context of a program on the setsockopt and getsockopt hooks of a cgroup. */
struct bpf_sockopt {
	__u64 sk __attribute__((aligned(8)));
	__u64 optval __attribute__((aligned(8)));
	__u64 optval_end __attribute__((aligned(8)));
	__s32 level;
	__s32 optname;
	__s32 optlen;
	__s32 retval;
};

/* The context of a program on the connect hooks of a cgroup. */
struct bpf_sock_addr {
	__u32 user_family;
	__be32 user_ip4;
	__be32 user_ip6[4];
	__u32 user_port; /* network byte order, in the lower half */
	__u32 family;
	__u32 type;
	__u32 protocol;
	__be32 msg_src_ip4;
	__be32 msg_src_ip6[4];
	__u64 sk __attribute__((aligned(8)));
};

#define CONNECT_REFUSE 0 /* EPERM */
#define CONNECT_GO_ON 1
#define CGROUP_GO_ON 1 /* the packet goes to its socket */
#define SOCKOPT_REFUSE 0
#define SOCKOPT_GO_ON 1
#define SOCKOPT_DONE (-1) /* as optlen of setsockopt: the kernel has nothing left to do */
#define SOCKOPT_SEEN 4096 /* bytes of a value that programs see; of a longer one the kernel wants to hear nothing */

enum {
	BPF_MAP_TYPE_SK_STORAGE = 24,
};
#define BPF_F_CLONE (1U << 9)
#define BPF_SK_STORAGE_GET_F_CREATE (1ULL << 0)

static const struct bpf_sock *(*const bpf_sk_fullsock)(const void *sk) = (void *)95;
static const struct bpf_sock *(*const bpf_get_listener_sock)(const void *sk) = (void *)98;
static void *(*const bpf_sk_storage_get)(void *map, const void *sk, void *value, __u64 flags) = (void *)107;
static long (*const bpf_sk_storage_delete)(void *map, const void *sk) = (void *)108;
static __u64 (*const bpf_jiffies64)(void) = (void *)118;
static __u64 (*const bpf_get_netns_cookie)(void *ctx) = (void *)122; /* 5.15 for socket options */
static __u64 (*const bpf_skb_ancestor_cgroup_id)(struct __sk_buff *skb, int level) = (void *)83;
static long (*const bpf_set_retval)(int retval) = (void *)187; /* 5.18 */
static void *(*const bpf_skc_to_mptcp_sock)(const void *sk) = (void *)196; /* 5.19 */
