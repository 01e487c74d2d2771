"""Files that a spec names: rows and prefix lists.

They are named relative to the spec, with `/`, and lie in its folder or below: a spec and its files are one thing that
is reviewed, copied and compiled anywhere to the same bytes. Absolute names and `..` are therefore refused.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ...common.diagnostics import Findings
from ...common.documents.nodes import Node


def beside(spec_path: str, written: str) -> str:
    """The path of a file that a spec names, for opening and for messages."""
    return str(Path(spec_path).parent / written)


def named_file(node: Node, spec_path: str, findings: Findings) -> str | None:
    """The name as written, if it is one that a spec may use and the file is there; else None after E320 or E321."""
    written: str = node.value
    pure = PurePosixPath(written)
    if pure.is_absolute() or ".." in pure.parts or "\\" in written or written.startswith("~") or "\0" in written:
        findings.error(
            "E320",
            f"`{written}` is outside the spec's folder",
            node.place,
            "name files relative to the spec, in its folder or below, so that the spec means the same anywhere",
        )
        return None
    path = beside(spec_path, written)
    try:
        file = Path(path)
        if file.exists() and not file.resolve().is_relative_to(Path(spec_path).parent.resolve()):
            findings.error(
                "E320",
                f"`{written}` is a link that leads out of the spec's folder",
                node.place,
                "put the file itself there: a spec and its files are reviewed and copied as one",
            )
            return None
        if file.is_file():
            with file.open("rb"):
                return written
        what = f"{path} is not a regular file" if file.exists() else f"there is no file {path}"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name cannot be used"
        what = f"{path} cannot be read: {reason}"
    findings.error("E321", what, node.place, "files are named relative to the spec")
    return None
