"""Numbers of the kernel's UAPI (include/uapi/linux/bpf.h, rtnetlink.h, pkt_sched.h), with the release they came in."""

from __future__ import annotations

# enum bpf_attach_type; socket options: Linux 5.3, TCX: Linux 6.6
BPF_CGROUP_INET_INGRESS = 0
BPF_CGROUP_INET_EGRESS = 1
BPF_CGROUP_INET_SOCK_CREATE = 2
BPF_CGROUP_INET4_CONNECT = 10
BPF_CGROUP_INET6_CONNECT = 11
BPF_CGROUP_GETSOCKOPT = 21
BPF_CGROUP_SETSOCKOPT = 22
BPF_TCX_INGRESS = 46
BPF_TCX_EGRESS = 47

# enum bpf_link_type
BPF_LINK_TYPE_CGROUP = 3
BPF_LINK_TYPE_TCX = 11

# enum bpf_map_type
BPF_MAP_TYPE_HASH = 1
BPF_MAP_TYPE_ARRAY = 2
BPF_MAP_TYPE_PERCPU_HASH = 5
BPF_MAP_TYPE_PERCPU_ARRAY = 6
BPF_MAP_TYPE_LPM_TRIE = 11
BPF_MAP_TYPE_SK_STORAGE = 24

# enum bpf_prog_type
BPF_PROG_TYPE_SCHED_CLS = 3

BPF_ANY = 0
BPF_STATS_RUN_TIME = 0
BPF_OBJ_NAME_LEN = 16
BPF_MPROG_MAX = 64  # programs on one TCX hook, kernel/bpf/mprog.c; BPF_CGROUP_MAX_PROGS of cgroup.c is the same
BPF_FS_MAGIC = 0xCAFE4A11  # f_type of the bpf filesystem

# include/linux/exportfs.h (enum fid_type), kernfs; include/linux/proc_ns.h (enum)
FILEID_KERNFS = 0xFE
PROC_CGROUP_INIT_INO = 0xEFFFFFFB
PROC_USER_INIT_INO = 0xEFFFFFFD
PROC_PID_INIT_INO = 0xEFFFFFFC

# Errors that the C library has no name for
ENOTSUPP = 524

# include/uapi/linux/capability.h
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
CAP_SYS_PTRACE = 19
CAP_PERFMON = 38  # Linux 5.8; CAP_SYS_ADMIN before
CAP_BPF = 39  # Linux 5.8; CAP_SYS_ADMIN before

# include/uapi/linux/if_ether.h, pkt_sched.h
ETH_P_ALL = 0x0003
TC_H_CLSACT = 0xFFFFFFF1
TC_CLSACT_INGRESS = 0xFFFFFFF2
TC_CLSACT_EGRESS = 0xFFFFFFF3

# include/uapi/linux/if_arp.h
ARPHRD_ETHER = 1
