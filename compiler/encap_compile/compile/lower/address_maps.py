"""The maps of addresses: who may send to us, where our own packets go, long prefix lists."""

from __future__ import annotations

from collections.abc import Mapping

from ...common import manifest
from .. import ir
from ..spec import Spec, TableField
from .c_names import c_name
from .conditions import FAMILIES, Conditions
from .ingress import source_sets
from .tables import manifest_layout, place_members
from .tunnel_endpoints import ADDRESS_TYPES, tunnel_endpoint_fields

OWN_ADDRESSES = "own_addresses"  # encap_own_addresses.h


def address_sets(spec: Spec, egress: ir.EgressProgram) -> dict[str, TableField]:
    """The fields whose values are kept as a set: who may send to us, and where our own packets go."""
    endpoints = egress.own.endpoints if egress.own else ()
    wanted = {endpoint.map for endpoint in endpoints if isinstance(endpoint, ir.EndpointMap)}
    return {
        **source_sets(spec),
        **{name: field for name, field in tunnel_endpoint_fields(spec).items() if name in wanted},
    }


def address_maps(
    spec: Spec, conditions: Conditions, addresses: Mapping[str, TableField]
) -> tuple[tuple[ir.AddressMap, ...], tuple[manifest.SourceSet, ...], tuple[manifest.PrefixSet, ...], dict[str, str]]:
    maps = []
    sets = []
    for name, source in addresses.items():
        type_ = spec.endpoints[source.table].fields[source.field]
        capacity = spec.endpoints[source.table].capacity
        comment = f"tunnel endpoints: {source.table}.{source.field}"
        maps.append(ir.AddressMap(name, "hash", ADDRESS_TYPES[type_], capacity, comment, c_name(source.table)))
        key = manifest_layout(place_members([("address", type_)]))
        sets.append(manifest.SourceSet(name, source.table, source.field, key, capacity))
    prefix_sets = []
    files = {}
    for name, listed in conditions.prefix_maps.items():
        capacity = max(1024, 2 * len(listed.prefixes))
        maps.append(ir.AddressMap(name, "lpm", ADDRESS_TYPES["ip"], capacity, "a long prefix list"))
        key = manifest.Layout(
            20, (manifest.Member("prefixlen", "prefixlen", 0, 4), manifest.Member("address", "ip", 4, 16))
        )
        file = f"{name}.prefixes.csv"  # no table's rows: their names have no dot
        prefix_sets.append(manifest.PrefixSet(name, name, file, FAMILIES, key, capacity))
        files[file] = "".join(f"{p}\n" for p in listed.prefixes)
    return tuple(maps), tuple(sets), tuple(prefix_sets), files
