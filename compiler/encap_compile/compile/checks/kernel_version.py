"""A kernel that nobody has tested is asked for."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..spec import Spec

NEWEST_TESTED = (7, 3)  # what docs/kernels.md shows; a test compares them


def check(spec: Spec, findings: Findings) -> None:
    """W530: `kernel` is newer than any that was tested."""
    if spec.kernel > NEWEST_TESTED:
        written, newest = ".".join(map(str, spec.kernel)), ".".join(map(str, NEWEST_TESTED))
        words = f"kernel {written} is newer than any that this release was tested on: {newest}"
        fix = f'`kernel` is the oldest kernel to load on; write "{newest}" or older if the fleet has one'
        findings.warning("W530", words, spec.kernel_place, fix)
