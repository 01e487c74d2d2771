"""`encap-compile test`: the tests of a spec, run by the model. No privilege, no kernel, no clang."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.diagnostics import Findings
from ...common.record import Record
from ...common.suggest import did_you_mean
from ..description import Described
from ..model import Facts, Frame, Machine, Outcome
from ..pipeline import check_spec
from ..spec import Spec
from ..spec_tests import PacketTest
from .frames import Frames
from .invented import machine_facts
from .validate import Difference, check_expectation, differences, verdict


class Result(Record):
    """What came of a test: it passed if there are no `differences`."""

    test: PacketTest
    verdict: str
    outcome: Outcome
    differences: tuple[Difference, ...]


class Report(Record):
    """All tests of a spec in their order, and the rules that none of them met, as paths in the spec."""

    spec: Spec
    lowered: Described
    results: tuple[Result, ...]
    rules: tuple[str, ...]
    unmet: tuple[str, ...]
    findings: Findings

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.differences)


def run_tests(path: str) -> Report:
    """Run the tests of a spec. Raises DiagnosedError for what is wrong with the spec or its tests."""
    spec, lowered, _, findings = check_spec(path)
    facts = machine_facts(spec, lowered, findings)
    frames = Frames(spec, lowered, facts, findings)
    results = []
    made: dict[str, tuple[PacketTest, Frame]] = {}
    for test in _tests(spec, findings):
        check_expectation(test, spec, lowered, findings)
        frame = frames.frame(test.packet)
        before = _before(test, made, findings)
        if frame is None or findings.errors:
            continue
        made[test.name] = test, frame
        machine = Machine(lowered.program, facts)
        for earlier, packet in before:
            _run(machine, earlier, packet)
        outcome = _run(machine, test, frame)
        results.append(Result(test, verdict(test, outcome), outcome, tuple(differences(test, outcome))))
    findings.stop_on_errors()
    rules = (*(r.path for r in spec.egress.rules), *(r.path for r in spec.ingress.rules))
    met = {_path(result) for result in results}
    return Report(spec, lowered, tuple(results), rules, tuple(r for r in rules if r not in met), findings)


def _tests(spec: Spec, findings: Findings) -> tuple[PacketTest, ...]:
    if spec.tests is None:
        help = "write what the spec is to do with a packet under `tests:`, see docs/testing.md"
        findings.error("T132", f"{spec.name} has no tests", spec.name_place, help)
        return ()
    names: dict[str, PacketTest] = {}
    for test in spec.tests.packets:
        if test.name in names:
            findings.error("T131", f"two tests are called `{test.name}`", test.place, "a name for each")
        names[test.name] = test
    packets: tuple[PacketTest, ...] = spec.tests.packets
    return packets


def _before(
    test: PacketTest, made: Mapping[str, tuple[PacketTest, Frame]], findings: Findings
) -> list[tuple[PacketTest, Frame]]:
    found = []
    for word in test.after:
        if word.value in made:
            found.append(made[str(word.value)])
        elif not findings.errors:
            help = did_you_mean(str(word.value), made, "a test comes after tests that are written above it")
            findings.error("T131", f"there is no test `{word.value}` above", word.place, help)
    return found


def _run(machine: Machine, test: PacketTest, frame: Frame) -> Outcome:
    return machine.egress(frame) if test.leaves else machine.ingress(frame)


def _path(result: Result) -> str:
    return f"{'egress' if result.test.leaves else 'ingress'}.rules.{result.outcome.rule}"


__all__ = ["Facts", "Report", "Result", "run_tests"]
