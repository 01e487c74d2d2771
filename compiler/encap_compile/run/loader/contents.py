"""What every map should hold: rows, source sets, prefix sets, own addresses, cgroups; all as packed bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from ...common.diagnostics import Findings, Place
from ...common.manifest import HostMember, Manifest, PrefixSet, SourceSet, Table
from ...common.record import Record
from ..host_values import Addresses, Machine
from ..kernel.maps import Packed
from .bundle import Bundle
from .compose import Instance, member_value
from .digests import file_sha256

if TYPE_CHECKING:
    from ...common.rows import EncodedRows

ONE = (1).to_bytes(4, sys.byteorder)  # the value of every set: a u32
MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96
OWN_ADDRESS_KEY = 16  # bytes: type ip


class Content(Record):
    """The entries that a map should hold. `kind` is rows, sources, prefixes, addresses or cgroups.

    `pending` names the rows that are left out as long as their cgroup is not there. `file` is what the entries were
    read from, with its SHA-256, and `origin` who named it; all empty for what no file says.
    """

    map: str
    kind: str
    key_size: int
    value_size: int
    entries: Packed
    capacity: int
    table: str = ""
    pending: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""
    origin: str = ""


@dataclass
class Wanted:
    """All maps' contents, and the rows they were made from by table."""

    contents: list[Content] = field(default_factory=list)
    rows: dict[str, EncodedRows] = field(default_factory=dict)

    @property
    def cgroups(self) -> tuple[str, ...]:
        """The paths of all cgroups by which rows are found, each once."""
        return tuple(dict.fromkeys(path for rows in self.rows.values() for path in rows.cgroups))


def wanted_contents(bundle: Bundle, machine: Machine, findings: Findings, host_file: str = "") -> Wanted:
    """Read the files of a bundle into map contents. What is wrong with a file goes to `findings`.

    `host_file` is the path of the host file that may have named files of rows.
    """
    from ...common.rows import read_rows
    from ...common.rows.destinations import validate_outer

    manifest, wanted = bundle.manifest, Wanted()
    for table in manifest.tables:
        if not table.file:  # compiled in
            continue
        path = bundle.rows_file(table)
        # Hashed before it is read: if it changes in between, it shows as changed afterwards.
        sha256 = file_sha256(path)
        rows = read_rows(table, str(path), findings)
        if table.family_field:  # the compiler has checked the bundle's own rows, but not those given with --rows
            validate_outer(rows, table.family_field, table.encapsulations, findings, warn=False)
        wanted.rows[table.name] = rows
        if not table.map:  # compiled in, but a source set is filled from its rows
            continue
        entries = Packed(rows.count, rows.keys, rows.values)
        wanted.contents.append(
            Content(
                table.map,
                "rows",
                table.key.size,
                table.value.size,
                entries,
                table.capacity,
                table.name,
                file=str(path.absolute()),
                sha256=sha256,
                origin=bundle.rows_origin(table, host_file),
            )
        )
    if findings.errors:  # sets are made from rows that are right
        return wanted
    for source_set in manifest.source_sets:
        if source_set.table not in wanted.rows:
            words = f"the outer sources {source_set.map} come from table {source_set.table}, whose rows are in no file"
            findings.error("B310", words, Place(str(bundle.directory / "manifest.json")), "build the bundle again")
            continue
        wanted.contents.append(_sources(source_set, wanted.rows[source_set.table]))
    for prefix_set in manifest.prefix_sets:
        wanted.contents.append(_prefixes(prefix_set, bundle, findings))
    if manifest.own_addresses:
        own = b"".join(_own_addresses(manifest, machine))
        count = len(own) // OWN_ADDRESS_KEY
        wanted.contents.append(
            Content(manifest.own_addresses, "addresses", OWN_ADDRESS_KEY, 4, Packed(count, own, ONE * count), 0)
        )
    return wanted


def _sources(source_set: SourceSet, rows: EncodedRows) -> Content:
    size = source_set.key.size
    distinct = dict.fromkeys(rows.field(source_set.field))
    keys = dict.fromkeys(_fit(value, size) for value in distinct)
    keys.pop(b"", None)
    entries = Packed(len(keys), b"".join(keys), ONE * len(keys))
    return Content(source_set.map, "sources", size, 4, entries, source_set.capacity, source_set.table)


def _fit(address: bytes, size: int) -> bytes:
    """An address in `size` bytes: mapped, or taken out of a mapped one; empty if it is of the other family."""
    if len(address) == size:
        return address
    if size == 16:
        return MAPPED + address
    return address[12:] if address.startswith(MAPPED) else b""


