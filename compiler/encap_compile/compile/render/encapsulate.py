"""Outgoing headers as C: one body for the stacks of an encapsulation that rows of a table take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .. import ir
from ..headers.model import Space
from .assignments import VARIABLE, assignments, expression, next_name, sends_opaque_part
from .variable_parts import in_bytes, option_assignments, variable_counter


class Pushed(NamedTuple):
    """What puts headers before a packet, over IPv4, IPv6 or both, with the values of a row."""

    encapsulators: tuple[ir.Encapsulator, ...]

    @property
    def first(self) -> ir.Encapsulator:
        return self.encapsulators[0]

    @property
    def stack(self) -> ir.Stack:
        return self.first.stack

    @property
    def function(self) -> str:
        return _function_of(self.first)

    @property
    def families(self) -> list[str]:
        return list(dict.fromkeys(e.stack.outer_family for e in self.encapsulators))

    @property
    def both(self) -> bool:
        return len(self.families) == 2

    @property
    def is_ipv4(self) -> str:
        """Whether the outer header is IPv4, as C."""
        return "over_ipv4" if self.both else "true" if self.families == ["ipv4"] else "false"

    @property
    def has_headers(self) -> bool:
        return len(self.stack.layers) > 1

    @property
    def variable(self) -> bool:
        return sends_opaque_part(self.stack)

    @property
    def larger(self) -> str:
        """The overhead that segments leave headroom for: one name, or `larger` if the caller says it."""
        found = {e.larger for e in self.encapsulators}
        return found.pop() if len(found) == 1 else "larger"

    @property
    def told_larger(self) -> bool:
        return self.first.clamp and self.larger == "larger"


def _function_of(e: ir.Encapsulator) -> str:
    verb = "reflect" if e.row_type == "struct learned" else "encapsulate"
    return f"{verb}_{e.table}__{e.stack.shared_name}"


def pushed(program: ir.Program) -> list[Pushed]:
    found: dict[str, list[ir.Encapsulator]] = {}
    for encapsulator in program.egress.encapsulators:
        found.setdefault(_function_of(encapsulator), []).append(encapsulator)
    return [Pushed(tuple(those)) for those in found.values()]


def push(encapsulator: ir.Encapsulator, program: ir.Program, row: str = "row", choice: str = "choice") -> str:
    """The call for one of them."""
    body = next(b for b in pushed(program) if encapsulator in b.encapsulators)
    family = "true" if encapsulator.stack.outer_family == "ipv4" else "false"
    found = ["skb", "packet", *([row] if reads_values(body) else []), *([family] if body.both else [])]
    found += [encapsulator.larger or _overhead_of(encapsulator.stack)] if body.told_larger else []
    found += ["counters", *([choice] if program.attribution and program.attribution.rules else [])]
    return f"{body.function}({', '.join(found)})"


def dispatch_call(function: str, program: ir.Program, row: str, choice: str) -> str:
    """The call for what a rule leads to: by the row if that says how, otherwise for the only way there is."""
    dispatch = next(d for d in program.egress.dispatches if d.function == function)
    if not dispatch.by_row:
        return push(dispatch.encapsulators[0], program, row, choice)
    told = f", {choice}" if program.attribution and program.attribution.rules else ""
    return f"{function}(skb, packet, {row}, counters{told})"


def parameters(body: Pushed, program: ir.Program) -> str:
    found = ["struct __sk_buff *skb", "struct packet *packet"]
    found += [f"const {body.first.row_type} *row"] if reads_values(body) else []
    found += ["bool over_ipv4"] if body.both else []
    found += ["__u32 larger"] if body.told_larger else []
    found += ["struct counters *counters"]
    found += ["struct socket_choice *choice"] if program.attribution and program.attribution.rules else []
    return ", ".join(found)


def reads_values(body: Pushed) -> bool:
    """Whether any of the values differs by row."""
    return any(_reads_row(e.stack) for e in body.encapsulators)


def _reads_row(stack: ir.Stack) -> bool:
    options = stack.variable.options.options if stack.variable and stack.variable.options else ()
    sources = [p.source for layer in stack.layers for w in layer.words for p in w.parts] + [o.source for o in options]
    return any(isinstance(source, ir.FromRow) for source in sources)


def _overhead_of(stack: ir.Stack) -> str:
    """The bytes of a stack's headers, without a variable-length part."""
    outer = {"ipv4": "IPV4_HLEN", "ipv6": "IPV6_HLEN"}[stack.outer_family]
    return f"{outer} + {stack.headers_constant}" if stack.layers[1:] else outer


def fixed_overhead(body: Pushed) -> str:
    if not body.both:
        return _overhead_of(body.stack)
    text = "(over_ipv4 ? IPV4_HLEN : IPV6_HLEN)"
    return f"{text} + {body.stack.headers_constant}" if body.has_headers else text


