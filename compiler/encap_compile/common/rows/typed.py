"""A sheet of text cells to typed columns, with everything that is wrong in it explained at its place.

This is the answer that the compiler and the loader share; it needs no layout of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import values
from ..manifest import KeyColumn
from ..record import Record
from ..suggest import closest, did_you_mean
from ..values import ValueProblem
from .columns import Column, convert, convert_prefixes, zero
from .csv_text import Sheet
from .problems import Problems

POOL_COLUMNS = ("priority", "weight", "state")  # of a release to come


class Columns(Record):
    """What a table's rows may say: the part of `manifest.Table` that has to do with text."""

    name: str
    key: tuple[KeyColumn, ...]
    fields: Mapping[str, str]
    encapsulations: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class TypedRows:
    """Columns of values by name; `lengths` holds the prefix lengths (of the address as written) of prefix columns."""

    sheet: Sheet
    key: dict[str, Column] = field(default_factory=dict)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    fields: dict[str, Column] = field(default_factory=dict)
    names: Sequence[str] = ()
    encapsulations: Sequence[str] = ()


def type_rows(columns: Columns, sheet: Sheet, problems: Problems) -> TypedRows:
    """Check every cell. After errors (see `problems.count`) the result is incomplete."""
    typed = TypedRows(sheet)
    if not _columns_ok(columns, sheet, problems):
        return typed
    typed.names = sheet.column("name") or [""] * sheet.count
    _validate_names(columns, typed, problems)
    typed.encapsulations = _encapsulations(columns, sheet, problems)
    for key in columns.key:
        cells = sheet.column(key.name) or ()
        if key.type == "prefix":
            typed.key[key.name], typed.lengths[key.name] = _prefixes(key, cells, sheet, problems)
        else:
            kind = _address_type(key) if key.type == "address" else key.type
            typed.key[key.name] = _column(key.name, kind, cells, sheet, problems, columns, ())
    if not problems.count:
        for name, kind in columns.fields.items():
            typed.fields[name] = _column(
                name, kind, sheet.column(name) or [""] * sheet.count, sheet, problems, columns, typed.encapsulations
            )
    else:  # every cell is still explained, though the values are not used
        for name, kind in columns.fields.items():
            present = sheet.column(name)
            if present is not None:
                _column(name, kind, present, sheet, problems, columns, typed.encapsulations)
    return typed


def _columns_ok(columns: Columns, sheet: Sheet, problems: Problems) -> bool:
    keys = [k.name for k in columns.key]
    known = ["name", *(["encapsulation"] if columns.encapsulations else []), *keys, *columns.fields]
    before = problems.count
    if not set(sheet.columns) & set(known):
        sample = ",".join([*(keys or ["name"]), *columns.fields])
        help = "separate cells by commas" if ";" in "".join(sheet.columns) else f"the first line is like {sample}"
        words = f"the first line names no column of table {columns.name}"
        problems.add(ValueProblem("E604", words, help), -1, -1)
        return False
    meant = set()
    for index, column in enumerate(sheet.columns):
        if column in known:
            continue
        meant.add(closest(column, known))
        if column in POOL_COLUMNS:
            problem = ValueProblem(
                "N907", f"`{column}` is not yet in this release (pools of rows)", "give each row a name of its own"
            )
        else:
            words = f"table {columns.name} has no column `{column}`"
            problem = ValueProblem("E603", words, did_you_mean(column, known))
        problems.add(problem, -1, index)
    required = keys if keys else ["name"]
    if len(columns.encapsulations) > 1:
        required = [*required, "encapsulation"]
    always = [f for f in columns.fields if all(f in needs for needs in _needs(columns))]
    for column in [*required, *always]:
        if column not in sheet.columns and column not in meant:
            why = {"name": "rows without a key are found by name", "encapsulation": "each row says which it takes"}
            problems.add(
                ValueProblem(
                    "E604",
                    f"there is no column `{column}`",
                    why.get(column, "it is part of the key" if column in keys else "every row must fill it"),
                ),
                -1,
                -1,
            )
    return problems.count == before


def _needs(columns: Columns) -> list[Sequence[str]]:
    everything = tuple(columns.fields)
    return [columns.needs.get(e, everything) for e in columns.encapsulations] or [everything]


def _validate_names(columns: Columns, typed: TypedRows, problems: Problems) -> None:
    names, sheet = typed.names, typed.sheet
    if "name" not in sheet.columns:
        return
    column = sheet.columns.index("name")
    if not columns.key and "" in names:
        problem = ValueProblem("E614", "the row has no name", "rows of a table without a key are found by name")
        for i in _bounded(problems, [i for i, name in enumerate(names) if not name]):
            problems.add(problem, i, -1)
    together = "".join(names)
    if "/" in together or not together.isprintable() or max(map(len, names), default=0) > 64:
        for i, name in enumerate(names):
            if len(name) > 64 or "/" in name or not name.isprintable():
                problems.add(
                    ValueProblem("E205", "this cannot be a row's name", "at most 64 characters, without `/`"),
                    i,
                    column,
                )
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for i in _bounded(problems, range(len(names))):
        name = names[i]
        if name and seen.setdefault(name, i) != i:
            problems.add(
                ValueProblem(
                    "E608",
                    f"two rows are called {name}",
                    "give each its own name (pools, which are rows of one name, are not yet in this release)",
                ),
                i,
                column,
                first=seen[name],
            )


