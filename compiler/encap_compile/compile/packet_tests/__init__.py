"""`encap-compile test`: the tests of a spec, run by the model. No privilege, no kernel, no clang."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..model import Facts
from ..pipeline import check_spec
from .by_model import run_ready
from .coverage import covered_paths, met_by
from .prepared import Prepared, Ready, prepare
from .result import Report, Result
from .validate import differences, verdict


def prepared_tests(path: str) -> tuple[Prepared, Findings]:
    """The tests of a spec. Raises DiagnosedError for what is wrong with the spec or its tests."""
    spec, described, _, findings = check_spec(path)
    if spec.tests is None:
        help = "write what the spec is to do with a packet under `tests:`, see docs/testing.md"
        findings.error("T132", f"{spec.name} has no tests", spec.name_place, help)
    prepared = prepare(spec, described, findings)
    findings.stop_on_errors()
    return prepared, findings


def run_tests(path: str) -> Report:
    """Run the tests of a spec. Raises DiagnosedError for what is wrong with the spec or its tests."""
    return run_prepared(*prepared_tests(path))


def run_prepared(prepared: Prepared, findings: Findings) -> Report:
    """Run the tests."""
    spec = prepared.spec
    results = tuple(_result(prepared, ready) for ready in prepared.tests)
    rules = covered_paths(spec)
    met = {met_by(result.test, result.outcome) for result in results}
    return Report(spec, prepared.described, results, rules, tuple(r for r in rules if r not in met), findings)


def _result(prepared: Prepared, ready: Ready) -> Result:
    outcome = run_ready(prepared, ready)
    return Result(ready.test, verdict(ready.test, outcome), outcome, tuple(differences(ready.test, outcome)))


__all__ = ["Facts", "Prepared", "Ready", "Report", "Result", "prepared_tests", "run_prepared", "run_tests"]
