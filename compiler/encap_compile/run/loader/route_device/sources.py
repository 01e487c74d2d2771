"""Which address of this machine packets get that are routed to the route device and have none yet.

The device has no address, so the kernel would take one of any other device. They shall have the one that they would
have without our routes: that of the main table's route. For IPv6 the kernel chooses by more than the route (RFC 6724),
and our routes say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from ...kernel.devices import Device
from ...kernel.table_routes import UNICAST, Entry, Network
from .prefixes import Routing

_BITS = 32


class _Longest:
    """Routes; the one of the longest prefix that holds another one."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[int, Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Of two with one prefix, that of the smaller metric."""
        length = entry.network.prefixlen
        known = self._by_length.setdefault(length, {})
        number = int(entry.network.network_address) >> (_BITS - length)
        if number not in known or entry.metric < known[number].metric:
            known[number] = entry

    def find(self, network: Network) -> Entry | None:
        first = int(network.network_address)
        for length in range(network.prefixlen, -1, -1):
            found = self._by_length.get(length, {}).get(first >> (_BITS - length))
            if found is not None:
                return found
        return None


def with_sources(
    routing: Routing, main: Iterable[Entry], here: Iterable[Device], attached: Sequence[Device]
) -> tuple[Routing, Mapping[Network, IPv4Address]]:
    """The address for each prefix that has one: the route's own, else its device's, else that of an attached device.

    Where the main table has a route within a prefix whose packets have another address, that is a prefix of its own.
    """
    own = {device.index: address for device in here if (address := _first(device)) is not None}
    fallback = next((own[d.index] for d in attached if d.index in own), None)

    def address_of(entry: Entry | None) -> IPv4Address | None:
        if entry is None:
            return fallback
        return entry.source if isinstance(entry.source, IPv4Address) else own.get(entry.device, fallback)

    known, ours = _Longest(), _Longest()
    leading = [e for e in main if isinstance(e.network, IPv4Network) and e.kind == UNICAST]
    for entry in leading:
        known.add(entry)
    found: dict[Network, IPv4Address] = {}
    for network in (n for n in routing.routed if n.version == 4):
        address = address_of(known.find(network))
        ours.add(Entry(network, UNICAST, 0, 0, address))
        if address is not None:
            found[network] = address
    for network in (n for n in routing.thrown if n.version == 4):
        ours.add(Entry(network, 0, 0, -1))  # it takes precedence over a route to the device
    more = []
    for entry in sorted(leading, key=lambda e: e.network.prefixlen):
        around, address = ours.find(entry.network), address_of(known.find(entry.network))
        if around is None or around.kind != UNICAST or around.source == address or around.network == entry.network:
            continue
        ours.add(Entry(entry.network, UNICAST, 0, 0, address))
        more.append(entry.network)
        if address is not None:
            found[entry.network] = address
    return replace(routing, routed=(*routing.routed, *dict.fromkeys(more))), found


def gone_sources(sources: Iterable[object], here: Iterable[Device]) -> list[str]:
    """Those that this machine does not have any more: the kernel keeps a route of another table that names one."""
    has = {address.address for device in here for address in device.addresses}
    return sorted({str(source) for source in sources if source is not None and source not in has})


def _first(device: Device) -> IPv4Address | None:
    """The address that a route by the device takes by itself."""
    usable = (a.address for a in device.addresses if a.global_primary)
    return next((address for address in usable if isinstance(address, IPv4Address)), None)
