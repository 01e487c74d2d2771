"""`boot: closed`: as long as nothing is applied, the prefixes that rules encapsulate have no route.

The routes are taken before the network is up, and again while an attached device is missing; apply gives them back
last, when every program is in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from ...common.manifest import Manifest, RuleSummary
from ..kernel import closed_routes
from ..kernel.devices import devices
from ..kernel.hooks.clsact import handle_of

CLOSED = "closed"
_ENCAPSULATES = ("encapsulate", "socket", "reflect")
Network = IPv4Network | IPv6Network


def table_of(bundle: str) -> int:
    """The routing table of a bundle: FNV-1a of its name above all numbers that people give to tables."""
    return handle_of(bundle) | 0x40000000


def closable(manifest: Manifest) -> list[Network]:
    """The literal prefixes of the rules that encapsulate, and of those that drop by nothing but the destination."""
    found = (d for r in manifest.rules if r.direction == "egress" for d in _closes(r))
    return list(dict.fromkeys(ip_network(d) for d in found))


def left_open(manifest: Manifest) -> list[RuleSummary]:
    """The rules whose packets leave, unencapsulated or undropped, before anything is applied: no route tells them."""
    rules = [r for r in manifest.rules if r.direction == "egress" and r.action in (*_ENCAPSULATES, "drop")]
    return [r for r in rules if manifest.boot != CLOSED or not _closes(r)]


def _closes(rule: RuleSummary) -> tuple[str, ...]:
    if rule.action == "drop" and set(rule.match) != {"destination"}:
        return ()  # what it passes would be closed with what it drops
    literal = rule.destinations or rule.match.get("destination", ())
    return literal if rule.action in (*_ENCAPSULATES, "drop") else ()


def on_link(networks: Iterable[Network]) -> list[Network]:
    """The subnets of this machine's devices within some prefixes: gateways and tunnel endpoints are there, and must be
    for the network to come up. Raises KernelError."""
    wide = list(networks)
    found: dict[Network, None] = {}
    for device in devices().values():
        for address in device.addresses:
            subnet = ip_network((address.address, address.prefix_length), strict=False)
            inside = any(subnet.version == n.version and subnet.subnet_of(n) for n in wide)  # type: ignore[arg-type]
            if inside and subnet.prefixlen < subnet.max_prefixlen:
                found[subnet] = None
    return list(found)


def close(manifest: Manifest, known: Iterable[Network] = ()) -> int:
    """Take the routes; how many prefixes are closed. `known` are subnets that are on-link once the network is up.

    Raises KernelError.
    """
    prefixes = closable(manifest) if manifest.boot == CLOSED else []
    if prefixes:
        passed = [ip_network(d) for d in _passed(manifest)]
        closed_routes.close(table_of(manifest.name), prefixes, dict.fromkeys([*on_link(prefixes), *known, *passed]))
    return len(prefixes)


def _passed(manifest: Manifest) -> list[str]:
    """What rules pass by its destination alone, before any rule that encapsulates matches it."""
    found: list[str] = []
    for rule in (r for r in manifest.rules if r.direction == "egress" and r.name != "default"):
        if rule.action != "pass":
            break
        if set(rule.match) == {"destination"}:
            found += rule.match["destination"]
    return found


def lift(bundle: str) -> bool:
    """Give the routes back; whether there were some to give. Raises KernelError."""
    table = table_of(bundle)
    there = closed_routes.closed(table)
    if there:
        closed_routes.lift(table)
    return there


def is_closed(bundle: str) -> bool:
    """Whether routes are taken. Raises KernelError."""
    return closed_routes.closed(table_of(bundle))
