"""The tests of tests/anywhere as cells: the host expects those that pytest collects, the guest runs them.

This module is also the pytest plugin of both sides, and knows how a test becomes a cell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.anywhere import bundles

from .cells import Cell
from .images import REPOSITORY
from .tools import MachineError

FOLDER = REPOSITORY / "tests/anywhere"
SCENARIOS = tuple(sorted(file.stem.removeprefix("test_") for file in FOLDER.glob("test_*.py")))
COLLECTED = "ENCAP_COLLECTED"  # the file that takes what was collected
# No cache in the checkout, and no plugin that these tests do not use: each costs a guest seconds.
OPTIONS = ("-q", "-p", "no:cacheprovider")
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def files(scenarios: list[str]) -> list[str]:
    return [str(FOLDER / f"test_{name}.py") for name in scenarios]


def cell_of(item: pytest.Item) -> Cell:
    """A row for each test, by the first line of its docstring; its parameters are the check."""
    function = getattr(item, "function", None)
    words = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    if not words:
        raise pytest.UsageError(f"{item.nodeid} has no docstring, which is its row in docs/kernels.md")
    callspec = getattr(item, "callspec", None)
    check = callspec.id.replace("-", ", ") if callspec else ""
    return Cell(item.path.stem.removeprefix("test_"), words, check)


def pytest_collection_finish(session: pytest.Session) -> None:
    if file := os.environ.get(COLLECTED):
        cells = [cell_of(item) for item in session.items]
        Path(file).write_text(json.dumps([[cell.section, cell.row, cell.check] for cell in cells]))


def collect(scenarios: list[str], folder: Path) -> list[Cell]:
    """The cells of these scenarios in a guest, which has a device for every encapsulation."""
    if not scenarios:
        return []
    collected = folder / "collected.json"
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--collect-only", "-p", __name__, *files(scenarios)]
    environment = {**os.environ, **ENVIRONMENT, COLLECTED: str(collected), bundles.GIVEN: str(folder)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"pytest cannot collect tests/anywhere:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [Cell(*words) for words in json.loads(collected.read_text())]
