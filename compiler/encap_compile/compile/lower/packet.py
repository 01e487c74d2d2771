"""What a program must know of a packet: what is parsed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .. import ir
from ..resolved import Resolved


def asked_of_packets(
    egress: Mapping[str, Sequence[ir.Condition]],
    attribution: ir.Attribution | None,
    ingress: ir.IngressProgram | None,
) -> Iterator[ir.Condition]:
    """The conditions of all rules. `egress` are those of egress rules."""
    yield from (c for conditions in egress.values() for c in conditions)
    yield from (c for rule in (attribution.connects if attribution else ()) for c in rule.conditions)
    yield from (c for rule in (ingress.rules if ingress else ()) for c in rule.match)


def packet_needs(
    resolved: Resolved,
    conditions: Iterable[ir.Condition],
    keys: Iterable[str],
    stacks: Sequence[ir.Stack],
    own: ir.OwnStacks | None,
    before: Sequence[ir.PassedBefore],
    fragments: bool,
) -> ir.PacketNeeds:
    """What the rules, the keys and the stacks want to know; nothing else is parsed.

    `conditions` are those of all rules, `keys` the words of all tables' keys. `fragments`: some of them ask for what
    later fragments do not show.
    """
    wanted = {c.member for c in conditions if isinstance(c, ir.InRanges)} | {*keys}
    sources = [p.source for s in stacks for layer in s.layers for w in layer.words for p in w.parts]
    inner = {s.what for s in sources if isinstance(s, ir.FromInner)}
    families, learns = resolved.families, bool(resolved.learning)
    encapsulates = any(rule.encapsulates for rule in resolved.egress)
    socket = bool(resolved.attributing)
    reflects = learns or any(rule.reflect for rule in resolved.egress)
    uses_hash = encapsulates and any(s.uses_hash for s in stacks)
    ports = (
        fragments
        or bool(wanted & {"source_port", "destination_port"})
        or any(s.port for s in (own.signatures if own else ()))
        or uses_hash
        or reflects
        or socket
    )
    protocol = "protocol" in wanted or bool(own) or ports or encapsulates
    return ir.PacketNeeds(
        families=families,
        protocol=protocol,
        ports=ports,
        dscp="dscp" in wanted or encapsulates or bool(inner & {"dscp", "ecn"}),
        ttl=encapsulates and "ttl" in inner,
        mark="mark" in wanted or "mark" in inner,
        hash=uses_hash,
        length=encapsulates or socket or learns,
        flow=reflects,
        fragments=fragments,
        socket=socket,
        hides=_hides(families, protocol, ports),
        discovery=any(ir.Aside.DISCOVERY in passed.kinds for passed in before),
    )


def _hides(families: Sequence[str], protocol: bool, ports: bool) -> ir.Hides:
    """A packet that hides its protocol, by an odd chain of IPv6 headers, hides its ports too."""
    if ports:
        return ir.Hides.PORTS
    return ir.Hides.PROTOCOL if protocol and "ipv6" in families else ir.Hides.NOTHING
