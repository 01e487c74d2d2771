"""Where maps and the files that they were filled from differ from what was applied, a sentence each."""

from __future__ import annotations

from pathlib import Path

from ..common.diagnostics import DiagnosedError
from ..common.manifest import Manifest
from .kernel.errors import NotFoundError
from .kernel.pins import open_map
from .loader.bundle import ROWS_OPTION
from .loader.digests import entries_digest, file_sha256
from .loader.hostfile import open_host_file
from .loader.observe import Observed
from .loader.paths import Paths
from .loader.state import Filled, State


def drift_of_pins(state: State, observed: Observed) -> list[str]:
    """Pins that are gone, and those of an apply that did not finish. A state of the first release names none."""
    if not state.pins:
        return []
    there = {p.path.name for p in observed.pins}
    gone = [
        f"map {name}: its pin is gone, apply makes a new one" for name, pin in state.pins.items() if pin not in there
    ]
    left = sorted(there - set(state.pins.values()))
    return gone + [f"pin {name}: left over from an apply that did not finish" for name in left]


def drift_of_files(state: State, name: str) -> list[str]:
    """Files that --rows or the host file named: they say something else by now, or the host file names others."""
    try:
        host_file = open_host_file(state.host_file)
    except DiagnosedError:
        return []  # said where host values are resolved
    tables = [f.table for f in state.filled.values() if f.kind == "rows"]
    named = host_file.rows_of(name, tables)
    found = []
    for filled in state.filled.values():
        entry = named.get(filled.table) if filled.kind == "rows" else None
        if filled.origin != ROWS_OPTION and (entry or filled.origin) and str(entry and entry.file) != filled.file:
            now = f"{entry.file} now" if entry else "no file any more"
            found.append(f"{filled_words(filled)}: {filled.file} was applied, the host file names {now}")
        elif filled.origin and (now := file_sha256(Path(filled.file))) != filled.sha256:
            what = "has changed since it was applied" if now else "cannot be read any more"
            found.append(f"{filled_words(filled)}: {filled.file} ({filled.origin}) {what}")
    return found


def drift_from_bundle(state: State, bundle: Manifest) -> list[str]:
    """What a bundle of the identity in force has that was not applied: other rows, another object."""
    found = []
    if not bundle.program and state.object_sha256 != bundle.files.get(f"{bundle.name}.bpf.o", state.object_sha256):
        found.append("the bundle's object was built again since it was applied")
    files = {t.map: t.file for t in bundle.tables} | {s.map: s.file for s in bundle.prefix_sets}
    for name, filled in state.filled.items():
        file = files.get(name, "")
        if file and filled.sha256 != bundle.files.get(file, filled.sha256):
            source = f"{filled.file} ({filled.origin}) was applied" if filled.origin else "others were applied"
            found.append(f"{filled_words(filled)}: not those of the bundle's {file}: {source}")
    return found


def drift_of_entries(state: State, paths: Paths) -> list[str]:
    """Read every map that was filled, and compare its digest. Raises KernelError."""
    found = []
    for name, filled in state.filled.items():
        pin = state.pins.get(name)
        if pin is None:
            continue
        try:
            with open_map(paths.maps / pin) as pinned:
                sizes = pinned.info.key_size, pinned.info.value_size
                entries = pinned.entries()
        except NotFoundError:
            continue  # drift_of_pins says so
        if entries.count != filled.count:
            words = f"the map holds {entries.count} entries, {filled.count} were applied"
        elif entries_digest(entries, *sizes) != filled.digest:
            words = f"entries of the map were changed since they were applied (digest {filled.digest} then)"
        else:
            continue
        found.append(f"{filled_words(filled)}: {words}")
    return found


def filled_words(filled: Filled) -> str:
    """What a map holds, for people: `rows sites`."""
    return f"{filled.kind} {filled.table}" if filled.table else filled.kind
