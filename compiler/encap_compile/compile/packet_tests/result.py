"""What came of the tests of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ...common.diagnostics import Findings
from ...common.record import Record
from ..description import Described
from ..model import Outcome
from ..spec import Spec
from ..spec_tests import PacketTest
from .validate import Difference


class Disagreement(NamedTuple):
    """`what` the model and the program do otherwise; both values as text."""

    what: str
    model: str
    program: str


class ByProgram(Record):
    """What the program in the kernel did with a test's packet. `skipped` says why it was not given it, and is empty
    otherwise."""

    skipped: str = ""
    differences: tuple[Difference, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.differences or self.disagreements)


class Result(Record):
    """What came of a test: by the model it passed if there are no `differences`.

    `program` is None where only the model was asked.
    """

    test: PacketTest
    verdict: str
    outcome: Outcome
    differences: tuple[Difference, ...]
    program: ByProgram | None = None

    @property
    def failed(self) -> bool:
        return bool(self.differences) or (self.program is not None and self.program.failed)

    @property
    def ran(self) -> tuple[str, ...]:
        """Which of both ran it."""
        return ("model", "program") if self.program is not None and not self.program.skipped else ("model",)


class Report(Record):
    """All tests of a spec in their order, and the rules that none of them met, as paths in the spec.

    `kernel` is the release of the kernel that ran the program; empty where only the model was asked.
    """

    spec: Spec
    described: Described
    results: tuple[Result, ...]
    rules: tuple[str, ...]
    unmet: tuple[str, ...]
    findings: Findings
    kernel: str = ""

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.failed)

    @property
    def skipped(self) -> tuple[Result, ...]:
        """Those that the program was not given."""
        return tuple(result for result in self.results if result.program is not None and result.program.skipped)

    def with_program(self, programs: Sequence[ByProgram], kernel: str) -> Report:
        """The same with what the program did, test by test."""
        pairs = zip(self.results, programs, strict=True)
        results = tuple(replace(result, program=program) for result, program in pairs)
        return replace(self, results=results, kernel=kernel)
