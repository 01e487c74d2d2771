"""Where programs go: a table. Adding a hook is adding a row here, a template, and an attach kind to the loader."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class Hook(NamedTuple):
    """`section` is what libbpf reads the program's type from; `since` the first kernel with the hook."""

    name: str
    section: str
    context: str
    since: tuple[int, int]


# `tc` and no more: the attach type is given when the link is made (TCX, 6.6), and clsact (4.5) knows none.
HOOKS = MappingProxyType(
    {
        hook.name: hook
        for hook in (
            Hook("tc_egress", "tc", "struct __sk_buff", (4, 5)),
            Hook("tc_ingress", "tc", "struct __sk_buff", (4, 5)),
            Hook("cgroup_listen", "cgroup_skb/ingress", "struct __sk_buff", (4, 10)),
            Hook("cgroup_create", "cgroup/sock_create", "struct bpf_sock", (4, 10)),
            Hook("cgroup_unattached", "cgroup_skb/egress", "struct __sk_buff", (4, 10)),
            Hook("cgroup_setsockopt", "cgroup/setsockopt", "struct bpf_sockopt", (5, 3)),
            Hook("cgroup_getsockopt", "cgroup/getsockopt", "struct bpf_sockopt", (5, 3)),
            Hook("cgroup_connect4", "cgroup/connect4", "struct bpf_sock_addr", (4, 17)),
            Hook("cgroup_connect6", "cgroup/connect6", "struct bpf_sock_addr", (4, 17)),
        )
    }
)
