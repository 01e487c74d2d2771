"""Which attach kind a hook takes on this machine."""

from __future__ import annotations

import os

from ....common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..links import tcx_supported
from ..system import kernel_release
from .base import DEVICE_POINTS, AttachKind, Point
from .cgroup import Cgroup
from .clsact import Clsact
from .tcx import Tcx

# TCX programs run before clsact filters.
KINDS: dict[str, AttachKind] = {kind.name: kind for kind in (Tcx(), Clsact(), Cgroup())}
TC = tuple(name for name, kind in KINDS.items() if kind.points == DEVICE_POINTS)
AUTO = "auto"
VARIABLE = "ENCAP_ATTACH"


def choose(wanted: str) -> AttachKind:
    """The attach kind of TC hooks for a word of --attach: tcx, clsact or auto; empty asks the variable ENCAP_ATTACH.

    Raises DiagnosedError (H108 for an unknown word, K207 where the kernel has no TCX).
    """
    word = wanted or os.environ.get(VARIABLE, "") or AUTO
    if word not in (*TC, AUTO):
        words = f"{VARIABLE}={word}: not an attach kind"
        raise DiagnosedError([Diagnostic("H108", words, help="write auto, tcx or clsact")], Exit.USAGE)
    if word == AUTO:
        return KINDS["tcx" if tcx_supported() else "clsact"]
    if word == "tcx" and not tcx_supported():
        words = f"kernel {kernel_release()} has no TCX; it came with 6.6"
        raise DiagnosedError(
            [Diagnostic("K207", words, help="leave --attach out, or write --attach clsact")], Exit.KERNEL
        )
    return KINDS[word]


def kind_of(point: Point, tc: AttachKind) -> AttachKind:
    """The attach kind of a hook: TC hooks have several and take `tc`, all others have one."""
    return tc if point in tc.points else next(kind for kind in KINDS.values() if point in kind.points)
