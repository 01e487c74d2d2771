"""Values of rows that are in the range of their type, and below the least that a header's field may have."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.diagnostics import Findings
from ...common.rows import EncodedRows
from ...common.rows.problems import Problems
from ...common.values import ValueProblem
from ..headers.model import FromSpec
from ..resolved import Resolved
from ..resolved.values import uses
from ..spec import Reference


def check_rows(resolved: Resolved, rows: Mapping[str, EncodedRows], findings: Findings) -> None:
    """E412: a packet with a TTL of 0 would not be forwarded."""
    for encapsulation in resolved.encapsulations.values():
        takers = [t for t in resolved.tables.values() if encapsulation in t.encapsulations]
        for header, word, field, _, value in uses(encapsulation.written):
            least = field.role.minimum if isinstance(field.role, FromSpec) else 0
            if not least or not isinstance(value, Reference) or value.root != "endpoint":
                continue
            for table in takers:
                if table.name in rows:
                    what = f"{header.name}.{word}"
                    _validate(rows[table.name], value.path[0], encapsulation.name, what, least, findings)


def _validate(rows: EncodedRows, name: str, encapsulation: str, what: str, least: int, findings: Findings) -> None:
    sheet = rows.typed.sheet
    if name not in sheet.columns:
        return  # the rows are wrong, or leave it out
    at = sheet.columns.index(name)
    problems = Problems(findings, sheet.place)
    for i, number in enumerate(rows.typed.fields.get(name, ())):
        left_out = not sheet.cells[at][i] or rows.encapsulations[i] not in ("", encapsulation)
        if isinstance(number, int) and number < least and not left_out:
            words = f"{number} is out of range for {what}"
            problems.add(ValueProblem("E412", words, f"the least is {least}"), i, at)
    problems.finish()
