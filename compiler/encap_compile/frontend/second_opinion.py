"""The published schema, asked by a general validator, must accept what the compiler accepts.

The compiler judges structure by the same document with a walk of its own (`schema_walk`), for the sake of its messages
and of the 0.1 to 0.2 s that importing jsonschema takes. Editors and pipelines use the published schema: where the two
differ, one of them is wrong. So `encap-compile check`, the gate, asks both.
"""

from __future__ import annotations

from pathlib import Path

import jsonschema

from ..diagnostics import Diagnostic, Findings, Place
from ..documents.reader import read_yaml
from ..regular_file import read_regular
from .schema_document import schema_document


def disagreements(path: str) -> list[Diagnostic]:
    """T110 for each thing that the published schema refuses in a spec which the compiler has accepted."""
    root = read_yaml(read_regular(Path(path)), path, Findings())
    if root is None:
        return []
    found = jsonschema.Draft202012Validator(schema_document()).iter_errors(root.plain())
    return [_diagnostic(path, error) for error in found]


def _diagnostic(path: str, error: jsonschema.ValidationError) -> Diagnostic:
    where = ".".join(map(str, error.absolute_path)) or "the document"
    words = f"the compiler accepts it, the published schema does not: {where}: {error.message[:200]}"
    return Diagnostic("T110", words, Place(path), "this is a bug of encap-compile: please report it with the spec")
