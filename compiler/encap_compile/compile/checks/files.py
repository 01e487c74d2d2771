"""Files are told apart by their last part, which is all of a path that the manifest keeps."""

from __future__ import annotations

from pathlib import PurePosixPath

from ...common.diagnostics import Findings, Place
from ..spec import Spec


def check(spec: Spec, findings: Findings) -> None:
    """E322 two files of one last part."""
    seen: dict[str, tuple[PurePosixPath, Place]] = {}
    named = [(t.file, t.places["file"]) for t in spec.endpoints.values() if t.file]
    named += [(s.file, s.place) for s in spec.sets.values() if s.file]
    for written, place in named:
        path = PurePosixPath(written)
        other, first = seen.setdefault(path.name, (path, place))
        if other != path:
            words = f"`{other}` and `{path}` have the same last part, `{path.name}`"
            help = "rename one: the bundle keeps its files side by side"
            findings.error("E322", words, place, help, related=((first, "the other"),))
