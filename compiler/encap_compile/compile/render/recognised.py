"""How the hook recognises what comes in, as C."""

from __future__ import annotations

from .. import ir
from .conditions import PROTOCOLS

ETHER_TYPES = {"ipv4": "ETH_P_IP", "ipv6": "ETH_P_IPV6"}
UDP_HEADER = 8  # bytes


def outer_reader(ingress: ir.IngressProgram) -> str:
    """The library's function that reads the outer header of all families that stacks have."""
    return "read_outer" if len(ingress.families) == 2 else f"read_outer_{ingress.families[0]}"


def one_family(ingress: ir.IngressProgram) -> str:
    """The EtherType of the only outer family, or empty."""
    return "" if len(ingress.families) == 2 else ETHER_TYPES[ingress.families[0]]


def seen_bytes(ingress: ir.IngressProgram) -> str:
    """How many bytes behind the outer header are looked at."""
    udp = any(d.in_udp for d in ingress.decapsulations)
    return "UDP_HLEN" if udp and ingress.seen == UDP_HEADER else str(ingress.seen)


def recognised(asked: ir.Recognition) -> str:
    """Whether a packet, whose outer header was read, is one of the stack's."""
    numbers = [PROTOCOLS.get(p, str(p)) for p in asked.protocols]
    terms = [f"outer.protocol == {numbers[0]}" if len(numbers) == 1 else "is_ip_in_ip(outer.protocol)"]
    if asked.port is not None:
        terms.append(f"outer.dport == bpf_htons({asked.port.constant})")
    ours = [_comes_to(own) for own in asked.own]
    terms.append(f"({' || '.join(ours)})" if len(ours) > 1 else ours[0])
    if asked.marks:
        terms.append(f"looks_like_{asked.name}(skb, &outer)")
    return " && ".join(terms)


def _comes_to(own: ir.OwnAddress) -> str:
    if isinstance(own.source, ir.FromHost):
        value = f"host.{own.source.member}"
    else:
        value = f"bpf_htonl({own.constant})" if own.family == "ipv4" else own.constant
    return f"comes_to_{own.family}(&outer, {'&' if own.family == 'ipv6' else ''}{value})"


def mark_type(mark: ir.Mark) -> str:
    return {8: "__u8", 16: "__be16", 32: "__be32"}[mark.bits]


def mark_condition(mark: ir.Mark) -> str:
    """Whether a word, `*at_OFFSET`, has one of the values."""
    swap = {8: "", 16: "bpf_htons", 32: "bpf_htonl"}[mark.bits]

    def number(value: int) -> str:
        text = f"{value:#0{mark.bits // 4 + 2}x}"
        return f"{swap}({text})" if swap and value else text if value else "0"

    word = f"*at_{mark.offset}"
    if mark.mask != (1 << mark.bits) - 1:
        word = f"({word} & {number(mark.mask)})"
    terms = [f"{word} == {number(value)}" for value in mark.values]
    return terms[0] if len(terms) == 1 else f"({' || '.join(terms)})"
