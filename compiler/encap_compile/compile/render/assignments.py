"""Outgoing headers as C assignments, one word after the other."""

from __future__ import annotations

from ...common.values import WIDTHS
from .. import ir
from ..headers.model import Space
from .conditions import PROTOCOLS

VARIABLE = " + variable"  # the bytes of a variable-length part


def sends_opaque_part(stack: ir.Stack) -> bool:
    return stack.variable is not None and stack.variable.options is None


def assignments(layer: ir.Layer, stack: ir.Stack) -> list[str]:
    """Every word of one header. The checksum comes last, from the words as they were written."""
    lines = []
    late = []
    target = f"headers->{layer.member}"
    for word in layer.words:
        if any(isinstance(p.source, ir.Checksum) for p in word.parts):
            late = _checksum(layer, target, word)
        else:
            lines += _word(word, f"{target}.{word.name}", stack)
    return lines + late


def _word(word: ir.WordLayout, target: str, stack: ir.Stack) -> list[str]:
    dynamic = [p for p in word.parts if not isinstance(p.source, ir.Literal)]
    if word.bits in (48, 128):
        if not dynamic:
            zero = f"({'struct mac_address' if word.bits == 48 else 'struct ipv6_address'}){{}}"
            return [f"{target} = {word.constant or zero};"]
        source = dynamic[0].source
        if isinstance(source, ir.FromHost):
            return [f"{target} = {'host_mac' if word.bits == 48 else 'host_ipv6'}(&host.{source.member});"]
        assert isinstance(source, ir.FromRow)
        if source.type == "ip":
            return [f"{target} = to_ipv6(&row->{source.member});"]
        return [f"{target} = row->{source.member};"]
    if len(dynamic) == 1 and len(word.parts) == 1:
        ready = _network_order(dynamic[0].source, stack)
        if ready:
            return [f"{target} = {ready};"]
    terms = [word.constant] if word.constant else []
    for part in dynamic:
        text = expression(part, stack)
        if part.shift:
            text = f"({text})" if " " in text else text
            # A narrow value is promoted to int, which a shift into the sign bit would overflow.
            wide = isinstance(part.source, ir.FromRow) and WIDTHS.get(part.source.type, 0) > 16
            cast = "(__u32)" if part.bits + part.shift == 32 and not wide else ""
            text = f"{cast}{text} << {part.shift}"
        elif " ? " in text and (word.constant or len(dynamic) > 1):
            text = f"({text})"
        terms.append(text)
    value = " | ".join(terms) or "0"
    swap = {8: "", 16: "bpf_htons", 32: "bpf_htonl"}[word.bits]
    return [f"{target} = {f'{swap}({value})' if swap and value != '0' else value};"]


def _network_order(source: ir.Source, stack: ir.Stack) -> str:
    """An expression that is in network order already, or empty."""
    if isinstance(source, ir.FromHost):
        return f"host.{source.member}" if source.type == "ipv4" else ""
    if isinstance(source, ir.FromRow) and source.type in ("ip", "ipv4"):
        return f"row->{source.member}.word[3]" if source.type == "ip" else f"row->{source.member}"
    if isinstance(source, ir.FromFlow) and source.last:
        return "flow_port(hash)"
    if isinstance(source, ir.LengthFrom):
        return f"length_field({_length(source, stack)})"
    return ""


def _length(source: ir.LengthFrom, stack: ir.Stack) -> str:
    """Bytes from a layer on: the inner packet, and what stands between."""
    before = f" - offsetof(struct {stack.headers}, {source.layer})" if source.layer != stack.layers[1].member else ""
    itself = f" - sizeof(headers->{source.layer})" if source.payload else ""
    variable = VARIABLE if sends_opaque_part(stack) else ""
    return f"packet->length + {stack.headers_constant}{variable}{before}{itself}"


def expression(part: ir.Part, stack: ir.Stack) -> str:
    """A field's value in host order."""
    source = part.source
    if isinstance(source, ir.FromHost):
        return f"host.{source.member}"
    if isinstance(source, ir.FromRow):
        return f"row->{source.member}"
    if isinstance(source, ir.FromInner):
        return f"packet->{source.what}"
    if isinstance(source, ir.FromFlow):
        if not source.last:
            return f"hash >> {32 - part.bits}"
        return "bpf_ntohs(flow_port(hash))"
    if isinstance(source, ir.ByInnerFamily):
        ipv4, ipv6 = (next_name(n, source.space) for n in (source.ipv4, source.ipv6))
        return f"packet->is_ipv4 ? {ipv4} : {ipv6}"
    assert isinstance(source, ir.LengthFrom)
    return _length(source, stack)


def next_name(number: int, space: str) -> str:
    """A number that names what follows a header, as the C calls it."""
    if space == Space.ETHERTYPE:
        return {0x0800: "ETH_P_IP", 0x86DD: "ETH_P_IPV6"}.get(number, f"{number:#06x}")
    return PROTOCOLS.get(number, str(number)) if space == Space.IP_PROTOCOL else str(number)


def _checksum(layer: ir.Layer, target: str, checksum: ir.WordLayout) -> list[str]:
    """RFC 1071: the folded constants, and every word that is not constant."""
    lines = [f"sum = bpf_htons({layer.checksum_base});"]
    bit = 0
    for word in layer.words:
        if word is not checksum and any(not isinstance(p.source, ir.Literal) for p in word.parts):
            lines += _sum_word(word, f"{target}.{word.name}", bit)
        bit += word.bits
    return [*lines, f"{target}.{checksum.name} = checksum_fold(sum);"]


def _sum_word(word: ir.WordLayout, target: str, bit: int) -> list[str]:
    # The constant part of a mixed word is in the base already.
    take = f" - bpf_htons({word.constant})" if word.constant and word.bits == 16 else ""
    if word.bits == 32:
        rest = f"{target} & ~bpf_htonl({word.constant})" if word.constant else target
        return [f"sum = checksum_add_be32(sum, {rest});"]
    if word.bits == 16:
        return [f"sum += {target}{take};"]
    # An 8-bit word is the upper or the lower half of its 16 bits; constants of a mixed one are masked out.
    constant = f"({target} & ~{word.constant})" if word.constant else target
    shift = " << 8" if bit % 16 == 0 else ""
    return [f"sum += bpf_htons({constant}{shift});"]