def _prefixes(prefix_set: PrefixSet, bundle: Bundle, findings: Findings) -> Content:
    from ...common.rows import read_prefixes

    width = prefix_set.key.size - 4
    path = bundle.prefix_file(prefix_set)
    sha256 = file_sha256(path)
    prefixes = read_prefixes(str(path), findings)
    keys = dict.fromkeys(_lpm_key(p, width) for p in prefixes if f"ipv{p.version}" in prefix_set.families)
    entries = Packed(len(keys), b"".join(keys), ONE * len(keys))
    size, capacity = prefix_set.key.size, prefix_set.capacity
    return Content(prefix_set.map, "prefixes", size, 4, entries, capacity, file=str(path.absolute()), sha256=sha256)


def _lpm_key(prefix: IPv4Network | IPv6Network, width: int) -> bytes:
    packed, bits = prefix.network_address.packed, prefix.prefixlen
    if len(packed) < width:
        packed, bits = MAPPED + packed, bits + 96
    return bits.to_bytes(4, sys.byteorder) + packed


def _own_addresses(manifest: Manifest, machine: Machine) -> list[bytes]:
    """Every address that is an outer source on some attached device, as 16 bytes."""
    found: dict[bytes, None] = {}
    for member in (m for m in manifest.host_members if m.own):
        for device in machine.attached:
            value = member_value(manifest, machine, device, member)
            if isinstance(value, Addresses):
                if value.ipv4 is not None:
                    found[MAPPED + value.ipv4.packed] = None
                if value.ipv6 is not None:
                    found[value.ipv6.packed] = None
    return list(found)


def check_stacks(manifest: Manifest, wanted: Wanted, instances: Sequence[Instance], findings: Findings) -> None:
    """A missing host address is an error if it is needed: always, by some row's stack, or by an answer (H109)."""
    reported: set[str] = set()
    for instance in instances:
        _check_replies(manifest, instance, reported, findings)
        for member in instance.missing:
            what = f"{member.source}{f' ({member.family})' if member.family else ''}"
            if what in reported:
                continue
            reported.add(what)
            if not member.required_for:
                findings.error(
                    "H109", f"host value {what} has no value on {instance.target.name}, and the programs need it"
                )
                continue
            needing = [row for need in member.required_for for row in _rows_of(manifest, wanted, need)]
            if needing:
                shown = ", ".join(needing[:5]) + (f" and {len(needing) - 5} more" if len(needing) > 5 else "")
                words = f"host value {what} has no value on {instance.target.name}, but rows need it: {shown}"
                findings.error("H109", words, help="give the host an address of that family, or take the rows out")


def _check_replies(manifest: Manifest, instance: Instance, reported: set[str], findings: Findings) -> None:
    """What can come in must be answered by a stack of which no address is missing."""
    for reply in manifest.replies:
        if any(m.own for m in _lacking(instance, reply.arriving)):
            continue  # no packet can be sent to us that way
        lacking = [_lacking(instance, stack) for stack in reply.stacks]
        if not all(lacking):
            continue
        names = [f"{m.source}{f' ({m.family})' if m.family else ''}" for members in lacking for m in members]
        if reported.issuperset(names):
            continue
        reported.update(names)
        words = (
            f"what comes in by {reply.arriving} cannot be answered: on {instance.target.name} there is no "
            f"{' and no '.join(names)}"
        )
        help = "the outer source and the destination of an answer are of one family: give the host both"
        findings.error("H109", words, help=help)


def _lacking(instance: Instance, stack: str) -> list[HostMember]:
    """The host values that a stack needs and the instance has not."""
    return [m for m in instance.missing if f"stack:{stack}" in m.required_for]


def _rows_of(manifest: Manifest, wanted: Wanted, need: str) -> list[str]:
    kind, _, name = need.partition(":")
    if kind != "stack":
        return [need]
    found = []
    for table in manifest.tables:
        stack = next((s for s in table.stacks if s.name == name), None)
        if stack is None:
            continue
        if table.name not in wanted.rows:
            found.append(f"the fixed rows of {table.name}")
            continue
        rows = wanted.rows[table.name]
        found += [f"{table.name}: {rows.describe(i)}" for i in _taking(table, rows, stack.id)]
    return found


def _taking(table: Table, rows: EncodedRows, stack: int) -> Iterable[int]:
    """The rows that take a stack; a table with one stack has no member that says so."""
    member = next((m for m in table.value.members if m.type == "stack"), None)
    if member is None:
        return range(rows.count)
    wanted, size = stack.to_bytes(member.size, sys.byteorder), table.value.size
    return (
        i
        for i in range(rows.count)
        if rows.values[i * size + member.offset : i * size + member.offset + member.size] == wanted
    )