def _bounded(problems: Problems, rows: Iterable[int]) -> Iterator[int]:
    """The rows, as long as it is worth explaining more of them."""
    for row in rows:
        if problems.full:
            problems.stop()
            return
        yield row


def _encapsulations(columns: Columns, sheet: Sheet, problems: Problems) -> Sequence[str]:
    allowed = columns.encapsulations
    cells = sheet.column("encapsulation")
    if not allowed:
        return [""] * sheet.count
    if cells is None:
        return [allowed[0]] * sheet.count
    if len(allowed) == 1:
        cells = [c or allowed[0] for c in cells]
    if set(cells) <= set(allowed):
        return cells
    column = sheet.columns.index("encapsulation")
    for i in _bounded(problems, range(len(cells))):
        cell = cells[i]
        if not cell:
            problems.add(
                ValueProblem("E616", "the row does not name its encapsulation", f"one of {', '.join(allowed)}"),
                i,
                -1,
            )
        elif cell not in allowed:
            problems.add(
                ValueProblem(
                    "E615", f"table {columns.name} has no encapsulation `{cell}`", did_you_mean(cell, allowed)
                ),
                i,
                column,
            )
    return cells


def _address_type(key: KeyColumn) -> str:
    return key.families[0] if len(key.families) == 1 else "ip"


def _column(
    name: str,
    kind: str,
    cells: Sequence[str],
    sheet: Sheet,
    problems: Problems,
    columns: Columns,
    encapsulations: Sequence[str],
) -> Column:
    """A key column (then `encapsulations` is empty) or a field, which rows that do not need it may leave out."""
    if "" not in cells:
        try:
            return convert(kind, cells)
        except (ValueProblem, OSError, ValueError, LookupError):
            return _each(cells, values.PARSERS[kind], sheet, name, problems)
    everything = tuple(columns.fields)
    needy = {e for e in columns.encapsulations if name in columns.needs.get(e, everything)}
    if not encapsulations or not columns.encapsulations:
        missing = [i for i, c in enumerate(cells) if not c]
    else:
        missing = [i for i, c in enumerate(cells) if not c and encapsulations[i] in needy]
    index = sheet.columns.index(name) if name in sheet.columns else -1
    why = (
        f"encapsulation {' and '.join(sorted(needy))} needs it" if needy and columns.needs else "every row must fill it"
    )
    for i in _bounded(problems, missing):
        problems.add(
            ValueProblem("E614", f"the row has no `{name}`", why),
            i,
            index,
        )
    given = [i for i, c in enumerate(cells) if c]
    picked = [cells[i] for i in given]
    try:
        found = convert(kind, picked)
    except (ValueProblem, OSError, ValueError, LookupError):
        _each(cells, values.PARSERS[kind], sheet, name, problems)
        return []
    filled: list[Any] = [zero(kind)] * len(cells)
    for i, value in zip(given, found, strict=True):
        filled[i] = value
    return filled  # all of one type, as `kind` says


def _prefixes(key: KeyColumn, cells: Sequence[str], sheet: Sheet, problems: Problems) -> tuple[list[bytes], list[int]]:
    try:
        addresses, lengths = convert_prefixes(cells)
        families = {len(a) for a in addresses}
    except (ValueProblem, OSError, ValueError, LookupError):
        _each(cells, values.prefix_bytes, sheet, key.name, problems)
        return [], []
    column = sheet.columns.index(key.name)
    if len(key.families) == 1 and families - {4 if key.families[0] == "ipv4" else 16}:
        wanted = "IPv4" if key.families[0] == "ipv4" else "IPv6"
        for i, address in enumerate(addresses):
            if (len(address) == 4) != (wanted == "IPv4"):
                problems.add(
                    ValueProblem(
                        "E425",
                        f"this column has {wanted} prefixes only",
                        "the rules that use this table match no others",
                    ),
                    i,
                    column,
                )
    if key.prefix_lengths and not set(lengths) <= set(key.prefix_lengths):
        promised = ", ".join(f"/{n}" for n in key.prefix_lengths)
        for i, length in enumerate(lengths):
            if length not in key.prefix_lengths:
                problems.add(
                    ValueProblem(
                        "E612",
                        f"a prefix of length {length}, but `shape` allows {promised}",
                        f"add {length} to shape.prefix_lengths, or split the row",
                    ),
                    i,
                    column,
                )
    return addresses, lengths


def _each(
    cells: Sequence[str],
    parser: Callable[[str], object],
    sheet: Sheet,
    name: str,
    problems: Problems,
) -> list[int]:
    column = sheet.columns.index(name)
    for i, cell in enumerate(cells):
        if problems.full:
            problems.stop()
            break
        if not cell:
            if parser is values.prefix_bytes:
                problems.add(ValueProblem("E614", f"the row has no `{name}`", "every row must fill it"), i, column)
            continue
        try:
            parser(cell)
        except ValueProblem as problem:
            problems.add(problem, i, column)
    return []
