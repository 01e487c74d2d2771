"""The bundle `build/NAME/`: the unit that is reviewed, shipped and loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..common import manifest, manifest_io
from ..common.data_hashes import DATA_HASHES, data_hashes, read_data_hashes
from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from ..common.folders import PUBLIC, PUBLIC_FILE, create_file, make_folders
from ..common.regular_file import MOST_BYTES_OF_ROWS, read_regular
from ..common.structured import MalformedError
from .program_hash import program_hash
from .shipped import SHIPPED

MANIFEST = "manifest.json"


class Change(NamedTuple):
    """What writing did to one file: lines added and removed (text), or only that it changed (objects)."""

    file: str
    added: int
    removed: int


def finish(
    described: manifest.Manifest, code: dict[str, bytes], built: bytes, data: dict[str, bytes]
) -> tuple[manifest.Manifest, dict[str, bytes]]:
    """The manifest with its hashes, and all files of the bundle, the manifest last.

    The identity names what is reviewed, not rows; `program` is over what runs, and no text for people is in it.
    """
    made = replace(described, program=program_hash(described, built))
    made = replace(made, identity=manifest_io.identity(made, code))
    programs = dict(sorted({**code, f"{described.name}.bpf.o": built}.items()))
    complete = replace(made, files={name: sha256(content).hexdigest() for name, content in programs.items()})
    apart = {DATA_HASHES: data_hashes(data)} if data else {}
    files = dict(sorted({**programs, **data, **apart}.items()))
    return complete, {**files, MANIFEST: manifest_io.dump(complete).encode()}


def read(directory: Path, names: list[str]) -> dict[str, bytes]:
    """Those of the named files that are there."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = read_regular(directory / name, MOST_BYTES_OF_ROWS)
    return found


def write(directory: Path, files: dict[str, bytes]) -> list[Change]:
    """Write what differs, each file by one rename, the manifest last; remove what only an earlier bundle had.

    Raises DiagnosedError T107; what was there before is then still whole.
    """
    changes = []
    try:
        make_folders(directory, PUBLIC)
        _sweep(directory)
        gone = _listed(directory) - set(files)
        before = read(directory, list(files))
        for name, data in files.items():
            if before.get(name) != data:
                _replace(directory / name, data)
                changes.append(_change(name, before.get(name, b""), data))
        for name in sorted(gone):
            (directory / name).unlink(missing_ok=True)
            changes.append(Change(name, 0, 0))
    except OSError as error:
        place = Place(str(error.filename or directory))
        raise DiagnosedError(
            [Diagnostic("T107", f"cannot be written: {error.strerror}", place, "choose another folder with -o")],
            Exit.TOOLCHAIN,
        ) from None
    return changes


def _listed(directory: Path) -> set[str]:
    """The files of the bundle in a directory but its manifest, plain names only."""
    try:
        old = manifest_io.load(directory / MANIFEST)
    except DiagnosedError:
        return set()
    try:
        data = read_data_hashes(directory)
    except MalformedError:
        data = {}
    hashes = [DATA_HASHES] if (directory / DATA_HASHES).is_file() else []  # malformed, or of no data, too
    return {name for name in (*old.files, *data, *hashes) if Path(name).name == name}


def _sweep(directory: Path) -> None:
    """Remove what a run that was killed while it wrote has left: `.FILE.PID` of a process that is no more."""
    for path in directory.glob(".*.*"):
        pid = path.suffix[1:]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            path.unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        create_file(temporary, data, PUBLIC_FILE)  # a bundle is made to be read by others
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _change(name: str, before: bytes, after: bytes) -> Change:
    if name.endswith(".o"):
        return Change(name, 0, 0)
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > 5000 or not old:
        return Change(name, len(new), len(old))
    from difflib import SequenceMatcher

    same = sum(block.size for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks())
    return Change(name, len(new) - same, len(old) - same)


# What decides the bytes of a bundle; the rest of the package (reports, loader) may change without making one stale.
GENERATOR = (
    "common/documents",
    "compile/checks",
    "compile/description",
    "compile/frontend",
    "compile/headers",
    "compile/ir",
    "compile/lower",
    "compile/render",
    "compile/resolved",
    "common/rows",
    "compile/toolchain",
)
GENERATOR_DATA = ("templates", "schemas/presets")
GENERATOR_FILES = (
    "compile/btf.py",
    "compile/artifacts.py",
    "common/data_hashes.py",
    "compile/elf.py",
    "common/fnv.py",
    "compile/identifiers.py",
    "compile/in_order.py",
    "compile/inline_rows.py",
    "common/manifest.py",
    "common/manifest_io.py",
    "common/manifest_places.py",
    "common/map_meanings.py",
    "compile/program_hash.py",
    "compile/program_types.py",
    "common/record.py",
    "common/requirements.py",
    "compile/spec.py",
    "common/value_names.py",
    "common/values.py",
)


@cache
def compiler_inputs() -> tuple[str, str]:
    """The compiler's version, and a hash over the code and the templates that decide the bytes of a bundle."""
    digest = sha256()
    for root, starts in (
        (f"{Path(__file__).parents[1]}/", (*GENERATOR_FILES, *GENERATOR)),
        (f"{SHIPPED}/", GENERATOR_DATA),
    ):
        for path in (file for start in starts for file in _files(root + start)):
            digest.update(f"{path.removeprefix(root)}\0".encode() + Path(path).read_bytes())
    return __version__, digest.hexdigest()


def _files(start: str) -> Iterator[str]:
    """`start` if it is a file, else the files below it that decide something, in the same order on every machine."""
    if not os.path.isdir(start):  # noqa: PTH112 - paths stay text, as os.walk has them
        yield start
    for current, folders, names in os.walk(start):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        yield from (f"{current}/{n}" for n in sorted(names) if n.endswith((".py", ".j2", ".h", ".yaml")))
