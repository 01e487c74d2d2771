"""A bundle directory, read once and checked against its manifest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ...common.data_hashes import DATA_HASHES, read_data_hashes
from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from ...common.manifest import Manifest, PrefixSet, Table
from ...common.manifest_io import code, identity_of_document, load_document
from ...common.record import Record
from ...common.regular_file import MOST_BYTES_OF_ROWS, read_regular
from ...common.structured import MalformedError
from ..kernel.hooks.base import Point
from .digests import file_sha256
from .hostfile import RowsEntry

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # also a file name in bpffs, which refuses dots
ROWS_OPTION = "--rows"  # who named a file of rows
_REBUILD = "build it again with `encap-compile` (it may have been interrupted), or take the files as they were reviewed"


class Bundle(Record):
    """`object` is NAME.bpf.o as it was hashed; `rows` names files given with --rows instead of the bundle's own.

    `host_rows` are those that the host file names; --rows takes precedence.
    """

    directory: Path
    manifest: Manifest
    object: bytes
    object_sha256: str
    rows: Mapping[str, Path] = field(default_factory=dict)
    host_rows: Mapping[str, RowsEntry] = field(default_factory=dict)

    def rows_file(self, table: Table) -> Path:
        """The file that a table's rows come from on this machine."""
        if table.name in self.rows:
            return self.rows[table.name]
        if table.name in self.host_rows:
            return self.host_rows[table.name].file
        return self.directory / table.file

    def rows_origin(self, table: Table, host_file: str) -> str:
        """Who named that file: empty if it is the bundle's own."""
        return ROWS_OPTION if table.name in self.rows else host_file if table.name in self.host_rows else ""

    def prefix_file(self, prefix_set: PrefixSet) -> Path:
        return self.directory / prefix_set.file

    def c_text(self) -> str:
        """The generated C, for messages; empty if the bundle came without."""
        try:
            return read_regular(self.directory / f"{self.manifest.name}.bpf.c").decode()
        except (OSError, UnicodeDecodeError):
            return ""


def open_bundle(directory: Path, rows: Mapping[str, Path] | None = None) -> Bundle:
    """Read a bundle. Raises DiagnosedError: B301 to B303, B312 for the manifest, B304 to B307 for its promises."""
    rows = rows or {}
    manifest_path = directory / "manifest.json"
    described, document = _load(directory)
    manifest = _with_data(described, directory)
    place = Place(str(manifest_path))
    found: list[Diagnostic] = []
    hooks = (p.hook for p in manifest.programs), (hook for c in manifest.cgroups for hook in c.hooks)
    for hook in dict.fromkeys(chain(*hooks)):
        if hook not in tuple(Point):
            fix = "use the encap-compile and encapctl of one release"
            found.append(Diagnostic("B303", f"this encapctl knows no hook {hook}", place, fix))
    contents: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        source = "the manifest" if name in described.files else DATA_HASHES
        found += _check(directory, name, expected, source, contents)
    if not found and manifest.identity != identity_of_document(document, code(manifest, contents)):
        found.append(
            Diagnostic("B305", "changed since the bundle was built: its identity does not fit", place, _REBUILD)
        )
    object_name = f"{manifest.name}.bpf.o"
    for name in (object_name, *(t.file for t in manifest.tables if t.file), *(s.file for s in manifest.prefix_sets)):
        if name not in manifest.files:
            where = f"the manifest nor in {DATA_HASHES}" if name != object_name else "the manifest"
            word = "neither in" if name != object_name else "not in"
            found.append(Diagnostic("B306", f"{name} is {word} {where}, so nothing vouches for it", place, _REBUILD))
    tables = {t.name: t for t in manifest.tables if t.file}
    for name in rows:
        if name not in tables:
            known = ", ".join(tables) or "none"
            found.append(
                Diagnostic("B307", f"--rows {name}: no such table with rows in a file", help=f"tables: {known}")
            )
    if found:
        raise DiagnosedError(found, Exit.SPEC)
    data = contents[object_name]
    return Bundle(directory, manifest, data, hashlib.sha256(data).hexdigest(), dict(rows))


