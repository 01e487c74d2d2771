"""Where the state of a bundle is kept: `state.json`, in the form that release 0.1.0 reads, and `applied.json`.

The second has all that this release knows, and a hash of the first. Where the first is another one, release 0.1.0 has
run since, or this run was killed between the two: then the first alone is what was applied last. Each is written to a
temporary name and renamed, so that a reader sees the old or the new one, never half.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

from ... import __version__
from ...common import format_version, requirements
from ...common.diagnostics import Diagnostic, Severity
from ...common.folders import PUBLIC, PUBLIC_FILE, make_folders, write_file
from ...common.manifest import FORMAT_VERSION as FORMAT_OF_MANIFEST
from ...common.manifest import Cgroup, Hooked
from ...common.manifest_bounds import MOST_COUNTERS_OF_ALL, check_bounds, check_prefix
from ...common.record import Record
from ...common.regular_file import read_regular
from ...common.structured import MalformedError, structured
from ..kernel.hooks.base import Point
from .state import State
from .state_of_0_1 import FORMAT_VERSION as FORMAT_OF_0_1
from .state_of_0_1 import document_of_0_1

FORMAT_VERSION = "1.1"
NAME, NAME_OF_0_1 = "applied.json", "state.json"
READINGS, BETWEEN_READINGS = 6, 0.01  # seconds: of two files that do not fit, which a writer may be between
MOST_SECONDS = 1 << 36  # since the epoch, of a time that a calendar has
MOST_BYTES = 256 << 20  # of a state: it holds the manifest, and the number of every cgroup that rows name


class Unreadable(Record):
    """A state that is there and cannot be read.

    `later` says that it has what only another release understands, `release` which one wrote it.
    """

    file: Path
    why: str
    later: bool = False
    release: str = ""

    def diagnostic(self, bundle: str) -> Diagnostic:
        """H152, an error, or H153, a warning."""
        if self.later:
            words = f"what was applied of {bundle} was written by another release: {self.file}: {self.why}"
            named = f"encapctl {self.release}" if self.release else "the encapctl that applied it"
            return Diagnostic("H152", words, help=f"use {named}, or a newer one")
        words = f"what was applied of {bundle} cannot be read: {self.file}: {self.why}"
        fix = "`apply` goes on from what the kernel runs, and writes it again; what earlier maps had counted is lost"
        return Diagnostic("H153", words, help=fix, severity=Severity.WARNING)


def load(directory: Path) -> State | None:
    """The state in a directory; None if there is none or it cannot be read: `look` tells the two apart."""
    found = look(directory)
    return found if isinstance(found, State) else None


def look(directory: Path) -> State | Unreadable | None:
    """The state in a directory, None if there is none."""
    for reading in range(READINGS):
        if reading:
            sleep(BETWEEN_READINGS)
        content = _content(directory / NAME_OF_0_1)
        if not isinstance(content, bytes):
            return content
        ours = _content(directory / NAME)
        found = _parsed(ours, directory / NAME, content)
        if isinstance(found, State) or (isinstance(found, Unreadable) and found.later):
            return found
        if ours is None or found is not None:
            break
    return _parsed(content, directory / NAME_OF_0_1)


def save(directory: Path, state: State) -> None:
    """Write it atomically and durably enough for a killed process. Raises OSError."""
    make_folders(directory, PUBLIC)
    other = _bytes({"format_version": FORMAT_OF_0_1, **document_of_0_1(state)})
    document = {"format_version": FORMAT_VERSION, "release": __version__, "beside": sha256(other).hexdigest()}
    ours = _bytes({**document, **asdict(state)})  # before the first is written: between the two, they do not fit
    write_file(directory / NAME_OF_0_1, other, PUBLIC_FILE)
    write_file(directory / NAME, ours, PUBLIC_FILE)


def forget(directory: Path) -> None:
    """Remove all state of a bundle."""
    shutil.rmtree(directory, ignore_errors=True)


def _bytes(document: object) -> bytes:
    return f"{json.dumps(document, indent=1)}\n".encode()


def _content(path: Path) -> bytes | Unreadable | None:
    try:
        return read_regular(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Unreadable(path, error.strerror or str(error))


def _parsed(content: bytes | Unreadable | None, path: Path, other: bytes = b"") -> State | Unreadable | None:
    """The state in a file; None if there is none, or it does not belong to the `other` file's content."""
    if not isinstance(content, bytes):
        return content
    try:
        document = json.loads(content)
        if not isinstance(document, dict):
            raise MalformedError("state: an object is expected")
        if other and document.get("beside") != sha256(other).hexdigest():
            return None
        return _state(document, path)
    except (ValueError, TypeError, RecursionError) as error:
        return Unreadable(path, str(error) or type(error).__name__)


