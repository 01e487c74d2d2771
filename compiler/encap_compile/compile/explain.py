"""`encap-compile explain`: what a spec does, asked and unasked, in words."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from .explain_mtu import mtu_document, mtu_lines
from .positions import line_of, positions

if TYPE_CHECKING:
    from .description import Described
    from .ir import TableMap
    from .spec import Spec

UNASKED = """\
By default, in this order:
  - rules see {families}; ARP and everything else passes
  - packets that already carry one of these stacks, from an address of this host, pass unchanged
  - IPv6 neighbour discovery, and packets to link-local and link-scope multicast addresses that a rule could match,
    pass before the rules
  - a later fragment follows the decision on the first one. If that was not seen, a rule that needs its ports finds no
    row: `on_miss` decides, but never passes the fragment
  - a packet with unreadable headers has no ports: a rule that encapsulates or drops matches it by addresses and
    protocol, a rule that passes by port does not match it
  - a packet that a rule matched but that cannot be encapsulated is dropped and counted, never sent unencapsulated
  - outer packets have DF set, and ECN by RFC 6040; a packet that would be longer than the device's MTU is dropped and
    counted, unless it is a TCP GSO packet, whose segments are made smaller
"""
ANSWERS = """\
  - the sender of a packet that is too long gets the size that fits by ICMP, but not of an IPv4 packet without DF
"""
PATHS = """\
  - an ICMP error of a router about an encapsulated packet lowers for ten minutes what fits to its tunnel endpoint, and
    goes on to the kernel
"""
CLAMPS = """\
  - the MSS in the SYN and SYN-ACK of a flow that a rule encapsulates leaves headroom for the most that a row adds, in
    both directions; if a reply to a packet from a tunnel leaves unencapsulated, headroom for the received headers.
    A SYN with TCP-AO is not changed, and counted
"""

GUARDS = """\
  - a packet that a rule encapsulates is dropped and counted if its route leaves by a device that is not attached, and a
    socket of this network namespace sends it, in the cgroups of rules with `socket` or `cgroup`
"""
UNGUARDED = """\
  - a packet whose route leaves by a device that is not attached leaves unencapsulated, whatever its socket has chosen
"""

FORMAT_VERSION = 1
SHOWN = 8  # prefixes of a rule
WIDTH = 116
RECEIVE = """\
On receive:
  - only packets to this host's own outer address are processed; all others pass unchanged
  - a malformed or unauthorized tunnel packet is {refuse}, and the reason is counted
  - IPv4 outer fragments are refused (`fragment`); later fragments of UDP and IPv6 fragments pass unchanged
  - over IPv6, a tunnel encapsulation limit may follow the outer header; packets with other options pass unchanged
"""


def explain_spec(described: Described) -> str:
    """Everything that happens to a packet, for a person who reviews the spec."""
    from .summary import summary

    spec = described.resolved.spec
    lines = positions(spec)
    preset = _preset_text(spec) if spec.preset else []
    families = " and ".join("IPv4" if f == "ipv4" else "IPv6" for f in described.program.packet.families)
    parts = [
        summary(described.manifest, lines),
        "",
        *preset,
        UNASKED.format(families=families)
        + (ANSWERS if spec.mtu.too_big == "icmp" else "")
        + (PATHS if described.program.egress.paths else "")
        + (CLAMPS if described.program.clamps else "")
        + _guard(described)
        + _route_device(described),
    ]
    if described.program.decapsulations:
        refuse = "dropped" if spec.ingress.refuse == "drop" else "passed unchanged"
        parts.append(RECEIVE.format(refuse=refuse))
    budget = mtu_lines(described.manifest)
    parts += [*budget, ""] if budget else []
    parts.append("Lookups:")
    for table in described.program.tables:
        parts.append(f"  {_table_text(table)}, capacity {table.capacity} rows")
    parts += ["", "Counters:"]
    width = max(len(c.name) for c in described.program.counters)
    parts += [
        f"  {c.name:<{width}}  {c.text}{f'  {line_of(c.place, lines)}' if c.place else ''}"
        for c in described.program.counters
    ]
    needs = ", ".join(f"{name} ({since})" for name, since in described.manifest.features.items())
    parts += ["", f"Kernel features: {needs or 'none'}"]
    return "\n".join(parts) + "\n"


def _table_text(table: TableMap) -> str:
    return f"{table.place.partition('.')[2]}: {table.comment}"


def _guard(described: Described) -> str:
    attribution = described.program.attribution
    if attribution is None:
        return ""
    return GUARDS if attribution.guard else UNGUARDED


def _route_device(described: Described) -> str:
    """Which rules' packets are routed to the route device, and what becomes of others on it."""
    device = described.manifest.route_device
    if device is None:
        return ""
    routed = {route.rule for route in device.routes}
    others = [r.name for r in described.resolved.egress if r.encapsulates and r.name not in routed]
    lines = [f"Route device {device.name}:"]
    for route in device.routes:
        rows = f"destinations of rows of {route.table} within " if route.table else ""
        besides = f", but not {_prefixes(route.passed)}" if route.passed else ""
        lines.append(f"  - routed to it for rule {route.rule}: {rows}{_prefixes(route.prefixes)}{besides}")
    if others:
        lines.append(f"  - at the attached devices alone: {', '.join(others)}")
    lines += [
        "  - an encapsulated packet leaves by the device that the route of its tunnel endpoint names",
        "  - a packet on it that no rule encapsulates is dropped and counted, also if a rule or the default passes it",
    ]
    wrapped = (fill(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines)
    return "".join(f"{line}\n" for line in ["", *wrapped])


def _prefixes(prefixes: tuple[str, ...]) -> str:
    more = len(prefixes) - SHOWN
    return ", ".join(prefixes[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _preset_text(spec: Spec) -> list[str]:
    """What the preset stands for, together with what is written beside it."""
    assert spec.preset is not None
    lines = "".join(f"  {line}\n" for line in spec.preset.expansion.splitlines())
    where = f"{spec.preset.place.file.rpartition('/')[2]}:{spec.preset.place.line}"
    return [f"With the preset {spec.preset.name} ({where}) written out, this spec is:", lines]


def spec_document(described: Described) -> dict[str, Any]:
    """The same for programs: rules, lookups, counters and features one by one, and the whole of it as `text`."""
    spec, summarised = described.resolved.spec, described.manifest
    lines = positions(spec)
    return {
        "format_version": FORMAT_VERSION,
        "name": summarised.name,
        "kernel": summarised.kernel,
        "preset": spec.preset.name if spec.preset else None,
        "expansion": spec.preset.expansion if spec.preset else None,
        "families": list(described.program.packet.families),
        "refuse": spec.ingress.refuse if described.program.decapsulations else None,
        "rules": [
            {"name": r.name, "direction": r.direction, "text": r.text, "place": line_of(r.place, lines)}
            for r in summarised.rules
        ],
        "tables": [{"name": t.name, "text": _table_text(t), "capacity": t.capacity} for t in described.program.tables],
        "counters": [
            {"name": c.name, "text": c.text, "place": line_of(c.place, lines) or None}
            for c in described.program.counters
        ],
        "features": dict(summarised.features),
        "mtu": mtu_document(summarised),
        "text": explain_spec(described),
    }
