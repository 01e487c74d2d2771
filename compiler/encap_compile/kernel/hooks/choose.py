"""Which attach kind this machine takes."""

from __future__ import annotations

import os

from ...diagnostics import DiagnosedError, Diagnostic, Exit
from ..links import tcx_supported
from ..machine import kernel_release
from .base import AttachKind
from .clsact import Clsact
from .tcx import Tcx

KINDS: dict[str, AttachKind] = {"tcx": Tcx(), "clsact": Clsact()}
AUTO = "auto"
VARIABLE = "ENCAP_ATTACH"


def choose(wanted: str) -> AttachKind:
    """The attach kind for a word of --attach: tcx, clsact or auto; empty asks the environment's ENCAP_ATTACH.

    Raises DiagnosedError (H108 for an unknown word, K207 where the kernel has no TCX).
    """
    word = wanted or os.environ.get(VARIABLE, "") or AUTO
    if word not in (*KINDS, AUTO):
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