def _state(document: dict[str, Any], path: Path) -> State | Unreadable:
    """Raises MalformedError."""
    manifest = document.get("manifest")
    later = _another_major(document, FORMAT_VERSION, "state")
    if not later and isinstance(manifest, dict):
        later = _another_major(manifest, FORMAT_OF_MANIFEST, "state.manifest") or _not_known(manifest)
    if later:
        release = document.get("release")
        known = release if isinstance(release, str) and release.isascii() and release.isprintable() else ""
        return Unreadable(path, later, True, known[:32])
    if isinstance(manifest, dict):
        written = format_version.text(format_version.read(manifest.get("format_version"), "state.manifest"))
        document = {**document, "manifest": {**manifest, "format_version": written}}
    state: State = structured(State, document, "state")
    _check(state)
    return state


def _another_major(document: dict[str, Any], ours: str, where: str) -> str:
    """What is said of a document of another major version; empty if it is of ours. Raises MalformedError."""
    version, major = format_version.read(document.get("format_version"), where), format_version.read(ours, where)[0]
    what = "format" if where == "state" else "manifest of format"
    return f"{what} {format_version.text(version)}, not {major}.x" if version[0] != major else ""


def _not_known(manifest: dict[str, Any]) -> str:
    """What is said of a manifest that a later minor version wrote, and that needs what this release has not.

    Such a bundle is refused when it is to be applied, and what runs of it must not be taken for something else.
    Raises MalformedError.
    """
    requires = structured(tuple[str, ...], manifest.get("requires", []), "state.manifest.requires")
    if missing := requirements.unknown(requires):
        return f"it requires what this encapctl does not know: {', '.join(missing)}"
    programs: tuple[Hooked, ...] = structured(
        tuple[Hooked, ...], manifest.get("programs", []), "state.manifest.programs"
    )
    cgroups: tuple[Cgroup, ...] = structured(tuple[Cgroup, ...], manifest.get("cgroups", []), "state.manifest.cgroups")
    hooks = (*(p.hook for p in programs), *(hook for c in cgroups for hook in c.hooks))
    strange = sorted({*hooks} - {*Point})
    return f"this encapctl knows no hook {', '.join(strange)}" if strange else ""


def _check(state: State) -> None:
    """Numbers and names must be such as we write. Raises MalformedError."""
    if state.manifest is not None:
        check_bounds(state.manifest)
    if state.route_device is not None:
        for text in (*state.route_device.routed, *state.route_device.thrown):
            check_prefix(text, "state.route_device")
    offsets = (offset for layout in state.counter_layouts.values() for offset in layout.values())
    names = (*state.pins.values(), state.replaces)
    for what, right in (
        ("applied_at", 0 <= state.applied_at < MOST_SECONDS),
        ("devices", all(0 < index < 1 << 31 for index in state.devices.values())),
        ("cgroups", all(number >= 0 for number in state.cgroups.values())),
        ("counter_layouts", all(0 <= offset < MOST_COUNTERS_OF_ALL for offset in offsets)),
        ("pins, replaces", not any("/" in name or name in (".", "..") for name in names)),
    ):
        if not right:
            raise MalformedError(f"state.{what}: a number or a name that encapctl does not write")
