"""A bundle with this machine's values for it, as far as checks ask: what needs no privilege to find out."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ...common.record import Record
from ..host_values import Machine, resolve
from ..kernel.devices import devices
from .bundle import Bundle
from .contents import Wanted, wanted_contents
from .desired import Request, given_values, stop, validate_host_file
from .hostfile import open_host_file


class Deployment(Protocol):
    """`Desired` is one, too."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def machine(self) -> Machine: ...

    @property
    def wanted(self) -> Wanted: ...


class Sketch(Record):
    """A deployment that was not looked at in the kernel's hooks and maps."""

    manifest: Manifest
    machine: Machine
    wanted: Wanted


def sketch(request: Request, bundle: Bundle, findings: Findings) -> Sketch:
    """Resolve host values and read rows. Raises DiagnosedError with all findings, as `prepare` does."""
    file, manifest = open_host_file(request.host_file), bundle.manifest
    validate_host_file(file, manifest, findings)
    rows = file.rows_of(manifest.name, [t.name for t in manifest.tables if t.file])
    bundle = replace(bundle, host_rows=rows)
    machine = resolve(manifest, given_values(file, request.settings), devices(), findings)
    stop(findings)
    wanted = wanted_contents(bundle, machine, findings, file.path)
    stop(findings)
    return Sketch(manifest, machine, wanted)
