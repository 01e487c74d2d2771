"""The tests of a spec by the model, and by the program in the kernel beside it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ..common.diagnostics import Findings
from ..compile.model import Frame, Socket
from ..compile.packet_tests import prepared_tests, run_prepared
from ..compile.packet_tests.by_model import run_ready
from ..compile.packet_tests.prepared import Prepared, Ready
from ..compile.packet_tests.result import ByProgram, Report
from ..compile.pipeline import compile_spec
from ..run.api.kernel_errors import on_this_machine
from ..run.kernel.netns import in_new_namespace
from ..run.kernel.system import kernel_release
from ..run.kernel.uapi import CAP_SYS_ADMIN
from ..run.loader.bundle import open_bundle
from ..run.loader.desired import require_kernel, require_privilege
from .compare import disagreements, program_differences
from .program import Programs, Ran
from .skipped import HOOKS, reason


@on_this_machine
def run_both(path: str, clang: str = "") -> Report:
    """Build the spec, load its programs, and run its tests by them and by the model.

    Raises DiagnosedError: what is wrong with the spec or its tests, with the toolchain (T), H101, K201 to K206.
    """
    prepared, findings = prepared_tests(path)
    with TemporaryDirectory() as folder:
        require_privilege(CAP_SYS_ADMIN)
        made = compile_spec(path, Path(folder), clang)
        return _run_both(prepared, findings, Path(folder) / made.manifest.name)


@on_this_machine
def run_built(path: str, bundle: Path) -> Report:
    """The same with a bundle that the spec was compiled into before."""
    prepared, findings = prepared_tests(path)
    require_privilege(CAP_SYS_ADMIN)
    return _run_both(prepared, findings, bundle)


def _run_both(prepared: Prepared, findings: Findings, directory: Path) -> Report:
    """Everything happens in a network namespace of its own, so that no socket of the machine plays a part."""
    bundle = open_bundle(directory)
    require_kernel(bundle.manifest)
    report = run_prepared(prepared, findings)

    def run() -> tuple[ByProgram, ...]:
        with Programs(bundle, prepared.facts, findings) as programs:
            return tuple(_by_program(prepared, programs, ready) for ready in prepared.tests)

    return report.with_program(in_new_namespace(run), kernel_release())


def _by_program(prepared: Prepared, programs: Programs, ready: Ready) -> ByProgram:
    why = reason(ready, programs.hooks)
    if why:
        return ByProgram(skipped=why)
    ran = _run(programs, ready)
    outcome, described = run_ready(prepared, ready, Socket()), prepared.described  # BPF_PROG_TEST_RUN gives it a socket
    assert isinstance(ready.given, Frame)
    different = program_differences(ready.test, ready.given.data, outcome, ran, described)
    return ByProgram("", tuple(different), tuple(disagreements(outcome, ran)))


def _run(programs: Programs, ready: Ready) -> Ran:
    """The test's packet, after those of the tests before it, in programs that have seen none."""
    tests = (*ready.before, ready)
    with programs.loaded(HOOKS[one.test.way] for one in tests) as loaded:
        for one in tests:
            assert isinstance(one.given, Frame)
            ran = loaded.run(HOOKS[one.test.way], one.given)
    return ran
