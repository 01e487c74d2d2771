"""What a machine should have for the route device of a bundle: the device, its MTU and its routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING

from ....common.diagnostics import Findings
from ....common.fnv import fnv1a
from ....common.manifest import Manifest
from ....common.record import Record
from ....common.values import MAPPED
from ...host_values import Machine
from ...kernel.devices import Device
from ...kernel.table_routes import MAIN, Entry, Network, entries
from ..closing import table_of
from .prefixes import Routed, Routing, routing, row_prefixes
from .sources import with_sources

if TYPE_CHECKING:
    from ....common.rows import EncodedRows

ROLE = "route device"
LEAST_IPV6_MTU = 1280  # RFC 8200, section 5: a device with less has no IPv6
# A vxlan device has a UDP port even if nothing comes to it. Above the ports that the kernel gives to sockets.
_FIRST_PORT, _PORTS = 65300, 200


class Wanted(Record):
    """`table` is the routing table behind our rule. `asked` is what rules and rows say of `routing`, which also has
    prefixes for the sake of their `sources`."""

    bundle: str
    name: str
    owner: str
    port: int
    mtu: int
    table: int
    routing: Routing
    sources: Mapping[Network, IPv4Address]
    asked: Routing

    def entries(self, device: int) -> list[Entry]:
        """The routes, for the device by its ifindex."""
        return self.routing.entries(device, self.sources)


def owner_of(bundle: str) -> str:
    """What the device of a bundle says of itself, in its alias."""
    return f"encap: {ROLE} of {bundle}"


def port_of(bundle: str) -> int:
    """The device's UDP port: not VXLAN's own, which may be the user's; two bundles' seldom are the same."""
    return _FIRST_PORT + fnv1a(bundle) % _PORTS


def decide(
    manifest: Manifest,
    machine: Machine,
    rows: Mapping[str, EncodedRows],
    here: Mapping[str, Device],
    findings: Findings,
) -> Wanted | None:
    """None without a route device. What cannot be goes to `findings` (H195)."""
    device = manifest.route_device
    if device is None:
        return None
    rules = [
        Routed(_prefixes(r.prefixes, rows.get(r.table) if r.table else None), tuple(map(ip_network, r.passed)))
        for r in device.routes
    ]
    found = routing(rules, subnets_but(here.values(), device.name), _endpoints(manifest, rows))
    mtu = min((d.mtu for d in machine.attached), default=0) - device.overhead
    if 6 in found.versions and mtu < LEAST_IPV6_MTU:
        words = f"{device.name} would have an MTU of {mtu}: IPv6, which is routed to it, needs {LEAST_IPV6_MTU}"
        smallest = min(machine.attached, key=lambda d: d.mtu).name
        fix = f"raise the MTU of {smallest} to {LEAST_IPV6_MTU + device.overhead}, or route no IPv6 prefix"
        findings.error("H195", words, help=fix)
    every, addresses = with_sources(found, entries(MAIN), here.values(), machine.attached)
    bundle = manifest.name
    return Wanted(
        bundle, device.name, owner_of(bundle), port_of(bundle), mtu, table_of(bundle), every, addresses, found
    )


def _prefixes(written: Iterable[str], rows: EncodedRows | None) -> tuple[Network, ...]:
    wide = [ip_network(text) for text in written]
    return tuple(wide if rows is None else row_prefixes(rows, wide))


def subnets_but(here: Iterable[Device], name: str) -> frozenset[Network]:
    """What this machine is on-link with, by any device but the named one, which is the route device."""
    found: set[Network] = set()
    for device in here:
        for address in device.addresses if device.name != name else ():
            subnet: Network = ip_network((address.address, address.prefix_length), strict=False)
            if subnet.prefixlen < subnet.max_prefixlen:
                found.add(subnet)
    return frozenset(found)


def _endpoints(manifest: Manifest, rows: Mapping[str, EncodedRows]) -> list[Network]:
    """Every tunnel endpoint that the rows name, to send to or to receive from."""
    from ..routing.reach import targets  # the package of the route checks, which ask for what is decided here

    raw = dict.fromkeys(end for target in targets(manifest, rows) for end in target.endpoints() or ())
    for source_set in manifest.source_sets:  # replies go there, whichever rule they take
        known = rows.get(source_set.table)
        raw.update(dict.fromkeys(known.field(source_set.field) if known is not None else ()))
    plain = dict.fromkeys(r[12:] if len(r) == 16 and r.startswith(MAPPED) else r for r in raw)
    return [ip_network(r) for r in plain]
