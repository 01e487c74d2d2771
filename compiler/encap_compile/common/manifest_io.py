"""manifest.json: reading it, also of other releases, and writing it so that the same manifest is the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from . import format_version, requirements
from .diagnostics import DiagnosedError, Diagnostic, Exit, Place
from .manifest import FORMAT_VERSION, Manifest
from .manifest_bounds import check_bounds
from .manifest_places import with_places, without_places
from .regular_file import read_regular
from .structured import MalformedError, structured

_RELEASE = re.compile(r"[0-9][0-9a-z.+]{0,31}")
_REBUILD = "build the bundle again with `encap-compile`"
PLACES_SINCE = (1, 1)  # the format that leaves out places that follow from others
# As the first two releases wrote them, so that the identity of a bundle is the same in every release.
_NO_INPUTS = {"spec": "", "spec_sha256": "", "files": {}, "compiler": "", "compiler_sha256": ""}


def identity(manifest: Manifest, code: Mapping[str, bytes]) -> str:
    """SHA-256 in hexadecimal of what runs: the C and its headers in `code`, by name, and the manifest's program part.

    Rows, the spec's text and the object's bytes are not in it: they have hashes of their own.
    """
    return identity_of_document(_written(manifest), code)


def identity_of_document(document: Mapping[str, Any], code: Mapping[str, bytes]) -> str:
    """The same of a parsed manifest.json: members that this release does not know are a part of it too."""
    digest = sha256()
    for name in sorted(code):
        digest.update(f"{name}\0{len(code[name])}\0".encode() + code[name])
    bare = {**document, "identity": "", "inputs": _NO_INPUTS, "files": {}}
    digest.update(_text(bare).encode(errors="surrogatepass"))
    return digest.hexdigest()


def code(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of a bundle's files that are the C and its headers."""
    return {n: data for n, data in files.items() if n.endswith((".c", ".h")) and n not in manifest.contract}


def dump(manifest: Manifest) -> str:
    """The text of manifest.json: members in declared order, two spaces, a newline at the end."""
    return _text(_written(manifest))


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _written(manifest: Manifest) -> dict[str, Any]:
    """A manifest as it is written. That of 1.0 says the place of everything."""
    plain: dict[str, Any] = _plain(manifest)
    version = format_version.read(manifest.format_version, "manifest")
    return without_places(plain) if version >= PLACES_SINCE else plain


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
    """Read a manifest.json. Raises DiagnosedError: B301 unreadable, B302 malformed, B303 of another format version,
    B312 if it requires what this release does not know."""
    return load_document(path)[0]


def load_document(path: Path) -> tuple[Manifest, dict[str, Any]]:
    """The same, and the document as it was parsed, for `identity_of_document`."""
    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        words = f"no manifest to read: {reason}"
        fix = "name a bundle directory: build/NAME, as `encap-compile` writes it"
        raise DiagnosedError([Diagnostic("B301", words, Place(str(path)), fix)], Exit.SPEC) from None
    return _parsed(text, str(path))


def loads(text: str, path: str) -> Manifest:
    """`load` from text; `path` is for messages."""
    return _parsed(text, path)[0]


def _parsed(text: str, path: str) -> tuple[Manifest, dict[str, Any]]:
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        raise DiagnosedError([Diagnostic("B302", f"not JSON: {error.msg}", place, _REBUILD)], Exit.SPEC) from None
    except (ValueError, RecursionError) as error:  # a key twice; a number of thousands of digits; too deep
        raise DiagnosedError([Diagnostic("B302", f"malformed: {error}", Place(path), _REBUILD)], Exit.SPEC) from None
    try:
        if not isinstance(document, dict):
            raise MalformedError("manifest: an object is expected")
        _check_versions(document, path)
        return structure(document), document
    except MalformedError as error:
        raise DiagnosedError([Diagnostic("B302", f"malformed: {error}", Place(path), _REBUILD)], Exit.SPEC) from None


def structure(document: Mapping[str, Any]) -> Manifest:
    """A manifest from parsed JSON of this major version. Raises MalformedError."""
    version = format_version.text(format_version.read(document.get("format_version"), "manifest"))
    manifest: Manifest = structured(Manifest, {**with_places(dict(document)), "format_version": version}, "manifest")
    check_bounds(manifest)
    return manifest


def _check_versions(document: Mapping[str, Any], path: str) -> None:
    """Refuse what this release cannot apply, before anything else of it is read: in a later major version members may
    mean something else. Raises MalformedError, DiagnosedError (B303, B312)."""
    version = format_version.read(document.get("format_version"), "manifest")
    ours = format_version.read(FORMAT_VERSION, "manifest")
    if version[0] != ours[0]:
        words = f"manifest of format {format_version.text(version)}; this encapctl reads format {ours[0]}.x"
        fix = f"{_needed(document)}, or build the bundle again with the release of this encapctl"
        raise DiagnosedError([Diagnostic("B303", words, Place(path), fix)], Exit.SPEC)
    requires: tuple[str, ...] = structured(tuple[str, ...], document.get("requires", []), "manifest.requires")
    missing = requirements.unknown(requires)
    if missing:
        words = f"the bundle requires what this encapctl does not know: {', '.join(missing)}"
        fix = f"{_needed(document)}, or build the bundle again with the release of this encapctl"
        raise DiagnosedError([Diagnostic("B312", words, Place(path), fix)], Exit.SPEC)


def _needed(document: Mapping[str, Any]) -> str:
    """The release to use, as far as a manifest of any version says it."""
    release = document.get("needs_release")
    if isinstance(release, str) and _RELEASE.fullmatch(release):
        return f"use encapctl {release} or newer"
    inputs = document.get("inputs")
    compiler = inputs.get("compiler") if isinstance(inputs, dict) else None
    if isinstance(compiler, str) and _RELEASE.fullmatch(compiler):
        return f"use encapctl {compiler}, with whose encap-compile it was built"
    return "use a newer encapctl"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise MalformedError("a key occurs twice")
    return built