def outer_flags(body: Pushed) -> str:
    """What the headers behind the outer one are to bpf_skb_adjust_room."""
    return f"{body.stack.shared_constant}__ROOM" if len(body.stack.tc_flags) > 1 else "0"


def outer_header(body: Pushed) -> list[str]:
    """Statements that write the outer IP header, and find where the next one begins."""
    into = "headers = " if body.has_headers else ""
    stacks = {e.stack.outer_family: e.stack for e in body.encapsulators}
    calls = {family: f"{into}{_write(stack, body)};" for family, stack in stacks.items()}
    if not body.both:
        return list(calls.values())
    return ["if (over_ipv4)", f"\t{calls['ipv4']}", "else", f"\t{calls['ipv6']}"]


def _write(stack: ir.Stack, body: Pushed) -> str:
    parts = {p.name: p for w in stack.layers[0].words for p in w.parts}
    length = f"packet->length + fixed{VARIABLE if body.variable else ''}"
    tos = f"{_dscp(parts['dscp'], stack)}packet->ecn"
    saddr, daddr = _address(parts["source"], stack), _address(parts["destination"], stack)
    ttl = parts["ttl" if stack.outer_family == "ipv4" else "hop_limit"]
    protocol = parts["protocol" if stack.outer_family == "ipv4" else "next_header"].source
    number = next_name(protocol.value, Space.IP_PROTOCOL) if isinstance(protocol, ir.Literal) else ""
    rest = [_value(ttl, stack, "TTL"), number or "packet->is_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6", saddr, daddr]
    if stack.outer_family == "ipv4":
        return f"write_ipv4(outer, {', '.join([tos, length, *rest])})"
    return f"write_ipv6(outer, {', '.join([tos, _value(parts['flow_label'], stack, 'FLOW_LABEL'), length, *rest])})"


def _dscp(part: ir.Part, stack: ir.Stack) -> str:
    value = _value(part, stack, "DSCP")
    return "" if value == "0" else f"{value} << IPV4_DSCP_SHIFT | "


def _value(part: ir.Part, stack: ir.Stack, name: str) -> str:
    if isinstance(part.source, ir.Literal):
        return stack.outer_constant(name) if part.source.value or part.source.place else "0"
    return expression(part, stack)


def _address(part: ir.Part, stack: ir.Stack) -> str:
    """An address as the header has it."""
    source, ipv4 = part.source, stack.outer_family == "ipv4"
    if isinstance(source, ir.Literal):
        constant = stack.outer_constant(part.name.upper())
        return f"bpf_htonl({constant})" if ipv4 else constant
    if isinstance(source, ir.FromHost):
        return f"host.{source.member}" if ipv4 else f"host_ipv6(&host.{source.member})"
    assert isinstance(source, ir.FromRow)
    if source.type == "ip":
        return f"row->{source.member}.word[3]" if ipv4 else f"to_ipv6(&row->{source.member})"
    return f"row->{source.member}"


def path_mtu(body: Pushed, program: ir.Program) -> str:
    """What fits to the outer destination."""
    if program.egress.paths is None:
        return "host.mtu"
    found = {e.stack.outer_family: _any_address(e.stack) for e in body.encapsulators}
    endpoint, *other = dict.fromkeys(found.values())
    if other:
        endpoint = f"over_ipv4 ? {found['ipv4']} : {found['ipv6']}"
    return f"path_mtu(packet, {endpoint})"


def _any_address(stack: ir.Stack) -> str:
    """The outer destination as an address of either family."""
    part = next(p for w in stack.layers[0].words for p in w.parts if p.name == "destination")
    if isinstance(part.source, ir.FromRow) and part.source.type == "ip":
        return f"row->{part.source.member}"
    address = _address(part, stack)
    return f"mapped_ipv4({address})" if stack.outer_family == "ipv4" else f"plain_ipv6({address})"


def headers_written(body: Pushed) -> Iterator[str]:
    """Every word behind the outer header, an empty line between headers."""
    for layer in body.stack.layers[1:]:
        yield ""
        yield from assignments(layer, body.stack)
        if body.stack.variable and body.stack.variable.layer == layer.member:
            yield from option_assignments(body.stack)


def declares_sum(body: Pushed) -> bool:
    return any(layer.checksum_base for layer in body.stack.layers[1:])


def segment_overhead(body: Pushed) -> str:
    """The overhead that TCP's segments leave headroom for."""
    return f"{body.larger or 'fixed'}{VARIABLE if body.variable else ''}"


def variable(body: Pushed) -> str:
    """Bytes of the variable-length part that is put back."""
    part = body.stack.variable
    if part is None or not body.variable:
        return ""
    return in_bytes(f"row->{variable_counter(body.stack)}", part.length, body.stack)
