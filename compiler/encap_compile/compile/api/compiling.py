"""What compiles: specs in, bundles out. No function here needs privilege or looks at the machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.api_errors import diagnosed
from ...common.diagnostics import Diagnostic
from ...common.record import Record

if TYPE_CHECKING:
    from .. import pipeline

Spec = str | PathLike[str]


class FileChange(NamedTuple):
    """A file of a bundle that was written or removed: lines added and removed, both 0 for an object."""

    file: str
    added: int
    removed: int


class Stale(NamedTuple):
    """A file that is not what the compiler would write: `why` in words, `diff` in unified form or empty."""

    path: str
    why: str
    diff: str


class Checked(Record):
    """A spec that is right, with its rows."""

    name: str
    spec: str
    warnings: tuple[Diagnostic, ...]


class Rendered(Record):
    """The C of a spec. `file` is its name in the bundle."""

    name: str
    file: str
    text: str
    warnings: tuple[Diagnostic, ...]


class Explained(Record):
    """What a spec does, asked and unasked: `text` for people; `document` is what `--format json` prints."""

    name: str
    text: str
    document: Mapping[str, Any]
    warnings: tuple[Diagnostic, ...]


class Compiled(Record):
    """A bundle in its directory. `changes` are the files that differed from what was there.

    `text` is what the command line prints: rules, overhead, needs, and what was written.
    """

    name: str
    directory: Path
    identity: str
    changes: tuple[FileChange, ...]
    warnings: tuple[Diagnostic, ...]
    seconds: float
    text: str


class Built(Record):
    """A bundle in memory: `files` holds the bytes of each by its name, the manifest last. Nothing is written yet.

    `unchanged` says that `directory` has this very bundle, as its hashes show, so that nothing was built.
    """

    name: str
    spec: str
    directory: Path
    identity: str
    files: Mapping[str, bytes]
    warnings: tuple[Diagnostic, ...]
    unchanged: bool
    seconds: float
    _made: pipeline.Compiled = field(repr=False, compare=False)

    @diagnosed
    def write(self) -> Compiled:
        """Write what differs, each file by one rename. Raises DiagnosedError (T107)."""
        from ..pipeline import write_bundle
        from ..summary import summary, written

        begun = time.perf_counter()
        described, lines = self._made.manifest, self._made.built.lines
        changes = [] if self.unchanged else write_bundle(self._made, self.directory)
        seconds = self.seconds + time.perf_counter() - begun
        text = f"{summary(described, lines)}\n{written(described, str(self.directory), changes, seconds)}"
        files = tuple(FileChange(*change) for change in changes)
        return Compiled(self.name, self.directory, self.identity, files, self.warnings, seconds, text)

    @diagnosed
    def stale(self) -> tuple[Stale, ...]:
        """The files in `directory` that differ, with the reason: what `encap-compile --check` says."""
        from ..stale import stale_files

        return tuple(Stale(*found) for found in stale_files(self._made, self.directory))


@diagnosed
def check(spec: Spec) -> Checked:
    """Check a spec, the rows that it names and its tests; build and run nothing.

    Raises DiagnosedError with everything that is wrong.
    """
    from .. import pipeline

    found, described, _, findings = pipeline.check_spec(fspath(spec))
    if found.tests is not None:
        from ..packet_tests.prepared import prepare

        prepare(found, described, findings)
        findings.stop_on_errors()
    return Checked(found.name, fspath(spec), tuple(findings.warnings))


@diagnosed
def build(spec: Spec, out: Spec = "build", *, clang: str = "", rebuild: bool = False) -> Built:
    """Compile a spec in memory, for `out/NAME`. Raises DiagnosedError.

    `rebuild` also builds what is up to date by its hashes: whoever can edit a file can edit its hash, too.
    """
    from .. import pipeline

    begun = time.perf_counter()
    made = pipeline.compile_spec(fspath(spec), Path(out), clang, write=False, rebuild=rebuild)
    name, seconds = made.manifest.name, time.perf_counter() - begun
    directory, identity = Path(out) / name, made.manifest.identity
    return Built(name, fspath(spec), directory, identity, made.files, made.warnings, made.unchanged, seconds, made)


def compile(spec: Spec, out: Spec = "build", *, clang: str = "") -> Compiled:
    """Compile a spec into `out/NAME`. Raises DiagnosedError; then what was there before is still whole."""
    return build(spec, out, clang=clang).write()


@diagnosed
def render(spec: Spec) -> Rendered:
    """The C of a spec, without compiling it. Raises DiagnosedError."""
    from .. import pipeline

    _, described, _, findings = pipeline.check_spec(fspath(spec))
    name = described.program.name
    text = pipeline.render_code(described)[f"{name}.bpf.c"].decode()
    return Rendered(name, f"{name}.bpf.c", text, tuple(findings.warnings))


@diagnosed
def explain(spec: Spec) -> Explained:
    """What a spec does to packets. Raises DiagnosedError."""
    from ...common.reporting.json import document as of_diagnostics
    from .. import pipeline
    from ..explain import explain_spec, spec_document

    found, described, _, findings = pipeline.check_spec(fspath(spec))
    warnings = tuple(findings.warnings)
    explained = {**of_diagnostics(warnings), **spec_document(described)}
    return Explained(found.name, explain_spec(described), explained, warnings)
