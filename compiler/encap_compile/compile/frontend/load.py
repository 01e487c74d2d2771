"""A file to a `Spec`."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Findings, Place
from ...common.documents.nodes import Node
from ...common.regular_file import NotRegularError, open_regular
from ...common.rows.short import ShortFindings
from ..spec import Preset, Spec

MOST_BYTES = 4 << 20


def load_spec(path: str) -> Spec:
    """Read, validate by the schema, and build. Raises DiagnosedError with everything that the first bad phase found.

    The phases: reading (E1), structure (E2, and what the schema knows of E4 and N9), values and the files of sets (E3,
    E4). `checks.run` then checks what the document means.
    """
    findings = ShortFindings()
    data = read_bytes(path, findings)
    findings.stop_on_errors()
    return parse_spec(data, path)


def parse_spec(data: bytes, path: str) -> Spec:
    """`load_spec` of bytes already read; files that they name are relative to `path`."""
    from ...common.documents.reader import read_yaml
    from .structure import build_spec
    from .validation import validate

    findings = ShortFindings()
    root = read_yaml(data, path, findings)
    findings.stop_on_errors()
    if root is None:  # read_yaml says why it has no root
        raise DiagnosedError(findings.all)
    validate(root, findings)
    findings.stop_on_errors()
    expanded, preset = _expanded(root, findings)
    findings.stop_on_errors()
    spec = build_spec(expanded, path, sha256(data).hexdigest(), findings)
    # A parameter may stand in several places of a preset's spec: what is wrong with it is said once.
    findings.all[:] = dict.fromkeys(findings.all)
    findings.stop_on_errors()
    return replace(spec, warnings=tuple(findings.warnings), preset=preset)


def _expanded(root: Node, findings: Findings) -> tuple[Node, Preset | None]:
    """The document with what its preset stands for, if it has one."""
    used = root.get("preset")
    if used is None:
        return root, None
    from .presets import expand
    from .written import written

    expanded = expand(root, findings)
    (name,) = used.keys
    return expanded, Preset(name, written(expanded), used.keys[name])


def read_bytes(path: str, findings: Findings) -> bytes:
    """The spec's bytes; b"" after a finding (E101, E102, E103)."""
    place = Place(path)
    try:
        with open_regular(Path(path)) as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            help = "keep rows in a CSV file, and say `file:`"
            findings.error("E103", f"{path} is larger than {MOST_BYTES >> 20} MiB", place, help)
            return b""
        return data
    except (IsADirectoryError, NotRegularError) as error:
        what = "is a directory" if isinstance(error, IsADirectoryError) else "is not a regular file"
        findings.error("E102", f"{path} {what}", place, "name the spec itself")
    except FileNotFoundError:
        findings.error("E101", f"there is no file {path}", place, "is the name right, relative to this folder?")
    except OSError as error:
        findings.error("E101", f"{path} cannot be read: {error.strerror}", place)
    return b""
