"""The variable-length part of a header: whether a packet may have one."""

from __future__ import annotations

from collections.abc import Container

from .model import Header, Options


def has_variable_part(given: Container[str], header: Header) -> bool:
    """Whether a packet may have it when the spec gives the words `given`: an opaque one only if the spec names it."""
    part = header.variable
    return part is not None and (isinstance(part.role, Options) or part.name in given)
