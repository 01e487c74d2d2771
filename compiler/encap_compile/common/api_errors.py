"""What the system refuses a function of the API, as the DiagnosedError that the function documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from .diagnostics import DiagnosedError, Exit

P = ParamSpec("P")
T = TypeVar("T")


def diagnosed(verb: Callable[P, T]) -> Callable[P, T]:
    """A file or memory that cannot be had is H114."""

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except (OSError, MemoryError) as error:
            from .system_refusals import refusal

            raise DiagnosedError([refusal(error)], Exit.MACHINE) from error

    return call
