"""The one row codec: rows to the bytes of a map, by which the compiler validates a table and the loader fills it.

Byte layouts are those of `manifest.Member`; nothing about them is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from itertools import repeat
from struct import Struct

from .. import manifest
from ..diagnostics import Findings, Place
from ..fnv import fnv1a
from ..record import Record
from ..values import MAPPED, ValueProblem
from .columns import Column
from .covering import judge_covering
from .csv_text import BEYOND, Sheet, parse_sheet, read_text
from .prefixes import read_prefixes
from .problems import Problems
from .typed import Columns, TypedRows, type_rows

__all__ = [
    "MOST_FIXED",
    "EncodedRows",
    "encode_sheet",
    "read_prefixes",
    "read_rows",
]

MOST_FIXED = 64  # rows that are compiled into a switch
_FORMATS = {"prefixlen": "I", "rowid": "I", "stack": "I", "u8": "B", "u16": "H", "u32": "I", "be16": "2s", "mac": "6s"}
_FORMATS |= {"u64": "Q", "ipv4": "4s", "ipv6": "16s", "ip": "16s", "cgroup": "Q"}


class EncodedRows(Record):
    """A table's rows as map bytes: `count` keys of `key_size` bytes one after the other, and so the values.

    `names` are "" where a row has none; `encapsulations` where the table has none. `lines` are the file's lines.
    `cgroups` are the paths by which rows are found, if a member of the key has that type: numbers are the kernel's, so
    in `keys` there is for each distinct path a number from 0 on, in which rows differ as their cgroups do.
    """

    table: str
    path: str
    count: int
    keys: bytes
    values: bytes
    key_size: int
    value_size: int
    names: Sequence[str]
    encapsulations: Sequence[str]
    lines: Sequence[int]
    typed: TypedRows = field(repr=False, compare=False)
    types: dict[str, str] = field(repr=False, compare=False, default_factory=dict)
    cgroups: Sequence[str] = ()

    def field(self, name: str) -> list[bytes]:
        """One field of every row that has it, as its `Member` would be: addresses and MACs in network byte order
        (`ip` 16 bytes, IPv4 mapped), numbers in host byte order. KeyError if there is no such field."""
        cells = self.typed.sheet.column(name) or [""] * self.count
        column = [value for value, cell in zip(self.typed.fields[name], cells, strict=True) if cell]
        if column and isinstance(column[0], int):
            pack = Struct(
                "=" + {"u8": "B", "dscp": "B", "u16": "H", "port": "H", "u64": "Q"}.get(self.types[name], "I")
            ).pack
            return [pack(value) for value in column]
        return [value for value in column if isinstance(value, bytes)]

    def describe(self, row: int) -> str:
        """What a person calls the row: its name, else its key."""
        if self.names[row]:
            return self.names[row]
        return " ".join(f"{c}={(self.typed.sheet.column(c) or ())[row]}" for c in self.typed.key) or f"row {row + 1}"

    def place(self, row: int) -> Place:
        return self.typed.sheet.place(row, -1)


def read_rows(table: manifest.Table, path: str, findings: Findings) -> EncodedRows:
    """Read and check a CSV file. After errors (in `findings`) the result has no rows."""
    text = read_text(path, findings, _most(table))
    sheet = parse_sheet(path, text, findings) if text is not None else None
    if sheet is None:
        return _no_rows(table, path)
    return encode_sheet(table, sheet, findings)


def encode_sheet(table: manifest.Table, sheet: Sheet, findings: Findings) -> EncodedRows:
    """Check and encode rows from either source."""
    problems = Problems(findings, sheet.place)
    columns = Columns(table.name, table.columns, table.fields, table.encapsulations, table.needs)
    typed = type_rows(columns, sheet, problems)
    most = _most(table)
    if sheet.count > most:
        whole = sheet.count <= most + BEYOND
        code, help = "E610", f"raise `capacity` to {'at least' if whole else 'more than'} {sheet.count}"
        if table.kind == "fixed":
            code, help = "E611", "leave out `fixed: true`: the rows then live in a map"
        words = f"table {table.name} has {'' if whole else 'more than '}{sheet.count} rows, and {most} is the most"
        problems.add(ValueProblem(code, words, help), most, -1)
    encoded = None
    if not problems.count:
        encoded = _encode(table, typed, problems)
    problems.finish()
    return _no_rows(table, sheet.path) if encoded is None or problems.count else encoded


def _most(table: manifest.Table) -> int:
    return MOST_FIXED if table.kind == "fixed" else table.capacity


def _no_rows(table: manifest.Table, path: str) -> EncodedRows:
    sheet = _empty(path)
    return _encode(table, TypedRows(sheet), Problems(Findings(), sheet.place))


# ---- bytes ----------------------------------------------------------------------------------------------------------


def _encode(table: manifest.Table, typed: TypedRows, problems: Problems) -> EncodedRows:
    count = typed.sheet.count
    ids = _row_ids(table, typed, problems)
    stacks = _stacks(table, typed) if table.stacks else [0] * count
    cgroups = next((_texts(typed.key.get(c.name, ())) for c in table.columns if c.type == "cgroup"), [])

    def member(m: manifest.Member, layout: manifest.Layout, columns: dict[str, Column]) -> Iterable[int | bytes]:
        if m.type == "rowid":
            return ids
        if m.type == "stack":
            return stacks
        if m.type == "prefixlen":
            return _significant_bits(table, layout, typed)
        if m.type == "cgroup":
            ordinals = {path: i for i, path in enumerate(dict.fromkeys(cgroups))}
            return [ordinals[path] for path in cgroups]
        return _fitted(_named(m.name, columns, typed), m)

    keys = _packed(table.key, lambda m: member(m, table.key, typed.key), count)
    vals = _packed(table.value, lambda m: member(m, table.value, typed.fields), count)
    if table.columns:
        _judge_duplicates(table, keys, typed, problems)
        judge_covering(table, typed, problems)
    return EncodedRows(
        table=table.name,
        path=typed.sheet.path,
        count=count,
        keys=b"".join(keys),
        values=b"".join(vals),
        key_size=table.key.size,
        value_size=table.value.size,
        names=typed.names,
        encapsulations=typed.encapsulations,
        lines=typed.sheet.lines,
        typed=typed,
        types=dict(table.fields),
        cgroups=cgroups,
    )


def _texts(column: Column) -> list[str]:
    return [value.decode() for value in column if isinstance(value, bytes)]


def _packed(
    layout: manifest.Layout, column: Callable[[manifest.Member], Iterable[int | bytes]], count: int
) -> list[bytes]:
    """One bytes object a row."""
    form, columns, at = "=", [], 0
    for m in sorted(layout.members, key=lambda m: m.offset):
        form += "x" * (m.offset - at)
        at = m.offset + m.size
        if m.type in ("pad", "bytes"):
            form += "x" * m.size
        else:
            form += "I" if m.type in ("u24", "u32") else _FORMATS[m.type]
            columns.append(column(m))
    form += "x" * (layout.size - at)
    pack = Struct(form).pack
    if not columns:
        return [bytes(layout.size)] * count
    return list(map(pack, *columns)) if count else []


def _named(name: str, columns: dict[str, Column], typed: TypedRows) -> Column:
    """The column of a member: by its name with `_` for `-` and `.`, or by the last part of `received.HEADER.FIELD`."""
    for written, column in columns.items():
        if name == written.replace("-", "_").replace(".", "_") or name == written.rpartition(".")[2]:
            return column
    if not typed.sheet.count:
        return []
    raise KeyError(f"no column for member {name}")


def _fitted(column: Column, m: manifest.Member) -> Iterable[int | bytes]:
    """Values as the member's type has them: IPv4 mapped into 16 bytes, ports in network byte order."""
    if m.type == "be16":
        made = {number: Struct(">H").pack(number) for number in set(column)}
        return [made[number] for number in column]
    if m.type == "ip":
        if sum(map(len, column)) == 4 * len(column):  # type: ignore[arg-type]
            return list(map(MAPPED.__add__, column))  # type: ignore[arg-type]
        return [c if len(c) == 16 else MAPPED + c for c in column]  # type: ignore[arg-type,operator]
    return column


