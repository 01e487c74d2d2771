"""Rows in the spec, checked by the codec that also reads files."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.rows.problems import Problems
from ...common.rows.typed import Columns, TypedRows, type_rows
from ...common.values import ValueProblem
from ..inline_rows import inline_sheet
from ..resolved.keys import identifies, key_columns, needed_fields
from ..spec import Spec, Table


def check(spec: Spec, findings: Findings) -> None:
    """E4 values, E603 to E616 columns, names and keys, at their place in the YAML."""
    for table in spec.endpoints.values():
        if not table.rows or not _can_be_checked(spec, table):
            continue
        sheet = inline_sheet(table)
        problems = Problems(findings, sheet.place)
        columns = Columns(
            table.name, key_columns(spec, table), table.fields, table.encapsulations, needed_fields(spec, table)
        )
        typed = type_rows(columns, sheet, problems)
        if not problems.count and table.key:
            _duplicates(table, typed, problems)
        problems.finish()


def _can_be_checked(spec: Spec, table: Table) -> bool:
    """Whether its key is one that `table_keys` finds nothing wrong with."""
    return all(not word.startswith("received.") or identifies(spec, word) for word in table.key)


def _duplicates(table: Table, typed: TypedRows, problems: Problems) -> None:
    seen: dict[object, int] = {}
    column = typed.sheet.columns.index(table.key[0])
    keys = zip(*typed.key.values(), *typed.lengths.values(), strict=True)
    for i, key in enumerate(keys):
        if seen.setdefault(key, i) == i:
            continue
        text = " ".join((typed.sheet.column(word) or ())[i] for word in table.key)
        problem = ValueProblem("E607", f"a second row for the key {text}", "keep one of them")
        problems.add(problem, i, column, first=seen[key])
