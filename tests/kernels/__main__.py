"""`python -m tests.kernels`: fetch the kernels, run the matrix, say what came of it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from . import anywhere, bundles, cells, images, matrix, report
from .tools import MachineError, ensure_tools

DOCUMENT = images.REPOSITORY / "docs/kernels.md"
_voice = threading.Lock()


def say(text: str) -> None:
    with _voice:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__)
    parser.add_argument("--kernel", action="append", choices=images.SERIES, help="only this one; may be repeated")
    parser.add_argument(
        "--scenario",
        action="append",
        choices=(*cells.ENCAPSULATIONS, *cells.DEVICES, *anywhere.SCENARIOS, "examples"),
        help="only this encapsulation, kind of devices, module of tests/anywhere, or the loading of the examples; "
        "may be repeated",
    )
    parser.add_argument("--baseline", action="store_true", help="the kernel's own device on our side: tests the tests")
    parser.add_argument("--refresh", action="store_true", help="look for newer kernels than those in the cache")
    parser.add_argument("--list", action="store_true", help="list the kernels and the checks, and run nothing")
    parser.add_argument("--write-docs", action="store_true", help=f"write {DOCUMENT.name} after a whole run")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="show the N slowest checks of each kernel")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    wanted = [series for series in images.SERIES if not options.kernel or series in options.kernel]
    scenarios = options.scenario or [*cells.ENCAPSULATIONS, *cells.DEVICES, *anywhere.SCENARIOS, "examples"]
    encapsulations = tuple(name for name in cells.ENCAPSULATIONS if name in scenarios)
    devices = tuple(name for name in cells.DEVICES if name in scenarios and not options.baseline)
    modules = [name for name in anywhere.SCENARIOS if name in scenarios and not options.baseline]
    if options.list:
        return _list(wanted, encapsulations, devices, modules)
    started = time.monotonic()
    try:
        if os.geteuid():
            raise MachineError("the matrix must run as root: the guests read this machine's root folder")
        ensure_tools()
        with tempfile.TemporaryDirectory(prefix="encap-bundles-") as name:
            examples: list[str] = []
            if not options.baseline:
                examples = bundles.compile_all(Path(name), "examples" in scenarios)
            found = images.images(wanted, options.refresh)
            logs = matrix.logs_folder()
            tests = tuple(anywhere.collect(modules, Path(name)))
            job = matrix.Job(encapsulations, tuple(examples), devices, Path(name), options.baseline, tests)
            columns = matrix.run(found, job, logs, say)
    except MachineError as why:
        say(f"the matrix could not run: {why}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the virtual machines are stopped")
        return 130
    _report(columns, logs, options.slowest)
    if options.write_docs and not (options.baseline or options.kernel or options.scenario):
        say(f"{DOCUMENT.name}: {'written' if report.write(columns, DOCUMENT) else 'unchanged'}")
    say(f"{time.monotonic() - started:.0f} s")
    failed = sum(len(column.failures) + bool(column.missing) for column in columns)
    skipped = sum(len(column.limits) for column in columns)
    say(f"{sum(column.passed for column in columns)} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def _list(wanted: Sequence[str], encapsulations: Sequence[str], devices: Sequence[str], modules: Sequence[str]) -> int:
    for series in wanted:
        say(f"kernel {series}")
    examples = [spec.stem for spec in sorted(bundles.EXAMPLES.glob("*.yaml"))]
    with tempfile.TemporaryDirectory(prefix="encap-collected-") as name:
        tests = anywhere.collect(modules, Path(name))
    for cell in [*cells.expected(encapsulations, examples, False, devices), *tests]:
        say(cell.id)
    return 0


def _report(columns: Sequence[matrix.Column], logs: Path, slowest: int) -> None:
    for column in columns:
        if column.missing:
            say(f"FAILED {column.title}: {column.missing}")
        alike: dict[str, list[str]] = {}
        for cell, detail in column.failures.items():
            alike.setdefault(detail, []).append(cell.id)
        for detail, ids in alike.items():
            more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
            say(f"FAILED {column.title}: {ids[0]}{more}: {detail}")
        if column.limits:
            say(f"{column.title}: {len(column.limits)} checks skipped, limits of the kernel: see {DOCUMENT.name}")
        for cell_id, seconds in sorted(column.timings.items(), key=lambda item: -item[1])[:slowest]:
            say(f"{column.title}: {seconds:6.2f} s {cell_id}")
    say(f"consoles and results: {logs}")


if __name__ == "__main__":
    sys.exit(main())
