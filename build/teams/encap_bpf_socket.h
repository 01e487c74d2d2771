/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The part of the kernel's interface that programs on sockets and cgroups use, besides
 * encap_bpf.h: contexts, verdicts, helpers.
 */
#pragma once

#include "encap_bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_RAW 3
#define IPPROTO_MPTCP 262
#define TCP_ESTABLISHED 1 /* also of a connected datagram socket */
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10
#define TCPOLEN_TIMESTAMP_ALIGNED 12

/* Errors of socket options (include/uapi/asm-generic/errno.h). */
#define EPERM 1
#define ENOENT 2
#define ENOMEM 12
#define EINVAL 22
#define EMSGSIZE 90
#define EOPNOTSUPP 95

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

/* Verdicts. */
#define CONNECT_REFUSE 0 /* EPERM */
#define CONNECT_GO_ON 1
#define CGROUP_GO_ON 1 /* the packet reaches its socket, or leaves */
#define CGROUP_DROP 0 /* the sender gets EPERM */
#define CREATE_REFUSE 0 /* no socket: EPERM */
#define CREATE_GO_ON 1
#define LOOPBACK_IFINDEX 1
#define ATTACHED_MAX 64 /* devices */
#define SOCKOPT_REFUSE 0
#define SOCKOPT_GO_ON 1
#define SOCKOPT_DONE (-1) /* as optlen of setsockopt: the kernel does nothing more */
/* bytes of a value that programs see; if it is longer, the kernel accepts no change to it */
#define SOCKOPT_SEEN 4096

enum {
	BPF_MAP_TYPE_SK_STORAGE = 24,
};
#define BPF_F_CLONE (1U << 9)
#define BPF_SK_STORAGE_GET_F_CREATE (1ULL << 0)

static __u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;
static const struct bpf_sock *(*const bpf_sk_fullsock)(const void *sk) = (void *)95;
static const struct bpf_sock *(*const bpf_get_listener_sock)(const void *sk) = (void *)98;
static void *(*const bpf_sk_storage_get)(
	void *map, const void *sk, void *value, __u64 flags) = (void *)107;
static long (*const bpf_sk_storage_delete)(void *map, const void *sk) = (void *)108;
static __u64 (*const bpf_get_netns_cookie)(void *ctx) = (void *)122; /* 5.15 for socket options */
static __u64 (*const bpf_skb_ancestor_cgroup_id)(struct __sk_buff *skb, int level) = (void *)83;
static long (*const bpf_set_retval)(int retval) = (void *)187; /* 5.18 */
static void *(*const bpf_skc_to_mptcp_sock)(const void *sk) = (void *)196; /* 5.19 */
