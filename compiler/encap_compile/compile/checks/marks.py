"""The mark that a learned packet gets is one that the rules that reflect it look for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...common.diagnostics import Findings
from ...common.rows import EncodedRows
from ...common.values import ValueProblem, parse
from ..spec import IngressRule, Range, Reference, Scalar, Spec

HELP = "let the mark of an egress rule that reflects it take this one in, or give another"


def check(spec: Spec, findings: Findings) -> None:
    """W517 for a mark that the spec says."""
    for rule, ranges in _reflected_by_mark(spec):
        if not isinstance(rule.set_mark, Scalar):
            continue
        try:
            mark = parse("u32", rule.set_mark.value)
        except ValueProblem:
            continue  # literals says what is wrong with it
        if isinstance(mark, int) and not _within(mark, ranges):
            findings.warning("W517", _words(rule, mark), rule.set_mark.place, HELP)


def check_rows(spec: Spec, rows: Mapping[str, EncodedRows], findings: Findings) -> None:
    """The same for the rows that `lookup` finds."""
    for rule, ranges in _reflected_by_mark(spec):
        found = rows.get(rule.lookup or "")
        if found is None or not isinstance(rule.set_mark, Reference) or rule.set_mark.root != "endpoint":
            continue
        name = rule.set_mark.path[0]
        sheet, column = found.typed.sheet, found.typed.fields.get(name, ())
        outside = [i for i, mark in enumerate(column) if isinstance(mark, int) and not _within(mark, ranges)]
        if not outside:
            continue
        first, more = outside[0], len(outside) - 1
        also = f" (and {more} more {'row' if more == 1 else 'rows'} like it)" if more else ""
        place = sheet.place(first, sheet.columns.index(name))
        findings.warning("W517", _words(rule, int(column[first])) + also, place, HELP)


def _words(rule: IngressRule, mark: int) -> str:
    return (
        f"no rule reflects what {rule.name} gives the mark {mark:#x}: it leaves as if it had come in without a tunnel"
    )


def _reflected_by_mark(spec: Spec) -> Iterator[tuple[IngressRule, tuple[Range, ...]]]:
    """Rules that learn and set a mark, with the marks that those that reflect them look for; not if one takes any."""
    for rule in spec.ingress.rules:
        reflecting = [r for r in spec.egress.rules if r.reflect is not None and r.reflect.rule == rule.name]
        if rule.learn is None or rule.set_mark is None or not reflecting:
            continue
        if all(r.match.mark for r in reflecting):
            yield rule, tuple(marks for r in reflecting for marks in r.match.mark)


def _within(mark: int, ranges: tuple[Range, ...]) -> bool:
    return any(marks.first <= mark <= marks.last for marks in ranges)
