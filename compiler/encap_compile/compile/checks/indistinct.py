"""Two encapsulations that look the same when they arrive.

A packet is taken for an encapsulation by its outer protocol, its UDP destination port and its destination, our own
address. Where two share these, bits that are known of both and differ tell them apart: variants, versions, flags,
numbers of what follows, constant identifiers. Without such bits the second would never get a packet.
"""

from __future__ import annotations

from typing import NamedTuple

from ...common.diagnostics import Findings
from ...common.value_names import PROTOCOL_NAMES
from ...common.values import ValueProblem, parse
from ..headers.catalogue import FAMILIES
from ..headers.model import Space
from ..resolved.known_bits import difference, known_bits
from ..resolved.values import IP_HEADERS, headers_called, possible_families
from ..spec import Encapsulation, Scalar, Spec, Value


class _Look(NamedTuple):
    """What an encapsulation is recognised by. `port` is -1 where the protocol alone decides."""

    family: str
    protocols: frozenset[int]
    port: int
    own: Value | None  # our own address

    def is_like(self, other: _Look) -> bool:
        same = (self.family, self.port, self.own) == (other.family, other.port, other.own)
        return same and bool(self.protocols & other.protocols)

    def __str__(self) -> str:
        number = min(self.protocols)
        what = PROTOCOL_NAMES.get(number, f"protocol {number}").upper() if len(self.protocols) == 1 else "IP in IP"
        port = f" to port {self.port}" if self.port >= 0 else ""
        return f"{what}{port} at {self.own}"


def check(spec: Spec, findings: Findings) -> None:
    """E513 for encapsulations that rules decapsulate."""
    names = dict.fromkeys(rule.decapsulate for rule in spec.ingress.rules)
    stacks = [spec.encapsulations[name] for name in names if name in spec.encapsulations]
    for i, second in enumerate(stacks):
        for first in stacks[:i]:
            alike = [a for a in _looks(first) for b in _looks(second) if a.is_like(b)]
            alike = [a for a in alike if not difference(known_bits(first, a.family), known_bits(second, a.family))]
            if alike:
                words = f"{first.name} and {second.name} cannot be distinguished on receive: both are {alike[0]}"
                other = "ports or " if alike[0].port >= 0 else ""
                help = (
                    f"give them different {other}host values as source, or constants that differ; or use one for both, "
                    "with rules by `lookup`"
                )
                rule = next(r for r in spec.ingress.rules if r.decapsulate == second.name)
                related = ((first.place, "the one"), (second.place, "the other"))
                findings.error("E513", words, rule.places["decapsulate"], help, related=related)


def _looks(encapsulation: Encapsulation) -> list[_Look]:
    """One for each outer family; none for what other checks report."""
    first, *rest = encapsulation.headers
    if first.name not in IP_HEADERS or any(use.name in IP_HEADERS for use in rest):
        return []
    protocols = [h.announced_as.get(Space.IP_PROTOCOL) for use in rest[:1] for h in headers_called(use.name)]
    if not rest:
        protocols = [h.announced_as.get(Space.IP_PROTOCOL) for name in FAMILIES for h in headers_called(name)]
    port = _port(encapsulation) if rest and rest[0].name == "udp" else -1
    if None in protocols or port is None:
        return []
    known = frozenset(p for p in protocols if p is not None)
    return [_Look(family, known, port, first.values.get("source")) for family in possible_families(encapsulation)]


def _port(encapsulation: Encapsulation) -> int | None:
    """The UDP destination port: what the spec says, or that of the header that follows. None if it is neither."""
    given = encapsulation.headers[1].values.get("destination_port")
    if isinstance(given, Scalar):
        try:
            number = parse("port", given.value)
        except ValueProblem:
            return None
        return number if isinstance(number, int) else None
    if given is not None or len(encapsulation.headers) < 3:
        return None
    (following,) = headers_called(encapsulation.headers[2].name)
    return following.announced_as.get(Space.UDP_PORT)
