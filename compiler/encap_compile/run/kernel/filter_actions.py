"""What becomes of a packet that a filter matches: whether the filters behind it still see it.

Unless its last action says `continue` (TC_ACT_UNSPEC), a filter that matches ends the chain: without actions, or with
`pipe` at the end, the packet passes (net/sched/cls_api.c, __tcf_classify; act_api.c, tcf_action_exec).
"""

from __future__ import annotations

import socket
import struct

from .rtnetlink import Attributes, attributes, text

# Where each classifier has its actions, and u32 more (include/uapi/linux/pkt_cls.h).
_ACTIONS = {"basic": 3, "bpf": 1, "cgroup": 1, "flow": 9, "flower": 3, "fw": 4, "matchall": 2, "route": 6, "u32": 7}
_BPF_FLAGS, _BPF_DIRECT = 8, 1
_U32_DIVISOR, _U32_SELECTOR, _U32_TERMINAL = 4, 5, 1

_ACT_KIND, _ACT_OPTIONS = 1, 2
_PARAMETERS = {"connmark": 1, "csum": 1, "ct": 1, "ife": 1, "nat": 1}  # TCA_..._PARMS, which begin with tc_gen; else 2
_POLICE_RESULT = 5
_GENERIC = struct.Struct("=IIi")  # tc_gen: index, capab, action
_MIRRED = struct.Struct("=20xiI")  # struct tc_mirred: tc_gen, eaction, ifindex
_REDIRECTS = (1, 3)  # TCA_EGRESS_REDIR, TCA_INGRESS_REDIR

_UNSPEC, _PIPE, _GOTO_CHAIN = -1, 3, 0x2
_WORDS = {0: "pass", 1: "reclassify", 2: "drop", 4: "stolen", 5: "queued", 6: "repeat", 7: "redirect", 8: "trap"}
_PASS = _WORDS[0]
# Protocols of packets that rules see: any, IPv4, IPv6, and those within VLAN tags.
_SEEN = {0x0003: "all", 0x0800: "ip", 0x86DD: "ipv6", 0x8100: "802.1Q", 0x88A8: "802.1ad"}


def protocol_name(number: int) -> str:
    """An ETH_P number in host byte order as `tc` writes it."""
    return _SEEN.get(number, f"{number:#06x}")


def ends_with(kind: str, protocol: int, options: Attributes) -> str:
    """What a filter does with a packet that it matches, if the filters behind it do not see that packet; else "".

    Empty too for a direct-action program, of which nothing tells, and for a filter of packets that no rule sees.
    """
    if protocol not in _SEEN:
        return ""
    if kind == "bpf" and options.get(_BPF_FLAGS, bytes(4))[0] & _BPF_DIRECT:
        return ""
    if kind == "u32" and (_U32_DIVISOR in options or not options.get(_U32_SELECTOR, b"\0")[0] & _U32_TERMINAL):
        return ""  # a hash table, or a link to one
    return _last(attributes(options.get(_ACTIONS.get(kind, 0), b"")))


def _last(actions: Attributes) -> str:
    before: list[str] = []
    for _, nested in sorted(actions.items()):  # by their place, from 1
        action = attributes(nested)
        kind, options = text(action.get(_ACT_KIND, b"")), attributes(action.get(_ACT_OPTIONS, b""))
        if kind == "bpf":  # a program decides
            return ""
        parameters = options.get(_PARAMETERS.get(kind, 2), b"")
        if kind == "mirred" and len(parameters) >= _MIRRED.size:
            where, ifindex = _MIRRED.unpack_from(parameters)
            if where in _REDIRECTS:
                return f"redirect to {_device(ifindex)}"
            before.append(f"mirror to {_device(ifindex)}, ")
        code = _code(kind, options, parameters)
        if code == _UNSPEC:
            return ""
        if code != _PIPE:
            word = f"goto chain {code & 0xFFFFFFF}" if code >> 28 == _GOTO_CHAIN else _WORDS.get(code, f"action {code}")
            return "".join([*before, word])
    return "".join([*before, _PASS])


def _code(kind: str, options: Attributes, parameters: bytes) -> int:
    """The action code with which an action ends; that of what conforms, for `police`."""
    if kind == "police":
        return int(struct.unpack("=i", options.get(_POLICE_RESULT, bytes(4)))[0])
    return int(_GENERIC.unpack_from(parameters)[2]) if len(parameters) >= _GENERIC.size else _PIPE


def _device(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return f"device {ifindex}"
