"""The maps of addresses: who may send to us, where our own packets go, long prefix lists."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..spec import Prefix, Spec, Table, TableField
from .c_names import c_name
from .conditions import Conditions
from .ingress import source_sets
from .structs import PREFIX_LENGTH, VALUE_TYPES, Entry, place
from .tunnel_endpoints import tunnel_endpoint_fields


def address_sets(spec: Spec, egress: ir.EgressProgram) -> dict[str, TableField]:
    """The fields whose values are kept as a set: who may send to us, and where our own packets go."""
    endpoints = egress.own.endpoints if egress.own else ()
    wanted = {endpoint.map for endpoint in endpoints if isinstance(endpoint, ir.EndpointMap)}
    return {
        **source_sets(spec),
        **{name: field for name, field in tunnel_endpoint_fields(spec).items() if name in wanted},
    }


def address_maps(spec: Spec, conditions: Conditions, addresses: Mapping[str, TableField]) -> tuple[ir.AddressMap, ...]:
    """`addresses` are the fields whose values are kept as sets, by the names of these."""
    return (
        *(_set(name, source, spec.endpoints[source.table]) for name, source in addresses.items()),
        *(_list(name, listed.prefixes) for name, listed in conditions.prefix_maps.items()),
    )


def _set(name: str, source: TableField, table: Table) -> ir.AddressMap:
    kind = table.fields[source.field]
    return ir.AddressMap(
        name=name,
        kind="hash",
        ctype=VALUE_TYPES[kind].ctype,
        capacity=table.capacity,
        comment=f"tunnel endpoints: {source.table}.{source.field}",
        key=place([Entry("address", VALUE_TYPES[kind])]),
        table=c_name(source.table),
        field=source.field,
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
