"""manifest.json: reading it strictly, writing it so that the same manifest is the same bytes everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from .diagnostics import DiagnosedError, Diagnostic, Exit, Place
from .manifest import FORMAT_VERSION, Inputs, Manifest
from .manifest_bounds import check_bounds
from .regular_file import read_regular
from .structured import MalformedError, structured

_REBUILD = "build the bundle again with `encap-compile`"


def identity(manifest: Manifest, code: Mapping[str, bytes]) -> str:
    """SHA-256 in hexadecimal of what runs: the C and its headers in `code`, by name, and the manifest's program part.

    Rows, the spec's text and the object's bytes are not in it: they have hashes of their own.
    """
    digest = sha256()
    for name in sorted(code):
        digest.update(f"{name}\0{len(code[name])}\0".encode() + code[name])
    bare = replace(manifest, identity="", inputs=Inputs("", "", {}, "", ""), files={})
    digest.update(dump(bare).encode())
    return digest.hexdigest()


def code(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of a bundle's files that are the C and its headers."""
    return {n: data for n, data in files.items() if n.endswith((".c", ".h")) and n not in manifest.contract}


def dump(manifest: Manifest) -> str:
    """The text of manifest.json: members in declared order, two spaces, a newline at the end."""
    return json.dumps(_plain(manifest), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """A record as JSON has it. What the first release did not know is left out as long as it says nothing."""
    if is_dataclass(value):
        written = {f.name: getattr(value, f.name) for f in fields(value)}
        silent = {f.name for f in fields(value) if "later" in f.metadata and not written[f.name]}
        return {name: _plain(part) for name, part in written.items() if name not in silent}
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value


def load(path: Path) -> Manifest:
    """Read a manifest.json. Raises DiagnosedError (B301 unreadable, B302 malformed, B303 of another format version)."""
    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        words = f"no manifest to read: {reason}"
        fix = "name a bundle directory: build/NAME, as `encap-compile` writes it"
        raise DiagnosedError([Diagnostic("B301", words, Place(str(path)), fix)], Exit.SPEC) from None
    return loads(text, str(path))


def loads(text: str, path: str) -> Manifest:
    """The same from text; `path` is for messages."""
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        raise DiagnosedError([Diagnostic("B302", f"not JSON: {error.msg}", place, _REBUILD)], Exit.SPEC) from None
    except (ValueError, RecursionError) as error:  # a key twice; a number of thousands of digits; too deep
        raise DiagnosedError([Diagnostic("B302", f"malformed: {error}", Place(path), _REBUILD)], Exit.SPEC) from None
    version = document.get("format_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version != FORMAT_VERSION:
        words = f"manifest of format {version}; this encapctl reads format {FORMAT_VERSION}"
        fix = "use the encap-compile and encapctl of one release"
        raise DiagnosedError([Diagnostic("B303", words, Place(path), fix)], Exit.SPEC)
    try:
        manifest = structure(document)
    except MalformedError as error:
        raise DiagnosedError([Diagnostic("B302", f"malformed: {error}", Place(path), _REBUILD)], Exit.SPEC) from None
    return manifest


def structure(document: object) -> Manifest:
    """A manifest from parsed JSON. Raises MalformedError."""
    manifest: Manifest = structured(Manifest, document, "manifest")
    check_bounds(manifest)
    return manifest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise MalformedError("a key is there twice")
    return built
