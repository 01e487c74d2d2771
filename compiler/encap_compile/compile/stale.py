"""`--check`: what the compiler would write against what is there, and why the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..common import manifest, manifest_io
from ..common.data_hashes import DATA_HASHES, read_data_hashes
from ..common.diagnostics import DiagnosedError
from ..common.structured import MalformedError
from . import artifacts
from .pipeline import Compiled

MOST_LINES = 200  # of a diff; the rest is counted


class Stale(NamedTuple):
    """One file that is not what the compiler would write: `why` for people, `diff` in unified form or empty."""

    path: str
    why: str
    diff: str


def stale_files(made: Compiled, directory: Path) -> list[Stale]:
    """Every file of the bundle that differs. What is built and not committed is not stale if it is missing: the object,
    and the hashes of data."""
    old = _manifest(directory)
    known = _known_hashes(old, directory)
    there = artifacts.read(directory, list(made.files))
    found = []
    for name, data in made.files.items():
        if there.get(name) == data or ((name.endswith(".o") or name == DATA_HASHES) and name not in there):
            continue
        why = _why(name, there.get(name), old, known, made.manifest, directory)
        found.append(Stale(str(directory / name), why, _diff(str(directory / name), there.get(name), data)))
    for name in sorted(set(known) - set(made.files)):
        if (directory / name).exists():
            found.append(Stale(str(directory / name), "no longer part of the bundle", ""))
    return found


def _manifest(directory: Path) -> manifest.Manifest | None:
    try:
        return manifest_io.load(directory / artifacts.MANIFEST)
    except DiagnosedError:
        return None


def _known_hashes(old: manifest.Manifest | None, directory: Path) -> dict[str, str]:
    if old is None:
        return {}
    try:
        return {**read_data_hashes(directory), **old.files}
    except MalformedError:
        return dict(old.files)


def _why(
    name: str,
    there: bytes | None,
    old: manifest.Manifest | None,
    known: Mapping[str, str],
    new: manifest.Manifest,
    directory: Path,
) -> str:
    if there is None:
        return "it is not there"
    if old is None:
        return "there is no readable manifest that says what it was made from"
    if name in known and sha256(there).hexdigest() != known[name]:
        return f"it was edited by hand, or damaged: its hash is not the one in {_hashed_in(name, old)}"
    if name == artifacts.MANIFEST and not _is_whole(directory):
        return "it was edited by hand, or damaged: its identity does not fit"
    reasons = []
    if old.inputs.compiler != new.inputs.compiler:
        reasons.append(f"encap-compile {old.inputs.compiler} wrote it and this is {new.inputs.compiler}")
    elif old.inputs.compiler_sha256 != new.inputs.compiler_sha256:
        reasons.append(f"another build of encap-compile {old.inputs.compiler} wrote it")
    if old.toolchain != new.toolchain:
        reasons.append(f"it was built by clang {old.toolchain.version} and this is {new.toolchain.version}")
    if name in new.files or name == artifacts.MANIFEST:
        return ", ".join(reasons) or f"the spec {new.inputs.spec} changed"
    return ", ".join(reasons) or f"the spec {new.inputs.spec} or a file that it names changed"


def _hashed_in(name: str, old: manifest.Manifest) -> str:
    return "the manifest" if name in old.files else DATA_HASHES


def _is_whole(directory: Path) -> bool:
    """Whether the manifest is one that a compiler wrote for the C that is there."""
    try:
        described, document = manifest_io.load_document(directory / artifacts.MANIFEST)
    except DiagnosedError:
        return False
    code = manifest_io.code(described, artifacts.read(directory, list(described.files)))
    return described.identity == manifest_io.identity_of_document(document, code)


def _diff(path: str, there: bytes | None, data: bytes) -> str:
    if path.endswith(".o") or there is None:
        return ""
    before = there.decode(errors="replace").splitlines(keepends=True)
    after = data.decode(errors="replace").splitlines(keepends=True)
    lines = list(unified_diff(before, after, path, f"{path} (as it would be written)"))
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines[:MOST_LINES])
    return text + (f"... {len(lines) - MOST_LINES} more lines\n" if len(lines) > MOST_LINES else "")
