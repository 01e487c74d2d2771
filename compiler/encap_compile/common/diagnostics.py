"""What the compiler and the loader say to a person: one type, many renderers (see `reporting`).

A diagnostic has a stable code (`codes`), the place it is about, what is wrong and what to do about it.
Nothing here prints; nothing here knows a file format.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple


class Exit(IntEnum):
    """Process exit codes, the same for `encap-compile` and `encapctl`."""

    DONE = 0
    SPEC = 1  # the spec, or a file it names, is wrong
    USAGE = 2
    DRIFT = 3  # an artifact is stale, or a change is pending
    TOOLCHAIN = 4
    KERNEL = 5  # the kernel refused
    MACHINE = 6  # privilege, device, cgroup or host value: this machine is not ready
    BUG = 70  # a bug of ours


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Place(NamedTuple):
    """A stretch of text in a file. `line` and `column` count from 1; 0 means the file as a whole.

    `end_column` is one past the last character, on the same line; 0 when only the start is known.
    """

    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


NOWHERE = Place("")


class Diagnostic(NamedTuple):
    """One finding. `code` is a key of `codes.CODES`; `message` says what is wrong, `help` what to do."""

    code: str
    message: str
    place: Place = NOWHERE
    help: str = ""
    severity: Severity = Severity.ERROR
    related: tuple[tuple[Place, str], ...] = ()  # other places that matter, each with its words


class DiagnosedError(Exception):
    """Stops a phase with everything it found wrong. `exit_code` is what the process returns for it.

    As text it is a sentence for each: place, message and code.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], exit_code: Exit = Exit.SPEC) -> None:
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code
        places = (f"{d.place}: " if d.place.file else "" for d in self.diagnostics)
        said = (f"{place}{d.message} ({d.code})" for place, d in zip(places, self.diagnostics, strict=True))
        super().__init__("; ".join(said))


class Findings:
    """Collects a phase's diagnostics, so that a person sees all of them at once."""

    def __init__(self) -> None:
        self.all: list[Diagnostic] = []

    def error(self, code: str, message: str, place: Place = NOWHERE, help: str = "", **more: object) -> None:
        self.all.append(Diagnostic(code, message, place, help, **more))  # type: ignore[arg-type]

    def warning(self, code: str, message: str, place: Place = NOWHERE, help: str = "") -> None:
        self.all.append(Diagnostic(code, message, place, help, Severity.WARNING))

    def note(self, code: str, message: str, place: Place = NOWHERE, help: str = "") -> None:
        self.all.append(Diagnostic(code, message, place, help, Severity.NOTE))

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.all.extend(diagnostics)

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self.all if d.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [d for d in self.all if d.severity is not Severity.ERROR]

    def stop_on_errors(self, exit_code: Exit = Exit.SPEC) -> None:
        """Raise `DiagnosedError` with everything found, if anything of it is an error."""
        if self.errors:
            raise DiagnosedError(sorted(self.all, key=lambda d: d.place), exit_code)
