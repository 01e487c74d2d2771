"""What came of tests, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Place
from ..positions import line_of, positions
from .coverage import EGRESS_DEFAULT

if TYPE_CHECKING:
    from . import Report, Result


def text(report: Report) -> str:
    """A line for each test; for a failed one also what was expected, and the steps with their lines in the spec."""
    lines = []
    where = positions(report.spec)
    for result in report.results:
        test = result.test
        lines.append(f"{'FAILED' if result.differences else 'ok    '}  {test.name}: {_what(result)}")
        if not result.differences:
            continue
        lines.append(f"        {_place(test.place)}")
        lines += [f"        {d.what}: {d.expected} expected, {d.found} found" for d in result.differences]
        lines += [f"        | {step}" for step in _steps(result, where)]
    count, failed = len(report.results), len(report.failed)
    met = len(report.rules) - len(report.unmet)
    lines.append(
        f"{report.spec.name}: {count - failed} passed, {failed} failed; {met} of {len(report.rules)} rules met"
    )
    if report.unmet:
        lines.append(f"        without a test: {', '.join(report.unmet)}")
    return "\n".join(lines)


def _what(result: Result) -> str:
    by = f" by {result.outcome.rule}" if result.outcome.rule else ""
    return f"{result.verdict}{by}"


def _steps(result: Result, where: dict[str, str]) -> list[str]:
    found = []
    for step in result.outcome.steps:
        found.append(str(step._replace(place=line_of(step.place, where) if step.place else "")))
    return found


def _place(place: Place) -> str:
    return f"{place.file}:{place.line}"


def failures(report: Report) -> tuple[Diagnostic, ...]:
    """Each failed test as an error with its place."""
    return tuple(
        Diagnostic(
            "T133",
            f"test `{result.test.name}` failed: "
            + "; ".join(f"{d.what}: {d.expected} expected, {d.found} found" for d in result.differences),
            result.test.place,
        )
        for result in report.failed
    )


def uncovered(report: Report) -> tuple[Diagnostic, ...]:
    """Each rule that no test meets as an error with its place."""
    rules = {r.path: r.place for r in report.spec.rules}
    rules[EGRESS_DEFAULT] = report.spec.egress.default_place
    return tuple(
        Diagnostic("T134", f"no test meets {path}", rules[path], "add a test whose packet this rule decides on")
        for path in report.unmet
    )


def document(report: Report) -> dict[str, Any]:
    """The same for programs."""
    where = positions(report.spec)
    return {
        "name": report.spec.name,
        "spec": report.spec.path,
        "passed": len(report.results) - len(report.failed),
        "failed": len(report.failed),
        "rules": list(report.rules),
        "unmet": list(report.unmet),
        "tests": [
            {
                "name": result.test.name,
                "place": {"file": result.test.place.file, "line": result.test.place.line},
                "passed": not result.differences,
                "verdict": result.verdict,
                "rule": result.outcome.rule,
                "differences": [d._asdict() for d in result.differences],
                "steps": _steps(result, where),
            }
            for result in report.results
        ],
    }
