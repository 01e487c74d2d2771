"""/etc/encap/host.yaml, or what --host names: this machine's values, one key each.

Every scalar is taken as it is written: what `11:22:33:44:55:55` or `0x10` is, the value's declared type decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import DiagnosedError, Diagnostic, Exit, Place

DEFAULT = Path("/etc/encap/host.yaml")


@dataclass(frozen=True)
class Given:
    """A value that a person gave: texts (one, or several for devices and ip) and where."""

    texts: tuple[str, ...]
    origin: str
    place: Place


def read_host_file(path: Path) -> dict[str, Given]:
    """Raises DiagnosedError (H103, and the codes of `frontend.reader`)."""
    from ..frontend.reader import read_yaml  # only machines with a host file pay for PyYAML
    from ..rows.short import ShortFindings

    findings = ShortFindings()
    try:
        root = read_yaml(path.read_bytes(), str(path), findings)
    except OSError as error:
        raise _wrong(f"cannot be read: {error.strerror}", Place(str(path))) from None
    if findings.errors:
        raise DiagnosedError(findings.all, Exit.MACHINE)
    if root is None or root.kind != "object":
        raise _wrong("a mapping of names to values is expected", root.place if root else Place(str(path)))
    given: dict[str, Given] = {}
    for name, value in root.items():
        items = value.each()
        if not items or any(i.kind in ("object", "array", "null") for i in items):
            raise _wrong(f"`{name}`: a value or a list of values is expected", value.place)
        texts = tuple(i.value if i.kind == "string" else i.text for i in items)
        given[name] = Given(texts, str(path), value.place)
    return given


def read_settings(settings: Sequence[str]) -> dict[str, Given]:
    """--set NAME=VALUE, several values separated by commas. Raises DiagnosedError (H103, usage)."""
    given = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name or not value:
            words = f"--set {setting}: NAME=VALUE is expected"
            raise DiagnosedError([Diagnostic("H103", words)], Exit.USAGE)
        given[name] = Given(tuple(v.strip() for v in value.split(",")), "--set", Place(""))
    return given


def _wrong(words: str, place: Place) -> DiagnosedError:
    return DiagnosedError([Diagnostic("H103", words, place, "`encap-compile explain H103` shows one")], Exit.MACHINE)