def _significant_bits(table: manifest.Table, layout: manifest.Layout, typed: TypedRows) -> list[int]:
    """The first member of an LPM key: bits of the exact members before the prefix, plus the prefix's own."""
    for key in table.columns:
        if key.type != "prefix":
            continue
        m = next(m for m in layout.members if m.name == key.name.replace("-", "_"))
        before = (m.offset - 4) * 8
        addresses, lengths = typed.key.get(key.name, ()), typed.lengths.get(key.name, ())
        if m.type == "ip":
            four = before + 96
            return [n + (four if len(a) == 4 else before) for a, n in zip(addresses, lengths, strict=True)]  # type: ignore[arg-type]
        return [n + before for n in lengths]
    return [(layout.size - 4) * 8] * typed.sheet.count


def _row_ids(table: manifest.Table, typed: TypedRows, problems: Problems) -> list[int]:
    members = (*table.key.members, *table.value.members)
    if table.columns and not any(m.type == "rowid" for m in members):
        return []
    ids = [fnv1a(n) for n in typed.names]
    if not table.columns and len(set(ids)) != len(ids):
        seen: dict[int, int] = {}
        for i, number in enumerate(ids):
            if seen.setdefault(number, i) != i:
                other = typed.names[seen[number]]
                words = f"the names {other} and {typed.names[i]} have the same 32-bit hash"
                column = typed.sheet.columns.index("name")
                problems.add(ValueProblem("E609", words, "change one of the names"), i, column)
    return ids


