"""What the kernel refuses a function of the API, as the DiagnosedError that the function documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from ...common.api_errors import diagnosed
from ...common.diagnostics import DiagnosedError, Diagnostic, Exit

P = ParamSpec("P")
T = TypeVar("T")


def diagnosis(error: Exception) -> DiagnosedError | None:
    """H101 where a capability is missing, else K209; None for what the kernel has not said."""
    from ..kernel.errors import KernelError, NotPermittedError

    if isinstance(error, NotPermittedError):
        fix = "run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON in the first user namespace"
        found = Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix)
        return DiagnosedError([found], Exit.MACHINE)
    if isinstance(error, KernelError):
        return DiagnosedError([Diagnostic("K209", f"the kernel refused: {error}")], Exit.KERNEL)
    return None


def on_this_machine(verb: Callable[P, T]) -> Callable[P, T]:
    """For a function that asks the kernel."""

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except Exception as error:
            known = diagnosis(error)
            if known is None:
                raise
            raise known from error

    return diagnosed(call)
