"""/etc/encap/host.yaml, or what --host names: this machine's values, one key each.

Every scalar is read as text: whether `11:22:33:44:55:55` is a MAC address is decided by the value's declared type,
not by YAML, to which it would be a number.
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
    """Raises DiagnosedError (H103)."""
    import yaml  # a dependency of the whole package; only machines with a host file pay for it

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"cannot be read: {error}", Place(str(path))) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(str(path), mark.line + 1, mark.column + 1) if mark else Place(str(path))
        raise _wrong(f"not YAML: {error.problem}", place) from None
    except yaml.YAMLError as error:
        raise _wrong(f"not YAML: {error}", Place(str(path))) from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise _wrong("a mapping of names to values is expected", _place(path, root))
    given: dict[str, Given] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in given:
            raise _wrong(f"`{getattr(key, 'value', '?')}` is there twice, or is no name", _place(path, key))
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not items or not all(isinstance(i, yaml.ScalarNode) for i in items):
            raise _wrong(f"`{key.value}`: a value or a list of values is expected", _place(path, value))
        given[key.value] = Given(tuple(i.value for i in items), str(path), _place(path, value))
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


def _place(path: Path, node: object) -> Place:
    mark = getattr(node, "start_mark", None)
    return Place(str(path), mark.line + 1, mark.column + 1) if mark else Place(str(path))


def _wrong(words: str, place: Place) -> DiagnosedError:
    return DiagnosedError([Diagnostic("H103", words, place, "see docs/spec.md on host values")], Exit.MACHINE)
