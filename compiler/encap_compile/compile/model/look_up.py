"""The row that a look-up finds for a packet."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from ...common.fnv import fnv1a
from .. import ir
from .facts import Row, Value, plain
from .packet import Packet

if TYPE_CHECKING:
    from .machine import Machine


def is_asked(find: ir.Find, machine: Machine, packet: Packet) -> bool:
    """Whether anything is looked up: of sockets' choices, those that the rule takes."""
    if not isinstance(find, ir.ByChoice):
        return True
    table, number = packet.socket.choice
    ids = {row.id for row in find.rows}
    return table == machine.constants.number(find.constant) and (not ids or number in ids)


def find_row(find: ir.Find, machine: Machine, packet: Packet) -> Row | None:
    rows = machine.facts.tables[find.table]
    match find:
        case ir.ByKey():
            return _by_key(machine, packet, find.table)
        case ir.ByName():
            return rows.by_name.get(find.row.name)
        case ir.ByChoice():
            number = packet.socket.choice[1]
            return next((row for name, row in rows.by_name.items() if fnv1a(name) == number), None)
        case _:
            assert_never(find)


def _by_key(machine: Machine, packet: Packet, table: str) -> Row | None:
    rows = machine.facts.tables[table]
    values: dict[str, Value | None] = {
        # An IPv6 packet to a mapped address (RFC 4291, section 2.5.5.2) counts as one to what it is mapped from.
        "destination": plain(packet.destination),
        "source": plain(packet.source),
        "protocol": packet.protocol,
        "destination_port": packet.destination_port,
        "source_port": packet.source_port,
        "dscp": packet.dscp,
        "mark": packet.mark,
        "cgroup": packet.socket.cgroup.encode() if packet.socket.cgroup is not None else None,
    }
    exact = [values[name] for name in rows.exact]
    address = values[rows.prefix] if rows.prefix else b""
    described = next(t for t in machine.program.tables if t.name == table)
    by_family = described.kind == "fixed" or bool(described.prefix_lengths)
    if packet.family == "ipv6" and by_family:
        address = {"source": packet.source, "destination": packet.destination}.get(rows.prefix, address)
    if None in exact or not isinstance(address, bytes):
        return None
    key = tuple(v for v in exact if v is not None)
    if packet.family == "ipv6" and described.prefix_lengths:
        lengths = [length for family, length in described.prefix_lengths if family == "ipv6"]
        return rows.find_of_lengths(key, address, lengths)
    return rows.find(key, address)
