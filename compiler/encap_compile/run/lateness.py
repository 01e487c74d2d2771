"""What has only not come yet when a bundle is to be applied, and what happens to packets until it does."""

from __future__ import annotations

from ..common.diagnostics import DiagnosedError
from .host_values import NOT_GIVEN
from .kernel.errors import KernelError
from .kernel.hooks.base import Point
from .loader.bundle import load_manifest
from .loader.closing import CLOSED, close
from .loader.desired import Request
from .loader.kept import known_on_link
from .loader.observe import observe
from .loader.paths import Paths

# No address, no device, two addresses while they are exchanged, no address of a family: all this may change by itself.
LATE = frozenset({"H104", "H105", "H106", "H109"})


def is_late(error: DiagnosedError | KernelError | OSError) -> bool:
    """Whether an apply failed for nothing but a device or an address that is not there yet."""
    if not isinstance(error, DiagnosedError):
        return False
    errors = [d for d in error.diagnostics if d.severity == "error"]
    return bool(errors) and all(d.code in LATE and NOT_GIVEN not in d.message for d in errors)


def close_until_applied(request: Request) -> int:
    """With `boot: closed`, and no program of ours at egress: take the routes of the rules' prefixes, and count them.

    Raises DiagnosedError for a bundle that cannot be read, KernelError.
    """
    manifest = load_manifest(request.bundle)
    if manifest.boot != CLOSED:
        return 0
    observed = observe(Paths.of(manifest.name, request.bpffs))
    if any(r.hook.point is Point.EGRESS for r in observed.running):
        return 0  # where one device of several is missing, the others go on
    return close(manifest, known_on_link(request.bundle))