def load_manifest(directory: Path) -> Manifest:
    """The manifest alone, which says what to close or remove whatever became of the data.

    Raises DiagnosedError: B301 to B303, B312.
    """
    return _load(directory)[0]


def _load(directory: Path) -> tuple[Manifest, dict[str, Any]]:
    """The manifest, and the document that it was read from."""
    path = directory / "manifest.json"
    try:
        there, is_folder = os.path.lexists(directory), directory.is_dir()
        if path.exists() or (there and not is_folder):
            manifest, document = load_document(path)
            return _named(manifest, path), document
    except (OSError, ValueError) as error:  # a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise DiagnosedError([Diagnostic("B301", f"no bundle can be there: {reason}", Place(str(directory)))]) from None
    if not there:
        words, fix = f"there is no directory {directory}", "name a bundle: build/NAME, as `encap-compile` writes it"
        raise DiagnosedError([Diagnostic("B301", words, help=fix)], Exit.SPEC)
    parts = sorted(p.name for p in directory.iterdir() if p.name.endswith((".bpf.c", ".bpf.o")))
    if not parts:
        words = "no manifest.json, so this is no bundle"
        fix = "name a bundle directory: build/NAME, as `encap-compile` writes it"
    else:
        # The compiler writes it last.
        words = f"half a bundle: {' and '.join(parts)} without a manifest.json"
        fix = "`encap-compile` was interrupted, or a copy was: run it again, or copy the whole directory"
    raise DiagnosedError([Diagnostic("B301", words, Place(str(directory)), fix)], Exit.SPEC)


def _with_data(manifest: Manifest, directory: Path) -> Manifest:
    """The same with the hashes of its data among those of its files. Raises DiagnosedError (B302)."""
    try:
        data = read_data_hashes(directory)
    except MalformedError as error:
        words = f"malformed: {error}"
        raise DiagnosedError([Diagnostic("B302", words, Place(str(directory / DATA_HASHES)), _REBUILD)]) from None
    return replace(manifest, files={**data, **manifest.files})


def with_data_as_found(manifest: Manifest, directory: Path) -> Manifest:
    """The same with the hashes that its data have now, so that a row which came since is seen without a build."""
    data = [*(t.file for t in manifest.tables), *(s.file for s in manifest.prefix_sets)]
    return replace(manifest, files={**manifest.files, **{f: file_sha256(directory / f) for f in data if f}})


def _named(manifest: Manifest, path: Path) -> Manifest:
    """The same, if its name is one: commands make paths of it, `remove` those of folders that go.

    Raises DiagnosedError (B302).
    """
    if not NAME.fullmatch(manifest.name):
        words = f"malformed: `{manifest.name[:64]}` is no name of a bundle"
        raise DiagnosedError([Diagnostic("B302", words, Place(str(path)), _REBUILD)])
    return manifest


def _check(directory: Path, name: str, expected: str, source: str, contents: dict[str, bytes]) -> list[Diagnostic]:
    """Read a file of the bundle into `contents`; `source` is the file that its hash is from."""
    path = directory / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return [Diagnostic("B302", f"malformed: {name} is outside of the bundle", Place(str(path)), _REBUILD)]
    try:
        contents[name] = read_regular(path, MOST_BYTES_OF_ROWS)
    except OSError as error:
        return [
            Diagnostic("B304", f"a file of the bundle cannot be read: {error.strerror}", Place(str(path)), _REBUILD)
        ]
    actual = hashlib.sha256(contents[name]).hexdigest()
    if actual != expected:
        words = f"changed since the bundle was built: sha256 {actual[:8]}, {source} says {expected[:8]}"
        return [Diagnostic("B305", words, Place(str(path)), _REBUILD)]
    return []
