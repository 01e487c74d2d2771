"""/etc/encap/host.yaml, or what --host names: this machine's host values, files of rows, and limits.

Every scalar is taken as it is written: what `11:22:33:44:55:55` or `0x10` is, the value's declared type decides.
Two keys are no host values where they are mappings: `rows` names the files of tables, and `limits` says what apply
refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from ...common.record import Record
from ...common.suggest import closest
from .removals import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from ...common.documents.nodes import Node

DEFAULT = Path("/etc/encap/host.yaml")
SECTIONS = {"rows": "rows: {TABLE: FILE}", "limits": "limits: {removals: {percent: 20, rows: 10}}"}


class Given(Record):
    """A value that a person gave: texts (one, or several for devices and ip) and where."""

    texts: tuple[str, ...]
    origin: str
    place: Place


class RowsEntry(Record):
    """A table's file of rows on this machine; `bundle` is empty where every bundle with such a table takes it."""

    bundle: str
    table: str
    file: Path  # absolute
    place: Place


class HostFile(Record):
    """What a host file says; `path` is absolute, and empty where there is no host file."""

    path: str = ""
    values: Mapping[str, Given] = field(default_factory=dict)
    rows: tuple[RowsEntry, ...] = ()
    limits: Limits = DEFAULT_LIMITS

    def rows_of(self, bundle: str, tables: Sequence[str]) -> dict[str, RowsEntry]:
        """The files of a bundle's tables. An entry that names the bundle takes precedence over one that does not."""
        entries = sorted((e for e in self.rows if e.bundle in ("", bundle)), key=lambda e: bool(e.bundle))
        return {e.table: e for e in entries if e.table in tables}


def open_host_file(named: str) -> HostFile:
    """The file that --host named, else /etc/encap/host.yaml, else nothing. Raises DiagnosedError (H103)."""
    path = Path(named) if named else DEFAULT
    return read_host_file(path) if named or path.exists() else HostFile()


def read_host_file(path: Path) -> HostFile:
    """Raises DiagnosedError (H103, and the codes of `common.documents.reader`)."""
    from ...common.documents.reader import HOST_FILE, read_yaml  # only machines with a host file pay for PyYAML
    from ...common.regular_file import read_regular
    from ...common.rows.short import ShortFindings

    findings = ShortFindings()
    path = path.absolute()
    try:
        root = read_yaml(read_regular(path), str(path), findings, HOST_FILE)
    except OSError as error:
        raise _wrong(f"cannot be read: {error.strerror}", Place(str(path))) from None
    if findings.errors:
        raise DiagnosedError(findings.all, Exit.MACHINE)
    if root is None or root.kind != "object":
        raise _wrong("a mapping of names to values is expected", root.place if root else Place(str(path)))
    given: dict[str, Given] = {}
    rows: tuple[RowsEntry, ...] = ()
    limits = DEFAULT_LIMITS
    for name, value in root.items():
        if name == "rows" and value.kind == "object":
            rows = tuple(_rows(value, path.parent))
        elif name == "limits" and value.kind == "object":
            limits = _limits(value)
        else:
            given[name] = Given(_texts(name, value), str(path), value.place)
    return HostFile(str(path), given, rows, limits)


def _texts(name: str, value: Node) -> tuple[str, ...]:
    items = value.each()
    if not items or any(i.kind in ("object", "array", "null") for i in items):
        near = closest(name, SECTIONS) if value.kind == "object" else None
        fix = f"did you mean `{SECTIONS[near]}`?" if near else ""
        raise _wrong(f"`{name}`: a value or a list of values is expected", value.place, fix)
    return tuple(i.value if i.kind == "string" else i.text for i in items)


def _rows(node: Node, folder: Path) -> list[RowsEntry]:
    """`TABLE: FILE` or `BUNDLE/TABLE: FILE`; a relative path starts at the host file's folder."""
    entries = []
    for key, value in node.items():
        bundle, slash, table = key.rpartition("/")
        if value.kind != "string" or not value.value or not table or (slash and not bundle):
            raise _wrong(f"rows: `{key}`: TABLE: FILE or BUNDLE/TABLE: FILE is expected", value.place)
        entries.append(RowsEntry(bundle, table, folder / value.value, value.place))
    return entries


def _limits(node: Node) -> Limits:
    found = {"percent": DEFAULT_LIMITS.percent, "rows": DEFAULT_LIMITS.rows}
    for key, value in node.items():
        if key != "removals" or value.kind != "object":
            raise _wrong("limits: `removals: {percent: 20, rows: 10}` is expected", value.place)
        for word, number in value.items():
            most = 100 if word == "percent" else 1 << 32
            if word not in found or number.kind != "integer" or not 0 <= number.value <= most:
                words = f"limits: removals: `{word}`: percent (0 to 100) and rows (a number) are expected"
                raise _wrong(words, number.place)
            found[word] = number.value
    return Limits(**found)


def read_settings(settings: Sequence[str]) -> dict[str, Given]:
    """--set NAME=VALUE, several values separated by commas. Raises DiagnosedError (H103, usage)."""
    given: dict[str, Given] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name or not value:
            words = f"--set {setting}: NAME=VALUE is expected"
            raise DiagnosedError([Diagnostic("H103", words)], Exit.USAGE)
        values = tuple(v.strip() for v in value.split(","))
        again = next((v for v in values if v.partition("=")[1] and v.partition("=")[0].isidentifier()), None)
        if again is not None:
            help = f"several values of one name: --set {name}=ONE,TWO; each other name has a --set of its own"
            words = f"--set {setting}: `{again.partition('=')[0]}=` stands behind a comma"
            raise DiagnosedError([Diagnostic("H103", words, help=help)], Exit.USAGE)
        if name in given and given[name].texts != values:
            before = ",".join(given[name].texts)
            help = f"keep one of them; if both are meant: --set {name}={before},{value}"
            raise DiagnosedError([Diagnostic("H103", f"--set gives `{name}` twice", help=help)], Exit.USAGE)
        given[name] = Given(values, "--set", Place(""))
    return given


def _wrong(words: str, place: Place, fix: str = "") -> DiagnosedError:
    fix = fix or "`encapctl explain H103` shows one"
    return DiagnosedError([Diagnostic("H103", words, place, fix)], Exit.MACHINE)
