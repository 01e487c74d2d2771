"""The maps of addresses: who may send to us, where our own packets go, long prefix lists."""

from __future__ import annotations

from .. import ir
from ..resolved import Resolved, RowField
from ..spec import Prefix
from .c_names import c_name
from .conditions import Conditions
from .structs import PREFIX_LENGTH, VALUE_TYPES, Entry, place
from .tunnel_endpoints import address_map_name


def address_maps(resolved: Resolved, conditions: Conditions, own: ir.OwnStacks | None) -> tuple[ir.AddressMap, ...]:
    """Who may send to us, and where our own packets go, as far as the program asks."""
    asked = {end.map for end in (own.endpoints if own else ()) if isinstance(end, ir.EndpointMap)}
    sources = {address_map_name(field): field for field in resolved.sources}
    destinations = {address_map_name(field): field for field in resolved.destinations}
    sets = sources | {name: field for name, field in destinations.items() if name in asked}
    return (
        *(_set(name, field) for name, field in sets.items()),
        *(_list(name, listed.prefixes) for name, listed in sorted(conditions.prefix_maps.items())),
    )


def _set(name: str, field: RowField) -> ir.AddressMap:
    address = VALUE_TYPES[field.type]
    return ir.AddressMap(
        name=name,
        kind="hash",
        ctype=address.ctype,
        capacity=field.table.capacity,
        comment=f"tunnel endpoints: {field.table.name}.{field.field}",
        key=place([Entry("address", address)]),
        table=c_name(field.table.name),
        field=field.field,
    )


def _list(name: str, prefixes: tuple[Prefix, ...]) -> ir.AddressMap:
    address = VALUE_TYPES["ip"]
    return ir.AddressMap(
        name=name,
        kind="lpm",
        ctype=address.ctype,
        capacity=max(1024, 2 * len(prefixes)),
        comment="a long prefix list",
        key=place([Entry("prefixlen", PREFIX_LENGTH), Entry("address", address)]),
        prefixes=prefixes,
    )
