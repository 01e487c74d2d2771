"""What came of tests, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Place, Severity
from ..positions import line_of, positions
from .coverage import EGRESS_DEFAULT

if TYPE_CHECKING:
    from .result import Report, Result


def text(report: Report) -> str:
    """A line for each test; for a failed one also what was expected, and the steps with their lines in the spec."""
    lines = []
    where = positions(report.spec)
    for result in report.results:
        test = result.test
        lines.append(f"{'FAILED' if result.failed else 'ok    '}  {test.name}: {_what(result)}{_ran(result)}")
        if not result.failed:
            continue
        lines.append(f"        {_place(test.place)}")
        lines += [f"        {words}" for words in why_failed(result)]
        lines += [f"        | {step}" for step in _steps(result, where)]
    count, failed = len(report.results), len(report.failed)
    met = len(report.rules) - len(report.unmet)
    lines.append(
        f"{report.spec.name}: {count - failed} passed, {failed} failed; {met} of {len(report.rules)} rules met"
    )
    if report.kernel:
        ran, skipped = count - len(report.skipped), len(report.skipped)
        lines.append(f"        by the program on kernel {report.kernel}: {ran} run, {skipped} skipped")
    if report.unmet:
        lines.append(f"        without a test: {', '.join(report.unmet)}")
    return "\n".join(lines)


def _what(result: Result) -> str:
    by = f" by {result.outcome.rule}" if result.outcome.rule else ""
    return f"{result.verdict}{by}"


def _ran(result: Result) -> str:
    """Which of both ran the test, where both were asked."""
    if result.program is None:
        return ""
    if result.program.skipped:
        return f" (model; program skipped: {result.program.skipped})"
    return " (model, program)"


def why_failed(result: Result) -> list[str]:
    """What the test expects and the model or the program does not do, and where these two differ."""
    program = result.program
    words = [f"{d.what}: {d.expected} expected, {d.found} found" for d in result.differences]
    if program is None:
        return words
    shared = set(result.differences)
    words += [
        f"{d.what}: {d.expected} expected, {d.found} found by the program"
        for d in program.differences
        if d not in shared
    ]
    return words + disagreement_words(result)


def disagreement_words(result: Result) -> list[str]:
    """Where the model and the program differ."""
    found = result.program.disagreements if result.program is not None else ()
    return [f"model and program differ, {d.what}: {d.model} by the model, {d.program} by the program" for d in found]


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
            f"test `{result.test.name}` failed: " + "; ".join(why_failed(result)),
            result.test.place,
        )
        for result in report.failed
        if result.differences or (result.program is not None and result.program.differences)
    )


def disagreements(report: Report) -> tuple[Diagnostic, ...]:
    """Each test on which the model and the program differ as an error with its place."""
    help = "one of them is wrong, and not the spec: please report it with the spec and this message"
    return tuple(
        Diagnostic("T135", f"test `{result.test.name}`: {'; '.join(words)}", result.test.place, help)
        for result in report.failed
        if (words := disagreement_words(result))
    )


def skipped(report: Report) -> tuple[Diagnostic, ...]:
    """Each test that the program was not given as a note with its place."""
    return tuple(
        Diagnostic(
            "T136",
            f"test `{result.test.name}` was run by the model alone: {result.program.skipped}",
            result.test.place,
            "tests with real traffic show what the program does with it",
            Severity.NOTE,
        )
        for result in report.skipped
        if result.program is not None
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
        "skipped": len(report.skipped),
        "kernel": report.kernel,
        "rules": list(report.rules),
        "unmet": list(report.unmet),
        "tests": [
            {
                "name": result.test.name,
                "place": {"file": result.test.place.file, "line": result.test.place.line},
                "passed": not result.failed,
                "ran": list(result.ran),
                "skipped": result.program.skipped if result.program is not None else "",
                "verdict": result.verdict,
                "rule": result.outcome.rule,
                "differences": _differences(result),
                "disagreements": [d._asdict() for d in result.program.disagreements] if result.program else [],
                "steps": _steps(result, where),
            }
            for result in report.results
        ],
    }


def _differences(result: Result) -> list[dict[str, Any]]:
    by_program = result.program.differences if result.program is not None else ()
    found = {"model": result.differences, "program": by_program}
    return [{**d._asdict(), "by": by} for by, differences in found.items() for d in differences]
