"""`--check`: what the compiler would write against what is there, and why the two differ."""

from __future__ import annotations

from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from . import bundle, manifest, manifest_io
from .diagnostics import DiagnosedError
from .pipeline import Compiled

MOST_LINES = 200  # of a diff; the rest is counted


class Stale(NamedTuple):
    """One file that is not what the compiler would write: `why` for people, `diff` in unified form or empty."""

    path: str
    why: str
    diff: str


def stale_files(made: Compiled, directory: Path) -> list[Stale]:
    """Every file of the bundle that differs. A missing object is not stale: objects are built, not committed."""
    old = _manifest(directory)
    there = bundle.read(directory, list(made.files))
    found = []
    for name, data in made.files.items():
        if there.get(name) == data or (name.endswith(".o") and name not in there):
            continue
        why = _why(name, there.get(name), old, made.manifest)
        found.append(Stale(str(directory / name), why, _diff(str(directory / name), there.get(name), data)))
    for name in sorted(set(old.files if old else ()) - set(made.files)):
        if (directory / name).exists():
            found.append(Stale(str(directory / name), "no longer part of the bundle", ""))
    return found


def _manifest(directory: Path) -> manifest.Manifest | None:
    try:
        return manifest_io.load(directory / bundle.MANIFEST)
    except DiagnosedError:
        return None


def _why(name: str, there: bytes | None, old: manifest.Manifest | None, new: manifest.Manifest) -> str:
    if there is None:
        return "it is not there"
    if old is None:
        return "there is no readable manifest that says what it was made from"
    if name in old.files and sha256(there).hexdigest() != old.files[name]:
        return "it was edited by hand, or damaged: its hash is not the one in the manifest"
    reasons = []
    if old.inputs.spec_sha256 != new.inputs.spec_sha256:
        reasons.append(f"the spec {new.inputs.spec} changed")
    reasons += [f"{file} changed" for file, digest in new.inputs.files.items() if old.inputs.files.get(file) != digest]
    if old.inputs.compiler != new.inputs.compiler:
        reasons.append(f"encap-compile {old.inputs.compiler} wrote it and this is {new.inputs.compiler}")
    elif old.inputs.compiler_sha256 != new.inputs.compiler_sha256:
        reasons.append(f"another build of encap-compile {old.inputs.compiler} wrote it")
    if old.toolchain != new.toolchain:
        reasons.append(f"it was built by clang {old.toolchain.version} and this is {new.toolchain.version}")
    return ", ".join(reasons) or "it was edited by hand: what it was made from is the same"


def _diff(path: str, there: bytes | None, data: bytes) -> str:
    if path.endswith(".o") or there is None:
        return ""
    before = there.decode(errors="replace").splitlines(keepends=True)
    after = data.decode(errors="replace").splitlines(keepends=True)
    lines = list(unified_diff(before, after, path, f"{path} (as it would be written)"))
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines[:MOST_LINES])
    return text + (f"... {len(lines) - MOST_LINES} more lines\n" if len(lines) > MOST_LINES else "")
