"""The tests of tests/anywhere in a guest: pytest runs them in this process, each is a cell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Sequence
from pathlib import Path
from unittest import mock

import pytest

from tests.anywhere import bundles as wanted
from tests.support import cli
from tests.support.netns import CommandError, Namespace

from .. import anywhere
from .encapctl import encapctl
from .results import Results


def run(scenarios: Sequence[str], bundles: Path, results: Results) -> None:
    own = {**anywhere.ENVIRONMENT, wanted.GIVEN: str(bundles)}
    with mock.patch.dict(os.environ, own), mock.patch.object(cli, "encapctl", _forked):
        # Its capture would keep the words of the forked encapctl, which has pytest's idea of standard output.
        pytest.main([*anywhere.OPTIONS, "--capture=no", *anywhere.files(list(scenarios))], plugins=[_Reporter(results)])


def _forked(
    namespace: Namespace, *words: str | os.PathLike[str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """As tests.support.cli has it, without Python's start for each call."""
    arguments = [os.fspath(word) for word in words]
    with mock.patch.dict(os.environ, namespace.environment()):
        ran = encapctl(namespace.name, *arguments)
    if check and ran.code:
        raise CommandError(str(ran))
    return subprocess.CompletedProcess(arguments, ran.code, ran.output, "")


class _Reporter:
    """Writes a test's result when it has been torn down: what the teardown finds belongs to the test."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._problems: list[str] = []
        self._seconds = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._seconds += call.duration
        if not report.passed:
            self._problems.append(f"{report.when}: {report.longreprtext[-1500:]}")
        if report.when == "teardown":
            self._results.report(anywhere.cell_of(item), "\n".join(self._problems), self._seconds)
            self._problems, self._seconds = [], 0.0
        return report