def _stacks(table: manifest.Table, typed: TypedRows) -> list[int]:
    """Each row's stack id: by its encapsulation and, where that has two forms, the family of the row's address."""
    if not typed.sheet.count:
        return []
    forms: dict[str, dict[bool, int]] = {name: {} for name in table.encapsulations}
    for stack in table.stacks:
        forms[stack.encapsulation][stack.outer_family == "ipv4"] = stack.id
    # An encapsulation with one form has it whatever the address is: a literal or a typed field has decided.
    ids = {
        name: {four: found.get(four, min(found.values(), default=0)) for four in (True, False)}
        for name, found in forms.items()
    }
    if not table.family_field:
        return [ids[name][True] for name in typed.encapsulations]
    outer: Sequence[bytes] = typed.fields[table.family_field]  # type: ignore[assignment]
    fours: Iterable[bool] = [True] * len(outer)
    if len(outer[0]) == 16:
        fours = map(bytes.startswith, outer, repeat(MAPPED))
    if len(ids) == 1:
        return list(map(ids[table.encapsulations[0]].__getitem__, fours))
    return [ids[name][four] for name, four in zip(typed.encapsulations, fours, strict=True)]


def _judge_duplicates(table: manifest.Table, keys: list[bytes], typed: TypedRows, problems: Problems) -> None:
    unique: Sequence[object] = keys
    if table.kind == "fixed":  # its key has no prefix length
        unique = list(zip(*typed.key.values(), *typed.lengths.values(), strict=True))
    if len(set(unique)) == len(unique):
        return
    seen: dict[object, int] = {}
    columns = [typed.sheet.columns.index(c.name) for c in table.columns]
    for i, key in enumerate(unique):
        if problems.full:
            problems.stop()
            return
        if seen.setdefault(key, i) != i:
            text = " ".join(typed.sheet.cells[c][i] for c in columns)
            problems.add(
                ValueProblem("E607", f"a second row for the key {text}", "keep one of them"),
                i,
                columns[0],
                first=seen[key],
            )


def _empty(path: str) -> Sheet:
    return Sheet(path, (), (), 0, (), lambda row, column: Place(path))
