"""What has only not come yet when a bundle is to be applied, and what happens to packets until it does."""

from __future__ import annotations

from .diagnostics import DiagnosedError
from .kernel.errors import KernelError
from .loader.desired import Request
from .machine import NOT_GIVEN

# No address, no device, two addresses while they are exchanged, no address of a family: all this may change by itself.
LATE = frozenset({"H104", "H105", "H106", "H109"})


def is_late(error: DiagnosedError | KernelError | OSError) -> bool:
    """Whether an apply failed for nothing but a device or an address that is not there yet."""
    if not isinstance(error, DiagnosedError):
        return False
    errors = [d for d in error.diagnostics if d.severity == "error"]
    return bool(errors) and all(d.code in LATE and NOT_GIVEN not in d.message for d in errors)


def close_until_applied(request: Request) -> int:
    """With `boot: closed`, and nothing in force: take the routes of the rules' prefixes; how many there are."""
    return 0
