"""Where the route device and its routes are not as they were applied."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network

from ...kernel.devices import devices
from ...kernel.table_routes import UNICAST, VERSIONS, entries, has_rule
from ...kernel.tunnel_devices import tunnel_devices
from ..closing import table_of
from ..state import RouteDevice, State
from .prefixes import Routing
from .sources import gone_sources


def drift_of_route_device(state: State) -> list[str]:
    """A sentence for each. That it is gone, or another one, is said of it as of all devices. Raises KernelError."""
    applied = state.route_device
    if applied is None or state.manifest is None:
        return []
    table, found = table_of(state.manifest.name), []
    device = next((d for d in tunnel_devices() if d.name == applied.name), None)
    if device is not None and not device.up:
        found.append(f"route device {applied.name} is down: what is routed to it is unreachable")
    if device is not None and device.mtu != applied.mtu:
        found.append(f"route device {applied.name}: its MTU is {device.mtu}, not {applied.mtu}")
    routing = routing_of(applied)
    should = set(routing.entries(applied.index))
    filled = entries(table)
    for source in gone_sources((entry.source for entry in filled), devices().values()):
        found.append(f"packets to {applied.name} get the source {source}, which this machine has not any more")
    here = {entry._replace(source=None) for entry in filled}
    missing = Counter(e.kind == UNICAST for e in should - here)
    if missing[True]:
        found.append(f"{missing[True]} of {len(routing.routed)} prefixes are not routed to {applied.name} any more")
    if missing[False]:
        found.append(f"table {table}: {missing[False]} routes behind or beside those to {applied.name} are gone")
    if here - should:
        found.append(f"table {table}: {len(here - should)} routes are not ours")
    for version in sorted(routing.versions):
        if version in VERSIONS and not has_rule(table, version):
            found.append(f"no IPv{version} rule leads to table {table}: packets take the routes that they had before")
    return found


def routing_of(applied: RouteDevice) -> Routing:
    """The prefixes as they were applied."""
    routed, thrown = (tuple(map(ip_network, texts)) for texts in (applied.routed, applied.thrown))
    return Routing(routed, thrown)
