"""What a spec with `socket` rules promises to applications: what they may choose, and how it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from re import compile as pattern

from .. import ir
from ..resolved import EgressRule, Resolved, Table
from ..spec import Row
from .attribution import ERRNO_SINCE, connect_rule_constant, socket_level
from .c_names import c_name, fnv1a

_NOT_IN_A_NAME = pattern(r"[^A-Z0-9]+")


def lower_contract(resolved: Resolved, compiler: str, titles: tuple[str, ...]) -> ir.SocketContract | None:
    """None if no rule lets sockets choose. `titles` are the program's."""
    rules = [rule for rule in resolved.attributing if rule.socket]
    if not rules:
        return None
    spec = resolved.spec
    rows = [(table, _rows(table, rules)) for table in resolved.socket_tables]
    constants = row_constants(f"{table.name}/{row}" for table, found in rows for row in found)
    return ir.SocketContract(
        name=spec.name,
        c_name=c_name(spec.name),
        titles=titles,
        spec_file=PurePath(spec.path).name,
        compiler=compiler,
        level=socket_level(spec.name),
        reasons=spec.kernel >= ERRNO_SINCE,
        rules=tuple(ir.ContractRule(rule.name, rule.text, rule.path) for rule in rules),
        tables=tuple(_table(table, rules, found, constants) for table, found in rows),
        connects=tuple(
            ir.ContractConnect(r.name, connect_rule_constant(r.name), fnv1a(r.name), r.text, r.path)
            for r in resolved.connect
            if r.choose is not None
        ),
    )


def row_constants(texts: Iterable[str]) -> dict[str, str]:
    """TABLE/ROW -> TABLE_ROW. Where two would have one name, both get the hash of their text, and keep it."""
    plain = {text: _constant(text) for text in texts}
    times = Counter(plain.values())
    return {t: name if times[name] == 1 else f"{name}_{fnv1a(t):08X}" for t, name in plain.items()}


def _constant(text: str) -> str:
    return "_".join(_NOT_IN_A_NAME.sub("_", part.upper()).strip("_") or "ROW" for part in text.split("/", 1))


def _table(
    table: Table, rules: list[EgressRule], rows: dict[str, Row | None], names: dict[str, str]
) -> ir.ContractTable:
    whole = _any_row(table, rules)
    return ir.ContractTable(
        name=table.name,
        place=table.path,
        comment="any row may be chosen" if whole else "these rows may be chosen",
        file=(table.file or "") if whole else "",
        rows=tuple(_row(f"{table.name}/{name}", row, table, names) for name, row in rows.items()),
    )


def _row(text: str, row: Row | None, table: Table, names: dict[str, str]) -> ir.ContractRow:
    """Without a `row` it is one that a rule names, of a file."""
    cell = row.cells.get("encapsulation") if row else None
    said = str(cell.value) if cell else " or ".join(e.name for e in table.encapsulations)
    return ir.ContractRow(text, names[text], said, table.written.row_path(row) if row else table.path)


def _rows(table: Table, rules: list[EgressRule]) -> dict[str, Row | None]:
    """What can be chosen and is known: of a file, the rows that rules name. Those may change without compiling."""
    named = {t.row: None for rule in rules for t in rule.socket if t.table is table and t.row is not None}
    inline = {str(row.cells["name"].value): row for row in table.rows if "name" in row.cells}
    if table.file is not None:
        return dict(named)
    return {name: row for name, row in inline.items() if name in named or _any_row(table, rules)}


def _any_row(table: Table, rules: list[EgressRule]) -> bool:
    return any(t.table is table and t.row is None for rule in rules for t in rule.socket)
