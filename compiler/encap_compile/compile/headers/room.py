"""What `bpf_skb_adjust_room` is told of a stack, and what the kernel can segment behind it: facts of the whole stack.

The helper knows one tunnel: an outer IP header, the transport header behind it, and the Ethernet header before the
inner packet (net/core/filter.c, bpf_skb_net_grow). From these it derives the type of a GSO packet. Segmentation then
writes the lengths of the outermost IP header and of a UDP header right behind it anew in each segment
(__skb_udp_tunnel_segment, inet_gso_segment), and copies every byte between there and the inner frame as it is. So GRE
behind GUE needs no flag of its own, and must not have one: the kernel refuses two transports.
"""

from __future__ import annotations

from collections.abc import Sequence

from .model import Header, Length, Word

L3, L4, L2 = "BPF_F_ADJ_ROOM_ENCAP_L3", "BPF_F_ADJ_ROOM_ENCAP_L4", "BPF_F_ADJ_ROOM_ENCAP_L2"
L2_ETH_SINCE = (5, 13)  # BPF_F_ADJ_ROOM_ENCAP_L2_ETH

Laid = tuple[Header, tuple[Word, ...]]  # a header of a stack, and the words that it has there


def room_flags(stack: Sequence[Laid], kernel: tuple[int, int]) -> tuple[str, ...]:
    """The flags for a whole stack, outermost header first. Headers without bytes do not count."""
    chain = [header for header, words in stack if words]
    flags = [chain[0].room_flag]
    if len(chain) > 1 and chain[1].room_flag.startswith(L4):
        flags.append(chain[1].room_flag)
    if chain[-1].room_flag.startswith(L2):
        flags.append(chain[-1].room_flag)
        if kernel >= L2_ETH_SINCE:
            flags.append(f"{L2}_ETH")
    return tuple(flags)


def instance_names(names: Sequence[str]) -> list[str]:
    """What headers of a stack are called where each needs a name of its own: `udp`, and the second one `udp_2`."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(f"{name}_{seen[name]}" if seen[name] > 1 else name)
    return found


def per_segment(stack: Sequence[Laid]) -> str:
    """What keeps the kernel from segmenting GSO packets behind a stack, as INSTANCE.FIELD or INSTANCE; empty: nothing.

    A length that the kernel does not write in each segment would be wrong in all but one. Behind a transport header
    that the kernel does not know, it cannot segment at all.
    """
    laid = [(header, words) for header, words in stack if words]
    names = instance_names([header.name for header, _ in laid])
    for position, ((header, words), name) in enumerate(zip(laid, names, strict=True)):
        if position == 1 and not header.room_flag.startswith(L4) and not header.room_flag.startswith(L3):
            return name
        written = position == 0 or (position == 1 and header.room_flag.startswith(L4))
        for word in words:
            for field in word.fields:
                role = field.role
                if not isinstance(role, Length) or role.extent in ("header", "tail") or (role.repaired and written):
                    continue
                return f"{name}.{field.name}"
    return ""
