"""The matrix: a VM for each kernel, two at a time, and what came of every cell."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import bundles, cells, limits, vm
from .cells import Cell
from .images import REPOSITORY, Image

AT_ONCE = 2  # emulation takes a core each
LIMIT = 2400.0  # seconds for one VM; a whole run takes a third of it, and twice that on a busy machine


@dataclass(frozen=True)
class Job:
    """What one run tests. `baseline` puts the kernel's own device on our side too, which proves the scenarios."""

    encapsulations: tuple[str, ...]
    examples: tuple[str, ...]
    scenarios: tuple[str, ...]
    bundles: Path
    baseline: bool = False
    tests: tuple[Cell, ...] = ()  # of tests/anywhere


@dataclass
class Column:
    """A kernel and what came of each of its cells: None where it passed, else what failed."""

    series: str
    title: str
    results: dict[Cell, str | None] = field(default_factory=dict)
    limits: dict[Cell, str] = field(default_factory=dict)  # cells that the kernel's own limit fails
    unclaimed: set[str] = field(default_factory=set)  # examples whose manifest asks for a newer kernel
    missing: str = ""  # why there is no such kernel here
    seconds: float = 0.0
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> dict[Cell, str]:
        return {cell: d for cell, d in self.results.items() if d is not None and cell not in self.limits}

    @property
    def passed(self) -> int:
        return len(self.results) - len(self.failures) - len(self.limits)


def run(images: dict[str, Image | str], job: Job, logs: Path, say: Callable[[str], None]) -> list[Column]:
    """Run the job on every image; a column for each, in the order given."""
    columns = {
        series: Column(series, f"Linux {series}", missing=i) for series, i in images.items() if isinstance(i, str)
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        bootable = {series: image for series, image in images.items() if isinstance(image, Image)}
        futures = {series: pool.submit(_column, image, job, logs, say) for series, image in bootable.items()}
        try:
            columns.update({series: future.result() for series, future in futures.items()})
        except BaseException:  # interrupted: the pool would wait for the VMs
            pool.shutdown(wait=False, cancel_futures=True)
            vm.stop_all()
            raise
    return [columns[series] for series in images]


def _column(image: Image, job: Job, logs: Path, say: Callable[[str], None]) -> Column:
    column = Column(image.series, f"Linux {image.version}")
    examples = [name for name in job.examples if bundles.claims(job.bundles / name, image.release)]
    column.unclaimed = set(job.examples) - set(examples)
    expected = [*cells.expected(job.encapsulations, examples, job.baseline, job.scenarios), *job.tests]
    say(f"{column.title}: booting, {len(expected)} checks")
    shared = logs / image.series
    shared.mkdir(parents=True, exist_ok=True)
    (shared / "results").unlink(missing_ok=True)
    description = {
        "encapsulations": job.encapsulations,
        "examples": examples,
        "scenarios": job.scenarios,
        "modules": list(dict.fromkeys(cell.section for cell in job.tests)),
        "bundles": str(job.bundles),
        "baseline": job.baseline,
    }
    (shared / "job.json").write_text(json.dumps(description))
    ended = vm.boot(
        image,
        [sys.executable, "-m", "tests.kernels.guest", f"{vm.SHARED}/results", f"{vm.SHARED}/job.json"],
        REPOSITORY,
        shared,
        {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'compiler'}", "PYTHONDONTWRITEBYTECODE": "1"},
        LIMIT,
    )
    column.seconds = ended.seconds
    _read(column, expected, shared, ended)
    failed = len(column.failures)
    say(f"{column.title}: {column.passed} passed, {failed} failed, {ended.seconds:.0f} s")
    return column


def _read(column: Column, expected: Sequence[Cell], shared: Path, ended: vm.Ended) -> None:
    """Take the guest's results; what it owes is a failure that says how the VM ended."""
    told: dict[str, str | None] = {}
    results = shared / "results"
    for line in results.read_text().splitlines() if results.exists() else []:
        record = json.loads(line)
        # A cell that was tried more than once passed only if every try did.
        told[record["cell"]] = told.get(record["cell"]) or (None if record["ok"] else record["detail"])
        column.timings[record["cell"]] = record["seconds"]
    output = shared / "output.log"
    said = output.read_text(errors="replace")[-1500:] if ended.finished and output.exists() else ended.tail()
    owed = f"not reported: the guest ended before it (exit code {ended.code}):\n{said}"
    for cell in expected:
        column.results[cell] = told.get(cell.id, owed)
    if ended.finished:  # what did not run is no limit
        known = limits.known()
        column.limits = {cell: known[cell] for cell in expected if cell in known and column.results[cell] is not None}


def logs_folder() -> Path:
    """A new folder for consoles and results, which is kept for whoever looks into a failure."""
    return Path(tempfile.mkdtemp(prefix="encap-kernels-"))
