"""`encap-compile explain`: what a spec does, asked and unasked, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .positions import line_of, positions

if TYPE_CHECKING:
    from .description import Described
    from .ir import TableMap
    from .spec import Spec

UNASKED = """\
Unasked, in this order:
  - rules see {families}; ARP and everything else passes
  - what already carries one of these stacks from an address of this host passes as it is
  - IPv6 neighbour discovery, and packets to link-local and link-scope multicast addresses that a rule could match,
    pass before the rules
  - a later fragment follows what the rules decided on the first one. Where that was not seen, it has no row by a rule
    that asks for its ports: `on_miss` decides, but never lets it pass
  - a packet whose headers cannot be read shows no ports: a rule that encapsulates or drops takes it by its addresses
    and protocol, a rule that passes by port does not
  - a packet that a rule chose and that cannot be encapsulated is dropped and counted, never sent unencapsulated
  - outer packets have DF set and ECN by RFC 6040; a packet that would be longer than the device's MTU is dropped and
    counted, unless it is TCP before segmentation: its segments are then cut smaller
"""
CLAMPS = """\
  - the MSS in the SYN and SYN-ACK of a flow that a rule encapsulates leaves headroom for the most that a row adds, both
    ways; where an answer to what came in by a tunnel leaves without one, headroom for the headers that came in.
    A SYN with TCP-AO is not changed, and counted
"""

GUARDS = """\
  - a packet that a rule encapsulates and whose route leaves by a device that is not attached is dropped and counted, if
    a socket in the cgroups of rules with `socket` or `cgroup` sends it, of the network namespace applied in
"""
UNGUARDED = """\
  - a packet whose route leaves by a device that is not attached leaves unencapsulated, whatever its socket has chosen
"""

FORMAT_VERSION = 1
RECEIVE = """\
On receive:
  - only packets to this host's own outer address are looked at; all others pass untouched
  - what looks like one of these stacks and is not right is {refuse}, and counted by the reason
  - IPv4 outer fragments are refused by name, later fragments of UDP and IPv6 fragments are left alone
  - over IPv6 a tunnel encapsulation limit may stand behind the outer header; any other option is somebody else's
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
        UNASKED.format(families=families) + (CLAMPS if described.program.clamps else "") + _guard(described),
    ]
    if described.program.ingress:
        refuse = "dropped" if spec.ingress.refuse == "drop" else "passed unchanged"
        parts.append(RECEIVE.format(refuse=refuse))
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
        "refuse": spec.ingress.refuse if described.program.ingress else None,
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
        "text": explain_spec(described),
    }
